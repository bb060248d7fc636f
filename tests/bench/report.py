# SPDX-License-Identifier: BSD-3-Clause
"""Rows of results: the table, CSV, picture, and what moved since last time."""

import csv
import os
import re
import shutil
import statistics
import subprocess

from harness import say, spread

TIMES = ('p50', 'p99', 'p999', 'max')
GOAL = re.compile(r'(ratio|ours)?(<=|>=)(peer|[0-9.]+)$')


class Row:
    """A line of the table.  Figures may be absent (None).

    A goal is conditions: `<=0.85` and `ratio<=0.85` are of the ratio,
    `ours<=532` of our figure, `ours<=peer` of both; a comma is "and", a bar
    "or", and binds less; `-` is none.
    """

    def __init__(self, ident, name, ours=None, peer=None, ratio=None,
                 goal='-', low=None, high=None):
        self.ident = ident
        self.name = name
        self.ours = ours
        self.peer = peer
        self.ratio = ratio
        self.low = ratio if low is None else low
        self.high = ratio if high is None else high
        self.goal = goal

    @classmethod
    def of_rounds(cls, ident, name, rounds, metric, goal, scale=1,
                  sides=('ours', 'peer')):
        """Medians, and the ratio of each round.

        A round in which nothing could be timed does not count.
        """
        rounds = [r for r in rounds if metric not in TIMES or
                  all(r[side]['timed'] for side in sides)]
        if not rounds:
            return cls(ident, name, goal=goal)
        ours, peer = ([r[side][metric] * scale for r in rounds]
                      for side in sides)
        ratios = [a / b for a, b in zip(ours, peer) if b > 0]
        middle = spread(ratios) if ratios else (None, None, None)
        return cls(ident, name, statistics.median(ours),
                   statistics.median(peer), middle[0], goal, *middle[1:])

    def holds(self, condition):
        what, sign, bound = GOAL.match(condition).groups()
        value = self.ours if what == 'ours' else self.ratio
        bound = self.peer if bound == 'peer' else float(bound)
        if value is None or bound is None:
            return None
        return value <= bound if sign == '<=' else value >= bound

    def reached(self):
        """yes, no, or - where there is no goal or no figure."""
        if self.goal in ('', '-'):
            return '-'
        any_known = False
        for part in self.goal.split('|'):
            results = [self.holds(c) for c in part.split(',')]
            if None not in results:
                any_known = True
                if all(results):
                    return 'yes'
        return 'no' if any_known else '-'

    def cells(self):
        between = '-'
        if self.ratio is not None and self.low != self.high:
            between = f'{self.low:.2f}..{self.high:.2f}'
        ratio = '-' if self.ratio is None else f'{self.ratio:.2f}'
        return [self.name, figure(self.ours), figure(self.peer), ratio,
                between, self.goal, self.reached()]


def figure(value):
    if value is None:
        return '-'
    for limit, form in ((0.01, '.4f'), (1, '.3f'), (100, '.2f'), (1000, '.1f')):
        if abs(value) < limit:
            return format(value, form) if value else '0'
    return format(value, '.0f')


def hook_rows(ident, text):
    """Rows of another program: name, ours, peer, ratio, goal, with tabs.

    Two more columns may follow, the lowest and the highest ratio of its
    rounds; `-` stands for a figure that it does not have.  Other lines, and
    those that begin with #, are passed over.
    """
    rows = []
    for line in text.splitlines():
        cells = line.split('\t')
        if line.startswith('#') or len(cells) not in (5, 7):
            continue
        try:
            ours, peer, ratio, *ends = (
                None if c in ('-', '') else float(c)
                for c in cells[1:4] + cells[5:])
        except ValueError:
            say(f'{ident}: not a row: {line}')
            continue
        rows.append(Row(ident, cells[0], ours, peer, ratio, cells[4], *ends))
    return rows


HEAD = ['', 'ours', 'memcached', 'ratio', 'rounds', 'goal', 'reached']


def table(rows, head=HEAD):
    lines = [head] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        out.append('  '.join(cells).rstrip())
    return '\n'.join(out)


CSV_HEAD = ['id', 'name', 'ours', 'memcached', 'ratio', 'low', 'high', 'goal',
            'reached']


def write_csv(path, rows):
    with open(path, 'w', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(CSV_HEAD)
        for r in rows:
            numbers = ['' if v is None else f'{v:.6g}' for v in
                       (r.ours, r.peer, r.ratio, r.low, r.high)]
            out.writerow([r.ident, r.name, *numbers, r.goal, r.reached()])


def write_raw(path, raw):
    """Every single measurement, for who wants to do other sums."""
    with open(path, 'w', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(['id', 'round', 'side', 'figure', 'value'])
        for ident, turn, side, figures in raw:
            for name, value in figures.items():
                out.writerow([ident, turn + 1, side, name, f'{value:.6g}'])


# ---- pictures ------------------------------------------------------------------


def gnuplot(script):
    """False, and a line, when there is no gnuplot."""
    if shutil.which('gnuplot') is None:
        say('SKIP: no picture without gnuplot; '
            'on Debian: apt install gnuplot-nox')
        return False
    done = subprocess.run(['gnuplot', '-'], input=script, text=True,
                          capture_output=True)
    if done.returncode != 0:
        say('gnuplot: ' + done.stderr.strip())
    return done.returncode == 0


def quoted(text):
    """For a title: no markup, no end of the string."""
    return text.replace('"', "'")


def write_svg(path, rows):
    """The ratios, one line each: rounds, median, and the bound of the goal."""
    shown = [r for r in rows if r.ratio is not None and r.ratio > 0]
    if not shown:
        return
    points = []
    for i, r in enumerate(reversed(shown)):
        bound = re.search(r'(?:^|[,|])(?:ratio)?([<>])=([0-9.]+)', r.goal)
        sign, goal = (bound[1], bound[2]) if bound else ('-', 'NaN')
        label = '✗' if r.reached() == 'no' else ''
        points.append(f'"{quoted(r.name)}" {i} {r.ratio} '
                      f'{max(r.low, 1e-3)} {r.high} {goal} "{sign}" "{label}"')
    data = '\n'.join(points)
    gnuplot(f'''
set terminal svg size 1000,{110 + 24 * len(shown)} font 'sans,12' \\
    background 'white' noenhanced
set output '{path}'
$d << END
{data}
END
set title 'leasecached ÷ memcached; the bar is the goal'
set logscale x 2
set xrange [0.0625:8]
set yrange [-1:{len(shown)}]
set grid x
set key off
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '#888888'
plot $d using 3:2:4:5:ytic(1) with xerrorbars lw 2 lc rgb '#0072b2' pt 7 ps 0.6, \\
    '' using 6:2:(0):(0.35) with vectors nohead lw 2 lc rgb '#d55e00', \\
    '' using 6:2:(0):(-0.35) with vectors nohead lw 2 lc rgb '#d55e00', \\
    '' using (6):2:8 with labels tc rgb '#d55e00'
''')


# ---- what moved -----------------------------------------------------------------


def read_recorded(path):
    """{id and name: (ratio, low, high)}, and what it was measured against."""
    if not os.path.exists(path):
        return {}, None
    with open(path, newline='') as f:
        lines = f.read().splitlines()
    against = lines[0].removeprefix('# ') if lines[0].startswith('#') else None
    body = [line for line in lines if not line.startswith('#')]
    return {(r['id'], r['name']): tuple(float(r[c]) for c in
                                        ('ratio', 'low', 'high'))
            for r in csv.DictReader(body) if r['ratio']}, against


def write_recorded(path, rows, against):
    with open(path, 'w', newline='') as f:
        f.write(f'# {against}\n')
        out = csv.writer(f, lineterminator='\n')
        out.writerow(['id', 'name', 'ratio', 'low', 'high'])
        for r in rows:
            if r.ratio is not None:
                out.writerow([r.ident, r.name, f'{r.ratio:.4f}',
                              f'{r.low:.4f}', f'{r.high:.4f}'])


def moved(rows, recorded):
    """Lines about each row that is off by more than both spreads, and 1 %."""
    out = []
    for r in rows:
        then = recorded.get((r.ident, r.name))
        if then is None or r.ratio is None:
            continue
        ratio, low, high = then
        up = r.ratio > 1.01 * high and r.low > ratio
        down = r.ratio < 0.99 * low and r.high < ratio
        if not up and not down:
            continue
        more_is_better = '>=' in r.goal
        word = 'better' if up == more_is_better else 'WORSE '
        out.append(f'{word}  {r.name}: {ratio:.2f} ({low:.2f}..{high:.2f}) '
                   f'-> {r.ratio:.2f} ({r.low:.2f}..{r.high:.2f})')
    return out
