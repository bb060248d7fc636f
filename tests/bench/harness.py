# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks share: servers, load, and rounds in turn.

Two servers are started with the same options, each on a port of its own and
pinned to the same CPU; the load generator is pinned to another one.  While one
is measured, the other is stopped (SIGSTOP): it takes no CPU and no cache.
"""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def number(name, default):
    """A knob of the environment: a number, kept whole if it is."""
    value = float(os.environ.get(name) or default)
    return int(value) if value == int(value) else value


def words(name):
    return os.environ.get(name, '').split()


def say(text):
    """Progress, beside the table."""
    print(f'bench: {text}', file=sys.stderr, flush=True)


def cpus():
    """The CPUs of the servers and of the load: (0, 1), or the same twice."""
    there = sorted(os.sched_getaffinity(0))
    return (number('SERVER_CPU', there[0]),
            number('CLIENT_CPU', there[1 % len(there)]))


def cpu_seconds(pid):
    """CPU time of a process, all threads, by the kernel's account."""
    return time.clock_gettime((~pid << 3) | 2)


def prepare():
    """Many descriptors; and servers are stopped when we are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))


class Bad(Exception):
    """A wrong reply, or a server that died: no figures."""


class Process:
    """A server under test: pinned, with a port, to be paused and stopped."""

    def __init__(self, argv, pin=True, env=None, **pipes):
        cpu = cpus()[0]

        def in_child():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if pin:
                os.sched_setaffinity(0, {cpu})

        self.log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(argv, stderr=self.log, env=env,
                                        preexec_fn=in_child, **pipes)
        self.pid = self.process.pid
        self.port = None

    def fail(self, what):
        self.log.seek(0)
        raise Bad(f'{self.process.args[0]}: {what}\n{self.log.read()}')

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Ends it; what it has said on standard error."""
        if self.process.poll() is None:
            self.resume()
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.seek(0)
        return self.log.read()


class Server(Process):
    """leasecached or memcached."""

    def __init__(self, bench, binary, options, under=(), pin=True):
        self.folder = tempfile.TemporaryDirectory(prefix='bench-')
        ports = os.path.join(self.folder.name, 'port')
        env = dict(os.environ, MEMCACHED_PORT_FILENAME=ports,
                   LEASECACHED_PORT_FILENAME=ports)
        argv = [*under, binary, '-l', '127.0.0.1', '-p', '-1', '-U', '0']
        if os.getuid() == 0:
            argv += ['-u', 'root']
        argv += options
        argv += words('OURS_ARGS' if binary == bench.ours else 'PEER_ARGS')
        super().__init__(argv, pin, env)
        until = time.monotonic() + START_SECONDS
        while self.port is None:
            if self.process.poll() is not None:
                self.fail('does not start')
            if time.monotonic() > until:
                self.stop()
                self.fail('does not say its port')
            time.sleep(0.02)
            if os.path.exists(ports):
                found = re.search(r'TCP INET: (\d+)\n', open(ports).read())
                self.port = found and int(found[1])

    def stats(self):
        with socket.create_connection(('127.0.0.1', self.port), 30) as sock:
            sock.sendall(b'stats\r\n')
            text = b''
            while not text.endswith(b'END\r\n'):
                more = sock.recv(65536)
                if not more:
                    self.fail('closed the connection')
                text += more
        lines = (line.split() for line in text.decode().splitlines())
        return {line[1]: line[2] for line in lines if len(line) == 3}

    def stop(self):
        log = super().stop()
        self.folder.cleanup()
        return log


class BareLoop(Process):
    """bench_bare_loop, in the place of a server."""

    def __init__(self, bench):
        super().__init__([bench.bare], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stats(self):
        return {'evictions': '0'}


class Bench:
    """Where the programs are, and how long to measure."""

    def __init__(self, ours, programs, results):
        self.ours = ours
        self.peer = os.environ.get('PEER') or 'memcached'
        self.programs = programs
        self.load_program = os.path.join(programs, 'bench_load')
        self.bare = os.path.join(programs, 'bench_bare_loop')
        self.results = results
        self.rounds = number('ROUNDS', 5)
        self.seconds = number('SECONDS', 1.2)
        self.ops = number('OPS', 0)
        self.threads = number('THREADS', 1)
        prepare()
        self.raw = []       # of each measurement
        os.makedirs(results, exist_ok=True)

    def has_peer(self):
        return shutil.which(self.peer) is not None

    def version(self, binary):
        out = subprocess.run([binary, '-V'], capture_output=True, text=True)
        return (out.stdout + out.stderr).strip().split('\n')[0]

    def binaries(self):
        return {'ours': self.ours, 'peer': self.peer}

    def pair(self, *options, threads=None, ours_only=(), **more):
        """Both servers, fresh, with the same options but for some."""
        options = ['-t', str(threads or self.threads), *options]
        both = {}
        try:
            for side, binary in self.binaries().items():
                own = ours_only if side == 'ours' else ()
                both[side] = Server(self, binary, [*options, *own], **more)
        except BaseException:
            stop(both)
            raise
        return both

    def load(self, server, *args, pin=True):
        """Runs bench_load; what it printed, by name."""
        argv = [self.load_program, '-p', str(server.port),
                '-i', str(server.pid)]
        if pin:
            argv += ['-C', str(cpus()[1])]
        out = subprocess.run([*argv, *map(str, args)], capture_output=True,
                             text=True)
        if out.returncode != 0 or server.process.poll() is not None:
            server.fail(out.stderr.strip() or 'died')
        return {name: float(value) for name, value, unit in
                (line.split() for line in out.stdout.splitlines())}

    def timing(self, share=0.25):
        """Warm-up and measurement of a round, as arguments of bench_load."""
        args = ['-w', share * self.seconds, '-t', self.seconds]
        return args + ['-n', self.ops] if self.ops else args

    def fill(self, servers, *args):
        for server in servers.values():
            self.load(server, '-m', 'fill', *args)

    def rounds_of(self, name, servers, args, rounds=None):
        """Measures in turn, ABBA...: a list of {side: what was printed}."""
        sides = list(servers)
        for server in servers.values():
            server.pause()
        rows = []
        for turn in range(rounds or self.rounds):
            row = {}
            for side in sides if turn % 2 == 0 else reversed(sides):
                servers[side].resume()
                row[side] = self.load(servers[side], *args)
                time.sleep(0.02)    # it sees that the clients are gone
                servers[side].pause()
                self.note(name, turn, side, row[side])
            rows.append(row)
        for server in servers.values():
            server.resume()
        return rows

    def note(self, name, turn, side, figures):
        self.raw.append((name, turn, side, figures))
        if figures.get('misses'):
            raise Bad(f'{name}: {figures["misses"]:.0f} misses, {side}')


def stop(servers):
    for server in servers.values():
        server.stop()


def check_kept(name, servers):
    """Nothing may have been evicted where speed is compared."""
    for side, server in servers.items():
        if server.stats().get('evictions') != '0':
            raise Bad(f'{name}: evictions, {side}')


def spread(values):
    return statistics.median(values), min(values), max(values)
