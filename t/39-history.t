#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 39-history.t - many clients at once, and a proof that what they were told is
# as promised: leases, versions, tags, waiters.
#
# tests/history/drive does anything at random and records it, check reads the
# record and proves the invariants on it; see tests/history/judge.h.  A debug
# build of the server can be told to have a fault: each must be found.
#
# LEASECACHED_HISTORY_SECONDS	how long, in place of 24 seconds
# LEASECACHED_SEED		what is done, in place of a random number

use Leasecached;
use Leasecached::Lease qw(ports);

plan(skip_all => 'memcached has no leases') if Leasecached::is_reference();

my ($tools) = grep { -x "$_/drive" && -x "$_/check" }
    map { "$_/tests/history" } $ENV{top_builddir} // (), '.', '..';
die "no tests/history/drive; make check-programs\n" unless $tools;

my $SECONDS = $ENV{LEASECACHED_HISTORY_SECONDS} // 24;
my $seed = $ENV{LEASECACHED_SEED} // int rand 1e9;
# So many tombstones that none has to make room for another.
my @common = ('-t', 4, '-o', 'tag_prefix=:,lease_default=2000',
    '-o', 'tombstones=1048576', '-o', 'coalesce=co.,wait=10000,lease=10000');
note("seed $seed");

# Runs drive against a server for some seconds; returns what check says, and
# its exit status: 0 all is well, 1 a violation.
sub
history
{
	my ($srv, $seconds, $check, @options) = @_;
	my @drive = ((map { ('-p', $_) } ports($srv)), '-t', $seconds,
	    '-s', $seed++, '-g', 'co.', '-o', 'tag_prefix=' . ord ':',
	    '-o', 'lease_default=2000');

	my $said = `$tools/drive @drive @options | $tools/check $check 2>&1`;
	return ($said, $? >> 8);
}

sub
proves
{
	my ($name, $seconds, $server, @options) = @_;
	my $srv = Leasecached->start(@common, @$server);
	my ($said, $status) = history($srv, $seconds < 1 ? 1 : int $seconds,
	    "-k $tools/violation.txt", @options);

	is($status, 0, $name) or diag($said);
	note($said);
	my ($requests, $leases) = $said =~ /(\d+) requests.* (\d+) leases/;
	cmp_ok($leases // 0, '>', 20, "$name: there were leases");
	is($srv->stop, 0, "$name: the server has come through");
}

proves('anything at once', $SECONDS / 2, []);
proves('a small memory', $SECONDS / 6, ['-m', 8], '-e', '-r',
    '-o', 'evicts=1');
proves('sets without versions pass', $SECONDS / 6,
    ['-o', 'lax_sets,waiters=4'], '-r', '-o', 'lax=1');
proves('listeners of every mode', $SECONDS / 6, ['-l', '127.0.0.1',
    '-l', 'mode[lease,wait=100]:127.0.0.1', '-l', 'mode[proxy]:127.0.0.1'],
    '-r');

# ---- faults that must be found ----------------------------------------------

# What check says of each; a fault may show in more than one way.
my %shows = (
	skip_f2 => qr/I1/, skip_f3 => qr/I[15]/, skip_f4 => qr/I1/,
	skip_f5 => qr/I[14]/, skip_hand_over => qr/I3|I7/, dead_tag => qr/I1/,
	keep_tokens => qr/I1/, no_floor => qr/I4|I11/,
);

SKIP: {
	my $srv = eval { Leasecached->start('-o', 'debug_fault=skip_f2') };

	if (!$srv) {
		my $why = $@;
		like($why, qr/debug_fault/, 'no debug build knows no faults');
		skip('not a debug build', scalar keys %shows);
	}
	for my $fault (sort keys %shows) {
		$srv = Leasecached->start(@common, '-o', "debug_fault=$fault");
		# It ends as soon as something is found.
		my ($said) = history($srv, 60, '', '-w', 2000);
		like($said, qr/^VIOLATION [^\n]*$shows{$fault}/,
		    "$fault is found") or diag($said);
		note($said =~ /^(VIOLATION.*)/, ' ', $said =~ /^(\d+ rounds)/m);
	}
}

done_testing();
