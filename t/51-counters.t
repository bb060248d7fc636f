#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 51-counters.t - which request moves which counters, and by how much.

use Leasecached;
use POSIX ();
use Time::HiRes qw(time);

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');

# All that count requests and what became of them.
my @counters = qw(cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits
    get_misses get_expired get_flushed delete_misses delete_hits incr_misses
    incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits
    touch_misses store_too_large store_no_memory auth_cmds auth_errors
    total_items evictions log_worker_dropped log_watcher_skipped
    total_connections rejected_connections);

# What has changed from one answer of `stats` to the next, as a text.
sub
moved
{
	my ($before, $after) = @_;

	return join ' ', map {
		my $by = ($after->{$_} // 'none') - ($before->{$_} // 'none');
		$by ? sprintf('%s%+d', $_, $by) : ();
	} @counters;
}

is(join(' ', grep { !exists $c->stats->{$_} } @counters), '',
    'stats has all counters');
is(moved($c->stats, $c->stats), '', 'stats itself moves none');
{
	my $before = $c->stats;
	$c->ask("mn\r\n", "MN\r\n", 'mn');
	is(moved($before, $c->stats), '', 'nor does mn');
}

# ---- request by request -----------------------------------------------------

my $missed = 'cmd_get+1 get_misses+1';
my $stored = 'cmd_set+1 total_items+1';
# What is stored expired never stands here.
my $expired = $srv->is_reference ? 'get_expired+1 ' : '';
my $bad_line = 'CLIENT_ERROR bad command line format';
my $bad_chunk = 'CLIENT_ERROR bad data chunk';

# Request, reply (* for any), what moves; `new` for what 1.6.18 does otherwise.
my @rows = (
	["set a 0 0 1\r\n1", 'STORED', $stored],
	["set a 0 0 1\r\n1", 'STORED', $stored],
	["add a 0 0 1\r\n1", 'NOT_STORED', 'cmd_set+1'],
	["add b 0 0 1\r\n1", 'STORED', $stored],
	["append a 0 0 1\r\n1", 'STORED', $stored],
	["append zz 0 0 1\r\n1", 'NOT_STORED', 'cmd_set+1'],
	["prepend b 0 0 1\r\n1", 'STORED', $stored],
	["prepend zz 0 0 1\r\n1", 'NOT_STORED', 'cmd_set+1'],
	["replace b 0 0 1\r\n1", 'STORED', $stored],
	["replace zz 0 0 1\r\n1", 'NOT_STORED', 'cmd_set+1'],
	["cas a 0 0 1 1\r\n1", 'EXISTS', 'cmd_set+1 cas_badval+1'],
	["cas zz 0 0 1 1\r\n1", 'NOT_FOUND', 'cmd_set+1 cas_misses+1'],
	["set b 0 0 1 noreply\r\n1", undef, $stored],
	["add b 0 0 1 noreply\r\n1", undef, 'cmd_set+1'],
	['get a', "VALUE a 0 2\r\n11\r\nEND", 'cmd_get+1 get_hits+1'],
	['get zz', 'END', $missed],
	['get a zz', "VALUE a 0 2\r\n11\r\nEND",
	    'cmd_get+2 get_hits+1 get_misses+1'],
	['get a zz zz a b', '*', 'cmd_get+5 get_hits+3 get_misses+2'],
	['gets a', '*', 'cmd_get+1 get_hits+1'],
	['gets a zz', '*', 'cmd_get+2 get_hits+1 get_misses+1'],
	['gat 0 a zz', "VALUE a 0 2\r\n11\r\nEND",
	    'cmd_touch+2 touch_hits+1 touch_misses+1'],
	['gats 0 zz a', '*', 'cmd_touch+2 touch_hits+1 touch_misses+1'],
	['touch a 0', 'TOUCHED', 'cmd_touch+1 touch_hits+1'],
	['touch zz 0', 'NOT_FOUND', 'cmd_touch+1 touch_misses+1'],
	['touch a 0 noreply', undef, 'cmd_touch+1 touch_hits+1'],
	['incr a 1', '12', 'incr_hits+1'],
	['incr zz 1', 'NOT_FOUND', 'incr_misses+1'],
	['decr a 1', '11', 'decr_hits+1'],
	['decr zz 1', 'NOT_FOUND', 'decr_misses+1'],
	['incr a 1 noreply', undef, 'incr_hits+1'],
	['decr zz 1 noreply', undef, 'decr_misses+1'],
	['delete a', 'DELETED', 'delete_hits+1'],
	['delete a', 'NOT_FOUND', 'delete_misses+1'],
	['delete b noreply', undef, 'delete_hits+1'],
	['delete b noreply', undef, 'delete_misses+1'],

	["ms a 1 E50\r\n1", 'HD', $stored, 'new'],
	["ms a 1 ME\r\n1", 'NS', 'cmd_set+1', 'new'],
	["ms a 1 C1\r\n1", 'EX', 'cmd_set+1 cas_badval+1', 'new'],
	["ms a 1 C50\r\n1", 'HD', 'cmd_set+1 cas_hits+1 total_items+1', 'new'],
	["ms zz 1 C50\r\n1", 'NF', 'cmd_set+1 cas_misses+1'],
	["ms a 1\r\n1", 'HD', $stored],
	["ms a 1 q\r\n1", undef, $stored],
	["ms a 1 MA\r\n1", 'HD', $stored],
	["ms a 1 MP\r\n1", 'HD', $stored],
	["ms zz 1 MA\r\n1", 'NS', 'cmd_set+1'],
	["ms zz 1 MR\r\n1", 'NS', 'cmd_set+1'],
	["ms a 1 MR\r\n1", 'HD', $stored],
	['mg a v', "VA 1\r\n1", 'cmd_get+1 get_hits+1'],
	['mg a', 'HD', 'cmd_get+1 get_hits+1'],
	['mg a k s q', 'HD ka s1', 'cmd_get+1 get_hits+1'],
	['mg zz v', 'EN', $missed],
	['mg zz q', undef, $missed],
	['mg a T0 v', "VA 1\r\n1", 'cmd_touch+1 touch_hits+1'],
	['mg zz T0 v', 'EN', $missed],
	# nothing stands there but a lease, which memcached makes an item of
	['mg viv N30 v', "VA 0 W\r\n", $srv->is_reference ?
	 'cmd_get+1 get_hits+1 total_items+1' : $missed],
	['mg viv N30 v', "VA 0 Z\r\n", $srv->is_reference ?
	 'cmd_get+1 get_hits+1' : $missed],
	['ma a', 'HD', 'incr_hits+1'],
	['ma a q', undef, 'incr_hits+1'],
	['ma zz', 'NF', 'incr_misses+1'],
	['ma new N0', 'HD', 'total_items+1', 'new'],
	['ma a MD', 'HD', 'decr_hits+1'],
	['ma zz MD', 'NF', 'decr_misses+1'],
	['ma a C1', 'EX', '', 'new'],
	['md a I', 'HD', ''],
	['md a C1', 'EX', 'delete_misses+1', 'new'],
	['md a x', 'HD', 'delete_hits+1 total_items+1', 'new'],
	['md a', 'HD', 'delete_hits+1'],
	['md a', 'NF', 'delete_misses+1'],
	['md zz I', 'NF', 'delete_misses+1'],
	['md zz x', 'NF', 'delete_misses+1', 'new'],
	['me a', 'EN', 'cmd_meta+1'],
	['me viv', '*', 'cmd_meta+1'],

	["set e 0 -1 1\r\n1\r\nget e", "STORED\r\nEND",
	    "cmd_get+1 cmd_set+1 get_misses+1 ${expired}total_items+1"],
	["set e 0 -1 1\r\n1\r\nmg e", "STORED\r\nEN",
	    'cmd_get+1 cmd_set+1 get_misses+1 total_items+1', 'new'],
	["set e 0 -1 1\r\n1\r\nget e e e", "STORED\r\nEND",
	    "cmd_get+3 cmd_set+1 get_misses+3 ${expired}total_items+1"],
	["set f 0 0 1\r\n1\r\nflush_all\r\nget f f", "STORED\r\nOK\r\nEND",
	    'cmd_get+2 cmd_set+1 cmd_flush+1 get_misses+2 get_flushed+1 ' .
	    'total_items+1'],
	["set e 0 -1 1\r\n1\r\ntouch e 0", "STORED\r\nNOT_FOUND",
	    'cmd_set+1 cmd_touch+1 touch_misses+1 total_items+1', 'new'],
	["set e 0 -1 1\r\n1\r\ndelete e", "STORED\r\nNOT_FOUND",
	    'cmd_set+1 delete_misses+1 total_items+1', 'new'],
	["set e 0 -1 1\r\n1\r\nincr e 1", "STORED\r\nNOT_FOUND",
	    'cmd_set+1 incr_misses+1 total_items+1', 'new'],
	['flush_all', 'OK', 'cmd_flush+1'],
	['flush_all 0', 'OK', 'cmd_flush+1'],
	['flush_all noreply', undef, 'cmd_flush+1'],
	['flush_all 1000', 'OK', 'cmd_flush+1'],

	# What goes wrong.
	["set L 0 0 3000000\r\n" . 'x' x 3_000_000,
	    'SERVER_ERROR object too large for cache', 'store_too_large+1'],
	["add L 0 0 3000000 noreply\r\n" . 'x' x 3_000_000, undef,
	    'store_too_large+1'],
	["ms L 3000000\r\n" . 'x' x 3_000_000,
	    'SERVER_ERROR object too large for cache', 'store_too_large+1'],
	["set x 0 0 1\r\nab\n", "$bad_chunk\r\n$bad_line", 'cmd_set+1', 'new'],
	["set x 0 0 1 noreply\r\nab\nfoo", 'ERROR', 'cmd_set+1'],
	["ms x 1\r\nab\nfoo", "$bad_chunk\r\nERROR", 'cmd_set+1'],
	["set n 0 0 1\r\nx\r\nincr n 1", '*', $stored],
	["decr n 1", '*', ''],
	["ma n", '*', ''],
	["incr n x", 'CLIENT_ERROR invalid numeric delta argument', ''],
	["touch n x", 'CLIENT_ERROR invalid exptime argument', ''],
	['foo', 'ERROR', ''],
	['set x 0 0 -1', $bad_line, ''],
	["set x y 0 1\r\n1", $bad_line, '', 'new'],
	['mg n z', 'CLIENT_ERROR invalid flag', ''],
	["ms n 1 z\r\n1", 'CLIENT_ERROR invalid flag', '', 'new'],
	['md n z', '*', ''],
	['ma n z', 'CLIENT_ERROR invalid or duplicate flag', ''],
	['get ' . 'k' x 251, $bad_line, ''],
	['delete', $new ? $bad_line : 'ERROR', ''],
	['version', '*', ''],
	['verbosity 0', 'OK', ''],
	['cache_memlimit 64', 'OK', ''],
	['stats settings', '*', ''],
	['lru_crawler metadump 63', '*', '', 'new'],
	['stats foo', 'ERROR', ''],
);

for (@rows) {
	my ($request, $reply, $moves, $only) = @$_;

	next if ($only // '') eq 'new' && !$new;
	my $before = $c->stats;
	$c->put("$request\r\nmn\r\n");
	my $got = join "\r\n", $c->until_line(qr/^MN$/);
	$got =~ s/(?:^|\r\n)MN\z//;
	my $after = $c->stats;
	my $name = Leasecached::Client::quoted(substr $request, 0, 50);
	is($got, $reply // '', "$name: reply") unless ($reply // '') eq '*';
	my $moved = moved($before, $after);
	# (memcached makes a new item when the old one is still being read.)
	$moved =~ s/ total_items\+1\z// if $moved =~ /^(?:incr|decr)_hits/ &&
	    $srv->is_reference;
	is($moved, $moves, "$name: " . ($moves eq '' ? 'moves nothing' : $moves));
}

# What expires and is met by a reader before the sweep comes: that is nearly
# always so.
SKIP: {
	skip 'the reference has no clock to move', 1 unless $srv->can_advance;
	my $want = 'cmd_get+2 cmd_set+1 get_misses+2 get_expired+1 ' .
	    'total_items+1';
	my $moved = '';

	for (my $i = 0; $i < 20 && $moved ne $want; $i++) {
		my $before = $c->stats;

		$c->put("set e 0 1 1\r\n1\r\ndebugtime +2\r\n" .
		    "get e e\r\nmn\r\n");
		$c->until_line(qr/^MN$/);
		$moved = moved($before, $c->stats);
	}
	is($moved, $want, 'an item that expired counts once');
}

# ---- bytes and connections --------------------------------------------------

{
	my $request = "set s 0 0 10\r\n0123456789\r\nget s s\r\nfoo\r\n" .
	    "delete s noreply\r\nmg s\r\n";
	my $reply = "STORED\r\n" . "VALUE s 0 10\r\n0123456789\r\n" x 2 .
	    "END\r\nERROR\r\nEN\r\n";

	# A server with nothing else to do, so that the numbers are exact.
	my $quiet = Leasecached->start;
	my $q = $quiet->client;
	$q->put("stats\r\n");
	$q->until_line(qr/^END$/);
	$q->put("stats\r\n");
	my @lines = $q->until_line(qr/^END$/);
	my $said = length join '', map { "$_\r\n" } @lines;
	my %before = map { (split)[1, 2] } @lines[0 .. $#lines - 1];
	$q->ask($request, $reply, 'some requests');
	my $after = $q->stats;
	is($after->{bytes_read} - $before{bytes_read}, length($request) +
	    length("mn\r\n") + length("stats\r\n"), 'bytes_read');
	is($after->{bytes_written} - $before{bytes_written}, $said +
	    length($reply) + length("MN\r\n"), 'bytes_written');

	is($after->{curr_connections}, $before{curr_connections},
	    'curr_connections stays');
	my @more = map { $quiet->connect } 1 .. 5;
	$_->silent for @more;
	my $now = $q->stats;
	is($now->{curr_connections}, $before{curr_connections} + 5,
	    'curr_connections counts clients');
	is($now->{total_connections}, $before{total_connections} + 5,
	    'total_connections, too');
	$_->put("quit\r\n") && $_->closed for @more;
	my $deadline = time + 30;
	1 until $q->stats->{curr_connections} == $before{curr_connections} ||
	    time > $deadline;
	$now = $q->stats;
	is($now->{curr_connections}, $before{curr_connections},
	    'clients that go are none');
	is($now->{total_connections}, $before{total_connections} + 5,
	    'but have been there');
	is($now->{rejected_connections}, 0, 'nobody was rejected');
}

# ---- items ------------------------------------------------------------------

{
	my $store = Leasecached->start;
	my $s = $store->client;
	my $empty = $s->stats;

	is($empty->{$_}, 0, "$_ is 0 at first") for qw(curr_items total_items
	    bytes evictions);
	$s->put(join '', map { "set k$_ 0 0 100 noreply\r\n" . 'x' x 100 .
	    "\r\n" } 100 .. 199);
	ok($s->silent, 'a hundred items');
	my $full = $s->stats;
	is($full->{curr_items}, 100, 'curr_items');
	is($full->{total_items}, 100, 'total_items');
	# 48 + 8 + key + 1 + value + 2, or what it really takes.
	cmp_ok($full->{bytes}, '>=', 100 * 104, 'bytes has keys and values');
	cmp_ok($full->{bytes}, '<=', 100 * 512, 'and no more than is fair');
	$s->put(join '', map { "set k$_ 0 0 100 noreply\r\n" . 'y' x 100 .
	    "\r\n" } 100 .. 199);
	ok($s->silent, 'again');
	my $again = $s->stats;
	is($again->{curr_items}, 100, 'curr_items stays');
	is($again->{total_items}, 200, 'total_items counts stores');
	is($again->{bytes}, $full->{bytes}, 'bytes stays');
	$s->put(join '', map { "delete k$_ noreply\r\n" } 100 .. 199);
	ok($s->silent, 'all deleted');
	my $gone = $s->stats;
	is($gone->{curr_items}, 0, 'curr_items');
	is($gone->{total_items}, 200, 'total_items');
	is($gone->{bytes}, 0, 'bytes');
}

# ---- classes ----------------------------------------------------------------

# What is counted by class adds up to the whole.
{
	my $general = $c->stats;
	my $slabs = $c->stats('slabs');

	for (qw(get_hits delete_hits incr_hits decr_hits cas_hits cas_badval
	    touch_hits cmd_set)) {
		my ($sum, $name) = (0, $_);
		$sum += $slabs->{$_} for grep { /^\d+:$name$/ } keys %$slabs;
		is($sum, $general->{$name}, "$name of all classes");
	}
	my %before = %$slabs;
	$c->ask("set large 0 0 66560\r\n" . 'x' x 66560 . "\r\nmg large s\r\n" .
	    "set tiny 0 0 1\r\n1\r\nget tiny\r\nget tiny\r\nincr tiny 1\r\n" .
	    "touch large 0\r\ndelete large\r\ndelete tiny\r\n",
	    "STORED\r\nHD s66560\r\nSTORED\r\n" .
	    "VALUE tiny 0 1\r\n1\r\nEND\r\n" x 2 . "2\r\nTOUCHED\r\n" .
	    "DELETED\r\n" x 2, 'a large and a tiny item');
	$slabs = $c->stats('slabs');
	for (['1:cmd_set', 1], ['31:cmd_set', 1], ['1:get_hits', 2],
	    ['31:get_hits', 1], ['1:incr_hits', 1], ['31:touch_hits', 1],
	    ['1:delete_hits', 1], ['31:delete_hits', 1]) {
		my ($name, $by) = @$_;
		is(($slabs->{$name} // -1) - ($before{$name} // 0), $by,
		    "$name counts $by");
	}
}

# ---- by many at once --------------------------------------------------------

{
	my ($clients, $each) = (4, 3000);
	my $before = $c->stats;
	my @children;

	for my $client (1 .. $clients) {
		my $pid = fork;
		die "fork: $!" unless defined $pid;
		push @children, $pid;
		next if $pid;

		my $own = $srv->connect;
		$own->put("set p$client 0 0 1 noreply\r\n1\r\n" .
		    "mg p$client s\r\nmg none$client q\r\n" .
		    "incr p$client 1 noreply\r\ntouch p$client 0 noreply\r\n" .
		    "delete none$client noreply\r\n") for 1 .. $each;
		my $bad = grep { $own->line ne 'HD s1' } 1 .. $each;
		POSIX::_exit($own->silent && !$bad ? 0 : 1);
	}
	my @failed = grep { waitpid($_, 0); $? } @children;
	is(@failed, 0, "$clients clients");
	# They have gone; the server has to see it.
	my $deadline = time + 30;
	1 until $c->stats->{curr_connections} == $before->{curr_connections} ||
	    time > $deadline;
	my $n = $clients * $each;
	my $moved = moved($before, $c->stats);
	$moved =~ s/(total_items)\+\d+/$1+$n/ if $srv->is_reference;
	is($moved, "cmd_get+@{[2 * $n]} cmd_set+$n " .
	    "cmd_touch+$n get_hits+$n get_misses+$n delete_misses+$n " .
	    "incr_hits+$n touch_hits+$n total_items+$n " .
	    "total_connections+$clients", 'not one is lost');
}

# ---- stats reset ------------------------------------------------------------

{
	$c->ask("set stays 0 0 5\r\n12345\r\nget stays\r\n", "STORED\r\n" .
	    "VALUE stays 0 5\r\n12345\r\nEND\r\n", 'something to count');
	my $before = $c->stats;
	my @zero = grep { !/^(?:auth|log|rejected|evictions|store_no)/ }
	    @counters;
	is(join(' ', grep { !$before->{$_} } @zero), $new ? '' : 'cas_hits',
	    'all counters have counted') or diag 'zero already';
	$c->ask("stats reset\r\n", "RESET\r\n", 'stats reset');
	my $after = $c->stats;
	is(join(' ', grep { $after->{$_} } @counters), '',
	    'all counters are 0');
	for (qw(bytes_read bytes_written)) {
		cmp_ok($after->{$_}, '<', 10_000, "$_ begins again");
	}
	# The sweep may remove an expired item meanwhile, but not all.
	cmp_ok($after->{$_}, '>', 0, "$_ stays") for qw(curr_items bytes);
	is($after->{$_}, $before->{$_}, "$_ stays") for qw(pid
	    curr_connections limit_maxbytes max_connections threads version
	    pointer_size);
	cmp_ok($after->{uptime}, '>=', $before->{uptime}, 'uptime goes on');
	my $slabs = $c->stats('slabs');
	is(join(' ', sort grep { /^\d+:(?:\w+_hits|cmd_set|cas_badval)$/ &&
	    $slabs->{$_} } keys %$slabs), '', 'those of the classes are 0');
	$c->ask("get stays\r\n", "VALUE stays 0 5\r\n12345\r\nEND\r\n",
	    'the items stay');
	is(moved($after, $c->stats), 'cmd_get+1 get_hits+1',
	    'and are counted again');
}

done_testing;
