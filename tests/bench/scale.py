# SPDX-License-Identifier: BSD-3-Clause
"""Cost of an operation as things grow: `make bench-scale`.

usage: scale.py LEASECACHED PROGRAMS RESULTS

Five panels: the number of items, of connections, of bytes in a value, of
threads and of shards; the server's CPU time per operation, here and with
memcached.  Leaves scale.txt, scale.csv and scale.svg in RESULTS.  ITEMS,
CONNECTIONS, VALUES, THREADS and SHARDS are lists of points, PANELS those to
measure.
"""

import argparse
import csv
import os
import sys

import compare
import harness
import report
from harness import Bad, say, words

CPU = 'server_cpu'
ITEM_BYTES = 250        # of both servers, at most, for a value of 10 bytes
MEGABYTES = 1 << 20


class Scale:
    def __init__(self, bench):
        self.bench = bench
        self.points = []    # panel, x, Row

    def add(self, panel, x, servers, args, warm_up=0):
        """Measures a point; it may need some seconds more to warm up."""
        timing = [*self.bench.timing(), '-w',
                  warm_up + self.bench.seconds / 4]
        found = self.bench.rounds_of(f'{panel} {x}', servers,
                                     [*args, *timing])
        row = report.Row.of_rounds(panel, f'{panel}: {x}', found, CPU, '-')
        self.points.append((panel, x, row))
        say('  '.join(row.cells()[:5]))

    def list(self, name, default):
        return [int(x) for x in words(name.upper()) or default.split()]

    def items(self):
        """One pair of servers, which is filled more and more."""
        points = self.list('items', '1000 10000 100000 1000000 10000000'
                                    ' 50000000')
        there = memory_available()
        fit = [p for p in points if p * ITEM_BYTES < there]
        for p in sorted(set(points) - set(fit)):
            say(f'SKIP: no memory for {p} items in both servers')
        if not fit:
            return
        megabytes = max(1024, max(fit) * 200 // MEGABYTES)
        servers = self.bench.pair('-m', str(megabytes), threads=1)
        try:
            stored = 0
            for count in sorted(fit):
                self.bench.fill(servers, '-s', 10, '-c', 4, '-b', stored,
                                '-k', count)
                stored = count
                self.add('items', count, servers,
                         ['-s', 10, '-k', count, '-P', 50])
            harness.check_kept('items', servers)
        finally:
            harness.stop(servers)

    def connections(self):
        points = self.list('connections', '1 10 100 1000 10000 19900')
        servers = self.bench.pair('-m', '256', '-c', str(max(points) + 100),
                                  threads=1)
        try:
            self.bench.fill(servers)
            for count in points:
                self.add('connections', count, servers, ['-c', count],
                         count / 10000)
        finally:
            harness.stop(servers)

    def values(self):
        points = self.list('values', '1 16 64 256 1024 4096 16384 65536'
                                     ' 262144 1048576')
        for size in points:
            servers = self.bench.pair('-m', '1024', '-I', '2m', threads=1)
            try:
                args = ['-s', size, '-k', max(64, min(10000, 2**26 // size)),
                        '-c', 8 if size > 65536 else 50]
                self.bench.fill(servers, *args)
                self.add('values', size, servers, args)
                harness.check_kept('values', servers)
            finally:
                harness.stop(servers)

    def threads(self):
        for count in self.list('threads', '1 2 4 8'):
            self.contend('threads', count, threads=count)

    def shards(self):
        """(memcached has none: always the same beside them.)"""
        for count in self.list('shards', '2 4 8 16 32 64 128 256'):
            self.contend('shards', count, threads=2,
                         ours_only=('-o', f'shards={count}'))

    def contend(self, panel, count, **options):
        """Not pinned to one CPU: the threads are to meet."""
        servers = self.bench.pair('-m', '1024', pin=False, **options)
        try:
            args = ['-k', 100000]
            self.bench.fill(servers, *args)
            self.add(panel, count, servers, [*args, '-P', 50, '-m', 'mixed'])
            harness.check_kept(panel, servers)
        finally:
            harness.stop(servers)


PANELS = {
    'items': 'items; get, pipeline of 50, values of 10 bytes',
    'connections': 'connections; get, one at a time',
    'values': 'bytes of a value; get, one at a time',
    'threads': 'threads; 1 set to 10 gets, pipeline of 50',
    'shards': 'shards, two threads; 1 set to 10 gets, pipeline of 50',
}


def memory_available():
    """Bytes; some is left for others."""
    with open('/proc/meminfo') as f:
        for line in f:
            if line.startswith('MemAvailable:'):
                return int(line.split()[1]) * 1024 * 0.8
    return 0


def write_points(path, points):
    with open(path, 'w', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(['panel', 'x', 'ours', 'memcached', 'ratio', 'low',
                      'high'])
        for panel, x, r in points:
            out.writerow([panel, x, *(f'{v:.6g}' for v in (
                r.ours, r.peer, r.ratio, r.low, r.high))])


def picture(path, points):
    plots = []
    data = []
    for panel, title in PANELS.items():
        lines = [f'{x} {r.ours} {r.peer}' for p, x, r in points if p == panel]
        if not lines:
            continue
        data.append(f'${panel} << END\n' + '\n'.join(lines) + '\nEND\n')
        ticks = "set format x '10^{%L}'; set xtics auto"
        if panel in ('threads', 'shards'):
            ticks = ("set format x '%g'; "
                     'set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256)')
        plots.append(f'''set title '{title}'
{ticks}
plot ${panel} using 1:3 with linespoints lw 2 pt 5 lc rgb '#d55e00' \\
    title 'memcached', \\
    '' using 1:2 with linespoints lw 2 pt 7 lc rgb '#0072b2' \\
    title 'leasecached'
''')
    if not plots:
        return
    report.gnuplot(f'''
set terminal svg size 1000,1140 font 'sans,12' background 'white'
set output '{path}'
{''.join(data)}
set logscale xy
set grid
set key top left
set ylabel 'µs of CPU per op'
set offsets graph 0.05, graph 0.05, graph 0.1, graph 0.1
set multiplot layout 3,2
{''.join(plots)}
unset multiplot
''')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('ours')
    parser.add_argument('programs')
    parser.add_argument('results')
    args = parser.parse_args()
    os.environ.setdefault('ROUNDS', '3')
    os.environ.setdefault('SECONDS', '0.8')
    threads = os.environ.pop('THREADS', None)
    bench = harness.Bench(os.path.abspath(args.ours), args.programs,
                          args.results)
    if threads:
        os.environ['THREADS'] = threads
    if not bench.has_peer():
        print(f'bench: SKIP: there is no {bench.peer} to compare with; '
              'on Debian: apt install memcached')
        return 0
    scale = Scale(bench)
    status = 0
    try:
        for panel in words('PANELS') or PANELS:
            getattr(scale, panel)()
    except Bad as error:
        say(f'FAILED: {error}')
        status = 1
    rows = [row for _, _, row in scale.points]
    text = '\n'.join([compare.heading(bench), 'µs of CPU per op; threads: on '
                      'all CPUs', '', report.table(rows),
                      compare.footing(bench)]).rstrip()
    base = os.path.join(bench.results, 'scale')
    with open(base + '.txt', 'w') as f:
        f.write(text + '\n')
    write_points(base + '.csv', scale.points)
    picture(base + '.svg', scale.points)
    print(text)
    return status


if __name__ == '__main__':
    sys.exit(main())
