#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 03-systemd.t - sockets that the service manager passes, and word back to it.

use Leasecached;
use Leasecached::Proc;

use Fcntl qw(F_DUPFD);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_DGRAM SOCK_STREAM MSG_DONTWAIT);

plan skip_all => 'memcached has no socket activation' if is_reference;

my $dir = tmpdir();

sub
listener
{
	return IO::Socket::INET->new(LocalAddr => $_[0] // '127.0.0.1',
	    Listen => 64, ReuseAddr => 1) // die "listen: $!";
}

# What a service manager does between fork and exec: the sockets become
# descriptor 3 and up, and the variables name this process.
sub
passing
{
	my (@sockets) = @_;

	return sub {
		# First out of the way, then to their places.
		my @high = map { out_of_the_way($_) } @sockets;
		for my $i (0 .. $#high) {
			POSIX::dup2($high[$i], 3 + $i) // die "dup2: $!";
			POSIX::close($high[$i]);
		}
		$ENV{LISTEN_FDS} = @sockets;
		$ENV{LISTEN_PID} = $$;
	};
}

# A duplicate well above what is passed.
sub
out_of_the_way
{
	my ($s) = @_;

	return fcntl($s, F_DUPFD, 100) || die "dup: $!";
}

sub
notify_socket
{
	my ($name) = @_;

	return IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $name)
	    // die "notify socket: $!";
}

# The next message that has the word, or what came instead.
sub
told
{
	my ($s, $word) = @_;
	my $all = '';

	while (IO::Select->new($s)->can_read(30)) {
		my $text;
		defined recv $s, $text, 4096, MSG_DONTWAIT or last;
		$all .= "$text\n";
		last if $all =~ $word;
	}
	return $all;
}

sub
answers
{
	my ($port, %how) = @_;
	my $s = raw_client($port, %how) or return 'no connection';
	my $reply = eval { all_answered($s, "set a 0 0 1\r\n1\r\n") } // $@;

	return $reply eq "STORED\r\n" ? 'yes' : $reply;
}

# ---- one socket, and READY=1 ------------------------------------------------

{
	my $listen = listener();
	my $port = $listen->sockport;
	my $path = "$dir/notify";
	my $notify = notify_socket($path);
	my $srv = spawn({
		env => { NOTIFY_SOCKET => $path },
		before => passing($listen),
	}, as_user());
	close $listen;

	my $told = '';
	wait_for {
		$told = told($notify, qr/^READY=1$/m) if
		    IO::Select->new($notify)->can_read(0);
		$told || !$srv->running
	} 10;

	like($told, qr/^READY=1$/m, 'the service manager is told READY=1');
	ok($srv->running, 'it runs') or diag($srv->err);
	is(join(',', listening($srv->pid)), "127.0.0.1 $port",
	    'it listens on the socket it was given, and on nothing else');
	is(answers($port), 'yes', 'and serves it') for 1 .. 3;

	kill TERM => $srv->pid;
	like(told($notify, qr/^STOPPING=1$/m), qr/^STOPPING=1$/m,
	    'STOPPING=1 at the end');
	is($srv->ended, 'exit 0', 'SIGTERM ends it with 0');
}

# READY=1 must not come before clients are served.
{
	my $path = "$dir/ready";
	my $notify = notify_socket($path);
	my $port = free_port();
	my $srv = spawn({ env => { NOTIFY_SOCKET => $path } }, as_user(),
	    '-p', $port, '-l', '127.0.0.1');

	like(told($notify, qr/READY=1/), qr/^READY=1$/m,
	    'READY=1 without passed sockets');
	is(answers($port), 'yes', 'then the first connection succeeds');
}

# ---- several ----------------------------------------------------------------

{
	my @listen = (listener(), listener('127.0.0.2'),
	    IO::Socket::UNIX->new(Local => "$dir/sock", Listen => 5));
	my @port = map { $listen[$_]->sockport } 0, 1;
	my $path = "$dir/several";
	my $notify = notify_socket($path);
	my $srv = spawn({
		env => { NOTIFY_SOCKET => $path },
		before => passing(@listen),
	}, as_user());
	close $_ for @listen;

	like(told($notify, qr/READY=1/), qr/^READY=1$/m, 'three sockets');
	is(answers($port[0]), 'yes', 'the first is served');
	is(answers($port[1], to => '127.0.0.2'), 'yes', 'the second, too');
	is(answers(0, unix => "$dir/sock"), 'yes', 'and the Unix socket');
	is($srv->stop, 'exit 0', 'SIGTERM ends it with 0');
	ok(-S "$dir/sock", 'a socket file it did not make is left alone');
}

# A restart: connections wait in the socket while no server runs.
{
	my $listen = listener();
	my $port = $listen->sockport;
	my $early = raw_client($port);

	raw_send($early, "version\r\n");
	for my $round (1, 2) {
		my $srv = spawn({ before => passing($listen) }, as_user());
		like(raw_line($early) // '', qr/^VERSION /,
		    "round $round: who connected before the start is served");
		is($srv->stop, 'exit 0', "round $round: it stops");
		$early = raw_client($port);
		ok($early, "round $round: the socket stays open") &&
		    raw_send($early, "version\r\n");
	}
}

# ---- not for us -------------------------------------------------------------

{
	my $listen = listener();
	my $given = $listen->sockport;
	my $pass = passing($listen);
	my $srv = Leasecached::Proc->start_listening({
		before => sub { $pass->(); $ENV{LISTEN_PID} = 1 },
	}, as_user(), '-p', -1, '-l', '127.0.0.1');

	ok($srv->running, 'sockets meant for another process') or
	    diag($srv->err);
	isnt($srv->port, $given, 'are not used');
	is(answers($srv->port), 'yes', 'the server makes its own');
}

{
	my $srv = Leasecached::Proc->start_listening({ env => {
		NOTIFY_SOCKET => "$dir/nobody-listens",
	} }, as_user(), '-p', -1, '-l', '127.0.0.1');

	is(answers($srv->port), 'yes',
	    'a service manager that does not listen is no obstacle');
}

# What is passed and can't be used is no reason to listen elsewhere.
{
	my ($bound, $other) = IO::Socket::UNIX->socketpair(AF_UNIX,
	    SOCK_STREAM, PF_UNSPEC);
	my $srv = spawn({ before => passing($bound) }, as_user());

	is($srv->ended, 'exit 71', 'a connected socket is refused');
	like($srv->err, qr/descriptor 3 is no listening/, 'and named');
}

{
	my $pass = passing(listener());
	my $srv = spawn({
		before => sub { $pass->(); $ENV{LISTEN_FDS} = 'many' },
	}, as_user());

	is($srv->ended, 'exit 71', 'a number that is none is refused');
}

# A name that is in no file system begins with a zero byte; "@" stands for it.
{
	my $name = "leasecached-notify-$$";
	my $notify = notify_socket("\0$name");
	my $srv = spawn({
		env => { NOTIFY_SOCKET => "\@$name" },
		before => passing(listener()),
	}, as_user());

	like(told($notify, qr/^READY=1$/m), qr/^READY=1$/m,
	    'an abstract socket is told READY=1');
	is($srv->stop, 'exit 0', 'SIGTERM ends it with 0');
}

done_testing();
