# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the table that other programs of this folder measure.

density	[-m MB] OURS PEER	a line a case: name, items per GiB ours, peer's
churn	[-m MB] long OURS PEER	a line a phase: name, hit ratio ours, peer's,
				resident MiB ours, peer's; and `resident`, the
				most of both, and the bound
traces.csv			of make bench-traces: trace, percent, who
				(ours, peer), miss ratio, ...

A program that is not there is a line with SKIP.  Either may also print finished
rows: name, ours, peer, ratio, goal, with tabs; see report.hook_rows().
"""

import csv
import os
import shutil
import signal
import statistics
import subprocess

from harness import Bad, number, say, spread
from report import Row, hook_rows

HERE = os.path.dirname(os.path.abspath(__file__))
DENSITY_GOALS = {
    '16+16': '>=1.6', '16+64': '>=1.4', '24+100': '>=1.3', '32+250': '>=1.2',
    '40+1000': '>=1.1', '40+4000': '>=1.05', '40+20000': '>=1.0',
}
MIX_GOAL = '>=1.15'


def output_of(name, *args):
    """What it prints; None if it is not there."""
    program = os.path.join(HERE, name)
    if not os.access(program, os.X_OK):
        say(f'SKIP: there is no tests/bench/{name}')
        return None
    say(f'{name}: some minutes')
    with subprocess.Popen([program, *map(str, args)], text=True,
                          stdout=subprocess.PIPE) as process:
        try:
            text = process.communicate()[0]
        except BaseException:
            process.send_signal(signal.SIGINT)  # it stops its servers
            process.wait()
            raise
    if process.returncode != 0:
        raise Bad(f'{name}: exit status {process.returncode}')
    return text


def numbers_of(text, least):
    """(name, numbers) of the lines that have so many numbers."""
    for line in text.splitlines():
        name, *rest = line.split() or ['']
        try:
            values = [float(x) for x in rest]
        except ValueError:
            continue
        if len(values) >= least:
            yield name, values


def peer_path(bench):
    return shutil.which(bench.peer)


def density(bench):
    megabytes = number('MEGABYTES', 256)
    text = output_of('density', '-m', megabytes, bench.ours,
                     peer_path(bench))
    rows = hook_rows('density', text or '')
    if text is None or rows:
        return rows
    return [Row('density', f'{name} (key+value): items in a GiB of resident '
                f'memory, -m {megabytes}', ours, peer, ours / peer,
                DENSITY_GOALS.get(name, MIX_GOAL))
            for name, (ours, peer, *_) in numbers_of(text, 2)]


def churn(bench):
    megabytes = number('MEGABYTES', 256)
    text = output_of('churn', '-m', megabytes, 'long', bench.ours,
                     peer_path(bench))
    rows = hook_rows('churn', text or '')
    if text is None or rows:
        return rows
    found = list(numbers_of(text, 3))
    hits = [v for name, v in found if name != 'resident']
    for name, (ours, peer, bound, *_) in found:
        if name == 'resident':
            rows.append(Row('churn', f'most resident memory in a churn of '
                            f'sizes, -m {megabytes}: MiB', ours, peer,
                            ours / peer, f'ours<={bound:g}'))
    ratios = spread([v[0] / v[1] for v in hits if v[1] > 0] or [0])
    if hits:
        rows.append(Row('churn', 'the same: hit ratio',
                        statistics.mean(v[0] for v in hits),
                        statistics.mean(v[1] for v in hits),
                        ratios[0], '>=1.0', *ratios[1:]))
    return rows


def traces(bench):
    path = os.path.join(bench.results, 'traces.csv')
    if not os.path.exists(path):
        return []
    missed = {}
    with open(path, newline='') as f:
        for r in csv.reader(f):
            if len(r) > 3 and r[2] in ('ours', 'peer'):
                missed.setdefault((r[0], r[1]), {})[r[2]] = float(r[3])
    both = [m for m in missed.values() if len(m) == 2 and m['peer'] > 0]
    if not both:
        return []
    ratios = [m['ours'] / m['peer'] for m in both]
    return [Row('traces', f'misses in {len(both)} replays of make '
                'bench-traces: mean ratio',
                statistics.mean(m['ours'] for m in both),
                statistics.mean(m['peer'] for m in both),
                statistics.mean(ratios), '-', min(ratios), max(ratios))]
