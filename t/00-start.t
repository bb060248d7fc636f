#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 00-start.t - the server starts, says who it is, and stops when told to.

use Leasecached;
use Leasecached::Proc;

my $loopback = qr/^(?:127\.0\.0\.1|::1) /;

sub
start
{
	return Leasecached::Proc->start_listening(@_);
}

# The session and the parent of a process.
sub
lineage
{
	my ($pid) = @_;
	my ($ppid, $session) = (file_text("/proc/$pid/stat") // '') =~
	    /\) \S (\d+) \d+ (\d+) /;

	return ($ppid, $session);
}

# ---- what it says about itself ----------------------------------------------

{
	my ($how, $out) = run('-V');
	is($how, 'exit 0', '-V exits with 0');
	if (is_reference) {
		like($out, qr/^memcached 1\./, '-V names the version');
	} else {
		like($out, qr/\Aleasecached\ \d+\.\d+\.\d+
		    \ \(memcached\ protocol\ 1\.6\.45\)\n\z/x,
		    '-V names both versions');
		is((run('--version'))[1], $out, '--version is the same');
	}

	($how, $out) = run('-h');
	is($how, 'exit 0', '-h exits with 0');
	like($out, qr/\Q$_\E/, "-h tells of $_")
	    for qw(unix-socket port listen memory-limit threads
	    max-item-size conn-limit disable-evictions idle_timeout
	    maxconns_fast pidfile daemon user enable-shutdown);
	is((run('-i'))[0], 'exit 0', '-i exits with 0');
	like((run('-i'))[1], qr/redistribut/i, '-i prints a licence');
}

{
	my $srv = Leasecached->start;
	my $s = raw_client($srv->port);
	my $version = is_reference ? qr/1\.\d+\.\d+/ : qr/1\.6\.45/;

	like(all_answered($s, "version\r\n"), qr/\AVERSION $version\r\n\z/,
	    'the version of the protocol');
	is(stats_of($s)->{pid}, $srv->pid, 'stats knows the process');
	is($srv->stop, 0, 'SIGTERM ends it with 0');
}

# ---- refusals ---------------------------------------------------------------

for (
	['a word that is no option', 1, '--no-such-option'],
	['a letter that is no option', 1, '-y'],
	['-c 0', 1, '-c', 0],
	['-c -1', 1, '-c', -1],
	['-t 0', 1, '-t', 0],
	['-R 0', 1, '-R', 0],
	['-f 1', 1, '-f', 1],
	['-n 0', 1, '-n', 0],
	['-B http', 64, '-B', 'http'],
	['-I 1000', 64, '-I', 1000],
	['-I 256m of 64', 64, '-I', '256m'],
	['-S', 64, '-S'],
	['-Z without a certificate', 64, '-Z'],
	['an unknown word of -o', 1, '-o', 'no_such_word'],
	['a word of -o without its value', 1, '-o', 'idle_timeout'],
) {
	my ($name, $status, @options) = @$_;
	my ($how, undef, $err) = run(as_user(), '-p', -1, '-l', '127.0.0.1',
	    @options);

	SKIP: {
		skip "$name: Debian's memcached can", 2
		    if is_reference && $name =~ /^-S|^-Z/;
		is($how, "exit $status", "$name is refused");
		like($err, qr/\S/, "$name: and it says why");
	}
}

SKIP: {
	skip 'only root is asked for -u', 4 if $> != 0;
	my ($how, undef, $err) = run('-p', -1, '-l', '127.0.0.1');

	is($how, 'exit 64', 'root without -u is refused');
	like($err, qr/root/, 'and it says so');
	($how, undef, $err) = run('-p', -1, '-l', '127.0.0.1', '-u',
	    'nobody-by-that-name');
	is($how, 'exit 67', 'a user who does not exist is refused');
	like($err, qr/nobody-by-that-name/, 'and it says who');
}

# ---- where it listens -------------------------------------------------------

SKIP: {
	skip 'memcached listens everywhere', 5 if is_reference;
	my $srv = start(as_user(), '-p', -1);
	my @where = listening($srv->pid);

	ok($srv->running, 'it runs without -l') or diag($srv->err);
	cmp_ok(scalar @where, '>', 0, 'it listens on something');
	is(join(', ', grep { !/$loopback/ } @where), '',
	    'without -l that is loopback only');
	like($srv->err, qr/loopback|127\.0\.0\.1/, 'and it says so on stderr');
	my $s = raw_client($srv->port);
	is(all_answered($s, ''), '', 'a client is served there');
}

SKIP: {
	my $taken = grep { raw_client(11211, to => $_) }
	    qw(127.0.0.1 127.0.0.3);
	skip 'port 11211 is in use on this machine', 3 if $taken;
	my $dir = tmpdir();
	my $srv = spawn(as_user());
	my $s;

	wait_for { $s = raw_client(11211) or !$srv->running };
	ok($s && all_answered($s, "version\r\n"), 'the default port is 11211');
	skip 'memcached listens everywhere', 2 if is_reference;
	my @where = listening($srv->pid);
	is($where[0], '127.0.0.1 11211', 'on 127.0.0.1');
	is(join(', ', grep { !/$loopback/ } @where), '',
	    'and on nothing but loopback');
}

{
	my $dir = tmpdir();
	my %ports;

	for my $name (qw(MEMCACHED_PORT_FILENAME LEASECACHED_PORT_FILENAME)) {
		next if is_reference && $name =~ /^LEASE/;
		my $file = "$dir/$name";
		my $srv = spawn({ env => {
			MEMCACHED_PORT_FILENAME => undef,
			LEASECACHED_PORT_FILENAME => undef,
			$name => $file,
		} }, as_user(), '-p', -1, '-l', '127.0.0.1');
		wait_for { -s $file };
		my $text = file_text($file);
		like($text, qr/\ATCP INET: \d+\n\z/, "$name is written");
		my ($port) = $text =~ /(\d+)/;
		is(all_answered(raw_client($port), ''), '',
		    "$name: the first connection succeeds");
		is($srv->stop, 'exit 0', "$name: it stops");
	}
	my @left = grep { !/_PORT_FILENAME\z/ } glob "$dir/*";
	is("@left", '', 'no other file is left beside the port files');
}

# ---- two of them ------------------------------------------------------------

{
	my $first = start(as_user(), '-p', -1, '-l', '127.0.0.1');
	my ($how, $out, $err) = run(as_user(), '-p', $first->port, '-l',
	    '127.0.0.1');

	is($how, 'exit 71', 'a second server on the same port ends with 71');
	like($err, qr/in use/, 'it says that the address is in use');
	like($err, qr/127\.0\.0\.1/, 'and which one');
	SKIP: {
		skip 'memcached does not name the port', 1 if is_reference;
		my $port = $first->port;
		like($err, qr/\b$port\b/, 'and the port');
	}
	is(all_answered(raw_client($first->port), ''), '',
	    'the first one is not disturbed');
}

# ---- signals ----------------------------------------------------------------

my %half = (
	'nothing sent' => '',
	'half a line' => 'get fo',
	'half a value' => "set a 0 0 100\r\nabc",
	'half of an oversized value' => "set a 0 0 2000000\r\nabc",
	'a long get' => 'get ' . join(' ', 1 .. 2000),
	'half a meta set' => "ms a 10 T30\r\nab",
);

for my $signal (qw(INT TERM USR1)) {
	my $srv = start(as_user(), '-p', -1, '-l', '127.0.0.1');
	my @clients;

	for my $name (sort keys %half) {
		my $s = raw_client($srv->port);
		raw_send($s, "mn\r\n$half{$name}");
		is(raw_line($s), 'MN', "connected: $name") if $signal eq 'INT';
		push @clients, $s;
	}
	# One that has 100 MB to come and doesn't read.
	my $deaf = raw_client($srv->port, rcvbuf => 4096);
	raw_send($deaf, "set big 0 0 1000000 noreply\r\n" . 'x' x 1000000 .
	    "\r\n" . "get big\r\n" x 100);
	raw_read($deaf, 100);

	kill $signal, $srv->pid;
	is($srv->ended(30), 'exit 0',
	    "SIG$signal ends it with 0 while clients are in mid-request");
	is(scalar(grep { !eval { raw_drain($_); 1 } } @clients), 0,
	    "SIG$signal: the clients see the end");
}

{
	my $srv = start(as_user(), '-p', -1, '-l', '127.0.0.1');
	my $s = raw_client($srv->port);

	is(all_answered($s, "set a 0 0 3\r\nabc\r\n"), "STORED\r\n", 'a value');
	for my $signal (qw(HUP PIPE)) {
		kill $signal, $srv->pid;
		# A signal that kills does so before this is answered, or soon.
		is(all_answered(raw_client($srv->port), "get a\r\n"),
		    "VALUE a 0 3\r\nabc\r\nEND\r\n", "SIG$signal is survived")
		    for 1 .. 3;
	}

	# Clients that go away while a reply is on its way.
	for (1 .. 50) {
		my $gone = raw_client($srv->port, rcvbuf => 4096);
		setsockopt $gone, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
		    pack 'ii', 1, 0;
		raw_send($gone, "get a\r\n" x 5000);
		close $gone;
	}
	is(all_answered($s, "get a\r\n"),
	    "VALUE a 0 3\r\nabc\r\nEND\r\n",
	    'clients that go away with replies under way harm nobody');
	is($srv->stop('TERM'), 'exit 0', 'and it ends as usual');
}

# The shutdown command is the same by another way.
for my $word ('shutdown', 'shutdown graceful') {
	my $srv = start(as_user(), '-p', -1, '-l', '127.0.0.1', '-A');
	my $s = raw_client($srv->port);

	raw_send($s, "$word\r\n");
	is(raw_drain($s), '', "$word closes without a word");
	is($srv->ended(30), 'exit 0', "$word ends it with 0");
}

# ---- pid files and daemons --------------------------------------------------

{
	my $dir = tmpdir();
	my $srv = start(as_user(), '-p', -1, '-l', '127.0.0.1', '-P',
	    "$dir/pid");

	wait_for { -s "$dir/pid" };
	is(file_text("$dir/pid"), $srv->pid . "\n",
	    '-P without -d writes the process id');
	is($srv->stop, 'exit 0', 'it stops');
	SKIP: {
		skip 'memcached leaves the file', 1 if is_reference;
		ok(!-e "$dir/pid", 'and removes the file');
	}
}

for my $signal (qw(INT USR1)) {
	last if is_reference;
	my $dir = tmpdir();
	my $srv = start(as_user(), '-p', -1, '-l', '127.0.0.1', '-P',
	    "$dir/pid");

	ok((wait_for { -s "$dir/pid" }), 'the pid file is written');
	is($srv->stop($signal), 'exit 0', "it stops by SIG$signal");
	ok(!-e "$dir/pid", "SIG$signal: the file is removed");
}

{
	my $dir = tmpdir();
	my $port = free_port();
	my $parent = spawn(as_user(), '-d', '-p', $port, '-l', '127.0.0.1',
	    '-P', "$dir/pid", '-m', 32);

	is($parent->ended, 'exit 0', '-d: the parent exits with 0');
	wait_for { raw_client($port) } if is_reference;
	my $s = raw_client($port);
	ok($s, 'when it does, the daemon listens already');
	wait_for { -s "$dir/pid" } if is_reference;
	my $pid = file_text("$dir/pid") // '';
	like($pid, qr/\A\d+\n\z/, 'and has written its process id');
	chomp $pid;
	SKIP: {
		skip 'no daemon', 7 unless $s && $pid;
		isnt($pid, $parent->pid, 'which is not the one started');
		my $st = stats_of($s);
		is($st->{pid}, $pid, 'stats has the same id');
		is($st->{limit_maxbytes}, 32 << 20, 'options are obeyed');
		my ($ppid, $session) = lineage($pid);
		isnt($session, (lineage($$))[1], 'it has left our session');
		isnt($ppid, $$, 'and is not our child');

		kill TERM => $pid;
		ok((wait_for { !kill 0 => $pid }), 'SIGTERM ends the daemon');
		skip 'memcached leaves the file', 1 if is_reference;
		ok(!-e "$dir/pid", 'and its pid file is gone');
	}
	kill KILL => $pid if $pid && kill 0 => $pid;
}

# Who has seen the pid file may end the server, be it a moment later.
SKIP: {
	skip 'memcached has this moment', 1 if is_reference;
	my $dir = tmpdir();
	my %ends;

	for (1 .. 20) {
		my $srv = spawn(as_user(), '-p', 0, '-s', "$dir/s", '-P',
		    "$dir/pid");

		1 while !-e "$dir/pid" && kill 0 => $srv->pid;
		kill TERM => $srv->pid;
		$ends{$srv->ended . (-e "$dir/pid" ? ', its file stays' : '')}++;
	}
	is_deeply(\%ends, { 'exit 0' => 20 }, 'SIGTERM at the start');
}

SKIP: {
	skip 'memcached does not tell its parent', 3 if is_reference;
	my $dir = tmpdir();
	my $first = start(as_user(), '-p', -1, '-l', '127.0.0.1');
	my ($how, $out, $err) = run(as_user(), '-d', '-p', $first->port, '-l',
	    '127.0.0.1', '-P', "$dir/pid");

	is($how, 'exit 71', '-d: a daemon that cannot listen is reported');
	like($err, qr/in use/, 'with the reason');
	ok(!-e "$dir/pid", 'and leaves no pid file');
}

# ---- users ------------------------------------------------------------------

SKIP: {
	skip 'not root', 5 if $> != 0;
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	skip 'there is no nobody', 5 unless $uid;
	my $srv = start('-u', 'nobody', '-p', -1, '-l', '127.0.0.1');
	my $status = file_text('/proc/' . $srv->pid . '/status') // '';

	ok($srv->running, 'it runs as nobody') or diag($srv->err);
	like($status, qr/^Uid:\s+$uid\s+$uid\s+$uid\s+$uid$/m,
	    '-u nobody: user ids');
	like($status, qr/^Gid:\s+$gid\s+$gid\s+$gid\s+$gid$/m,
	    '-u nobody: group ids');
	my ($groups) = $status =~ /^Groups:[ \t]*(.*?)[ \t]*$/m;
	is(join(' ', grep { $_ != $gid } split ' ', $groups), '',
	    '-u nobody: no group of root is kept')
	    unless is_reference;
	is(all_answered(raw_client($srv->port), ''), '', 'and serves');
	is($srv->stop, 'exit 0', 'and stops');
}

done_testing();
