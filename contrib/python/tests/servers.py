# SPDX-License-Identifier: BSD-3-Clause
"""Servers for the tests: a leasecached, and Debian's memcached.

LEASECACHED    the program; else it is looked for in PATH
MEMCACHED      the same for memcached
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

# Nothing takes this long, not even under a sanitizer on a busy machine.
LONG = 60


class Server:
    """A process on a free loopback port; every option is one string."""

    def __init__(self, program, *options):
        self._dir = tempfile.TemporaryDirectory(prefix='leasecached-')
        os.chmod(self._dir.name, 0o777)
        ports = os.path.join(self._dir.name, 'ports')
        self._log = open(os.path.join(self._dir.name, 'log'), 'w+b')
        user = ['-u', 'root'] if os.getuid() == 0 else []
        self.process = subprocess.Popen(
            [program, '-p', '-1', '-l', '127.0.0.1', *user, *options],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env={**os.environ, 'MEMCACHED_PORT_FILENAME': ports})
        atexit.register(self.stop)
        self.port = self._await(ports)
        self.address = '127.0.0.1:%d' % self.port

    def _await(self, ports):
        end = time.monotonic() + LONG
        while time.monotonic() < end and self.process.poll() is None:
            if os.path.exists(ports):
                with open(ports) as f:
                    line = f.readline()
                if line.endswith('\n'):
                    return int(line.split()[-1])
            time.sleep(0.005)
        self.process.kill()
        raise RuntimeError('%s did not start: %s' % (
            self.process.args, self.log()))

    def log(self):
        self._log.seek(0)
        return self._log.read().decode(errors='replace')

    def stop(self):
        """Its exit status; None when it had been stopped before."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.terminate()
        try:
            status = process.wait(LONG)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if status:
            print('# %s ended with %d\n%s' % (process.args[0], status,
                                              self.log()))
        self._log.close()
        self._dir.cleanup()
        return status

    def ask(self, request, end):
        """What the server answers, up to a line."""
        with socket.create_connection(('127.0.0.1', self.port), LONG) as s:
            s.sendall(request)
            lines = []
            for line in s.makefile('rb'):
                if line == end:
                    return lines
                lines.append(line.decode().rstrip())
        raise ConnectionError('closed by the server')

    def stats(self, *words):
        lines = self.ask(b' '.join([b'stats', *words]) + b'\r\n', b'END\r\n')
        return dict((line.split(' ', 2) + [''])[1:3] for line in lines)

    def advance(self, seconds):
        """Moves the server's clock, where it is built for that."""
        with socket.create_connection(('127.0.0.1', self.port), LONG) as s:
            s.sendall(b'debugtime %+d\r\n' % seconds)
            return s.makefile('rb').readline() == b'OK\r\n'


def leasecached(*options):
    return Server(_program('LEASECACHED', 'leasecached'), '-o',
                  'debug_commands', *options)


def memcached(*options):
    return Server(_program('MEMCACHED', 'memcached'), *options)


def _program(variable, name):
    path = os.environ.get(variable) or shutil.which(name)
    if path is None:
        raise unittest.SkipTest('%s is not installed' % name)
    return path
