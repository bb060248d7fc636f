#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 60-eviction.t - what happens when memory is full.

use Leasecached;
use Leasecached::Proc;

use Digest::MD5 qw(md5_hex);

my $FULL = "SERVER_ERROR out of memory storing object\r\n";

# A value that belongs to its key, so that a mix-up shows.
sub
value
{
	my ($key, $size) = @_;

	return substr(md5_hex($key) x (1 + $size / 32), 0, $size);
}

sub
set_request
{
	my ($key, $size, $more) = @_;

	return "set $key 0 0 $size" . ($more // '') . "\r\n" .
	    value($key, $size) . "\r\n";
}

# Stores keys without asking for replies, a batch at a time.
sub
store
{
	my ($s, $size, @keys) = @_;

	while (my @some = splice @keys, 0, 500) {
		my $said = all_answered($s, join '',
		    map { set_request($_, $size, ' noreply') } @some);
		die "refused: $said" if $said ne '';
	}
}

# Which of the keys are there: a hash of key => value.
sub
found
{
	my ($s, @keys) = @_;
	my %found;

	while (my @some = splice @keys, 0, 100) {
		my $reply = all_answered($s, "get @some\r\n");
		while ($reply =~ /\GVALUE (\S+) 0 (\d+)\r\n/gc) {
			my ($key, $size) = ($1, $2);
			$found{$key} = substr $reply, pos $reply, $size;
			pos($reply) += $size + 2;
		}
		die 'not in step' unless $reply =~ /\GEND\r\n\z/gc;
	}
	return \%found;
}

# Replies counted: "DELETED 3, STORED 50".
sub
tally
{
	my ($replies) = @_;
	my %n;

	$n{$_}++ for split /\r\n/, $replies;
	return join ', ', map { "$_ $n{$_}" } sort keys %n;
}

sub
wrong
{
	my ($found, $size) = @_;

	return scalar grep { $found->{$_} ne value($_, $size) } keys %$found;
}

# ---- a full cache evicts, and counts ----------------------------------------

{
	my $srv = Leasecached->start('-m', 16);
	my $s = raw_client($srv->port);
	my @keys = map { "key$_" } 1 .. 40000;

	store($s, 1000, @keys);
	my $st = stats_of($s);
	cmp_ok($st->{evictions}, '>', 0, 'items are evicted');
	is($st->{curr_items} + $st->{evictions}, 40000,
	    'each item is either there or counted as evicted');
	is($st->{total_items}, 40000, 'all were stored');
	is($st->{limit_maxbytes}, 16 << 20, 'the limit is what -m says');
	cmp_ok($st->{bytes}, '<=', 16 << 20, 'the items are within it');
	cmp_ok($st->{curr_items}, '>=', 9000, 'and it is used');
	is($st->{evicted_unfetched}, $st->{evictions},
	    'nobody had read what was evicted');

	my $there = found($s, @keys);
	is(scalar keys %$there, $st->{curr_items}, 'what is counted is there');
	is(wrong($there, 1000), 0, 'with the right values');
	my $last = found($s, @keys[-100 .. -1]);
	cmp_ok(scalar keys %$last, '>=', 95, 'the newest are among them');

	# What was evicted can be stored again.
	store($s, 1000, @keys[0 .. 99]);
	cmp_ok(scalar keys %{ found($s, @keys[0 .. 99]) }, '>=', 95,
	    'an evicted key can come back');
}

# ---- used keys survive a scan -----------------------------------------------

for my $often (0, 1) {
	my $srv = Leasecached->start('-m', 16);
	my $s = raw_client($srv->port);
	my @hot = map { "hot$_" } 1 .. 500;
	my $name = $often ? 'read again and again' : 'read before the scan';

	store($s, 1000, @hot);
	store($s, 1000, map { "fill$_" } 1 .. 20000) if !$often;
	store($s, 1000, @hot) if !$often;
	found($s, @hot) for 1 .. 5;

	# The scan: keys that come once.  More than all memory holds, when the
	# hot keys go on being read; a third of it when they don't.
	my $scan = 0;
	for (1 .. ($often ? 20 : 2)) {
		store($s, 1000, map { 'scan' . $scan++ } 1 .. 2000);
		found($s, @hot) if $often;
	}
	cmp_ok(stats_of($s)->{evictions}, '>', 3000, "$name: memory was full");
	my $there = found($s, @hot);
	cmp_ok(scalar keys %$there, '>=', 475,
	    "hot keys, $name, survive a scan");
	is(wrong($there, 1000), 0, "$name: with their values");
}

# ---- values of all sizes find room ------------------------------------------

SKIP: {
	skip 'memcached refuses large values when full', 18 if is_reference;
	my $srv = Leasecached->start('-m', 64, '-I', '16m');
	my $s = raw_client($srv->port);
	my %answers;

	store($s, 400, map { "small$_" } 1 .. 170000);
	cmp_ok(stats_of($s)->{evictions}, '>', 0, 'full of small items');
	for my $i (1 .. 12) {
		my $size = (1 + $i % 3) * 4000000;
		$answers{ all_answered($s, set_request("big$i", $size)) }++;
		my $want = "VALUE big$i 0 $size\r\n" .
		    value("big$i", $size) . "\r\nEND\r\n";
		ok(all_answered($s, "get big$i\r\n") eq $want,
		    "a value of $size bytes is stored and read back");
	}
	is(join(',', %answers), "STORED\r\n,12", 'big values push small ones');

	# The same keys grow and shrink in place.
	%answers = ();
	for my $round (1 .. 3) {
		for my $size (100, 3000000, 10000, 500000, 1) {
			$answers{ all_answered($s,
			    set_request("any$_", $size)) }++ for 1 .. 4;
		}
	}
	is(join(',', %answers), "STORED\r\n,60", 'values change their size');

	store($s, 400, map { "again$_" } 1 .. 150000);
	my $st = stats_of($s);
	cmp_ok($st->{curr_items}, '>', 60000, 'small ones push big values');
	cmp_ok($st->{bytes}, '<=', 64 << 20, 'within the limit');
	is($st->{store_no_memory}, 0, 'no store was ever refused')
	    if defined $st->{store_no_memory};

	# Appending to a value that is read all the time, while memory is full,
	# and has been for a while: its sizes are rare, and it is worth more
	# than what is new up to some 8 times the size.
	store($s, 400, map { "old$_" } 1 .. 500000);
	my $grown = 'a' x 1000;
	all_answered($s, "set grows 0 0 1000\r\n$grown\r\n");
	my $appended = 0;
	for (1 .. 200) {
		store($s, 400, map { "more$_." . rand } 1 .. 100);
		all_answered($s, 'get grows' . ' grows' x 9 . "\r\n");
		my $said = all_answered($s,
		    "append grows 0 0 5\r\n" . 'b' x 5 . "\r\n");
		last if $said ne "STORED\r\n";
		$grown .= 'b' x 5;
		$appended++;
	}
	is($appended, 200, 'a value that is used all the time can grow');
	is(all_answered($s, "get grows\r\n"),
	    'VALUE grows 0 ' . length($grown) . "\r\n$grown\r\nEND\r\n",
	    'and is whole');
}

# ---- -M: no eviction --------------------------------------------------------

{
	my $srv = Leasecached->start('-m', 16, '-M');
	my $s = raw_client($srv->port);
	my (%stored, %said);
	my $n = 0;

	# Far more than fits: some stores must be refused.
	while ($n < 40000) {
		my @keys = map { 'key' . $n++ } 1 .. 500;
		my $reply = all_answered($s, join '',
		    map { set_request($_, 1000) } @keys);
		my @line = $reply =~ /(.*?\r\n)/g;
		is(scalar @line, 500, 'a reply for each store') if $n == 500;
		$said{$line[$_]}++, $line[$_] eq "STORED\r\n" &&
		    ($stored{$keys[$_]} = 1) for 0 .. 499;
	}
	is(join('', sort keys %said), $FULL . "STORED\r\n",
	    '-M: a store is done, or refused by this line');
	cmp_ok(scalar keys %stored, '>=', 9000, '-M: memory is used first');

	my $st = stats_of($s);
	is($st->{evictions}, 0, '-M: nothing is evicted');
	is($st->{curr_items}, scalar keys %stored, '-M: all is there');
	is($st->{store_no_memory}, $said{$FULL}, '-M: refusals are counted');
	my $there = found($s, sort keys %stored);
	is(scalar keys %$there, scalar keys %stored,
	    '-M: nothing that was stored is lost');
	is(wrong($there, 1000), 0, '-M: and all values are right');
	is(all_answered($s, set_request('nothing', 500000, ' noreply')), '',
	    '-M: noreply hides the refusal');
	is(all_answered($s, "ms m 500000 k O7\r\n" . 'x' x 500000 . "\r\n"),
	    $FULL, '-M: ms answers by the same line') unless is_reference;

	# What needs no more memory than there is goes on working.
	my @some = (sort keys %stored)[0 .. 99];
	is(tally(all_answered($s, join '', map { "touch $_ 1000\r\n" }
	    @some)), 'TOUCHED 100', '-M: touch works when full');
	is(tally(all_answered($s, join '', map { "delete $_\r\n" } @some)),
	    'DELETED 100', '-M: delete works when full');
	delete @stored{@some};

	SKIP: {
	skip 'memcached holds large values in pieces', 8 if is_reference;
	is(tally(all_answered($s, join '', map { set_request("new$_", 1000) }
	    1 .. 50)), 'STORED 50', '-M: and makes room');

	# An item that does not fit takes the old value with it: what is older
	# than a set must not be seen after it.
	my ($old) = sort keys %stored;
	my $said = all_answered($s, set_request($old, 900000));
	is($said, $FULL, '-M: a value that grows too much is refused');
	is(tally(all_answered($s, "get $old\r\n")), 'END 1',
	    '-M: and its old value is not left behind');
	my ($kept) = (sort keys %stored)[1];
	for my $verb (qw(add replace append prepend)) {
		my $size = 900000;
		my $key = $verb eq 'add' ? 'not-there' : $kept;
		is(all_answered($s, "$verb $key 0 0 $size\r\n" . 'x' x $size .
		    "\r\n"), $FULL, "-M: $verb is refused");
	}
	is(all_answered($s, "get $kept\r\n"),
	    "VALUE $kept 0 1000\r\n" . value($kept, 1000) . "\r\nEND\r\n",
	    '-M: after these the old value is intact');
	}

	is(all_answered($s, "flush_all\r\n"), "OK\r\n", '-M: flush_all');
	store($s, 1000, map { "after$_" } 1 .. 5000);
	is(scalar keys %{ found($s, map { "after$_" } 1 .. 5000) }, 5000,
	    '-M: makes room for others');
}

# Counters work in a full cache.
{
	my $srv = Leasecached->start('-m', 16, '-M');
	my $s = raw_client($srv->port);

	all_answered($s, "set n 0 0 4\r\n1000\r\n");
	for my $n (1 .. 80) {
		all_answered($s, join '', map { set_request("k$n.$_", 1000) }
		    1 .. 500);
	}
	my $size = 512;
	while ($size >= 1) {
		my $i = 0;
		$i++ while all_answered($s,
		    set_request("s$size.$i", $size)) eq "STORED\r\n" &&
		    $i < 5000;
		$size >>= 1;
	}
	is(all_answered($s, "incr n 5\r\ndecr n 2\r\nget n\r\n"),
	    "1005\r\n1003\r\nVALUE n 0 4\r\n1003\r\nEND\r\n",
	    '-M: incr and decr work when not a byte is free');
}

# ---- many threads, little memory --------------------------------------------

{
	my $srv = Leasecached->start('-m', 4, '-t', 64);
	my $s = raw_client($srv->port);

	store($s, 1000, map { "few$_" } 1 .. 1000);
	cmp_ok(scalar keys %{ found($s, map { "few$_" } 1 .. 1000) }, '>=', 900,
	    'a small cache of many threads is not all tables');
}

# ---- the limit moves --------------------------------------------------------

SKIP: {
	skip 'memcached gives pages back later, if ever', 8 if is_reference;
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);

	store($s, 1000, map { "a$_" } 1 .. 60000);
	my @used = map { "a$_" } 59901 .. 60000;
	found($s, @used) for 1 .. 3;
	my $before = stats_of($s);
	cmp_ok($before->{bytes}, '>', 40 << 20, 'filled');
	is(all_answered($s, "cache_memlimit 16\r\n"), "OK\r\n",
	    'cache_memlimit shrinks it');
	is(stats_of($s)->{limit_maxbytes}, 16 << 20, 'stats says so');
	is(stats_of($s, 'settings')->{maxbytes}, 16 << 20,
	    'stats settings, too');
	wait_for { stats_of($s)->{bytes} <= 16 << 20 };
	cmp_ok(stats_of($s)->{bytes}, '<=', 16 << 20,
	    'the items shrink to it, without a store');
	SKIP: {
		skip 'a sanitizer keeps freed memory', 1 if is_sanitized;
		my $bound = 1.1 * (16 << 10) + (32 << 10);
		wait_for { rss_kib($srv->pid) <= $bound };
		cmp_ok(rss_kib($srv->pid), '<=', $bound,
		    'and the memory is given back');
	}
	cmp_ok(scalar keys %{ found($s, @used) }, '>=', 90,
	    'items that were used just now are kept');

	is(all_answered($s, "cache_memlimit 64\r\n"), "OK\r\n",
	    'cache_memlimit lets it grow');
	store($s, 1000, map { "b$_" } 1 .. 60000);
	cmp_ok(stats_of($s)->{bytes}, '>', 40 << 20, 'and it does');
}

{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);

	is(all_answered($s, "cache_memlimit $_->[0]\r\n"), "$_->[1]\r\n",
	    "cache_memlimit $_->[0]") for (
		['7', 'MEMLIMIT_TOO_SMALL cannot set maxbytes to less ' .
		    'than 8m'],
		['1000000001', 'MEMLIMIT_ADJUST_FAILED input value is ' .
		    'megabytes not bytes'],
		['x', 'ERROR'],
		['128', 'OK'],
		['64 noreply', ''],
	    )[0 .. 3];
	is(stats_of($s)->{limit_maxbytes}, 128 << 20,
	    'bad limits change nothing');
	is(all_answered($s, "cache_memlimit 64 noreply\r\n"), '', 'noreply');
	is(stats_of($s)->{limit_maxbytes}, 64 << 20, 'is obeyed');
}

done_testing();
