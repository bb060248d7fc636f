# SPDX-License-Identifier: BSD-3-Clause
"""server.py - a server that density and churn put to the test."""
import os
import re
import signal
import socket
import subprocess
import sys
import time


class Server:
    """A server on a port of its own, and one connection to it."""

    def __init__(self, path, megabytes):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        argv = [path, '-p', str(port), '-l', '127.0.0.1', '-m',
                str(megabytes), '-t', '2']
        if os.geteuid() == 0:
            argv += ['-u', 'root']
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                self.socket = socket.create_connection(('127.0.0.1', port))
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.stop()
                    sys.exit(f'{path} does not start')
                time.sleep(0.02)
        self.file = self.socket.makefile('rb', 1 << 16)

    def stats(self):
        self.socket.sendall(b'stats\r\n')
        found = {}
        while (line := self.file.readline().decode().split())[0] != 'END':
            found[line[1]] = line[2]
        return found

    def resident(self):
        with open(f'/proc/{self.process.pid}/status') as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1)) * 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
