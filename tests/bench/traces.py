#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replays traces here and on memcached, at equal resident memory.

usage: traces.py LEASECACHED FOLDER_OF_PROGRAMS [RESULTS]

Each trace is replayed on memcached at some sizes, then on leasecached at the
same -m, then again with an -m at which it is as large in memory as memcached
was: that run counts.  Values are scaled so that all keys take FOOTPRINT
together.  The servers' clocks run WARP times as fast as the replay; traces
with ttls are paced.  Then the same with loads that take time, at one size:
here with leases, here without, and on memcached.

Leaves traces.txt and traces.csv in RESULTS (bench-results).  Fails when a reply
is wrong or a server dies; how many misses there are decides nothing.

        TRACES=folder       of *.txt.gz instead of the four made up here; see
                            bench_replay.c for the format
        SIZES="1 5 10 25"   percent of the footprint
        FOOTPRINT=200       MB, of each trace
        PEER=memcached      another memcached than that on the PATH
"""
import csv
import glob
import gzip
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

KEY_BYTES = 24
WARP = 200
PACE = 20000  # requests a second, where ttls matter
VALUE_MOST = 1000000
LOAD_MS = 8
REQUESTS = 200000


# Traces.

class Sizes:
    """A size for each key, log-normal, always the same one."""

    def __init__(self, seed, mean, sigma):
        self.seed, self.mean, self.sigma = seed, mean, sigma

    def of(self, key):
        draw = random.Random(self.seed * 1000003 + key)
        mu = math.log(self.mean) - self.sigma ** 2 / 2
        return max(1, min(VALUE_MOST, int(draw.lognormvariate(mu, self.sigma))))


def zipf(draw, keys, alpha):
    """A rank: close to Zipf's law, by the inverse of its integral."""
    u = draw.random()
    if alpha == 1:
        return int(keys ** u) - 1
    top = keys ** (1 - alpha)
    return int((1 + u * (top - 1)) ** (1 / (1 - alpha))) - 1


def skewed(draw):
    """What is popular changes slowly."""
    for i in range(REQUESTS):
        yield 'g', zipf(draw, 40000, 0.9) + i // 40, 0


def scanned(draw):
    """The same, and now and then somebody reads everything, once."""
    scan = 0
    for i in range(REQUESTS):
        if i % 20000 < 8000:
            scan += 1
            yield 'g', 1000000 + scan, 0
        else:
            yield 'g', zipf(draw, 40000, 0.9), 0


def looping(draw):
    """A table is read over and over, beside other keys."""
    for i in range(REQUESTS):
        if draw.random() < 0.6:
            yield 'g', 1000000 + i % 12000, 0
        else:
            yield 'g', zipf(draw, 30000, 0.8), 0


def turning_over(draw):
    """Written, read soon or never, gone after some seconds."""
    written = []
    for i in range(REQUESTS):
        if draw.random() < 0.7 or len(written) < 100:
            written.append(i)
            yield 's', i, 3
        else:
            back = int(draw.lognormvariate(math.log(3000), 1.3))
            yield 'g', written[max(0, len(written) - 1 - back)], 3


def made_up():
    """Name and lines of each trace that needs no file."""
    for seed, make in enumerate((skewed, scanned, looping, turning_over), 1):
        sizes = Sizes(seed, 2000, 1.2)
        draw = random.Random(seed)
        yield make.__name__, [f'{op} {key} {sizes.of(key)} {ttl}\n'
                              for op, key, ttl in make(draw)]


def traces():
    folder = os.environ.get('TRACES')
    if not folder:
        yield from made_up()
        return
    for path in sorted(glob.glob(os.path.join(folder, '*.txt.gz'))):
        with gzip.open(path, 'rt') as f:
            yield os.path.basename(path)[:-7], f.readlines()


class Trace:
    """A trace, and how its values are to be scaled."""

    def __init__(self, name, lines, folder):
        self.name = name
        self.path = os.path.join(folder, 'trace')
        self.footprint = int(os.environ.get('FOOTPRINT', 200)) << 20
        sizes = {}
        self.timed = False
        for line in lines:
            _, key, size, ttl = line.split()
            sizes[key] = int(size)
            self.timed = self.timed or ttl != '0'
        self.scale = self.fit(list(sizes.values()))
        with open(self.path, 'w') as f:
            f.writelines(lines)

    def fit(self, sizes):
        low, high = 0.001, 100000.0
        for _ in range(40):
            middle = math.sqrt(low * high)
            total = sum(KEY_BYTES + max(1, min(VALUE_MOST, size * middle))
                        for size in sizes)
            low, high = (middle, high) if total < self.footprint else \
                (low, middle)
        return low


# Servers.

class Server:
    def __init__(self, program, megabytes, warp, folder):
        self.folder = folder
        port_file = os.path.join(folder, 'port')
        if os.path.exists(port_file):
            os.remove(port_file)
        env = dict(os.environ, MEMCACHED_PORT_FILENAME=port_file,
                   LEASECACHED_PORT_FILENAME=port_file)
        if warp > 1:
            env.update(LD_PRELOAD=os.path.join(folder, 'warp.so'),
                       WARP=str(warp))
        args = [program, '-p', '-1', '-l', '127.0.0.1', '-t', '2',
                '-m', str(max(1, round(megabytes)))]
        if os.getuid() == 0:
            args += ['-u', 'root']
        self.process = subprocess.Popen(args, env=env,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.port = self.wait_for_port(port_file)

    def wait_for_port(self, path):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                with open(path) as f:
                    return int(re.search(r'INET: (\d+)', f.read()).group(1))
            except (OSError, AttributeError):
                time.sleep(0.05)
        sys.exit('traces.py: a server does not start')

    def resident(self):
        """MB."""
        with open(f'/proc/{self.process.pid}/status') as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Bench:
    def __init__(self, ours, programs, folder):
        self.ours = ours
        self.replay = os.path.join(programs, 'bench_replay')
        self.peer = os.environ.get('PEER', 'memcached')
        self.folder = folder

    def run(self, program, trace, megabytes, args=(), warp=WARP):
        """Replays a trace on a fresh server: what the client counted, and how
        large the server was before and after."""
        server = Server(program, megabytes, warp, self.folder)
        try:
            empty = server.resident()
            args = [self.replay, '-p', str(server.port), '-s',
                    str(trace.scale), '-Z', str(warp), *args]
            if trace.timed and '-r' not in args:
                args += ['-r', str(PACE)]
            with open(trace.path) as f:
                out = subprocess.run(args, stdin=f, check=True, text=True,
                                     stdout=subprocess.PIPE).stdout
            got = {k: float(v) for k, v in map(str.split, out.splitlines())}
            got.update(m=megabytes, empty=empty, resident=server.resident())
            got['miss'] = got['loads'] / max(1, got['gets'])
            got['byte_hit'] = got['byte_hits'] / max(1, got['bytes'])
            return got
        finally:
            server.stop()

    def equal(self, trace, want, first, args=(), warp=WARP):
        """A second run, as large as memcached was."""
        grown = first['resident'] - first['empty']
        if grown < 1 or want['resident'] <= first['empty']:
            return first
        m = first['m'] * (want['resident'] - first['empty']) / grown
        return self.run(self.ours, trace, m, args, warp)


# Reports.

class Report:
    def __init__(self, results):
        os.makedirs(results, exist_ok=True)
        self.text = open(os.path.join(results, 'traces.txt'), 'w')
        self.file = open(os.path.join(results, 'traces.csv'), 'w')
        self.csv = csv.writer(self.file)

    def say(self, line=''):
        print(line, flush=True)
        self.text.write(line + '\n')

    def close(self):
        self.text.close()
        self.file.close()


def compare_misses(bench, report, trace, percent):
    megabytes = trace.footprint * percent / 100 / 2 ** 20
    theirs = bench.run(bench.peer, trace, megabytes)
    first = bench.run(bench.ours, trace, megabytes)
    ours = bench.equal(trace, theirs, first)
    ratio = ours['miss'] / max(theirs['miss'], 1e-9)
    report.say(f'{trace.name:14} {percent:4g} '
               f'{theirs["miss"]:7.4f} {ours["miss"]:7.4f} '
               f'{theirs["byte_hit"]:6.3f} {ours["byte_hit"]:6.3f} '
               f'{theirs["resident"]:7.1f} {ours["resident"]:7.1f} '
               f'{theirs["curr_items"]:8.0f} {ours["curr_items"]:8.0f} '
               f'{ratio:6.3f}')
    for who, got in ('peer', theirs), ('first', first), ('ours', ours):
        report.csv.writerow(
            [trace.name, percent, who, f'{got["miss"]:.5f}',
             f'{got["byte_hit"]:.5f}', f'{got["resident"]:.1f}',
             f'{got["m"]:.1f}', int(got['curr_items']),
             int(got['evictions']), int(got['failed'])])
    return ratio


def compare_loads(bench, report, trace, percent):
    """Share of the load time that hits saved."""
    megabytes = trace.footprint * percent / 100 / 2 ** 20
    args = ['-l', str(LOAD_MS), '-r', str(PACE)]
    theirs = bench.run(bench.peer, trace, megabytes, args, 1)
    saved = {'memcached': theirs}
    for name, more in ('blind', []), ('leases', ['-t']):
        first = bench.run(bench.ours, trace, megabytes, args + more, 1)
        saved[name] = bench.equal(trace, theirs, first, args + more, 1)
    line = f'{trace.name:14} {percent:4g} '
    for name, got in saved.items():
        share = 1 - got['load_ms'] / got['all_ms']
        line += f'{share:8.4f} '
        report.csv.writerow([trace.name, percent, 'saved by ' + name,
                             f'{share:.5f}', f'{got["miss"]:.5f}',
                             f'{got["resident"]:.1f}', f'{got["m"]:.1f}',
                             int(got['curr_items']), int(got['evictions']),
                             int(got['failed'])])
    report.say(line + f'{saved["leases"]["resident"]:8.1f}')


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = tempfile.mkdtemp()
    bench = Bench(os.path.abspath(sys.argv[1]), sys.argv[2], folder)
    if shutil.which(bench.peer) is None:
        print('traces.py: SKIP: there is no ' + bench.peer)
        return
    shutil.copy(os.path.join(sys.argv[2], 'warp.so'), folder)
    sizes = [float(s) for s in os.environ.get('SIZES', '1 5 10 25').split()]
    report = Report(sys.argv[3] if len(sys.argv) > 3 else 'bench-results')
    ratios, loads = [], []
    try:
        report.csv.writerow(['trace', 'percent', 'who', 'miss', 'byte_hit',
                             'resident_mb', 'm', 'items', 'evictions',
                             'failed'])
        report.say('Misses at equal resident memory: memcached, ours')
        report.say(f'{"trace":14} {"%":>4} {"miss":>15} {"byte hit":>13} '
                   f'{"resident MB":>15} {"items":>17} {"ratio":>6}')
        for name, lines in traces():
            trace = Trace(name, lines, folder)
            ratios += [(compare_misses(bench, report, trace, p), name, p)
                       for p in sizes]
            if not trace.timed and os.environ.get('LOADS', '1') != '0':
                loads.append((name, lines))
        mean = sum(r[0] for r in ratios) / max(1, len(ratios))
        report.say(f'mean {mean:.3f}, worst {max(ratios)[0]:.3f} '
                   f'({max(ratios)[1]} at {max(ratios)[2]:g} %)')
        report.say()
        report.say('Share of load time saved at equal resident memory')
        report.say(f'{"trace":14} {"%":>4} {"memcached":>8} {"blind":>7} '
                   f'{"leases":>8} {"MB":>8}')
        for name, lines in loads:
            compare_loads(bench, report, Trace(name, lines, folder), 10)
    finally:
        report.close()
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
