#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 01-listen.t - addresses, ports and Unix sockets.

use Leasecached;
use Leasecached::Proc;

use IO::Socket::UNIX;
use Socket qw(AF_INET6 SOCK_STREAM SOL_SOCKET SO_KEEPALIVE
    inet_pton pack_sockaddr_in6);

sub
start
{
	return Leasecached::Proc->start_listening(as_user(), @_);
}

sub
client6
{
	my ($port) = @_;
	my $s;

	socket $s, AF_INET6, SOCK_STREAM, 0 or return;
	connect $s, pack_sockaddr_in6($port, inet_pton(AF_INET6, '::1'))
	    or return;
	return bless $s, 'IO::Socket::INET';
}

# Is somebody there who talks sense?
sub
serves
{
	my ($s) = @_;

	return 0 unless $s;
	return all_answered($s, "set here 0 0 1\r\n1\r\nget here\r\n") eq
	    "STORED\r\nVALUE here 0 1\r\n1\r\nEND\r\n";
}

sub
mode
{
	my ($path) = @_;

	return sprintf '%04o', (lstat $path)[2] & 07777;
}

my $has_v6 = do {
	my $s;
	socket($s, AF_INET6, SOCK_STREAM, 0) &&
	    bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, '::1')));
};

# ---- TCP --------------------------------------------------------------------

{
	my $srv = start('-p', -1, '-l', '127.0.0.1');

	ok(serves(raw_client($srv->port)), '-l 127.0.0.1');
	is(join(',', listening($srv->pid)), '127.0.0.1 ' . $srv->port,
	    'nothing else is listened on');
	ok(!raw_client($srv->port, to => '127.0.0.2'),
	    'the address beside it is closed');
}

{
	my $port = free_port();
	my $srv = start('-p', $port, '-l', '127.0.0.1,127.0.0.2', '-l',
	    '127.0.0.3');

	is(join(',', listening($srv->pid)),
	    join(',', map { "127.0.0.$_ $port" } 1 .. 3),
	    'a list of -l, and -l repeated, add up');
	ok(serves(raw_client($port, to => "127.0.0.$_")),
	    "127.0.0.$_ is served") for 1 .. 3;
	is(scalar @{ $srv->{ports}{'TCP INET'} }, 3,
	    'the port file has a line for each');
}

{
	my ($a, $b, $c) = map { free_port() } 1 .. 3;
	my $srv = start('-p', $a, '-l',
	    "127.0.0.1:$b;127.0.0.1:$c,127.0.0.2");

	is(join(',', listening($srv->pid)), join(',', sort
	    "127.0.0.1 $b", "127.0.0.1 $c", "127.0.0.2 $a"),
	    'ports in the list, and -p for those without');
	is(join(' ', sort @{ $srv->{ports}{'TCP INET'} }),
	    join(' ', sort $a, $b, $c), 'the port file has all of them');
	my $one = raw_client($b);
	my $other = raw_client($c);
	all_answered($one, "set shared 0 0 3\r\nabc\r\n");
	is(all_answered($other, "get shared\r\n"),
	    "VALUE shared 0 3\r\nabc\r\nEND\r\n",
	    'behind all of them is the one store');
}

{
	my $srv = start('-p', -1, '-l', 'localhost');

	ok($srv->running, '-l takes a name') or diag($srv->err);
	ok(serves(raw_client($srv->port) || client6($srv->port)),
	    'which is looked up');
}

{
	my $srv = start('-p', -1, '-l', '*');
	my @where = listening($srv->pid);

	ok($srv->running, '-l * is accepted') or diag($srv->err);
	ok(scalar(grep { /^(?:0\.0\.0\.0|::) / } @where),
	    '-l * listens everywhere') or diag("@where");
	ok(serves(raw_client($srv->port, to => '127.0.0.4')),
	    'also on 127.0.0.4');
}

SKIP: {
	skip 'this machine has no IPv6', 6 unless $has_v6;
	my $srv = start('-p', -1, '-l', '::1');
	my $port = $srv->{ports}{'TCP INET6'}[0];

	is(join(',', listening($srv->pid)), "::1 $port", '-l ::1');
	ok(serves(client6($port)), 'is served');
	ok(!raw_client($port), 'and takes no IPv4');

	my ($a, $b) = map { free_port() } 1, 2;
	$srv = start('-p', -1, '-l', "[::1]:$a,127.0.0.1:$b");
	is(join(',', listening($srv->pid)),
	    join(',', sort "::1 $a", "127.0.0.1 $b"), '-l [::1]:port');
	ok(serves(client6($a)) && serves(raw_client($b)), 'both are served');

	SKIP: {
		skip 'memcached listens everywhere', 1 if is_reference;
		$srv = start('-p', -1);
		ok(serves(client6($srv->{ports}{'TCP INET6'}[0])),
		    'without -l ::1 is served, too');
	}
}

{
	my $srv = start('-p', -1, '-l', '127.0.0.1', '-b', 8675);

	is(stats_of(raw_client($srv->port), 'settings')->{tcp_backlog}, 8675,
	    '-b is taken');
}

for (
	['a name that does not exist', 'no.such.host.invalid'],
	['an address of somebody else', '192.0.2.1'],
	['one bad address among good ones', '127.0.0.1,192.0.2.1'],
	['a port out of range', '127.0.0.1:70000'],
	['a port that is no number', '127.0.0.1:http'],
) {
	my ($name, $list) = @$_;

	SKIP: {
		skip "$name: memcached takes some other port", 2
		    if is_reference && $list =~ /http|70000/;
		my ($how, undef, $err) = run(as_user(), '-p', -1, '-l', $list);
		is($how, 'exit 71', "$name ends with 71");
		like($err, qr/192\.0\.2\.1|no\.such\.host|70000|http/,
		    "$name: it says what is wrong") or diag($err);
	}
}

# ---- none at all ------------------------------------------------------------

{
	my $srv = spawn(as_user(), '-p', 0, '-s', '/dev/null/no');
	my $how = $srv->ended;

	is($how, 'exit 71', 'a socket that cannot be made ends with 71');
	like($srv->err, qr{/dev/null/no}, 'and is named');
}

# ---- Unix -------------------------------------------------------------------

my $dir = tmpdir();

sub
start_unix
{
	my ($path, @options) = @_;
	my $srv = spawn({ env => { MEMCACHED_PORT_FILENAME => undef } },
	    as_user(), '-s', $path, @options);

	wait_for { IO::Socket::UNIX->new(Peer => $path) || !$srv->running };
	return $srv;
}

{
	my $path = "$dir/sock";
	my $srv = start_unix($path);

	ok(-S $path, '-s makes a socket');
	is(mode($path), '0700', 'for the owner only');
	ok(serves(raw_client(0, unix => $path)), 'it is served');
	is(join(',', listening($srv->pid)), '', 'and TCP is off');
	is(stats_of(raw_client(0, unix => $path), 'settings')
	    ->{domain_socket}, $path, 'stats settings knows the path');
	is($srv->stop, 'exit 0', 'it stops');

	my $what = -e $path ? 'stays' : 'goes';
	SKIP: {
		skip "memcached: the file $what", 1 if is_reference;
		is($what, 'goes', 'the socket file is removed at the end');
	}
}

{
	my $path = "$dir/library";
	my $srv = Leasecached->start(-unix => $path);

	$srv->connect->ask("set a 0 0 1\r\n1\r\n", "STORED\r\n",
	    'a client by the Unix socket');
}

for my $mask (qw(777 750 0600)) {
	my $path = "$dir/mask$mask";
	my $srv = start_unix($path, '-a', $mask);

	is(mode($path), sprintf('%04o', oct $mask), "-a $mask");
}

{
	my $path = "$dir/stale";
	my $old = IO::Socket::UNIX->new(Local => $path, Listen => 1);
	close $old;
	ok(-S $path, 'a socket file that nobody listens on');
	my $srv = start_unix($path);
	ok(serves(raw_client(0, unix => $path)), 'is replaced');

	kill KILL => $srv->pid;
	is($srv->ended, 'signal 9', 'the server is killed');
	ok(-S $path, 'and leaves its socket file');
	$srv = start_unix($path);
	ok(serves(raw_client(0, unix => $path)), 'the next one replaces it');
}

{
	my $path = "$dir/file";
	open my $f, '>', $path or die $!;
	print $f 'precious';
	close $f;
	my ($how, undef, $err) = run(as_user(), '-s', $path);
	is($how, 'exit 71', 'a file that is no socket is not replaced');
	like($err, qr/\Q$path\E/, 'it is named');
	is(file_text($path), 'precious', 'and left as it is');
}

SKIP: {
	skip 'memcached cuts the path', 2 if is_reference;
	my $path = "$dir/" . 'x' x 120;
	my ($how, undef, $err) = run(as_user(), '-s', $path);

	is($how, 'exit 71', 'a path too long for a socket is refused');
	like($err, qr/long/, 'with the reason');
}

{
	# The -s switch wins, as with memcached.
	my $path = "$dir/both";
	my $srv = start_unix($path, '-p', free_port(), '-l', '127.0.0.1');

	ok(serves(raw_client(0, unix => $path)), '-s with -p and -l');
	is(join(',', listening($srv->pid)), '', 'turns TCP off');
}

# A long reply and a long request go by the Unix socket as well.
{
	my $path = "$dir/long";
	my $srv = start_unix($path);
	my $value = join '', map { chr rand 256 } 1 .. 1000;
	$value x= 1000;
	my $s = raw_client(0, unix => $path);

	is(all_answered($s, "set v 0 0 1000000\r\n$value\r\n"),
	    "STORED\r\n", 'a megabyte by the Unix socket');
	raw_send($s, "get v\r\n");
	my $want = "VALUE v 0 1000000\r\n$value\r\nEND\r\n";
	ok(raw_read($s, length $want) eq $want, 'and back');
}

done_testing();
