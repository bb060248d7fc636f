#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 94-c-client.t - the client in C, contrib/c: leases beside libmemcached.
#
# Its tests are in C, too: test_lease prints a line for each result, as the
# scripts of t/clients do.

use Leasecached;
use Leasecached::Suite;
use Differential::Servers;
use File::Basename qw(dirname);
use File::Temp ();

my $built = $ENV{top_builddir} ||
    ($ENV{LEASECACHED_BIN} ? dirname($ENV{LEASECACHED_BIN}) : '.');
my $program = "$built/contrib/c/test_lease";

need(-x $program, 'libmemcached-dev');

# Runs it; each of its lines is a result.
sub
test_lease
{
	my ($title, @args) = @_;
	my ($text, $status) = output_of($program, @args);
	my $finished = 0;

	note($title);
	for my $line (split /\n/, $text) {
		if ($line =~ /^(not )?ok - (.*)/) {
			ok(!$1, "$title: $2");
		} elsif ($line eq 'finished') {
			$finished = 1;
		} else {
			diag($line =~ s/^# ?//r);
		}
	}
	ok($finished && $status == 0, "$title: came to its end") or
	    diag("exit status $status");
}

if (Leasecached::is_reference) {
	test_lease('memcached', 'plain', Leasecached->start->port);
	done_testing;
	exit;
}

test_lease('scripts', 'wire');

my $one = Leasecached->start;
test_lease('one server', 'leases', $one->port);

my @servers = map { Leasecached->start } 1 .. 3;
test_lease('three servers', 'leases', map { $_->port } @servers);

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my $unix = Leasecached->start(-unix => "$dir/socket");
test_lease('a Unix socket', 'leases', "$dir/socket");

SKIP: {
	my $memcached = Differential::Servers::peer_binary();
	skip 'no memcached', 1
	    unless $memcached || $ENV{LEASECACHED_REQUIRE_PEER};
	my $plain = Differential::Servers::start($memcached);
	test_lease('memcached', 'plain', $plain->port);
	$plain->stop;
}

done_testing;
