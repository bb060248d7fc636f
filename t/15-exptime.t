#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 15-exptime.t - when items expire.
#
# Nothing here sleeps: the server's clock stands still, and is moved.

use Leasecached;
use Time::HiRes qw(sleep time);

my $srv = Leasecached->start;
my $c = $srv->client;
my $bad_line = "CLIENT_ERROR bad command line format\r\n";

# ---- what an exptime means --------------------------------------------------

# Seconds left: a number, -1 for ever, undef for expired.
my $now = $c->stats->{time};
my $month = 30 * 24 * 60 * 60;
my @meanings = (
	[0, -1, 'for ever'],
	['-0', -1, 'for ever'],
	[1000, 1000, 'seconds'],
	[$month - 1, $month - 1, 'seconds'],
	[$month, $month, '30 days, the most seconds'],
	[$month + 1, undef, 'a time in 1970'],
	[1_000_000_000, undef, 'a time in 2001'],
	[$now - 100, undef, 'a time that has just passed'],
	[$now + 100, 100, 'a time to come'],
	[$now + $month, $month, 'a time to come'],
	[$now + 2 * $month, 2 * $month, 'a time beyond 30 days'],
	[2147483647, 2147483647 - $now, 'the largest time'],
	[2147483648, undef, 'negative in 32 bits'],
	[4294967295, undef, '-1 in 32 bits'],
	[4294967296, -1, '0 in 32 bits'],
	[8589934592, -1, '0 in 32 bits'],
	['9223372036854775807', undef, '-1 in 32 bits'],
	[-1, undef, 'past'],
	[-1000, undef, 'past'],
	[-2147483648, undef, 'past'],
	[-4294967296, -1, '0 in 32 bits'],
);

# Checks the seconds left of a key, with as much allowed as the test may take.
sub
left_is
{
	my ($key, $expected, $name) = @_;

	$c->put("mg $key t\r\n");
	my $reply = $c->line;
	my ($left) = $reply =~ /^HD t(-?\d+)/;
	if (!defined $expected || $expected <= 0) {
		is($left, $expected, $name);
	} else {
		ok(defined $left && $left <= $expected + 1 &&
		    $left > $expected - 30, $name)
		    or diag("expected t$expected, got $reply");
	}
}

for (@meanings) {
	my ($exptime, $left, $meaning) = @$_;

	$c->ask("set e 0 $exptime 1\r\na\r\n", "STORED\r\n", "set $exptime");
	left_is('e', $left, "set $exptime: $meaning");
	next if $exptime =~ /^-?\d{11,}$|^-0$/ || abs $exptime > 4294967295;
	$c->ask("set e 0 0 1\r\na\r\ntouch e $exptime\r\n",
	    "STORED\r\nTOUCHED\r\n", "touch $exptime");
	left_is('e', $left, "touch $exptime: $meaning");
	$c->ask("set e 0 0 1\r\na\r\ngat $exptime e\r\n",
	    "STORED\r\nVALUE e 0 1\r\na\r\nEND\r\n", "gat $exptime");
	left_is('e', $left, "gat $exptime: $meaning");
}

for my $cmd (qw(add replace)) {
	$c->ask("delete a\r\n" . ($cmd eq 'add' ? '' : "set a 0 0 1\r\na\r\n") .
	    "$cmd a 0 1000 1\r\na\r\n", ($cmd eq 'add' ? "NOT_FOUND\r\n" :
	    "DELETED\r\nSTORED\r\n") . "STORED\r\n", "$cmd with 1000");
	left_is('a', 1000, "$cmd: seconds");
}
$c->ask("replace a 0 -1 1\r\na\r\nget a\r\n", "STORED\r\nEND\r\n",
    'replace with -1');
$c->ask("add a 0 -1 1\r\na\r\nadd a 0 0 1\r\nb\r\nget a\r\n",
    "STORED\r\nSTORED\r\nVALUE a 0 1\r\nb\r\nEND\r\n",
    'add with -1: another can be added');

dialogue $c, 'what an expired key answers', <<'END';
> set x 0 -1 1
> 1
< STORED
> get x
< END
> set x 0 -1 1
> 1
< STORED
> gat 0 x
< END
> set x 0 -1 1
> 1
< STORED
> mg x
< EN
> set x 0 -1 1
> 1
< STORED
> replace x 0 0 1
> 2
< NOT_STORED
> set x 0 -1 1
> 1
< STORED
> append x 0 0 1
> 2
< NOT_STORED
> set x 0 -1 1
> 1
< STORED
> prepend x 0 0 1
> 2
< NOT_STORED
> set x 0 -1 1
> 1
< STORED
> cas x 0 0 1 0
> 2
< NOT_FOUND
> set x 0 -1 1
> 1
< STORED
> incr x 1
< NOT_FOUND
> set x 0 -1 1
> 1
< STORED
> decr x 1
< NOT_FOUND
> set x 0 -1 1
> 1
< STORED
> touch x 100
< NOT_FOUND
> set x 0 -1 1
> 1
< STORED
> delete x
< NOT_FOUND
> set x 0 -1 1
> 1
< STORED
> md x
< NF
> set x 0 -1 1
> 1
< STORED
> ma x
< NF
> set x 0 -1 1
> 1
< STORED
> me x
< EN
> set x 0 -1 1
> 1
< STORED
> add x 5 0 1
> 3
< STORED
> get x
< VALUE x 5 1
< 3
< END
END

# ---- time goes by -----------------------------------------------------------

SKIP: {
	skip 'the clock cannot be moved', 1 unless $srv->can_advance;

	# The keys of a list that are there.
	sub
	alive
	{
		my @keys = @_;

		$c->put("get @keys\r\n");
		my @lines = $c->until_line(qr/^END$/);
		return join ' ', map { /^VALUE (\S+)/ ? $1 : () } @lines;
	}

	$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still');
	for my $n (1, 2, 10, 100) {
		$c->ask("set t$n 0 $n 1\r\na\r\n", "STORED\r\n", "set $n");
	}
	is(alive(qw(t1 t2 t10 t100)), 't1 t2 t10 t100', 'all are there');
	$srv->advance(1);
	is(alive(qw(t1 t2 t10 t100)), 't2 t10 t100', 'after 1 s');
	$srv->advance(1);
	is(alive(qw(t1 t2 t10 t100)), 't10 t100', 'after 2 s');
	$srv->advance(7);
	is(alive(qw(t1 t2 t10 t100)), 't10 t100', 'after 9 s');
	$c->ask("mg t10 t\r\nmg t100 t\r\n", "HD t1\r\nHD t91\r\n",
	    'the seconds that are left');
	$srv->advance(1);
	is(alive(qw(t1 t2 t10 t100)), 't100', 'after 10 s');
	$srv->advance(89);
	is(alive(qw(t1 t2 t10 t100)), 't100', 'after 99 s');
	$srv->advance(1);
	is(alive(qw(t1 t2 t10 t100)), '', 'after 100 s');

	# What keeps and what sets the time to live.
	my %change = (
		append => ["append k 0 5000 1\r\n1\r\n", "STORED\r\n", 60],
		prepend => ["prepend k 0 5000 1\r\n1\r\n", "STORED\r\n", 60],
		incr => ["incr k 1\r\n", "2\r\n", 60],
		'incr to more digits' => ["incr k 99\r\n", "100\r\n", 60],
		decr => ["decr k 1\r\n", "0\r\n", 60],
		get => ["get k\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n", 60],
		'add that fails' => ["add k 0 5000 1\r\n2\r\n",
		    "NOT_STORED\r\n", 60],
		'cas that fails' => ["cas k 0 5000 1 0\r\n2\r\n",
		    "EXISTS\r\n", 60],
		set => ["set k 0 5000 1\r\n2\r\n", "STORED\r\n", 5000],
		'set without' => ["set k 0 0 1\r\n2\r\n", "STORED\r\n", -1],
		replace => ["replace k 0 5000 1\r\n2\r\n", "STORED\r\n", 5000],
		touch => ["touch k 5000\r\n", "TOUCHED\r\n", 5000],
		'touch to less' => ["touch k 5\r\n", "TOUCHED\r\n", 5],
		'touch to nothing' => ["touch k 0\r\n", "TOUCHED\r\n", -1],
		gat => ["gat 5000 k\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n", 5000],
		'gat to nothing' => ["gat 0 k\r\n",
		    "VALUE k 0 1\r\n1\r\nEND\r\n", -1],
	);
	for my $what (sort keys %change) {
		my ($request, $reply, $left) = @{ $change{$what} };

		$c->ask("set k 0 100 1\r\n1\r\n", "STORED\r\n", $what);
		$srv->advance(40);
		$c->ask($request . "mg k t\r\n", "${reply}HD t$left\r\n",
		    "$what: $left s are left");
		if ($left < 0) {
			$srv->advance(40_000_000);
			is(alive('k'), 'k', "$what: it stays");
			next;
		}
		$srv->advance($left - 1);
		is(alive('k'), 'k', "$what: it is there until then");
		$srv->advance(1);
		is(alive('k'), '', "$what: and not any longer");
	}

	# Absolute times are those of the server.
	my $time = $c->stats->{time};
	$c->ask("set abs 0 " . ($time + 50) . " 1\r\na\r\nmg abs t\r\n",
	    "STORED\r\nHD t50\r\n", 'a time to come, on the moved clock');
	$srv->advance(49);
	is($c->stats->{time}, $time + 49, 'stats tells the moved time');
	is(alive('abs'), 'abs', 'before it');
	$srv->advance(1);
	is(alive('abs'), '', 'then');
	$c->ask("set abs 0 " . ($time + 50) . " 1\r\na\r\nget abs\r\n",
	    "STORED\r\nEND\r\n", 'a time that is now has passed');

	# Thirty days.
	$c->ask("set m 0 $month 1\r\na\r\n", "STORED\r\n", 'set for 30 days');
	$srv->advance($month - 1);
	is(alive('m'), 'm', 'before 30 days');
	$srv->advance(1);
	is(alive('m'), '', 'after 30 days');

	# An item that nobody asks for goes, too.
	my $before = $c->stats;
	$c->put(join '', map { "set many$_ 0 " . (10 + $_ % 50) .
	    " 10 noreply\r\n0123456789\r\n" } 1 .. 5000);
	ok($c->silent, 'five thousand items with a time to live');
	$c->ask("set stays 0 0 1\r\na\r\n", "STORED\r\n", 'and one without');
	is($c->stats->{curr_items}, $before->{curr_items} + 5001,
	    'curr_items counts them');
	$srv->advance(100);
	my $deadline = time + 30;
	my $stats;
	do {
		sleep 0.01;
		$stats = $c->stats;
	} until $stats->{curr_items} <= $before->{curr_items} + 1 ||
	    time > $deadline;
	cmp_ok($stats->{curr_items}, '<=', $before->{curr_items} + 1,
	    'they go without being asked for');
	is(alive('stays', 'many1'), 'stays', 'the other stays');
	cmp_ok($stats->{bytes}, '<=', $before->{bytes} + 200,
	    'and so does what they took');

	# The clock runs again.
	$c->ask("debugtime r\r\n", "OK\r\n", 'the clock runs');
	$c->ask("set r 0 100 1\r\na\r\n", "STORED\r\n", 'set 100');
	$srv->advance(98);
	is(alive('r'), 'r', 'before it');
	$srv->advance(2);
	is(alive('r'), '', 'then');
}

# ---- what an exptime may not be ---------------------------------------------

for my $exptime (qw(abc 1x x1 0x10 - 9223372036854775808 -9223372036854775809)) {
	$c->ask("set e 0 $exptime 1\r\na\r\n", $bad_line .
	    (since('1.6.40') ? '' : "ERROR\r\n"), "set $exptime");
}

done_testing;
