#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 61-memory.t - resident memory stays near -m, whatever the sizes do.
#
# The bound is 1.05 times -m and 24 MiB for the server itself (memcached's is
# laxer).  It is looked at while the work goes on, not only at its end.

use Leasecached;
use Leasecached::Proc;

plan skip_all => 'a sanitizer needs memory of its own' if is_sanitized;

my $seed = $ENV{LEASECACHED_SEED} // 20;
srand $seed;

my $noise = join '', map { chr 33 + rand 90 } 1 .. 200000;

# One server under churn, and the highest memory seen.
sub
churn
{
	my ($megabytes, @options) = @_;
	my $srv = Leasecached->start('-m', $megabytes, '-t', 2, @options);

	return {
		srv => $srv, s => raw_client($srv->port), top => 0, where => '',
		bound => is_reference ? 1.10 * $megabytes * 1024 + 32 * 1024 :
		    1.05 * $megabytes * 1024 + 24 * 1024,
		limit => $megabytes << 20,
	};
}

sub
look
{
	my ($it, $where) = @_;
	my $rss = rss_kib($it->{srv}->pid);

	@$it{qw(top where)} = ($rss, $where) if $rss > $it->{top};
	return $rss;
}

# Runs requests made by a function, a batch at a time, until `bytes` of them
# have gone out.
sub
work
{
	my ($it, $where, $bytes, $request) = @_;
	my $batches = 0;

	while ($bytes > 0) {
		my $batch = '';
		$batch .= $request->() while length $batch < 200000;
		$bytes -= length $batch;
		my $said = all_answered($it->{s}, $batch);
		$it->{said}{$1}++ while $said =~ /(SERVER_ERROR.*)/g;
		look($it, $where) if ++$batches % 20 == 0;
	}
	look($it, $where);
}

sub
set
{
	my ($key, $size, $ttl) = @_;

	return "set $key 0 " . ($ttl || 0) . " $size noreply\r\n" .
	    substr($noise, rand(length($noise) - $size), $size) . "\r\n";
}

sub
within
{
	my ($it, $name) = @_;

	my $ok = cmp_ok($it->{top}, '<=', $it->{bound},
	    "$name: resident KiB at the most");
	diag("highest at: $it->{where}") unless $ok;
	note("$name: at most $it->{top} KiB of $it->{bound}, at $it->{where}");
	is(join(', ', keys %{ $it->{said} }), '', "$name: nothing refused");
	cmp_ok(stats_of($it->{s})->{bytes}, '<=', $it->{limit},
	    "$name: the account is within -m");
	return if is_reference;

	# What is reserved may be above the limit by a slab for each thread.
	my $m = stats_of($it->{s}, 'server');
	cmp_ok($m->{memory_reserved}, '<=', $it->{limit} + (1 << 20),
	    "$name: all that is counted is within -m");
	cmp_ok($m->{memory_slabs}, '<=', $m->{memory_reserved},
	    "$name: slabs are counted");
	cmp_ok($m->{memory_spare}, '<=', $it->{limit} / 20,
	    "$name: few regions are free") if $it->{full};
	cmp_ok($m->{memory_fragmentation}, '<=', 1.2,
	    "$name: what is resident holds items") if $it->{full};
}

# A cache that is empty costs little.
{
	my $it = churn(1024);

	look($it, 'the start');
	cmp_ok($it->{top}, '<=', 32 * 1024, 'an empty server takes little');
}

# Sizes that shift: each phase fills memory anew with values of another size.
{
	my $it = churn(64);
	my $n = 0;

	for my $size (100, 1000, 4000, 50000, 100, 20000, 300, 1000) {
		my $passes = $size == 100 ? 1.2 : 2;
		work($it, "values of $size bytes", $passes * (64 << 20),
		    sub { return set('k' . $n++, $size) });
		my $st = stats_of($it->{s});
		cmp_ok($st->{bytes}, '>=', 0.7 * (64 << 20),
		    "with values of $size bytes, memory is used");
		cmp_ok($st->{curr_items}, '>=', 0.5 * (64 << 20) /
		    ($size + 100), "and holds many of $size bytes");
	}
	$it->{full} = 1;
	within($it, 'shifting sizes');
}

# From one size to a mix, and back: memory follows within a pass, and what is
# in it is whole.
{
	my $it = churn(64);
	my $n = 0;

	work($it, 'before', 80 << 20, sub { return set('b' . $n++, 200) });
	work($it, 'a mix', 200 << 20, sub {
		return set('m' . $n++, 1 + int rand(rand() < 0.9 ? 3000 : 30000));
	});
	work($it, 'after', 80 << 20, sub { return set('a' . $n++, 700) });
	cmp_ok(stats_of($it->{s})->{curr_items}, '>=',
	    0.85 * (64 << 20) / (700 + 50), 'one pass has all of memory')
	    unless is_reference;
	my ($there, $torn) = (0, 0);
	for my $k (map { $n - 1 - $_ } 0 .. 999) {
		my $said = all_answered($it->{s}, "get a$k\r\n");
		next if $said !~ /\AVALUE a$k 0 700\r\n(.*)\r\nEND/s;
		$there++;
		$torn++ if length $1 != 700 || index($noise, $1) < 0;
	}
	cmp_ok($there, '>', 900, 'the newest are there');
	is($torn, 0, 'and whole');
	$it->{full} = 1;
	within($it, 'from one size to a mix, and back');
}

# Everything at once: few keys, all sizes, overwrites, deletes, lifetimes.
{
	my $it = churn(100);
	my @sizes = (100, 1000, 4000, 50000);

	# The same bytes for each size, so that small ones are many.
	my $size = sub {
		my $s = $sizes[rand @sizes];
		return 1 + int rand 2 * $s;
	};
	work($it, 'a mix', 500 << 20, sub {
		my $what = rand;
		my $key = 'mix' . int rand 150000;
		return "delete $key noreply\r\n" if $what < 0.2;
		return "touch $key " . int(rand 100) . " noreply\r\n"
		    if $what < 0.25;
		return "incr $key 1 noreply\r\n" if $what < 0.3;
		return "append $key 0 0 50 noreply\r\n" . 'a' x 50 . "\r\n"
		    if $what < 0.4;
		return set($key, $size->(), $what < 0.6 ? 1 + int rand 50 : 0);
	});
	within($it, 'a mix of all sizes');
}

# A single key that is overwritten all the time leaves nothing behind.
{
	my $it = churn(64);

	work($it, 'warm up', 10 << 20, sub { return set('one', 30000) });
	my $before = look($it, 'one key');
	work($it, 'one key', 300 << 20, sub {
		return set('one', 1 + int rand 60000);
	});
	cmp_ok(look($it, 'one key') - $before, '<=', 16 * 1024,
	    'overwriting one key costs no memory') unless is_reference;
	is(stats_of($it->{s})->{curr_items}, 1, 'there is one item');
	within($it, 'one key');
}

# Holes: of small values that fill memory all but every tenth are deleted, then
# larger ones come, which don't fit the holes.
{
	my $it = churn(64);
	my ($n, $last) = (0, 0);

	for my $size (100, 240, 500, 1200) {
		work($it, "values of $size bytes", 70 << 20, sub {
			return set('h' . $n++, $size);
		});
		work($it, "holes of $size bytes",
		    ($n - $last) * 15, sub {
			return "delete h$last noreply\r\n"
			    if $last++ % 10 && $last <= $n;
			return "delete none noreply\r\n";
		});
	}
	within($it, 'holes');
}

# What was freed is given back, without anybody asking.
SKIP: {
	skip 'memcached keeps its pages', 2 if is_reference;
	my $it = churn(128);
	my $n = 0;
	my $empty = look($it, 'the start');

	work($it, 'filling', 130 << 20, sub { return set('f' . $n++, 2000) });
	my $full = look($it, 'filling');
	all_answered($it->{s}, "flush_all\r\n");
	all_answered($it->{s}, join '', map { "get f$_\r\n" } 0 .. $n);
	my $rest;
	wait_for { ($rest = look($it, 'after')) < $empty + 24 * 1024 };
	cmp_ok($rest, '<', $empty + 24 * 1024,
	    "flush_all gives memory back (it was $full KiB)");
	within($it, 'given back');
}

done_testing();
