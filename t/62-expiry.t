#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 62-expiry.t - items leave when their time is over, though nobody looks.
#
# The server's clock is moved; what follows is waited for by looking at the
# counters, which touches no item.

use Leasecached;
use Leasecached::Proc;

use Time::HiRes qw(time);

plan skip_all => 'memcached keeps expired items until it meets them'
    if is_reference;

my $SCALE = scaled(1, 0.1);

# Stores many at once; a function makes the request of each number.
sub
store
{
	my ($s, $n, $request) = @_;
	my $batch = '';

	for my $i (1 .. $n) {
		$batch .= $request->($i);
		next if $i % 500 && $i < $n;
		my $said = all_answered($s, $batch);
		die "refused: $said" if $said =~ /ERROR/;
		$batch = '';
	}
}

sub
counted
{
	my ($s, $name) = @_;

	return stats_of($s)->{$name};
}

# Waits for a gauge to come to a value, and compares.
sub
comes_to
{
	my ($s, $name, $value, $test) = @_;

	wait_for { counted($s, $name) == $value } 30;
	return is(counted($s, $name), $value, $test);
}

# ---- items go, memory falls -------------------------------------------------

{
	my $srv = Leasecached->start('-m', 128);
	my $s = raw_client($srv->port);
	my $n = 60000 * $SCALE;
	my $empty = stats_of($s)->{bytes};
	my $value = 'x' x 1000;

	store($s, $n, sub {
		my $ttl = 10 + $_[0] % 90;
		return "set e$_[0] 0 $ttl 1000 noreply\r\n$value\r\n";
	});
	is(counted($s, 'curr_items'), $n, 'items with lifetimes');
	my $full = rss_kib($srv->pid);
	my $gets = counted($s, 'cmd_get');

	$srv->advance(101);
	comes_to($s, 'curr_items', 0, 'they go by themselves');
	my $st = stats_of($s);
	is($st->{cmd_get}, $gets, 'nobody has looked at them');
	is($st->{evictions}, 0, 'they are not counted as evicted');
	is($st->{expired_unfetched}, $n, 'but as expired and never read')
	    if defined $st->{expired_unfetched};
	cmp_ok($st->{bytes}, '<', $empty + 100 * $n,
	    'their memory is off the account');
	SKIP: {
		skip 'a sanitizer keeps freed memory', 1 if is_sanitized;
		my $wanted = $full - 40 * 1024;
		wait_for { rss_kib($srv->pid) <= $wanted } 30;
		cmp_ok(rss_kib($srv->pid), '<=', $wanted,
		    'and most of it is given back');
	}
}

# ---- each at its time -------------------------------------------------------

{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);
	my $now = time;
	my $day = 86400;

	# How to say when, and the seconds after which it is over.
	my @kinds = (
		['10', 10], ['60', 60], ['3600', 3600], [$day, $day],
		[30 * $day, 30 * $day],
		[int($now + 45 * $day), 45 * $day],
		[int($now + 400 * $day), 400 * $day],
	);
	# Both ways of storing, and one more that never goes.
	for my $kind (0 .. $#kinds) {
		my $when = $kinds[$kind][0];
		store($s, 50, sub {
			return "set c$kind.$_[0] 0 $when 1 noreply\r\nx\r\n" .
			    "ms m$kind.$_[0] 1 T$when q\r\nx\r\n";
		});
	}
	store($s, 10, sub { return "set stays$_[0] 0 0 1 noreply\r\nx\r\n" });
	my $left = 100 * @kinds + 10;
	is(counted($s, 'curr_items'), $left, 'lifetimes of all lengths');

	my $at = 0;
	for my $kind (@kinds) {
		my ($when, $after) = @$kind;
		my $before = $after - $at - ($after > 100 ? 30 : 5);
		$srv->advance($before);
		$at += $before;
		# Had they gone too soon, they would be missed here.
		is(counted($s, 'curr_items'), $left,
		    "exptime $when: they are there before $after s");
		my $step = $after > 100 ? 60 : 10;
		$srv->advance($step);
		$at += $step;
		$left -= 100;
		comes_to($s, 'curr_items', $left,
		    "exptime $when: they are gone after $after s");
	}
	$srv->advance(3000 * $day);
	is(all_answered($s, "get stays1 stays10\r\n"),
	    "VALUE stays1 0 1\r\nx\r\nVALUE stays10 0 1\r\nx\r\nEND\r\n",
	    'what has no lifetime stays for years');
	is(counted($s, 'curr_items'), 10, 'and nothing else does');
}

# A big step goes over many lifetimes at once.
{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);
	my $n = 20000 * $SCALE;

	srand 7;
	store($s, $n, sub {
		return "set b$_[0] 0 " . (1 + int rand 2592000) .
		    " 1 noreply\r\nx\r\n";
	});
	# Moved in one go, thousands of seconds at a time, and to the end.
	$srv->advance(1296000);
	my $half;
	wait_for {
		my $was = $half // -1;
		$half = counted($s, 'curr_items');
		$half < 0.55 * $n && $half == $was
	} 30;
	cmp_ok($half, '>', 0.45 * $n, 'after half of the month half is there');
	cmp_ok($half, '<', 0.55 * $n, 'and half is not');
	$srv->advance(1296000);
	comes_to($s, 'curr_items', 0, 'after all of it nothing is');
}

# ---- lifetimes that change --------------------------------------------------

{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);
	my %how = (
		touch => sub { return "touch touch$_[0] 1000 noreply\r\n" },
		gat => sub { return "gat 1000 gat$_[0]\r\n" },
		mgT => sub { return "mg mgT$_[0] T1000\r\n" },
		set => sub { return "set set$_[0] 0 1000 1 noreply\r\ny\r\n" },
		maT => sub { return "ma maT$_[0] T1000\r\n" },
	);
	my %sooner = (
		touchSoon => sub {
			return "touch touchSoon$_[0] 20 noreply\r\n"
		},
		gatSoon => sub { return "gat 20 gatSoon$_[0]\r\n" },
		mgTSoon => sub { return "mg mgTSoon$_[0] T20\r\n" },
		setSoon => sub {
			return "set setSoon$_[0] 0 20 1 noreply\r\ny\r\n"
		},
		mdI => sub { return "md mdI$_[0] I T20\r\n" },
		mgN => sub { return "mg mgN$_[0].new N20\r\n" .
		    "delete mgN$_[0] noreply\r\n" },
	);
	my %same = (
		incr => sub { return "incr incr$_[0] 1 noreply\r\n" },
		append => sub { return "append append$_[0] 0 0 1 noreply" .
		    "\r\n1\r\n" },
		get => sub { return "get get$_[0]\r\n" },
		badcas => sub { return "cas badcas$_[0] 0 9000 1 1 noreply" .
		    "\r\n1\r\n" },
	);

	for my $kind (sort keys %how, keys %same) {
		store($s, 100, sub {
			return "set $kind$_[0] 0 100 1 noreply\r\n1\r\n";
		});
	}
	for my $kind (sort keys %sooner) {
		store($s, 100, sub {
			return "set $kind$_[0] 0 1000 1 noreply\r\n1\r\n";
		});
	}
	is(counted($s, 'curr_items'), 1500, 'items to be changed');
	my %all = (%how, %sooner, %same);
	store($s, 100, $all{$_}) for sort keys %all;
	# (A lease on a missing key is an item in memcached.)
	is(counted($s, 'curr_items'), $srv->is_reference ? 1500 : 1400,
	    'are changed');

	$srv->advance(25);
	comes_to($s, 'curr_items', 900, 'what was shortened goes sooner');
	my %ttl = all_answered($s, join '', map { "mg ${_}7 k t\r\n" }
	    sort keys %all) =~ /HD k(\S+)7 t(\d+)/g;
	is(join(',', sort keys %ttl), join(',', sort keys %how, keys %same),
	    'just these are left');
	$srv->advance(80);
	comes_to($s, 'curr_items', 500, 'what was not prolonged goes in time');
	%ttl = all_answered($s, join '', map { "mg ${_}7 k t\r\n" }
	    sort keys %all) =~ /HD k(\S+)7 t(\d+)/g;
	is(join(',', sort keys %ttl), join(',', sort keys %how),
	    'what was prolonged stays');
	$srv->advance(1000);
	comes_to($s, 'curr_items', 0, 'and goes later');
}

# Prolonged without end, and cut to nothing.
{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);

	store($s, 200, sub {
		return "set a$_[0] 0 50 1 noreply\r\nx\r\n" .
		    "touch a$_[0] 0 noreply\r\n" .
		    "set b$_[0] 0 0 1 noreply\r\nx\r\n" .
		    "touch b$_[0] -1 noreply\r\n";
	});
	comes_to($s, 'curr_items', 200, 'touch -1 removes by itself');
	$srv->advance(10000);
	is(tally_hits($s, 'a', 200), 200, 'touch 0 keeps for good');
}

sub
tally_hits
{
	my ($s, $prefix, $n) = @_;
	my $reply = all_answered($s,
	    'get ' . join(' ', map { "$prefix$_" } 1 .. $n) . "\r\n");

	return scalar(() = $reply =~ /^VALUE /mg);
}

# A clock that stands still expires nothing, and one that goes back does not
# bring back what has gone.
{
	my $srv = Leasecached->start('-m', 64);
	my $s = raw_client($srv->port);

	is(all_answered($s, "debugtime p\r\n"), "OK\r\n", 'the clock stops');
	store($s, 100, sub { return "set p$_[0] 0 1 1 noreply\r\nx\r\n" });
	my $end = time + 2.2;
	my $missing = 0;
	while (time < $end) {
		$missing ||= counted($s, 'curr_items') != 100;
		select undef, undef, undef, 0.1;
	}
	ok(!$missing, 'and a second does not pass');
	is(all_answered($s, "debugtime r\r\n"), "OK\r\n", 'the clock goes on');
	$srv->advance(3);
	comes_to($s, 'curr_items', 0, 'and it does');
	$srv->advance(-3);
	is(tally_hits($s, 'p', 100), 0, 'the past does not come back');
}

# Expired items make room before live ones are evicted.
{
	my $srv = Leasecached->start('-m', 32);
	my $s = raw_client($srv->port);
	my $value = 'v' x 1000;
	my $store = sub {
		my ($name, $ttl, $n) = @_;
		store($s, $n, sub {
			return "set $name$_[0] 0 $ttl 1000 noreply\r\n" .
			    "$value\r\n";
		});
	};

	$store->('live', 0, 10000);
	$store->('short', 30, 8000);
	is(counted($s, 'evictions'), 0, 'they fit');
	$srv->advance(31);
	$store->('next', 0, 8000);
	is(counted($s, 'evictions'), 0, 'expired items make room for new ones');
	comes_to($s, 'curr_items', 18000, 'all live ones are there');
}

done_testing();
