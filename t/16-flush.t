#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 16-flush.t - flush_all: now, later, not at all.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

my $bad_exptime = "CLIENT_ERROR invalid exptime argument\r\n";

# ---- now --------------------------------------------------------------------

# In one packet, so in the same second: what is set behind a flush stays.
for my $flush ('', ' ', ' 0', ' -1', ' -10', ' -2147483648') {
	$c->ask("set k 0 0 1\r\na\r\nflush_all$flush\r\nget k\r\n" .
	    "set k 0 0 1\r\nb\r\nget k\r\nset l 0 0 1\r\nc\r\nget k l\r\n",
	    "STORED\r\nOK\r\nEND\r\n" .
	    "STORED\r\nVALUE k 0 1\r\nb\r\nEND\r\n" .
	    "STORED\r\nVALUE k 0 1\r\nb\r\nVALUE l 0 1\r\nc\r\nEND\r\n",
	    "flush_all$flush is at once, for what was there");
}
$c->ask("set k 0 0 1\r\na\r\nflush_all 4294967295\r\nget k\r\n",
    "STORED\r\nOK\r\nEND\r\n", 'flush_all 4294967295 is -1');

{
	my $line = '';
	my $reply = '';

	for my $n (1 .. 300) {
		$line .= "set k 0 0 4\r\n" . sprintf("%04d\r\n", $n) .
		    "flush_all\r\nget k\r\nadd k 0 0 4\r\n" .
		    sprintf("%04d\r\n", $n) . "get k\r\n";
		$reply .= "STORED\r\nOK\r\nEND\r\nSTORED\r\nVALUE k 0 4\r\n" .
		    sprintf("%04d\r\n", $n) . "END\r\n";
	}
	$c->ask($line, $reply, 'many flushes in a second');
}

for (
	['get k', 'END'], ['gets k', 'END'], ['gat 0 k', 'END'],
	['mg k', 'EN'], ['mg k v', 'EN'], ['delete k', 'NOT_FOUND'],
	['md k', 'NF'], ['touch k 0', 'NOT_FOUND'], ['incr k 1', 'NOT_FOUND'],
	['decr k 1', 'NOT_FOUND'], ['ma k', 'NF'], ['me k', 'EN'],
	["replace k 0 0 1\r\n2", 'NOT_STORED'],
	["append k 0 0 1\r\n2", 'NOT_STORED'],
	["prepend k 0 0 1\r\n2", 'NOT_STORED'],
	["cas k 0 0 1 1\r\n2", 'NOT_FOUND'],
	["add k 0 0 1\r\n2", 'STORED'],
	["set k 0 0 1\r\n2", 'STORED'],
	["ms k 1 MR\r\n2", 'NS'],
	["ms k 1 ME\r\n2", 'HD'],
) {
	my ($request, $reply) = @$_;

	$c->ask("set k 0 0 1\r\n1\r\nflush_all\r\n$request\r\n",
	    "STORED\r\nOK\r\n$reply\r\n",
	    'of a flushed key: ' . $request =~ s/\r\n/ /r);
}

# All of them, whatever their size and time to live.
$c->put(join '', map { "set m$_ 0 " . ($_ % 2 ? 0 : 1000) . ' ' .
    $_ * 10 . " noreply\r\n" . 'x' x ($_ * 10) . "\r\n" } 1 .. 1000);
$c->ask("get m1 m1000\r\n", "VALUE m1 0 10\r\nxxxxxxxxxx\r\n" .
    "VALUE m1000 0 10000\r\n" . 'x' x 10000 . "\r\nEND\r\n",
    'a thousand items');
$c->ask("flush_all noreply\r\nget k l " .
    join(' ', map { "m$_" } 1 .. 1000) . "\r\n", "END\r\n",
    'are all gone');
is($c->stats->{curr_items}, 0, 'and when that was seen, are not counted');

# ---- wrong ------------------------------------------------------------------

$c->ask("set k 0 0 1\r\na\r\n", "STORED\r\n", 'an item to spare');
for my $exptime (qw(abc 1x 0x1 - 9223372036854775808 99999999999999999999)) {
	$c->ask("flush_all $exptime\r\n", $bad_exptime,
	    "flush_all $exptime");
	$c->ask("flush_all $exptime noreply\r\n", '',
	    "flush_all $exptime noreply");
}
$c->ask("flush_all 2592001\r\nget k\r\n",
    "OK\r\nVALUE k 0 1\r\na\r\nEND\r\n",
    'a time before the server started does nothing');
$c->ask("get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n",
    'none of these flushed the item');
my $before = $c->stats->{cmd_flush};
$c->ask("flush_all\r\nflush_all 0 noreply\r\nflush_all 1000\r\n",
    "OK\r\nOK\r\n", 'three flushes');
is($c->stats->{cmd_flush}, $before + 3, 'are counted');

{
	my $never = Leasecached->start('-F');

	dialogue $never, '-F', <<'END';
> set k 0 0 1
> a
< STORED
> flush_all
< CLIENT_ERROR flush_all not allowed
> flush_all 0
< CLIENT_ERROR flush_all not allowed
> flush_all 10
< CLIENT_ERROR flush_all not allowed
> flush_all noreply
> get k
< VALUE k 0 1
< a
< END
END
	is($never->client->stats('settings')->{flush_enabled}, 'no',
	    '-F is in the settings');
}

# ---- later ------------------------------------------------------------------

SKIP: {
	skip 'the clock cannot be moved', 1 unless $srv->can_advance;

	my $later = Leasecached->start;
	my $l = $later->client;
	my $there = "VALUE k 0 1\r\na\r\nEND\r\n";
	my $set = "set k 0 0 1\r\na\r\n";

	$l->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still');

	$l->ask("${set}flush_all 10\r\nget k\r\n", "STORED\r\nOK\r\n$there",
	    'flush_all 10 does nothing yet');
	$later->advance(5);
	$l->ask("get k\r\nset l 0 0 1\r\nb\r\nget l\r\n",
	    "${there}STORED\r\nVALUE l 0 1\r\nb\r\nEND\r\n",
	    'nor 5 s later');
	$later->advance(3);
	$l->ask("get k\r\n", $there, 'nor 8 s later');
	# It comes between 9 and 10 s.
	$later->advance(2);
	$l->ask("get k l\r\n", "END\r\n",
	    'then all is gone, what was set after it, too');
	$l->ask("${set}get k\r\n", "STORED\r\n$there",
	    'what is set now stays');
	$later->advance(100);
	$l->ask("get k\r\n", $there, 'for ever: it happens once');

	# With a running cache nobody asks for the items.
	$l->ask("flush_all 10\r\n", "OK\r\n", 'flush_all 10 again');
	$later->advance(1000);
	$l->ask("set n 0 0 1\r\nn\r\nget k n\r\n",
	    "STORED\r\nVALUE n 0 1\r\nn\r\nEND\r\n",
	    'also if the first request comes much later');

	# There is one time, that of the last.
	$l->ask("${set}flush_all 10\r\nflush_all 100\r\n",
	    "STORED\r\nOK\r\nOK\r\n", '10, then 100');
	$later->advance(50);
	$l->ask("get k\r\n", $there, 'the second takes the place of the first');
	$later->advance(50);
	$l->ask("get k\r\n", "END\r\n", 'and comes');
	$l->ask("${set}flush_all 100\r\nflush_all 10\r\n",
	    "STORED\r\nOK\r\nOK\r\n", '100, then 10');
	$later->advance(10);
	$l->ask("get k\r\n${set}", "END\r\nSTORED\r\n",
	    'the second takes the place of the first');
	$later->advance(100);
	$l->ask("get k\r\n", $there, 'which does not come');
	$l->ask("flush_all 10\r\nflush_all\r\n${set}get k\r\n",
	    "OK\r\nOK\r\nSTORED\r\n$there", '10, then now');
	$later->advance(50);
	$l->ask("get k\r\n", $there, 'now takes the place of it');

	my $time = $l->stats->{time};
	$l->ask("flush_all " . ($time + 60) . "\r\n", "OK\r\n",
	    'a time to come');
	$later->advance(55);
	$l->ask("get k\r\n", $there, 'before it');
	$later->advance(5);
	$l->ask("get k\r\n", "END\r\n", 'then');

	$l->ask("${set}flush_all 2592000\r\n", "STORED\r\nOK\r\n", '30 days');
	$later->advance(2591990);
	$l->ask("get k\r\n", $there, 'before them');
	$later->advance(10);
	$l->ask("get k\r\n", "END\r\n", 'then');

	$l->ask("${set}flush_all 10 noreply\r\nget k\r\n", "STORED\r\n$there",
	    'with noreply');
	$later->advance(10);
	$l->ask("get k\r\n", "END\r\n", 'it comes, too');
}

done_testing;
