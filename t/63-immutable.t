#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 63-immutable.t - a reader gets the value that was there when it asked, whole,
# whatever happens to the key while it reads.

use Leasecached;
use Leasecached::Proc;

use Digest::MD5;

plan skip_all => 'memcached has no room for such values next to each other'
    if is_reference;

# Sanitizers have less memory and less time.
my $BIG = scaled(100_000_000, 20_000_000);

# A value of a size, the same for the same letter, different in each part.
my %made;
sub
value
{
	my ($letter, $size) = @_;

	return $made{"$letter $size"} //= do {
		my $line = join '', map { sprintf "%s%07d", $letter, $_ }
		    1 .. 1250;
		substr $line x (1 + $size / length $line), 0, $size;
	};
}

sub
set
{
	my ($s, $key, $value) = @_;

	return all_answered($s, "set $key 0 0 " . length($value) .
	    "\r\n$value\r\n");
}

# A client that asked for a key, has read the first line of the reply and a
# bit of the value, and no more than what its small buffers took.
sub
half_way
{
	my ($srv, $request, $before) = @_;
	my $s = raw_client($srv->port, rcvbuf => 16384);

	raw_send($s, $request);
	my $first = raw_line($s);
	return { s => $s, first => $first, start => raw_read($s, 20000) };
}

# Reads the rest; compares it with the value without keeping both.
sub
is_whole
{
	my ($reader, $first, $value, $end, $name) = @_;
	my $whole = length($value) + length $end;
	my ($at, $wrong) = (20000, undef);

	is($reader->{first}, $first, "$name: the first line");
	$wrong = 0 if $reader->{start} ne substr $value, 0, 20000;
	while ($at < $whole) {
		my $part = $whole - $at < 1 << 20 ? $whole - $at : 1 << 20;
		my $got = raw_read($reader->{s}, $part);
		my $want = $at >= length $value ? substr $end,
		    $at - length $value :
		    substr($value, $at, $part) .
		    ($at + $part > length $value ?
		    substr($end, 0, $at + $part - length $value) : '');
		$wrong //= $at if $got ne $want;
		$at += $part;
		last if length $got < $part;
	}
	ok(!defined $wrong && $at == $whole, "$name: the old value, whole") or
	    diag('it differs within the MiB at ' . ($wrong // $at));
	is(all_answered($reader->{s}, ''), '', "$name: and nothing else");
}

# ---- one reader, and all that can happen to the key -------------------------

{
	my $srv = Leasecached->start('-m', 1024, '-I', '512m');
	my $s = raw_client($srv->port);
	my $old = value('o', $BIG);
	my $n = length $old;
	my $other = value('n', $BIG / 2);

	for (
		['overwritten', sub { set($s, 'k', $other) }],
		['deleted', sub { all_answered($s, "delete k\r\n") }],
		['flushed', sub { all_answered($s, "flush_all\r\n") }],
	) {
		my ($name, $change) = @$_;
		is(set($s, 'k', $old), "STORED\r\n", "a value to be $name");
		my $reader = half_way($srv, "get k\r\n");
		like($change->(), qr/^(?:STORED|DELETED|OK)\r\n\z/,
		    "it is $name");
		# Memory that was freed too soon would be used again here.
		set($s, "x$_", $other) for 1, 2;
		all_answered($s, "delete x$_\r\n") for 1, 2;
		is_whole($reader, "VALUE k 0 $n", $old, "\r\nEND\r\n", $name);
	}

	is(set($s, 'k', $old), "STORED\r\n", 'all of it in turn');
	my $reader = half_way($srv, "mg k v s k O12\r\n");
	is(set($s, 'k', $other), "STORED\r\n", 'overwritten');
	is(all_answered($s, "append k 0 0 3\r\nabc\r\n"), "STORED\r\n",
	    'appended to');
	is(all_answered($s, "touch k 1000\r\n"), "TOUCHED\r\n", 'touched');
	is(all_answered($s, "delete k\r\n"), "DELETED\r\n", 'deleted');
	is(set($s, 'k', 'short'), "STORED\r\n", 'stored again');
	is(all_answered($s, "flush_all\r\n"), "OK\r\n", 'flushed');
	is_whole($reader, "VA $n s$n kk O12", $old, "\r\n",
	    'after all of it in turn');
	is(all_answered($s, "get k\r\n"), "END\r\n", 'the key is gone');
}

# Eviction: other large values come and go.  One that is being read is passed
# over, since removing it would free nothing; once it is read it goes like any.
{
	my $size = $BIG / 2;
	my $srv = Leasecached->start('-m', int(2.6 * $size / 1e6), '-I',
	    int(1.2 * $size / 1e6) . 'm');
	my $s = raw_client($srv->port);
	my $old = value('e', $size);
	my $other = value('f', $size);
	my $gone = sub { all_answered($s, "mg k u\r\n") eq "EN\r\n" };

	is(set($s, 'k', $old), "STORED\r\n", 'a value to be evicted');
	my $reader = half_way($srv, "get k\r\n");
	for (1 .. 5) {
		is(set($s, "p$_", $other), "STORED\r\n", "others come, $_");
		all_answered($s, "mg p$_\r\n") for 1 .. $_;
	}
	cmp_ok(stats_of($s)->{evictions}, '>=', 3, 'and push others out');
	is_whole($reader, "VALUE k 0 " . length $old, $old, "\r\nEND\r\n",
	    'among evictions');
	for (6 .. 40) {
		last if $gone->();
		is(set($s, "p$_", $other), "STORED\r\n", "others come, $_");
		all_answered($s, "mg p$_\r\n") for 1 .. $_;
	}
	ok($gone->(), 'once read it is evicted');
}

# Expiry, by which items go without anybody's doing.
{
	my $srv = Leasecached->start('-m', 256, '-I', '64m');
	my $s = raw_client($srv->port);
	my $old = value('t', 20_000_000);

	all_answered($s, "set k 0 50 20000000\r\n$old\r\n");
	my $reader = half_way($srv, "get k\r\n");
	$srv->advance(60);
	ok((wait_for { stats_of($s)->{curr_items} == 0 } 30), 'it expires');
	set($s, "y$_", value('u', 20_000_000)) for 1 .. 3;
	is_whole($reader, 'VALUE k 0 20000000', $old, "\r\nEND\r\n",
	    'expired');
}

# ---- changes that keep the item ---------------------------------------------

{
	my $srv = Leasecached->start('-m', 512, '-I', '64m');
	my $s = raw_client($srv->port);
	my $size = 8_000_000;
	my $number = '41' . ' ' x ($size - 2);
	my $text = value('c', $size);

	for (
		['append', $text, "append k 0 0 5\r\nafter\r\n", "STORED\r\n"],
		['prepend', $text, "prepend k 0 0 6\r\nbefore\r\n",
		 "STORED\r\n"],
		['touch', $text, "touch k 500\r\n", "TOUCHED\r\n"],
		['gat', $text, "gat 500 k\r\n", "VALUE k 0 $size\r\n$text" .
		 "\r\nEND\r\n"],
		['mg T', $text, "mg k T500\r\n", "HD\r\n"],
		['md I', $text, "md k I T30\r\n", "HD\r\n"],
		['md x', $text, "md k x\r\n", "HD\r\n"],
		['ms MA', $text, "ms k 3 MA\r\nabc\r\n", "HD\r\n"],
		['incr', $number, "incr k 1\r\n", qr/^(?:42|CLIENT_ERR.*)\r\n/],
		['ma', $number, "ma k v\r\n",
		 qr/^(?:VA 2\r\n42|CLIENT_ERR.*)\r\n/],
	) {
		my ($name, $old, $request, $reply) = @$_;
		is(set($s, 'k', $old), "STORED\r\n", "$name: a value");
		my $get = half_way($srv, "get k\r\n");
		my $gat = half_way($srv, "gat 1000 k\r\n");
		my $mg = half_way($srv, "mg k v\r\n");
		my $said = all_answered($s, $request);
		ok(ref $reply ? $said =~ /$reply/ : $said eq $reply,
		    "$name: is done") or diag(substr $said, 0, 100);
		is_whole($get, "VALUE k 0 $size", $old, "\r\nEND\r\n",
		    "$name, get");
		is_whole($gat, "VALUE k 0 $size", $old, "\r\nEND\r\n",
		    "$name, gat");
		is_whole($mg, "VA $size", $old, "\r\n", "$name, mg");
	}
}

# ---- many readers, one copy -------------------------------------------------

{
	my $srv = Leasecached->start('-m', 256, '-I', '64m');
	my $s = raw_client($srv->port);
	my $size = 20_000_000;
	my $old = value('m', $size);
	my $readers = scaled(24, 8);

	is(set($s, 'k', $old), "STORED\r\n", 'a value for many readers');
	my $before = rss_kib($srv->pid);
	my @readers = map { half_way($srv, "get k\r\n") } 1 .. $readers;
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		cmp_ok(rss_kib($srv->pid) - $before, '<', 40 * 1024,
		    "$readers readers half way hold one copy");
	}

	my $new = value('M', $size);
	is(set($s, 'k', $new), "STORED\r\n", 'it is overwritten');
	my @later = map { half_way($srv, "get k\r\n") } 1, 2;
	is(set($s, 'k', 'tiny'), "STORED\r\n", 'and again');

	is_whole($readers[$_], "VALUE k 0 $size", $old, "\r\nEND\r\n",
	    "reader $_") for 0 .. $#readers;
	is_whole($later[$_], "VALUE k 0 $size", $new, "\r\nEND\r\n",
	    "later reader $_") for 0 .. $#later;
	is(all_answered($s, "get k\r\n"), "VALUE k 0 4\r\ntiny\r\nEND\r\n",
	    'who asks now gets the newest');

	SKIP: {
		skip 'a sanitizer keeps freed memory', 1 if is_sanitized;
		wait_for { rss_kib($srv->pid) < $before } 30;
		cmp_ok(rss_kib($srv->pid), '<', $before,
		    'the old values are freed when the last has read them');
	}
}

# A reader who goes away half way leaves nothing behind, either.
{
	my $srv = Leasecached->start('-m', 256, '-I', '64m');
	my $s = raw_client($srv->port);
	my $before = rss_kib($srv->pid);

	for my $round (1 .. scaled(20, 4)) {
		set($s, 'k', value($round % 2 ? 'g' : 'h', 20_000_000));
		my $gone = half_way($srv, "get k\r\n" x 3);
		all_answered($s, "delete k\r\n");
		close $gone->{s};
	}
	is(all_answered($s, "get k\r\n"), "END\r\n", 'readers go away');
	SKIP: {
		skip 'a sanitizer keeps freed memory', 1 if is_sanitized;
		wait_for { rss_kib($srv->pid) < $before + 32 * 1024 } 30;
		cmp_ok(rss_kib($srv->pid), '<', $before + 32 * 1024,
		    'and their values with them');
	}
}

# ---- many keys in one reply, changed while it is sent -----------------------

{
	my $srv = Leasecached->start('-m', 256);
	my $s = raw_client($srv->port);
	my @keys = map { "part$_" } 1 .. 50;

	# The versions of all keys that a reply has must be the old ones up to
	# some key, and it must be whole; which ones is not promised.
	all_answered($s, join '', map { "set $_ 0 0 400000 noreply\r\n" .
	    value('0', 400000) . "\r\n" } @keys);
	my $slow = raw_client($srv->port, rcvbuf => 16384);
	raw_send($slow, "get @keys\r\n");
	raw_read($slow, 10);
	for my $version (1 .. 5) {
		all_answered($s, join '', map {
			"set $_ 0 0 400000 noreply\r\n" .
			value($version, 400000) . "\r\n" } @keys);
	}
	my ($torn, $of_order, $before) = (0, 0, 0);
	for my $i (0 .. $#keys) {
		my $line = ($i ? '' : 'VALUE part') . raw_line($slow);
		$of_order++ if $line ne "VALUE $keys[$i] 0 400000";
		my $got = raw_read($slow, 400000);
		my $version = substr $got, 0, 1;
		$torn++ if $got ne value($version, 400000);
		raw_read($slow, 2);
	}
	is($torn, 0, 'no value is a mix of two versions');
	is($of_order, 0, 'all come in order');
	is(raw_line($slow), 'END', 'to the end');
}

done_testing();
