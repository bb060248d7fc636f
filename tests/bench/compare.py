# SPDX-License-Identifier: BSD-3-Clause
"""This server beside memcached: `make bench`, bench-quick, bench-record.

usage: compare.py [--quick | --record] LEASECACHED PROGRAMS RESULTS

PROGRAMS is the folder of bench_load and bench_bare_loop.  Leaves bench.txt,
bench.csv, bench-rounds.csv and bench.svg in RESULTS; with --quick quick.*.
doc/benchmarks.md explains rows and variables.  Exit status 1 when a reply was
wrong or a server died; how fast it is decides nothing.
"""

import argparse
import datetime
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import harness
import hooks
import report
from harness import Bad, number, say
from report import Row

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, 'recorded.csv')
CPU = 'server_cpu'

# id, name, arguments of bench_load, goal; values of 100 bytes.
SMALL = [
    ('get', 'get, one at a time: µs CPU per op', '-P 1', '<=0.85'),
    ('pipeline', 'get, pipeline of 50: µs CPU per op', '-P 50', '<=0.50'),
    ('mixed', '1 set to 10 gets, pipeline of 50: µs CPU per op',
     '-m mixed -P 50', '<=0.50'),
    ('meta', 'mg, pipeline of 50: µs CPU per op', '-M -P 50', '<=0.50'),
    ('meta-mixed', '1 ms to 10 mg, pipeline of 50: µs CPU per op',
     '-M -m mixed -P 50', '<=0.50'),
    ('mget', 'get of 100 keys: µs CPU per key', '-g 100', '<=0.45'),
    ('set', 'set, pipeline of 50: µs CPU per op', '-m set -P 50', '<=0.70'),
    ('zipf', 'get, pipeline of 50, Zipf 0.99: µs CPU per op',
     '-P 50 -z 0.99', '-'),
]
LARGE = [
    ('16k', 'get of 16 KiB: µs CPU per op', 16384, 2000, 50, '<=0.90'),
    ('1m', 'get of 1 MiB: µs CPU per op', 1048576, 100, 8, '<=0.90'),
]
# (memcached sets the hard limit of descriptors to its -c, which valgrind refuses
# unless it is so already; it keeps 12 for itself.)
VALGRIND = ['prlimit', '--nofile=1036', 'valgrind', '--tool=callgrind',
            '--separate-threads=yes']
SENDS = re.compile(r'^c?fn=\(\d+\) (__libc_)?send(msg|to)?\b', re.MULTILINE)
INSTRUCTIONS = [
    ('get, one at a time', '-P 1'),
    ('get, pipeline of 50', '-P 50'),
    ('1 set to 10 gets, pipeline of 50', '-P 50 -m mixed'),
    ('mg, pipeline of 50', '-P 50 -M'),
    ('get of 100 keys', '-g 100'),
    ('set, pipeline of 50', '-P 50 -m set'),
]
QUICK = 'get pipeline meta mixed mget set 16k rate latency instructions idle'


class Compare:
    def __init__(self, bench, chosen):
        self.bench = bench
        self.chosen = chosen
        self.rows = []
        self.keys = number('KEYS', 100000)
        self.many = number('MANY', 10000000)
        self.conns = number('CONNS', 50)
        self.idle = number('IDLE', 19900)
        self.quick = False

    def wants(self, *idents):
        return not self.chosen or any(i in self.chosen for i in idents)

    def add(self, row):
        self.rows.append(row)
        say('  '.join(row.cells()))

    def measure(self, ident, name, servers, args, goal, metric=CPU,
                rounds=None, **more):
        found = self.bench.rounds_of(ident, servers, args, rounds)
        self.add(Row.of_rounds(ident, name, found, metric, goal, **more))
        return found

    # ---- speed ------------------------------------------------------------------

    def small(self):
        bench = self.bench
        idents = [row[0] for row in SMALL] + ['bare', 'rate', 'latency',
                                              'memtier']
        if not self.wants(*idents):
            return
        servers = bench.pair('-m', '1024')
        try:
            keys = ['-k', self.keys]
            bench.fill(servers, *keys)
            load = [*keys, '-c', self.conns, *bench.timing()]
            for ident, name, args, goal in SMALL:
                if self.wants(ident):
                    self.measure(ident, name, servers, load + args.split(),
                                 goal)
                if ident == 'get':
                    self.bare(servers['ours'], load)
                    self.open_loop(servers, load)
            self.memtier(servers)
            harness.check_kept('small', servers)
        finally:
            harness.stop(servers)

    def bare(self, ours, load):
        if not self.wants('bare'):
            return
        loop = harness.BareLoop(self.bench)
        try:
            for ident, name, args in (
                    ('bare', 'get, one at a time, against a bare loop '
                     '(2nd column): µs CPU per op', []),
                    ('bare-pipeline', 'get, pipeline of 50, against a bare '
                     'loop (2nd column): µs CPU per op', ['-P', 50])):
                goal = '<=1.10' if ident == 'bare' else '-'
                self.measure(ident, name, {'ours': ours, 'peer': loop},
                             [*load, *args, '-x'], goal)
        finally:
            loop.stop()

    def open_loop(self, servers, load):
        """At 60 % of what memcached does at most: its CPU, and the times."""
        if not self.wants('rate', 'latency'):
            return
        peaks = [f['rate'] for name, _, side, f in self.bench.raw
                 if (name, side) == ('get', 'peer')]
        if not peaks:
            servers['ours'].pause()
            peaks = [self.bench.load(servers['peer'], *load)['rate']]
            servers['ours'].resume()
        rate = int(0.6 * statistics.median(peaks))
        args = [*load, '-r', rate, '-t', 3 * self.bench.seconds]
        found = self.bench.rounds_of('rate', servers, args)
        at = 'get at 60 % of memcached\'s peak'
        say(f'{at}: {rate} a second')
        self.add(Row.of_rounds('rate', f'{at}: µs CPU per op', found, CPU, '-'))
        self.add(Row.of_rounds('latency', f'{at}: 50th percentile, µs', found,
                               'p50', '-'))
        self.add(Row.of_rounds('latency', f'{at}: 99.9th percentile, µs',
                               found, 'p999', '<=1.0'))

    def large(self):
        for ident, name, value, keys, conns, goal in LARGE:
            if not self.wants(ident):
                continue
            servers = self.bench.pair('-m', '1024', '-I', '2m')
            try:
                args = ['-s', value, '-k', keys, '-c', conns]
                self.bench.fill(servers, *args)
                self.measure(ident, name, servers,
                             args + self.bench.timing(), goal)
                harness.check_kept(ident, servers)
            finally:
                harness.stop(servers)

    def room(self, items):
        """-m for so many items of 100 bytes: twice what they take."""
        return str(max(1024, items * 400 // 2**20))

    def with_many(self):
        if not self.wants('many', 'many-meta', 'many-zipf'):
            return
        servers = self.bench.pair('-m', self.room(self.many))
        millions = f'{self.many / 1e6:g} million items'
        try:
            keys = ['-k', self.many]
            say(f'{millions}: storing')
            self.bench.fill(servers, *keys, '-c', 4)
            load = [*keys, '-c', self.conns, '-P', 50, *self.bench.timing()]
            for ident, name, args, goal in (
                    ('many', 'get', [], '<=0.45'),
                    ('many-meta', 'mg', ['-M'], '<=0.45'),
                    ('many-zipf', 'get, Zipf 0.99', ['-z', 0.99], '-')):
                if self.wants(ident):
                    self.measure(ident, f'{name}, pipeline of 50, {millions}: '
                                 'µs CPU per op', servers, load + args, goal)
            harness.check_kept('many', servers)
        finally:
            harness.stop(servers)

    def on_fresh(self, ident, options, *load):
        """Up to three rounds, in turn, of servers started for each of them."""
        found = []
        sides = self.bench.binaries()
        for turn in range(min(self.bench.rounds, 3)):
            row = {}
            for side in sides if turn % 2 == 0 else reversed(sides):
                server = harness.Server(
                    self.bench, sides[side],
                    ['-t', str(self.bench.threads), *options])
                try:
                    row[side] = self.bench.load(server, *load)
                    self.bench.note(ident, turn, side, row[side])
                finally:
                    server.stop()
            found.append(row)
        return found

    # ---- pauses -----------------------------------------------------------------

    def pause(self):
        """Fresh servers in each round: tables grow from nothing."""
        if not self.wants('pause'):
            return
        found = self.on_fresh('pause', ['-m', self.room(self.many)],
                              '-m', 'fill', '-k', self.many, '-c', 4,
                              '-q', 200)
        name = f'while {self.many / 1e6:g} million items are stored'
        self.add(Row.of_rounds('pause', f'a get {name}: 99.9th percentile, ms',
                               found, 'p999', '-', 1e-3))
        self.add(Row.of_rounds('pause', f'a get {name}: longest, ms',
                               found, 'max', '<=1.0', 1e-3))
        worst = [max(r[side]['max'] for r in found) / 1e3
                 for side in ('ours', 'peer')]
        ratio = worst[0] / worst[1] if worst[1] else None
        self.add(Row('pause', f'a get {name}: longest of all rounds, ms',
                     *worst, ratio, 'ours<=5|ours<=peer'))

    # ---- threads ----------------------------------------------------------------

    def executed(self, binary, threads, args, ops):
        """Instructions of the threads that serve, and ops.

        Those are the ones that send.
        """
        with tempfile.TemporaryDirectory(prefix='bench-') as folder:
            server = harness.Server(
                self.bench, binary,
                ['-m', '64', '-c', '1024', '-t', str(threads)],
                [*VALGRIND, f'--callgrind-out-file={folder}/out'])
            try:
                figures = self.bench.load(server, '-k', 1000, '-f', '-c', 8,
                                          *args.split(), '-n', ops)
            finally:
                log = server.stop()
            counts = []
            for name in os.listdir(folder):
                with open(os.path.join(folder, name)) as f:
                    text = f.read()
                found = re.search(r'^totals: (\d+)', text, re.MULTILINE)
                if found and SENDS.search(text):
                    counts.append(int(found[1]))
        if len(counts) < threads:
            raise Bad(f'valgrind: {log}')
        return sum(sorted(counts)[-threads:]), figures['ops']

    def instructions(self, args, threads=1):
        """Of one op, of both: what a longer run takes more than a shorter."""
        found = []
        for binary in self.bench.binaries().values():
            (ir1, ops1), (ir2, ops2) = (
                self.executed(binary, threads, args, ops)
                for ops in (5000, 25000))
            found.append((ir2 - ir1) / (ops2 - ops1))
        return found

    def instruction_rows(self):
        if not self.wants('instructions', 'threads'):
            return
        if shutil.which('valgrind') is None:
            say('SKIP: instructions per op need valgrind; '
                'on Debian: apt install valgrind')
            return
        if self.wants('instructions'):
            for name, args in INSTRUCTIONS:
                a, b = self.instructions(args)
                self.add(Row('instructions', f'{name}: instructions per op',
                             a, b, a / b, '-', a / b * 0.98, a / b * 1.02))
        if self.wants('threads'):
            one, two = (self.instructions('-m mixed -P 50', t) for t in (1, 2))
            a, b = (two[side] / one[side] for side in (0, 1))
            self.add(Row('threads', 'mixed: instructions per op, 2 threads ÷ 1',
                         a, b, a / b, 'ours<=1.03'))

    def lock_rows(self):
        if not self.wants('threads'):
            return
        for threads in (1, 2):
            calls = self.calls('syscalls:sys_enter_futex', '-m mixed -P 50',
                               threads)
            if calls:
                a, b = calls
                self.add(Row('threads', '1 set to 10 gets, pipeline of 50, '
                             f'{threads} thread{"s"[:threads - 1]}: futex '
                             'calls per 1000 ops', a * 1e3, b * 1e3,
                             a / b if b else None, 'ours<=1|ours<=peer'))

    def calls(self, event, args, threads):
        """System calls per op of both sides; not pinned, so that they meet."""
        found = []
        for side, binary in self.bench.binaries().items():
            server = harness.Server(self.bench, binary,
                                    ['-m', '64', '-t', str(threads)],
                                    pin=threads == 1)
            try:
                self.bench.load(server, '-m', 'fill', '-k', 10000)
                count = self.count_calls(
                    server, event, ['-k', 10000, '-c', self.conns,
                                    *args.split(), '-n', 100000],
                    threads == 1)
            finally:
                server.stop()
            if count is None:
                return None
            found.append(count)
        return found

    def count_calls(self, server, event, args, pin):
        out = os.path.join(self.bench.results, 'perf.tmp')
        if shutil.which('perf') is None:
            say('SKIP: system calls are counted with perf; '
                'on Debian: apt install linux-perf')
            return None
        perf = subprocess.Popen(
            ['perf', 'stat', '-x,', '-e', event, '-p', str(server.pid),
             '-o', out], stderr=subprocess.DEVNULL)
        time.sleep(0.5)     # it says nothing when it has begun
        try:
            figures = self.bench.load(server, *args, pin=pin)
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait()
        try:
            with open(out) as f:
                counts = [line.split(',')[0] for line in f if ',' in line]
            os.remove(out)
            return int(counts[0]) / figures['ops']
        except (OSError, ValueError, IndexError):
            say(f'SKIP: perf cannot count {event} here')
            return None

    def syscall_rows(self):
        if not self.wants('syscalls'):
            return
        for name, args in (('one at a time', '-P 1'),
                           ('pipeline of 50', '-P 50')):
            calls = self.calls('raw_syscalls:sys_enter', args, 1)
            if calls:
                a, b = calls
                self.add(Row('syscalls', f'get, {name}: system calls per op',
                             a, b, a / b))

    # ---- memory -----------------------------------------------------------------

    def hook(self, ident, measure):
        if self.wants(ident):
            for row in measure(self.bench):
                self.add(row)

    def idle_cpu(self, turn):
        """ms of CPU in a second of a server that nobody uses."""
        row = {}
        for side, binary in self.bench.binaries().items():
            server = harness.Server(self.bench, binary,
                                    ['-t', str(self.bench.threads)])
            try:
                time.sleep(0.5)
                before = harness.cpu_seconds(server.pid)
                time.sleep(2)
                used = harness.cpu_seconds(server.pid) - before
            finally:
                server.stop()
            row[side] = {'cpu': used * 1e3 / 2}
            self.bench.note('idle-cpu', turn, side, row[side])
        return row

    def idle_rows(self):
        if self.wants('idle-cpu'):
            found = [self.idle_cpu(turn) for turn in range(2)]
            self.add(Row.of_rounds('idle-cpu', 'a server that nobody uses: ms '
                                   'CPU per second', found, 'cpu', '-'))
        if not self.wants('idle'):
            return
        found = self.on_fresh('idle',
                              ['-m', '64', '-c', str(self.idle + 50)],
                              '-m', 'hold', '-c', self.idle)
        self.add(Row.of_rounds('idle', 'idle connection that was served: '
                               'bytes resident', found, 'connection',
                               'ours<=peer,ours<=532'))
        self.add(Row.of_rounds('idle', f'connections held, of {self.idle}',
                               found, 'held', '>=1.0'))

    # ---- another's load ---------------------------------------------------------

    def memtier(self, servers):
        if not self.wants('memtier'):
            return
        if shutil.which('memtier_benchmark') is None:
            say('SKIP: there is no memtier_benchmark')
            return
        for server in servers.values():
            self.memtier_run(server, '--ratio 1:0 --key-pattern P:P'.split(),
                             'allkeys')
        for name, args in (('get', '--ratio 0:1'),
                           ('1 set to 10 gets, pipeline of 50',
                            '--ratio 1:10 --pipeline 50')):
            found = []
            for turn in range(self.bench.rounds):
                row = {}
                for side in servers if turn % 2 == 0 else reversed(servers):
                    used = self.memtier_run(servers[side], args.split(), 4000)
                    row[side] = {CPU: used * 1e6 / (4000 * self.conns)}
                    self.bench.note(f'memtier {name}', turn, side, row[side])
                found.append(row)
            self.add(Row.of_rounds('memtier', f'memtier_benchmark, {name}: '
                                   'µs CPU per op', found, CPU, '-'))

    def memtier_run(self, server, args, requests):
        """The CPU time it costs the server; seconds."""
        before = harness.cpu_seconds(server.pid)
        done = subprocess.run(
            ['taskset', '-c', str(harness.cpus()[1]), 'memtier_benchmark',
             '-s', '127.0.0.1', '-p', str(server.port), '-P', 'memcache_text',
             '-t', '1', '-c', str(self.conns), '-n', str(requests), '-d', '100',
             '--key-maximum', '10000', '--hide-histogram', *args],
            capture_output=True, text=True)
        if done.returncode != 0:
            server.fail('memtier_benchmark: ' + done.stderr[-500:])
        return harness.cpu_seconds(server.pid) - before

    def all(self):
        self.small()
        self.large()
        self.with_many()
        self.pause()
        self.instruction_rows()
        self.lock_rows()
        self.syscall_rows()
        self.hook('density', hooks.density)
        self.hook('churn', hooks.churn)
        self.idle_rows()
        self.hook('traces', hooks.traces)


# ---- the page --------------------------------------------------------------------


def heading(bench):
    model = ''
    try:
        with open('/proc/cpuinfo') as f:
            model = next((line.split(':')[1].strip() for line in f
                          if line.startswith('model name')), '')
    except OSError:
        pass
    server, client = harness.cpus()
    where = f'servers on CPU {server}, load on CPU {client}'
    if server == client:
        where = f'servers and load share CPU {server}: of little worth'
    return '\n'.join([
        f'{bench.version(bench.ours)} (ours) beside '
        f'{bench.version(bench.peer)}',
        f'{datetime.date.today()}; {platform.system()} {platform.release()}, '
        f'{os.cpu_count()} CPUs, {model}',
        f'{where}; {bench.threads} thread(s) each; medians of {bench.rounds} '
        'rounds, in turn; ratio: ours ÷ memcached, median (lowest..highest)'])


def footing(bench):
    """How much others had of the CPUs."""
    waited, late = ([f[name] for *_, f in bench.raw if name in f]
                    for name in ('server_waited', 'disturbed'))
    timed = sum(f.get('timed', 0) for *_, f in bench.raw)
    bad = sum(w > 0.1 for w in waited)
    out = []
    if bad:
        out += [f'{bad} of {len(waited)} measurements: the server waited more '
                'than 10 % of the time', 'for its CPU, which others used.']
    if sum(late) > 0.01 * timed:
        share = 100 * sum(late) / (sum(late) + timed)
        out += [f'{share:.0f} % of the requests to be timed were not: '
                'the load generator was late.']
    if out:
        return '\n'.join(['', *out, 'A quiet machine tells more.'])
    return ('\nServers and load had their CPUs for themselves.' if waited
            else '')


def publish(bench, rows, name):
    text = '\n'.join([heading(bench), '', report.table(rows),
                      footing(bench)])
    base = os.path.join(bench.results, name)
    with open(base + '.txt', 'w') as f:
        f.write(text.rstrip() + '\n')
    report.write_csv(base + '.csv', rows)
    report.write_raw(base + '-rounds.csv', bench.raw)
    report.write_svg(base + '.svg', rows)
    print(text.rstrip(), flush=True)


def compare_recorded(bench, rows):
    recorded, against = report.read_recorded(RECORDED)
    if not recorded:
        print('\nNothing is recorded yet: make bench-record')
        return
    if against != bench.version(bench.peer):
        print(f'\nRecorded against {against}; not compared.')
        return
    lines = report.moved(rows, recorded)
    print('\nSince make bench-record, beyond the spread of both runs:')
    print('\n'.join(lines) if lines else 'nothing moved.')
    if any(line.startswith('WORSE') for line in lines):
        print('\n*** WORSE than recorded; see above. ***')


def quick_defaults():
    for name, value in (('ROUNDS', '3'), ('SECONDS', '0.6'), ('ROWS', QUICK),
                        ('MANY', '1000000'), ('IDLE', '3000')):
        os.environ.setdefault(name, value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--record', action='store_true')
    parser.add_argument('ours')
    parser.add_argument('programs')
    parser.add_argument('results')
    args = parser.parse_args()
    if args.quick or args.record:
        quick_defaults()
    bench = harness.Bench(os.path.abspath(args.ours), args.programs,
                          args.results)
    if not bench.has_peer():
        print(f'bench: SKIP: there is no {bench.peer} to compare with; '
              'on Debian: apt install memcached')
        return 0
    compare = Compare(bench, harness.words('ROWS'))
    status = 0
    try:
        compare.all()
    except Bad as error:
        say(f'FAILED: {error}')
        status = 1
    publish(bench, compare.rows, 'quick' if args.quick or args.record
            else 'bench')
    if args.record and status == 0:
        report.write_recorded(RECORDED, compare.rows,
                              bench.version(bench.peer))
    elif args.quick:
        compare_recorded(bench, compare.rows)
    return status


if __name__ == '__main__':
    sys.exit(main())
