#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 68-fairness.t - clients that never stop sending do not stop others.
#
# With one worker thread several clients send requests as fast as they can,
# each with more in the socket than is read at once.  All the while another
# client is answered, a new one gets in, and the server ends when it is told to.

use Leasecached;

my $srv = Leasecached->start('-t', 1);
my $c = $srv->connect;
my @flooders;

for my $request ("set flood 0 0 100 noreply\r\n" . 'x' x 100 . "\r\n",
    "mg none q\r\n", 'get ' . join(' ', map { "k$_" } 1 .. 500) . "\r\n") {
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0) {
		# The child only sends; it ends with the connection, or when
		# it is told to.
		$SIG{PIPE} = $SIG{TERM} = sub { POSIX::_exit(0) };
		require IO::Socket::INET;
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		    PeerPort => $srv->port) or POSIX::_exit(1);
		my $batch = $request x (1 + 100_000 / length $request);
		my $reader = fork;

		if (defined $reader && $reader == 0) {
			1 while sysread $s, my $ignored, 1 << 20;
			POSIX::_exit(0);
		}
		1 while syswrite $s, $batch;
		POSIX::_exit(0);
	}
	push @flooders, $pid;
}

# The flood has begun when the server has counted some of it.
my $stats;
do { $stats = $c->stats } until $stats->{cmd_set} > 100 &&
    $stats->{cmd_get} > 1000;

$c->ask("mn\r\n", "MN\r\n", "a client is answered, $_") for 1 .. 20;
for (1 .. 3) {
	my $new = $srv->connect;
	$new->ask("set own 0 0 1\r\na\r\nget own\r\n",
	    "STORED\r\nVALUE own 0 1\r\na\r\nEND\r\n",
	    "a new one is served, $_");
	$new->close;
}
my $later = $c->stats;
cmp_ok($later->{cmd_set}, '>', $stats->{cmd_set}, 'the flood went on');
cmp_ok($later->{conn_yields}, '>', 0, 'and had to give way');

is($srv->stop, 0, 'the server ends when it is told to');
kill 'TERM', @flooders;
waitpid $_, 0 for @flooders;

done_testing;
