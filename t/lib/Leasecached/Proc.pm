# SPDX-License-Identifier: BSD-3-Clause
# Leasecached/Proc.pm - the server as a process: exit status, memory, sockets.
#
# For tests that look at the process itself.  Leasecached.pm is enough for
# those that only talk to it.

package Leasecached::Proc;

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX qw(:sys_wait_h);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(server_binary is_reference is_sanitized scaled tmpdir
    wait_for spawn run as_user file_text rss_kib listening free_port
    raw_client raw_send raw_read raw_line raw_drain sent_by fd_limit
    need_fds all_answered stats_of);

# Nothing takes this long, not even under a sanitizer on a busy machine.
use constant LONG => 60;

sub
server_binary
{
	return $ENV{LEASECACHED_BIN} if $ENV{LEASECACHED_BIN};
	for my $path (qw(./leasecached ../leasecached)) {
		return $path if -x $path;
	}
	die "there is no ./leasecached; build it, or set LEASECACHED_BIN\n";
}

sub
is_reference
{
	return !!$ENV{LEASECACHED_REFERENCE};
}

sub
is_sanitized
{
	return $ENV{LEASECACHED_SANITIZED} || $ENV{LEASECACHED_SANITIZER} ?
	    1 : 0;
}

# The first number for a plain server, the second for a slow, checked one.
sub
scaled
{
	my ($plain, $sanitized) = @_;

	return is_sanitized() ? $sanitized : $plain;
}

# A directory that everybody may write to, since the server may drop root.
sub
tmpdir
{
	my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);

	chmod 01777, "$dir";
	return $dir;
}

# Calls a function until it is true, and returns what it said at last.
sub
wait_for(&;$)
{
	my ($true, $limit) = @_;
	my $end = time + ($limit // LONG);

	for (;;) {
		my $said = $true->();
		return $said if $said || time > $end;
		sleep 0.01;
	}
}

sub
file_text
{
	my ($path) = @_;

	open my $f, '<', $path or return undef;
	local $/;
	return scalar <$f>;
}

# `-u root` where it is needed.
sub
as_user
{
	return $> == 0 ? ('-u', 'root') : ();
}

# ---- processes --------------------------------------------------------------

# Starts the server with these options and no others; a first argument that is
# a hash may hold env => { NAME => value or undef }, before => a function to
# call in the child, and via => a command that gets the server's command line as
# its arguments.  When the object goes out of scope and nobody waited for
# the end of the process, it is ended, and must have lived and end with 0.
sub
spawn
{
	my %how = ref $_[0] eq 'HASH' ? %{ shift() } : ();
	my @options = @_;
	my $binary = server_binary();
	my $self = bless {
		out => File::Temp->new, err => File::Temp->new, owner => $$,
	}, __PACKAGE__;

	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $self->{out};
		open STDERR, '>&', $self->{err};
		for my $name (keys %{ $how{env} // {} }) {
			my $value = $how{env}{$name};
			delete $ENV{$name}, next unless defined $value;
			$ENV{$name} = $value;
		}
		$how{before}->() if $how{before};
		my @command = (@{ $how{via} // [] }, $binary, @options);
		{ no warnings 'exec'; exec { $command[0] } @command; }
		POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	return $self;
}

# The same on a free loopback port (or where the options say), and waits until
# it listens.  {ports}{'TCP INET'} and {ports}{'TCP INET6'} are lists.
sub
start_listening
{
	my ($class, @args) = @_;
	my $how = ref $args[0] eq 'HASH' ? shift @args : {};
	my $dir = tmpdir();
	my $file = "$dir/ports";

	$how->{env}{MEMCACHED_PORT_FILENAME} = $file;
	my $self = spawn($how, @args);
	$self->{dir} = $dir;
	wait_for { -e $file || !$self->running };
	my $text = file_text($file) // '';
	wait_for {
		$text = file_text($file) // '';
		$text =~ /\n\z/ || !$self->running
	};
	push @{ $self->{ports}{$1} }, $2
	    while $text =~ /^(TCP INET6?): (\d+)$/mg;
	$self->{port} = $self->{ports}{'TCP INET'}[0]
	    // $self->{ports}{'TCP INET6'}[0];
	return $self;
}

sub pid { return $_[0]{pid} }
sub port { return $_[0]{port} }
sub out { return file_text($_[0]{out}->filename) }
sub err { return file_text($_[0]{err}->filename) }

sub
running
{
	my ($self) = @_;

	return 0 if defined $self->{status};
	my $got = waitpid $self->{pid}, WNOHANG;
	return 1 if $got == 0;
	$self->{status} = $? if $got > 0;
	$self->{status} //= -1;
	return 0;
}

# Waits for the end: 'exit N', 'signal N', or 'runs' when it doesn't end.
sub
ended
{
	my ($self, $limit) = @_;

	return 'runs' unless wait_for { !$self->running } $limit;
	$self->{looked} = 1;
	my $s = $self->{status};
	return WIFSIGNALED($s) ? 'signal ' . WTERMSIG($s) :
	    'exit ' . WEXITSTATUS($s);
}

# Sends a signal and waits for the end.
sub
stop
{
	my ($self, $signal) = @_;

	kill $signal // 'TERM', $self->{pid} unless defined $self->{status};
	return $self->ended;
}

sub
DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);

	return if $$ != $self->{owner} || !$self->{pid} || $self->{looked};
	my $alive = $self->running;
	my $how = $self->stop;
	return if $alive && $how eq 'exit 0';
	if ($how eq 'runs') {
		kill KILL => $self->{pid};
		waitpid $self->{pid}, 0;
	}
	my $builder = Test::More->builder;
	$builder->ok(0, 'server stopped cleanly');
	$builder->diag($alive ? 'it ended with ' : 'it had ended with ', $how,
	    "\n", $self->err);
}

# Runs the server until it ends by itself: (how, stdout, stderr).
sub
run
{
	my $self = spawn(@_);
	my $how = $self->ended;

	return ($how, $self->out, $self->err);
}

# Resident memory of a process in KiB.
sub
rss_kib
{
	my ($pid) = @_;
	my $text = file_text("/proc/$pid/smaps_rollup") // '';

	return $1 if $text =~ /^Rss:\s+(\d+) kB/m;
	$text = file_text("/proc/$pid/status") // '';
	return $text =~ /^VmRSS:\s+(\d+) kB/m ? $1 : undef;
}

# The addresses on which a process listens, sorted, as 'address port'.
sub
listening
{
	my ($pid) = @_;
	my (%inode, @found);

	for my $fd (glob "/proc/$pid/fd/*") {
		my $to = readlink $fd // next;
		$inode{$1} = 1 if $to =~ /^socket:\[(\d+)\]$/;
	}
	for my $v (4, 6) {
		my $file = '/proc/net/tcp' . ($v == 6 ? '6' : '');
		for (split /\n/, file_text($file) // '') {
			my @f = split;
			next unless @f > 9 && $f[3] eq '0A' && $inode{$f[9]};
			my ($addr, $port) = split /:/, $f[1];
			my $raw = join '', map { pack 'L', hex }
			    $addr =~ /(.{8})/g;
			push @found, Socket::inet_ntop(
			    $v == 6 ? AF_INET6 : AF_INET, $raw) .
			    ' ' . hex $port;
		}
	}
	return sort @found;
}

# A port that was free a moment ago.
sub
free_port
{
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	    or die "no free port: $!";

	return $s->sockport;
}

# The number of file descriptors this process may have, as a soft and a hard
# limit.
sub
fd_limit
{
	my $text = file_text('/proc/self/limits') // '';

	return $text =~ /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m ?
	    map { $_ eq 'unlimited' ? 1 << 30 : $_ } $1, $2 : (256, 256);
}

# Starts the test again with a limit of `n` open files, if it has less now and
# that is allowed.
sub
need_fds
{
	my ($n) = @_;
	my ($soft, $hard) = fd_limit();

	return if $soft >= $n || $ENV{LEASECACHED_FDS_RAISED};
	$ENV{LEASECACHED_FDS_RAISED} = 1;
	my @inc = map { "-I$_" } @INC;
	exec 'sh', '-c', 'ulimit -n "$0" 2>/dev/null || ' .
	    'ulimit -n "$(ulimit -H -n)"; exec "$@"',
	    $n, $^X, @inc, $0, @ARGV;
}

# ---- sockets ----------------------------------------------------------------

# A connection for those who read and write at their own pace; options are
# from => source address, rcvbuf => bytes, unix => path.
sub
raw_client
{
	my ($port, %how) = @_;
	my $s;

	return IO::Socket::UNIX->new(Peer => $how{unix}) if $how{unix};
	socket $s, AF_INET, SOCK_STREAM, 0 or return;
	setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', $how{rcvbuf}
	    if $how{rcvbuf};
	if ($how{from}) {
		setsockopt $s, SOL_SOCKET, SO_REUSEADDR, pack 'i', 1;
		bind $s, pack_sockaddr_in(0, inet_aton($how{from})) or return;
	}
	connect $s, pack_sockaddr_in($port, inet_aton($how{to} ||
	    '127.0.0.1')) or return;
	setsockopt $s, IPPROTO_TCP, TCP_NODELAY, pack 'i', 1;
	bless $s, 'IO::Socket::INET';
	return $s;
}

# Waits until the socket is readable or writable; dies when it never is.
sub
_ready
{
	my ($s, $write) = @_;
	my $v = '';

	vec($v, fileno $s, 1) = 1;
	my $n = $write ? select undef, my $w = $v, undef, LONG :
	    select my $r = $v, undef, undef, LONG;
	die 'the server does not ' . ($write ? 'read' : 'answer') . "\n"
	    unless $n;
}

# Writes everything; false when the server has closed.
sub
raw_send
{
	my ($s, $bytes) = @_;
	my $done = 0;
	local $SIG{PIPE} = 'IGNORE';

	while ($done < length $bytes) {
		_ready($s, 1);
		my $n = syswrite $s, $bytes, length($bytes) - $done, $done;
		next if !defined $n && ($!{EAGAIN} || $!{EINTR});
		return 0 unless defined $n;
		$done += $n;
	}
	return 1;
}

# Reads exactly `n` bytes, or what there is until the end.
sub
raw_read
{
	my ($s, $n) = @_;
	my $got = '';

	while (length $got < $n) {
		_ready($s);
		my $r = sysread $s, $got, $n - length $got, length $got;
		next if !defined $r && ($!{EAGAIN} || $!{EINTR});
		last unless $r;
	}
	return $got;
}

# One line without its end, byte by byte; undef at the end of the stream.
sub
raw_line
{
	my ($s) = @_;
	my $line = '';

	while ($line !~ /\r\n\z/) {
		my $byte = raw_read($s, 1);
		return undef if $byte eq '';
		$line .= $byte;
	}
	return substr $line, 0, -2;
}

# Everything until the server closes.
sub
raw_drain
{
	my ($s) = @_;
	my $all = '';

	for (;;) {
		_ready($s);
		my $r = sysread $s, $all, 1 << 20, length $all;
		next if !defined $r && ($!{EAGAIN} || $!{EINTR});
		return $all unless $r;
	}
}

# What a server answers to a request that ends in `mn`, without that MN.
sub
all_answered
{
	my ($s, $request) = @_;
	my $reply = '     ';

	raw_send($s, $request . "mn\r\n");
	while (substr($reply, -5) !~ /[ \n]MN\r\n\z/) {
		_ready($s);
		my $r = sysread $s, $reply, 1 << 18, length $reply;
		next if !defined $r && ($!{EAGAIN} || $!{EINTR});
		die "closed after '$reply'\n" unless $r;
	}
	return substr $reply, 5, -4;
}

# The answer to `stats`, or `stats sub`, as a reference to a hash.
sub
stats_of
{
	my ($s, $sub) = @_;

	return { all_answered($s, defined $sub ? "stats $sub\r\n" :
	    "stats\r\n") =~ /^STAT (\S+) (.*?)\r$/mg };
}

# Writes for as long as the server reads: how many bytes it took.
sub
sent_by
{
	my ($s, $bytes) = @_;
	my $done = 0;

	$s->blocking(0);
	while ($done < length $bytes) {
		my $v = '';
		vec($v, fileno $s, 1) = 1;
		last unless select undef, $v, undef, 0.5;
		my $n = syswrite $s, $bytes, length($bytes) - $done, $done;
		last unless defined $n;
		$done += $n;
	}
	$s->blocking(1);
	return $done;
}

1;
