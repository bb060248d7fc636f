#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 69-many-waiters.t - many requests that wait: what one costs, that each gets
# its answer, and that others are served meanwhile.
#
# As many as this process may have sockets; the same with 100,000, without
# sockets, is in tests/stress_lease.c.

use Leasecached;
use Leasecached::Proc;

use Time::HiRes qw(time);

plan(skip_all => 'memcached has no leases') if is_reference;

my $MOST = 10_000;
need_fds($MOST + 300);
my $max = (fd_limit())[0] - 250;
my $n = scaled($MOST, 2000);
$n = $max if $n > $max;

# `stats leases`, by name.
sub
leases
{
	my ($s) = @_;
	my %is;

	raw_send($s, "stats leases\r\n");
	while ((my $line = raw_line($s)) ne 'END') {
		$is{$1} = $2 if $line =~ /\ASTAT (\S+) (\d+)\z/;
	}
	return \%is;
}

# Waits until so many requests are parked.
sub
parked
{
	my ($s, $n) = @_;
	my $have;

	wait_for { ($have = leases($s)->{waiters}) == $n } 60;
	is($have, $n, "$n requests wait");
}

# Reads what each is told; the kinds of answers, counted.
sub
answers
{
	my ($clients, $answer) = @_;
	my %told;

	for my $i (0 .. $#$clients) {
		my $want = ref $answer ? $answer->[$i] : $answer;
		my $got = raw_read($clients->[$i], length $want);

		$told{ $got eq $want ? 'right' : "not '$got'" }++;
	}
	return \%told;
}

my $srv = Leasecached->start('-c', $n + 200, '-t', 2);
my $control = raw_client($srv->port);
my $other = raw_client($srv->port);
my @clients = map { raw_client($srv->port,
    from => '127.0.0.' . (1 + $_ % 8)) } 1 .. $n;
is(scalar(grep { $_ } @clients), $n, "$n clients");

sub
token
{
	my ($key) = @_;

	raw_send($control, "mg $key c n60000\r\n");
	return raw_line($control) =~ /\AHD c(\d+) W\z/ ? $1 : 0;
}

# ---- one key ----------------------------------------------------------------

{
	my $t = token('one');
	my $before = rss_kib($srv->pid);

	raw_send($_, "mg one v n60000 w60000\r\n") for @clients;
	parked($control, $n);
	SKIP: {
		skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
		my $each = (rss_kib($srv->pid) - $before) * 1024 / $n;
		cmp_ok($each, '<=', 512, 'bytes of memory for each');
		note(sprintf '%.0f bytes each', $each);
	}
	is(leases($control)->{waiter_bytes}, 72 * $n, 'waiter_bytes');

	my $value = 'v' x 100;
	raw_send($control, "ms one 100 C$t\r\n$value\r\n");
	is(raw_line($control), 'HD', 'the value');
	# Others have their turn between the answers.
	my $longest = 0;
	for (1 .. 20) {
		my $begin = time;
		is(all_answered($other, "version\r\n"), all_answered($other,
		    "version\r\n"), 'another client is served');
		my $took = time - $begin;
		$longest = $took if $took > $longest;
	}
	note(sprintf 'it waited %.1f ms at most', 1000 * $longest);
	is_deeply(answers(\@clients, "VA 100\r\n$value\r\n"),
	    { right => $n }, 'every one gets it');
	my $is = leases($control);
	is($is->{wait_served}, $n, 'wait_served');
	is($is->{lease_granted}, 1, 'one load');
	is($is->{waiters}, 0, 'nobody waits any more');
}

# ---- a key each -------------------------------------------------------------

{
	my @tokens = map { token("key$_") } 1 .. $n;

	raw_send($clients[$_ - 1], "mg key$_ v n60000 w60000\r\n") for 1 .. $n;
	parked($control, $n);
	my $is = leases($control);
	is($is->{lease_live}, $n, "$n leases");
	note(sprintf '%.0f bytes for each lease with its queue',
	    $is->{lease_bytes} / $n);
	for my $i (1 .. $n) {
		raw_send($control, sprintf "ms key%d %d C%s q\r\n%s\r\n", $i,
		    length $i, $tokens[$i - 1], $i);
	}
	is(all_answered($control, ''), '', 'all are stored');
	is_deeply(answers(\@clients, [ map { sprintf "VA %d\r\n%s\r\n",
	    length, $_ } 1 .. $n ]), { right => $n }, 'each gets its own');
	is(leases($control)->{lease_live}, 0, 'no lease is left');
}

# ---- the holder gives up, and all get a back-off -----------------------------

{
	my $t = token('back');

	raw_send($_, "mg back v n60000 w60000\r\n") for @clients;
	parked($control, $n);
	is(all_answered($control, "md back C$t U d60000\r\n"), "HD\r\n",
	    'the lease is given up');
	my %told;
	for (@clients) {
		my $line = raw_line($_) =~ s/d\d+/d#/r;
		raw_read($_, 2);
		$told{$line}++;
	}
	is_deeply(\%told, { 'VA 0 d# Z' => $n }, 'all are told when to come');
}

# ---- the server ends ---------------------------------------------------------

{
	token('end');
	raw_send($_, "mg end v n60000 w60000\r\n") for @clients;
	parked($control, $n);
	is($srv->stop, 0, 'the server ends');
	is_deeply(answers(\@clients, "VA 0 Z\r\n\r\n"), { right => $n },
	    'and has answered all who waited');
}

done_testing;
