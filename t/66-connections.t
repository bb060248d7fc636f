#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 66-connections.t - how many clients there may be, what one costs, and who is
# sent away.

use Leasecached;
use Leasecached::Proc;

use IO::Select;
use POSIX ();
use Time::HiRes qw(sleep time);

my $IDLE = 10_000;

# This process holds the clients, and the server inherits the limit.
need_fds($IDLE + 300);

# A client that has been let in: (socket), or () and what it was told.
sub
knock
{
	my ($port, %how) = @_;
	my $s = raw_client($port, %how) or return (undef, "connect: $!");

	raw_send($s, "mn\r\n");
	my $line = eval { raw_line($s) };
	return ($s, $line) if defined $line && $line eq 'MN';
	return (undef, $line);
}

# ---- -c ---------------------------------------------------------------------

SKIP: {
	skip 'memcached counts descriptors, not clients', 16 if is_reference;

	for my $limit (1, 10, 100) {
		my $srv = Leasecached::Proc->start_listening(as_user(), '-p',
		    -1, '-l', '127.0.0.1', '-c', $limit, '-t', 3);
		my (@in, $told);

		for (1 .. $limit) {
			(my $s, $told) = knock($srv->port);
			last unless $s;
			push @in, $s;
		}
		is(scalar @in, $limit, "-c $limit lets $limit clients in");
		is(stats_of($in[0])->{curr_connections}, $limit,
		    "-c $limit: stats counts them");

		my %told;
		for (1 .. 5) {
			my $s = raw_client($srv->port);
			$told{ raw_drain($s) }++;
		}
		is(join('|', %told), "ERROR Too many open connections\r\n|5",
		    "-c $limit: the next are told, and closed");
		my $st = stats_of($in[-1]);
		is($st->{rejected_connections}, 5,
		    "-c $limit: rejected_connections");
		is($st->{max_connections}, $limit,
		    "-c $limit: max_connections");

		# One goes, another may come.
		close pop @in;
		my $s;
		wait_for { ($s) = knock($srv->port); $s } 30;
		ok($s, "-c $limit: when one has gone another may come");
	}
}

SKIP: {
	skip 'memcached counts descriptors, not clients', 3 if is_reference;
	my $srv = Leasecached->start('-c', 5, '-o', 'no_maxconns_fast');
	my @in = map { (knock($srv->port))[0] } 1 .. 5;
	is(scalar(grep { $_ } @in), 5, 'no_maxconns_fast: five are let in');

	# The sixth waits in the kernel's queue.
	my $s = raw_client($srv->port);
	raw_send($s, "version\r\n");
	ok(!IO::Select->new($s)->can_read(0.3),
	    'no_maxconns_fast: the sixth is not answered');
	close shift @in;
	like(raw_line($s) // 'closed', qr/^VERSION /,
	    'no_maxconns_fast: until one of the five has gone');
}

# The limit of open files is raised to what -c needs.
{
	my $srv = Leasecached::Proc->start_listening({ via => ['sh', '-c',
	    'ulimit -Sn 200; exec "$0" "$@"'] }, as_user(), '-p', -1, '-l',
	    '127.0.0.1', '-c', 1000);
	my (@in, $told);

	for (1 .. 400) {
		(my $s, $told) = knock($srv->port);
		last unless $s;
		push @in, $s;
	}
	is(scalar @in, 400, '-c 1000 with a soft limit of 200 files');
}

# ---- many idle clients, others coming and going -----------------------------

{
	my $max = (fd_limit())[0] - 250;
	my $n = scaled($IDLE, 2000);
	$n = $max if $n > $max;
	diag("only $n connections: no more files may be open")
	    if $n < $IDLE && !is_sanitized;

	my $srv = Leasecached->start('-c', $n + 200, '-m', 64, '-t', 2);
	my $control = raw_client($srv->port);
	my $value = 'v' x 200;
	my $reply = "VALUE k 0 200\r\n$value\r\nEND\r\n";
	is(all_answered($control, "set k 0 0 200\r\n$value\r\n"),
	    "STORED\r\n", 'a value');

	# Warm: buffers and tables that come with the first clients, whoever
	# they are.  Some talk a lot, since idle ones have mostly been busy.
	{
		my @warm = map { (knock($srv->port))[0] } 1 .. 50;
		all_answered($_, "get k\r\n" x 1000) for @warm;
	}
	wait_for { stats_of($control)->{curr_connections} == 1 } 30;

	my $before = rss_kib($srv->pid);
	my (@idle, $failed);
	my $start = time;
	for my $i (1 .. $n) {
		# A source address has some 28,000 ports; these are spread for
		# machines where many of them are taken.
		my $s = raw_client($srv->port, from => '127.0.0.' .
		    (1 + $i % 8));
		$failed //= $!, last unless $s;
		push @idle, $s;
		next if $i % 500 && $i < $n;
		# Each one has been served, and now waits.
		my @new = @idle[-($i % 500 || 500) .. -1];
		raw_send($_, "get k\r\n") for @new;
		for (@new) {
			$failed //= 'a wrong answer'
			    if raw_read($_, length $reply) ne $reply;
		}
	}
	is($failed, undef, "$n clients come and are served");
	note(sprintf '%d connections in %.1f s', scalar @idle, time - $start);
	is(stats_of($control)->{curr_connections}, $n + 1,
	    'stats counts them');
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		my $each = (rss_kib($srv->pid) - $before) * 1024 / $n;
		cmp_ok($each, '<=', 1024, 'bytes of memory for each');
		note(sprintf '%.0f bytes each', $each);
	}

	# Beside them, a thousand a second come, ask and go.
	my $churn = scaled(4000, 300);
	my $child = open my $from, '-|';
	die "fork: $!" unless defined $child;
	if ($child == 0) {
		my ($done, $bad, $begin) = (0, 0, time);
		for my $i (1 .. $churn) {
			my $late = $begin + $i / 1000 - time;
			sleep $late if $late > 0;
			my ($s) = knock($srv->port, from =>
			    '127.0.1.' . (1 + $i % 8));
			$s ? $done++ : $bad++;
		}
		printf "%d %d %.2f\n", $done, $bad, time - $begin;
		close STDOUT;
		POSIX::_exit(0);
	}
	my ($wrong, $longest, $asked) = (0, 0, 0);
	my $said = '';
	until (IO::Select->new($from)->can_read(0)) {
		my $begin = time;
		$wrong++ if all_answered($control, "get k\r\n") ne $reply;
		my $took = time - $begin;
		$longest = $took if $took > $longest;
		$asked++;
		sleep 0.001;
	}
	$said = <$from>;
	close $from;
	my ($done, $bad, $seconds) = split ' ', $said;
	is($done, $churn, 'clients that come and go are all served');
	is($bad, 0, 'none is refused');
	note(sprintf '%d connections in %.1f s, %.0f a second', $done,
	    $seconds, $done / $seconds);
	is($wrong, 0, 'another client is served without error meanwhile');
	note(sprintf '%d requests, the longest took %.1f ms', $asked,
	    $longest * 1000);

	# The idle ones are still there.
	my $dead = 0;
	for (my $i = 0; $i < @idle; $i += 7) {
		$dead++ if eval { all_answered($idle[$i], '') } // 1;
	}
	is($dead, 0, 'the idle ones are alive');
	my $st = stats_of($control);
	is($st->{curr_connections}, $n + 1, 'none was lost');
	cmp_ok($st->{total_connections}, '>=', $n + $churn,
	    'total_connections has all');
	is($st->{rejected_connections}, 0, 'none was rejected')
	    if defined $st->{rejected_connections};

	close $_ for @idle;
	my $left;
	wait_for { ($left = stats_of($control)->{curr_connections}) == 1 } 30;
	is($left, 1, 'when they go, all of them are forgotten');
}

# ---- idle_timeout -----------------------------------------------------------

{
	my $srv = Leasecached->start('-o', 'idle_timeout=1', '-t', 2);
	my $busy = raw_client($srv->port);
	my @idle = map { (knock($srv->port))[0] } 1 .. 3;
	push @idle, raw_client($srv->port);	# never says anything
	unless (is_reference) {
		# In the middle of a value, where memcached waits for ever.
		push @idle, raw_client($srv->port);
		raw_send($idle[-1], "set k 0 0 10\r\nabc");
	}
	my $open = IO::Select->new(@idle);
	my ($end, $failed, $bytes) = (time + 30, 0, 0);

	# The busy one asks all the time, and so is never idle.
	while ($open->count && time < $end) {
		$failed++ if (eval { all_answered($busy, '') } // 1) ne '';
		for my $s ($open->can_read(0.05)) {
			my $got = sysread $s, my $text, 100;
			$bytes += $got // 0;
			$open->remove($s);
		}
	}
	is($open->count, 0, 'idle_timeout closes idle clients');
	is($bytes, 0, 'without a word');
	is($failed, 0, 'and not the busy one');
	is(stats_of($busy)->{idle_kicks}, scalar @idle,
	    'idle_kicks counts them');
}

{
	my $srv = Leasecached->start;
	my $st = stats_of(raw_client($srv->port));
	ok(!exists $st->{idle_kicks}, 'no idle_kicks without idle_timeout');
}

# ---- -R ---------------------------------------------------------------------

{
	my $srv = Leasecached->start('-t', 1, '-R', 5);
	my $value = 'x' x 100;
	my $s = raw_client($srv->port);
	my $n = scaled(3000, 500);

	all_answered($s, "set k 0 0 100\r\n$value\r\n");
	# Several clients with long pipelines, so that there is somebody to
	# yield to.
	my @greedy = map { raw_client($srv->port) } 1 .. 6;
	my $reply = "VALUE k 0 100\r\n$value\r\nEND\r\n";
	my $torn = 0;
	for my $round (1 .. 5) {
		raw_send($_, "get k\r\n" x $n) for @greedy;
		is(all_answered($s, "get k\r\n"), $reply,
		    'a modest client is served among greedy ones')
		    if $round == 3;
		raw_read($_, $n * length $reply) eq $reply x $n or $torn++
		    for @greedy;
	}
	is($torn, 0, 'all replies come, in order');
	cmp_ok(stats_of($s)->{conn_yields}, '>', 0, 'conn_yields counts');
	is(stats_of($s, 'settings')->{reqs_per_event}, 5, '-R is taken');
}

# A client alone with a long pipeline gets it answered in one go.
{
	my $srv = Leasecached->start('-t', 1, '-R', 1);
	my $s = raw_client($srv->port);

	raw_send($s, "mn\r\n" x 5000);
	is(raw_read($s, 20000), "MN\r\n" x 5000, '-R 1: a long pipeline');
}

done_testing();
