# SPDX-License-Identifier: BSD-3-Clause
# Leasecached.pm - starts the server for a test, and talks to it.
#
# A test looks like the protocol it tests:
#
#	use Leasecached;
#
#	my $srv = Leasecached->start('-m', '64');
#
#	dialogue $srv, 'what was set is read', <<'END';
#	> set k 5 0 3
#	> abc
#	< STORED
#	> gets k
#	< VALUE k 5 3 *
#	< abc
#	< END
#	END
#
#	done_testing;
#
# The server is stopped when $srv goes out of scope, at the latest at the end of
# the test; if it had died, had to be killed, did not end with 0 or was caught
# by a sanitizer, that is a failure of its own: "server stopped cleanly".
#
# LEASECACHED_BIN	the server; else ./leasecached, else ../leasecached
# LEASECACHED_REFERENCE	it is a real memcached

package Leasecached;

use strict;
use warnings;

use Carp qw(croak);
use Errno ();
use File::Spec ();
use File::Temp ();
use Leasecached::Client ();
use POSIX ();
use Scalar::Util qw(blessed weaken);
use Test::More ();
use Time::HiRes qw(sleep time);

our @CARP_NOT = qw(Leasecached::Client);

# Long enough for a sanitizer on a busy machine, and no more than a bound: what
# works is never waited for this long.
use constant LONG => 30;

my %started;		# pid => server, held weakly, for END
my $protocol;		# of the server under test

# Found now, so that a test may change its directory.
my $bin = $ENV{LEASECACHED_BIN};
($bin) = grep { -x } qw(./leasecached ../leasecached) unless defined $bin;
$bin = File::Spec->rel2abs($bin) if defined $bin && $bin =~ m{/};

# The server's own last words come out of END below, also when a test is
# interrupted.
for my $signal (qw(HUP INT TERM)) {
	$SIG{$signal} = sub { exit 1 } unless defined $SIG{$signal};
}

sub
import
{
	my ($class) = @_;
	my $caller = caller;

	strict->import;
	warnings->import;
	Test::More->export_to_level(1, 'Test::More');
	no strict 'refs';
	*{"${caller}::$_"} = \&$_ for qw(dialogue newer ours since theirs);
}

# ---- the server -------------------------------------------------------------

sub
start
{
	my ($class, @opts) = @_;
	my $path;

	if (@opts >= 2 && $opts[0] eq '-unix') {
		(undef, $path) = splice @opts, 0, 2;
	}
	croak 'no ./leasecached; build it, or set LEASECACHED_BIN'
	    unless defined $bin;

	my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
	my $self = bless {
		dir => $dir, path => $path, log => "$dir/stderr",
		port_file => "$dir/port", owner => $$,
	}, $class;
	$self->_run($self->_command(@opts));
	$self->_await;
	return $self;
}

sub
_command
{
	my ($self, @opts) = @_;
	my @command = ($bin);

	push @command, '-u', 'root'
	    if $> == 0 && !grep { /^(?:-u|--user)/ } @opts;
	push @command, '-o', 'debug_commands' unless is_reference();
	if (defined $self->{path}) {
		push @command, '-s', $self->{path};
	} else {
		push @command, '-p', '-1' unless grep { /^(?:-p|--port)/ } @opts;
		push @command, '-l', '127.0.0.1'
		    unless grep { /^(?:-l|--listen)/ } @opts;
	}
	return @command, @opts;
}

sub
_run
{
	my ($self, @command) = @_;

	$self->{command} = "@command";
	my $pid = fork;
	die "fork: $!\n" unless defined $pid;
	if ($pid) {
		$self->{pid} = $pid;
		$started{$pid} = $self;
		weaken($started{$pid});
		return;
	}

	@SIG{qw(HUP INT TERM PIPE)} = ('DEFAULT') x 4;
	@ENV{qw(MEMCACHED_PORT_FILENAME LEASECACHED_PORT_FILENAME)} =
	    ($self->{port_file}) x 2;
	open STDIN, '<', '/dev/null' and
	    open STDERR, '>', $self->{log} and
	    open STDOUT, '>&', \*STDERR and
	    exec { $command[0] } @command;
	print STDERR "$command[0]: $!\n";
	POSIX::_exit(127);
}

# Waits until the server can be talked to.
sub
_await
{
	my ($self) = @_;
	my $deadline = time + LONG;

	until ($self->_ready) {
		my $reason = $self->_reap ? 'ended with ' . $self->{status} :
		    time > $deadline ? 'took too long to start' : undef;
		if (defined $reason) {
			$self->_kill;
			die "the server $reason: $self->{command}\n" .
			    $self->stderr;
		}
		sleep 0.005;
	}
}

sub
_ready
{
	my ($self) = @_;

	if (defined $self->{path}) {
		return -S $self->{path} && eval {
			Leasecached::Client->new(unix => $self->{path});
		};
	}
	# A line counts when its end is there.
	my $text = _slurp($self->{port_file});
	my (%port) = $text =~ /^TCP (INET6?): (\d+)\n/mg;
	$self->{port} = $port{INET} || $port{INET6};
	return defined $self->{port};
}

sub
port
{
	my ($self) = @_;

	return $self->{port};
}

sub
pid
{
	my ($self) = @_;

	return $self->{pid};
}

# What the server has written so far to its standard error and output.
sub
stderr
{
	my ($self) = @_;

	return _slurp($self->{log});
}

# Waits until the server has written what matches; false if it never does.
sub
logged
{
	my ($self, $regex) = @_;
	my $deadline = time + LONG;

	while ($self->stderr !~ $regex) {
		return 0 if time > $deadline;
		sleep 0.005;
	}
	return 1;
}

# True when the server under test is a real memcached.
sub
is_reference
{
	return !!$ENV{LEASECACHED_REFERENCE};
}

# A function: does the server speak the protocol of this version, or a later
# one?
#
#	$c->ask("set x\r\n", since('1.6.40') ? $bad_line : $error, 'short');
#	SKIP: { skip 'older', 1 unless since('1.6.45'); … }
sub
since
{
	my ($wanted) = @_;

	unless (defined $protocol) {
		my $said = `'$bin' -V 2>&1`;
		($protocol) = $said =~ /.*\b(\d+\.\d+\.\d+)/s
		    or die "$bin -V says '$said'\n";
	}
	return _number($protocol) >= _number($wanted);
}

sub
_number
{
	my ($version) = @_;

	return sprintf '%03d%03d%03d', split /\./, $version;
}

# ---- connections ------------------------------------------------------------

# A new one.
sub
connect
{
	my ($self, @how) = @_;

	return Leasecached::Client->new(defined $self->{path} ?
	    (unix => $self->{path}) : (port => $self->{port}), @how);
}

# The one that all who ask share.
sub
client
{
	my ($self) = @_;

	return $self->{client} ||= $self->connect;
}

# Does the server know debugtime?  (A memcached does in its debug build only.)
sub
can_advance
{
	my ($self) = @_;

	unless (defined $self->{can_advance}) {
		my $c = $self->connect;
		$c->put("debugtime +0\r\n");
		$self->{can_advance} = $c->line eq 'OK' ? 1 : 0;
	}
	return $self->{can_advance};
}

# Moves the server's clock.
sub
advance
{
	my ($self, $seconds) = @_;
	my $c = $self->connect;

	$c->put(sprintf "debugtime %+d\r\n", $seconds);
	my $reply = $c->line // 'nothing';
	croak "debugtime answers $reply" unless $reply eq 'OK';
	return 1;
}

# ---- the end ----------------------------------------------------------------

# Ends the server; returns its exit status, 128 + n for signal n.
sub
stop
{
	my ($self) = @_;

	delete $self->{client};
	kill TERM => $self->{pid} unless $self->_reap;
	return $self->wait;
}

# Waits until the server has ended by itself; returns its exit status.
sub
wait
{
	my ($self) = @_;
	my $deadline = time + LONG;

	until ($self->_reap) {
		if (time > $deadline) {
			$self->_kill;
			$self->_unclean('it had to be killed');
			last;
		}
		sleep 0.005;
	}
	return $self->{status};
}

# True when the server has ended; what a crash says is reported once.
sub
_reap
{
	my ($self) = @_;

	return 1 if defined $self->{status};
	local ($?, $!);
	my $pid = waitpid $self->{pid}, POSIX::WNOHANG();
	return 0 if $pid == 0;

	my $status = $pid == $self->{pid} ? $? : 0;
	delete $started{$self->{pid}};
	$self->{status} = $status & 127 ? 128 + ($status & 127) : $status >> 8;

	my ($report) = $self->stderr =~
	    /^(.*(?:Sanitizer:|runtime error:|Assertion|assertion).*)$/m;
	if (defined $report) {
		$self->_unclean($report);
	} elsif (grep { ($status & 127) == $_ } POSIX::SIGABRT(),
	    POSIX::SIGBUS(), POSIX::SIGFPE(), POSIX::SIGILL(),
	    POSIX::SIGSEGV(), POSIX::SIGSYS()) {
		$self->_unclean('signal ' . ($status & 127));
	}
	return 1;
}

sub
_kill
{
	my ($self) = @_;

	return if $self->_reap;
	kill KILL => $self->{pid};
	local ($?, $!);
	waitpid $self->{pid}, 0;
	delete $started{$self->{pid}};
	$self->{status} = 128 + POSIX::SIGKILL();
}

sub
_unclean
{
	my ($self, $why) = @_;

	return if $self->{unclean}++;
	my $builder = Test::More->builder;
	local $Test::Builder::Level = $Test::Builder::Level + 3;
	$builder->ok(0, 'server stopped cleanly');
	$builder->diag("$why: $self->{command}\n", $self->stderr);
}

sub
_finish
{
	my ($self) = @_;

	return if $self->{owner} != $$ || $self->{finished}++;
	delete $self->{client};
	return if defined $self->{status} || !defined $self->{pid};
	if ($self->_reap) {
		$self->_unclean("it had ended with $self->{status}");
	} elsif ($self->stop != 0) {
		$self->_unclean("it ended with $self->{status}");
	}
}

sub
DESTROY
{
	my ($self) = @_;

	local ($@, $?, $!);
	$self->_finish;
}

# Before the END of Test::Builder, which sums up.
END {
	local ($@, $?, $!);
	$_->_finish for grep { defined } values %started;
}

sub
_slurp
{
	my ($path) = @_;

	open my $file, '<:raw', $path or return '';
	local $/;
	return scalar(<$file>) // '';
}

# ---- dialogues --------------------------------------------------------------

# A conversation as one result, on a client or on the one that a server's users
# share.  Lines of the text:
#
#	> text		sent, and CR LF
#	>| text		sent as it is; \r \n \t \\ and \xNN are understood
#	< text		a reply line; a * stands for any text
#	<EOF		the server closes
#	# text		a remark
#
# At the end nothing but the answer to an mn may come.
sub
dialogue
{
	my ($who, $name, $text) = @_;
	my $c = $who->isa('Leasecached') ? $who->client : $who;
	my ($closed, $n, @seen) = (0, 0);
	my $builder = Test::More->builder;

	for my $step (split /\n/, $text) {
		$n++;
		my $wrong;
		if ($step =~ /^>\| ?(.*)\z/) {
			$c->put(_unescape($1));
		} elsif ($step =~ /^>(?: (.*))?\z/) {
			$c->put(($1 // '') . "\r\n");
		} elsif ($step eq '<EOF') {
			$closed = 1;
			my $got = $c->drain;
			$wrong = defined $got ? Leasecached::Client::quoted(
			    $got) : 'the connection is still open'
			    unless defined $got && $got eq '';
		} elsif ($step =~ /^<(?: (.*))?\z/) {
			$wrong = _differs($c, $1 // '');
		} elsif ($step !~ /^(?:#.*)?\z/) {
			croak "line $n of '$name': $step";
		}
		if (defined $wrong) {
			$builder->ok(0, $name);
			$builder->diag(join "\n",
			    (map { "    $_" } @seen),
			    "    $step", "got line $n as", "    < $wrong");
			$c->renew;
			return 0;
		}
		push @seen, $step;
		shift @seen if @seen > 12;
	}

	my $rest = $closed ? undef : $c->more;
	$builder->ok(!defined $rest, $name);
	$builder->diag(join "\n", (map { "    $_" } @seen), 'and then came',
	    "    < $rest") if defined $rest;
	$c->renew if $closed || defined $rest;
	return !defined $rest;
}

# A dialogue in the words of memcached 1.6.45, skipped on an older one.
sub
newer
{
	return dialogue(@_) if since('1.6.45');
	Test::More->builder->skip("$_[1]: not before 1.6.45");
	return 1;
}

# The same where this server differs from memcached on purpose (README says why),
# skipped on the reference; and what memcached says, skipped here.
sub
ours
{
	return dialogue(@_) unless is_reference();
	Test::More->builder->skip("$_[1]: memcached differs");
	return 1;
}

sub
theirs
{
	return dialogue(@_) if is_reference();
	Test::More->builder->skip("$_[1]: only memcached");
	return 1;
}

# What came instead of the expected line, or undef.
sub
_differs
{
	my ($c, $expected) = @_;
	my $line = eval { $c->raw_line };
	my $regex = join '.*', map { quotemeta } split /\*/, $expected, -1;

	unless (defined $line) {
		my $error = $@ || 'the connection was closed';
		chomp $error;
		return $error;
	}
	return undef if $line =~ /\A$regex\r\n\z/s;
	$line =~ s/\r\n\z//;
	return Leasecached::Client::quoted($line);
}

sub
_unescape
{
	my ($text) = @_;
	my %plain = (r => "\r", n => "\n", t => "\t", '\\' => '\\');

	$text =~ s/\\(?:([rnt\\])|x([0-9A-Fa-f]{2}))/
	    defined $1 ? $plain{$1} : chr hex $2/ge;
	return $text;
}

1;
