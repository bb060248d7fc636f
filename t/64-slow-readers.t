#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 64-slow-readers.t - clients that read late, send byte by byte, or hang up
# half: they get what they asked for, and nobody else has to wait for them.

use Leasecached;
use Leasecached::Proc;

use POSIX ();
use Socket qw(SHUT_WR);
use Time::HiRes qw(time);

sub
set
{
	my ($s, $key, $value) = @_;

	return all_answered($s, "set $key 0 0 " . length($value) .
	    "\r\n$value\r\n");
}

# Compares long texts; shows where they part.
sub
same
{
	my ($got, $want, $name) = @_;

	return pass($name) if $got eq $want;
	my $at = 0;
	$at++ while substr($got, $at, 1) eq substr $want, $at, 1;
	my $from = $at < 20 ? 0 : $at - 20;
	fail($name);
	for ([got => $got], [wanted => $want]) {
		my $part = substr $_->[1], $from, 80;
		$part =~ s/([^ -~])/sprintf '\x%02x', ord $1/ge;
		diag("$_->[0] at byte $at: ...$part");
	}
	return 0;
}

# Somebody else's work, in order to see whether it goes on.
sub
others_are_served
{
	my ($srv, $name) = @_;
	my ($wrong, $longest) = (0, 0);

	for my $client (1 .. 8) {
		my $s = raw_client($srv->port);
		for my $i (1 .. 50) {
			my $start = time;
			$wrong++ if all_answered($s, "set o$client 0 0 2\r\n" .
			    "$i\r\n" x ($i > 9) . ($i > 9 ? '' : "0$i\r\n") .
			    "get o$client\r\n") !~ /\ASTORED\r\nVALUE/;
			my $took = time - $start;
			$longest = $took if $took > $longest;
		}
	}
	is($wrong, 0, "$name: 8 other clients are served");
	note(sprintf '%s: the longest of them waited %.3f s', $name, $longest);
}

# ---- requests for much, and nobody reads ------------------------------------

# A large value, referenced; many small ones, copied; a get of many keys.
for my $kind (
	['large values', 1_000_000, 1, 300],
	['small values', 1000, 1, 200_000],
	['many keys', 1000, 100, 2500],
) {
	my ($name, $size, $keys, $requests) = @$kind;
	my $srv = Leasecached->start('-m', 64, '-t', 2);
	my $s = raw_client($srv->port);
	my @keys = map { "key$_" } 1 .. $keys;
	my $value = 'v' x $size;

	$requests = int $requests * scaled(1, 0.1);
	set($s, $_, $value) for @keys;
	others_are_served($srv, "$name, before");
	my $before = rss_kib($srv->pid);

	my $slow = raw_client($srv->port, rcvbuf => 16384);
	my $all = '';
	for my $i (1 .. $requests) {
		$all .= $keys > 1 ? "get @keys\r\n" : "mg key1 v O$i\r\n";
	}
	my $sent = sent_by($slow, $all);
	others_are_served($srv, "$name, asked for and not read");
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		cmp_ok(rss_kib($srv->pid) - $before, '<', 16 * 1024,
		    "$name: what nobody reads does not pile up");
	}

	# Now read, while the rest of the requests goes out.
	my $child = fork // die "fork: $!";
	if ($child == 0) {
		raw_send($slow, substr $all, $sent);
		POSIX::_exit(0);
	}
	my ($of_order, $torn) = (0, 0);
	my $want = join '', map { "VALUE $_ 0 $size\r\n$value\r\n" } @keys;
	for my $i (1 .. $requests) {
		my $reply = $keys > 1 ? "${want}END\r\n" :
		    "VA $size O$i\r\n$value\r\n";
		my $got = raw_read($slow, length $reply);
		$torn++ if $got ne $reply;
		last if $torn;
	}
	is($torn, 0, "$name: in the end all $requests replies come, in order");
	waitpid $child, 0;
	is(all_answered($slow, ''), '', "$name: and no more than these");
}

# Values that are replaced as soon as somebody has asked for them: a client who
# does not read must not keep all of them in memory.
SKIP: {
	skip 'a sanitizer needs memory of its own', 3 if is_sanitized;
	my $srv = Leasecached->start('-m', 64, '-t', 2);
	my $s = raw_client($srv->port);
	my $slow = raw_client($srv->port, rcvbuf => 16384);
	my ($top, $asked) = (0, 0);

	for my $i (1 .. 300) {
		set($s, 'k', chr(65 + $i % 26) x 1_000_000);
		last if sent_by($slow, "get k\r\n") < 7;
		$asked++;
		# The next version comes when this request is answered, or the
		# server has stopped reading: a turn of another client tells.
		all_answered($s, "mg k\r\n");
		my $rss = rss_kib($srv->pid);
		$top = $rss if $rss > $top;
	}
	cmp_ok($top, '<=', 1.10 * 64 * 1024 + 32 * 1024,
	    'replaced values, asked for and not read: memory stays near -m');
	my $torn = 0;
	for (1 .. $asked) {
		raw_line($slow);
		my $got = raw_read($slow, 1_000_002);
		my $first = substr $got, 0, 1;
		$torn++ if $got ne $first x 1_000_000 . "\r\n";
		raw_line($slow);
	}
	is($torn, 0, 'each reply is one whole value');
	is(all_answered($slow, ''), '', 'and the connection is in step');
}

# Many slow readers at once.
{
	my $srv = Leasecached->start('-m', 64, '-t', 2);
	my $s = raw_client($srv->port);
	my $n = scaled(100, 30);
	my $value = join '', map { sprintf "%09d\n", $_ } 1 .. 100_000;

	set($s, 'k', $value);
	my $before = rss_kib($srv->pid);
	my @slow = map { raw_client($srv->port, rcvbuf => 8192) } 1 .. $n;
	raw_send($_, "get k\r\n" x 20) for @slow;
	others_are_served($srv, "$n slow readers");
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		cmp_ok(rss_kib($srv->pid) - $before, '<', 16 * 1024,
		    "$n slow readers: 2 GB of replies cost little memory");
	}
	# Some go on, most go away.
	my $reply = 'VALUE k 0 1000000' . "\r\n$value\r\nEND\r\n";
	close $_ for splice @slow, 5;
	my $torn = 0;
	for my $slow (@slow) {
		raw_read($slow, length $reply) eq $reply or $torn++ for 1 .. 20;
	}
	is($torn, 0, 'those who go on reading get everything');
	is(all_answered($s, "mg k s\r\n"), "HD s1000000\r\n",
	    'and the others are gone without harm');
}

# ---- byte by byte -----------------------------------------------------------

{
	my $srv = Leasecached->start('-t', 1);
	my $value = join '', map { chr } 0 .. 255;
	my $talk = join '',
	    "set a 5 0 256\r\n$value\r\n",
	    "get a\r\n",
	    "get a b a\r\n",
	    "append a 0 0 1\r\n!\r\n",
	    "prepend a 0 0 0\r\n\r\n",
	    "touch a 100\r\n",
	    "set n 0 0 2 noreply\r\n10\r\n",
	    "incr n 5\r\n",
	    "decr n 50 noreply\r\n",
	    "get n\r\n",
	    "nonsense\r\n",
	    "set bad 0 0 3\r\nabcde\r\n",
	    # With this, memcached 1.6.18 forgets the replies before it.
	    is_reference ? () : "get " . 'k' x 251 . "\r\n",
	    "ms m 3 T0 F7\r\nabc\r\n",
	    "mg m v f k O1\r\n",
	    "mg miss v q\r\n",
	    "md m q\r\n",
	    "mn\r\n",
	    "delete a\r\n",
	    "version\n",
	    "get n\n";
	my $whole = raw_client($srv->port);
	raw_send($whole, $talk);
	$whole->shutdown(SHUT_WR);
	my $reply = raw_drain($whole);
	like($reply, qr/STORED.*TOUCHED.*MN.*VERSION.*END\r\n\z/s,
	    'a talk in one piece');

	my $bytes = raw_client($srv->port);
	raw_send($bytes, $_) for split //, $talk;
	$bytes->shutdown(SHUT_WR);
	same(raw_drain($bytes), $reply, 'the same byte by byte');

	# In step with the replies: each byte goes out when the server has
	# seen the one before, since another client has been served since.
	my $other = raw_client($srv->port);
	my $steps = raw_client($srv->port);
	for my $byte (split //, $talk) {
		raw_send($steps, $byte);
		all_answered($other, '') if rand() < 0.3;
	}
	$steps->shutdown(SHUT_WR);
	same(raw_drain($steps), $reply, 'and with others served in between');

	# In two pieces, at each place.
	my $wrong = 0;
	for my $cut (1 .. length($talk) - 1) {
		my $s = raw_client($srv->port);
		raw_send($s, substr $talk, 0, $cut);
		all_answered($other, '');
		raw_send($s, substr $talk, $cut);
		$s->shutdown(SHUT_WR);
		next if raw_drain($s) eq $reply;
		$wrong++;
		diag("cut after byte $cut") if $wrong < 5;
	}
	is($wrong, 0, 'and in two pieces, cut anywhere');
}

# Slow writers: many clients in the middle of a value.
{
	my $srv = Leasecached->start('-m', 64, '-t', 2);
	my $before = rss_kib($srv->pid);
	my @slow = map { raw_client($srv->port) } 1 .. 100;

	raw_send($slow[$_], "set s$_ 0 0 100000\r\nfirst") for 0 .. $#slow;
	others_are_served($srv, '100 clients in the middle of a value');
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		cmp_ok(rss_kib($srv->pid) - $before, '<', 24 * 1024,
		    'which cost little more than their values');
	}
	raw_send($_, 'x' x 99995 . "\r\n") for @slow;
	my %said;
	$said{ raw_line($_) }++ for @slow;
	is(join(',', %said), 'STORED,100', 'and are stored in the end');
}

# ---- half a goodbye ---------------------------------------------------------

{
	my $srv = Leasecached->start('-m', 256, '-I', '100m');
	my $s = raw_client($srv->port);
	my $small = 'abc';
	my $large = join '', map { sprintf "%09d\n", $_ } 1 .. 5_000_000;

	set($s, 'small', $small);
	for (
		['one request', "get small\r\n",
		 "VALUE small 0 3\r\nabc\r\nEND\r\n"],
		['a thousand', "get small\r\n" x 1000,
		 "VALUE small 0 3\r\nabc\r\nEND\r\n" x 1000],
		['a store', "set other 0 0 2\r\nhi\r\n", "STORED\r\n"],
		['nothing', '', ''],
		['a request and a half', "get small\r\nget sma",
		 "VALUE small 0 3\r\nabc\r\nEND\r\n"],
		['quit', "get small\r\nquit\r\n",
		 "VALUE small 0 3\r\nabc\r\nEND\r\n"],
	) {
		my ($name, $request, $reply) = @$_;
		my $half = raw_client($srv->port);
		raw_send($half, $request);
		$half->shutdown(SHUT_WR);
		same(raw_drain($half), $reply,
		    "no more requests after $name: its replies come");
	}

	SKIP: {
		skip 'memcached holds it in pieces', 3 if is_reference;
		is(set($s, 'large', $large), "STORED\r\n", 'a large value');
		my $half = raw_client($srv->port, rcvbuf => 16384);
		raw_send($half, "get large\r\nget small\r\n");
		$half->shutdown(SHUT_WR);
		others_are_served($srv, 'half closed, large reply');
		ok(raw_drain($half) eq "VALUE large 0 50000000\r\n$large\r\n" .
		    "END\r\nVALUE small 0 3\r\nabc\r\nEND\r\n",
		    'a large reply comes after the goodbye, and one more');
	}

	# A store that is cut short is no store.
	for my $cut ('set small 0 0 5', "set small 0 0 5\r\n",
	    "set small 0 0 5\r\nhel", "set small 0 0 5\r\nhello",
	    "set small 0 0 5\r\nhello\r", "ms small 5\r\nhello",
	    'delete small', "append small 0 0 2\r\nx") {
		my $half = raw_client($srv->port);
		raw_send($half, $cut);
		$half->shutdown(SHUT_WR);
		(my $shown = $cut) =~ s/\r\n/\\r\\n/g;
		$shown =~ s/\r/\\r/;
		is(raw_drain($half), '', "'$shown' and goodbye: no reply");
	}
	is(all_answered($s, "get small\r\n"),
	    "VALUE small 0 3\r\nabc\r\nEND\r\n", 'and nothing has changed');
}

done_testing();
