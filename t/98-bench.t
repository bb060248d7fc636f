#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 98-bench.t - the benchmarks run: each row is measured, for a moment, with this
# server on both sides.  How fast it is decides nothing.

use Leasecached;
use Leasecached::Proc ();
use Leasecached::Suite;
use File::Temp ();

plan(skip_all => 'the benchmarks start both servers themselves')
    if Leasecached::Proc::is_reference();
my $python = python3();
my $top = $ENV{top_srcdir} // '.';
my $programs = ($ENV{top_builddir} // '.') . '/tests/bench';
my ($ours) = grep { defined && -x } $ENV{LEASECACHED_BIN}, './leasecached';
plan(skip_all => 'make check builds the load generator')
    unless -x "$programs/bench_load" && -x "$programs/bench_bare_loop";

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my %small = (
	PEER => $ours, ROUNDS => 1, SECONDS => '0.05', KEYS => 500,
	MANY => 3000, IDLE => 250, CONNS => 5,
);

sub
run
{
	my ($script, %knobs) = @_;

	local @ENV{keys %small} = values %small;
	local @ENV{keys %knobs} = values %knobs;
	my $out = `$python -B $top/tests/bench/$script $ours $programs $dir 2>&1`;
	is($?, 0, "$script: exit status") or diag($out);
	return $out;
}

sub
lines
{
	my ($file) = @_;

	open my $f, '<', "$dir/$file" or return;
	my @lines = <$f>;
	return @lines;
}

# What needs valgrind or perf is left out: it is slow, or not there.
my @rows = qw(get bare rate latency pipeline mixed meta
    meta-mixed mget set zipf 16k 1m many
    pause idle);
my $out = run('compare.py', ROWS => "@rows");
my %seen = map { (split /,/)[0] => 1 } lines('bench.csv');
ok($seen{$_}, "row $_") for @rows;
like($out, qr/^get, one at a time: .*\d  +\d/m, 'the table is printed');
like(join('', lines('bench.txt')), qr/^get, one at a time: .*\d  +\d/m,
    'and written');
cmp_ok(scalar lines('bench-rounds.csv'), '>', 2 * @rows,
    'so is each measurement');

$out = run('scale.py', ITEMS => '100 1000', CONNECTIONS => '1 20',
    VALUES => '100000', THREADS => '2', SHARDS => '2');
is(scalar lines('scale.csv'), 1 + 7, 'seven points of five panels');

# A server that forgets is not compared.
local @ENV{keys %small} = values %small;
$out = `ROWS=get KEYS=20000 OURS_ARGS='-m 2 -I 512k' $python -B \\
    $top/tests/bench/compare.py $ours $programs $dir 2>&1`;
isnt($?, 0, 'misses make it fail');
like($out, qr/FAILED: get: \d+ misses/, 'and it says so');

done_testing;
