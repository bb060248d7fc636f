# SPDX-License-Identifier: BSD-3-Clause
# Leasecached/Client.pm - one connection to the server, for tests.
#
# Bytes in, bytes out: nothing here knows a command but `mn`, which is the
# barrier behind which no reply is outstanding, and `stats`.
#
# No read waits longer than 30 s.  That is a bound for a broken server, not a
# measure: what works comes as soon as it comes.

package Leasecached::Client;

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_RCVBUF AF_INET
    SOCK_STREAM pack_sockaddr_in inet_aton);
use Test::More ();
use Time::HiRes qw(time);

use constant LONG => 30;

# Options: port or unix; host; rcvbuf (bytes of the receive buffer).
sub
new
{
	my ($class, %how) = @_;
	my $self = bless { how => \%how }, $class;

	$self->_open;
	return $self;
}

sub
_open
{
	my ($self) = @_;
	my $how = $self->{how};

	@$self{qw(in out eof)} = ('', '', 0);
	if (defined $how->{unix}) {
		$self->{socket} = IO::Socket::UNIX->new(Peer => $how->{unix})
		    or croak "connect to $how->{unix}: $!";
	} else {
		socket my $s, AF_INET, SOCK_STREAM, 0 or croak "socket: $!";
		setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', $how->{rcvbuf}
		    if $how->{rcvbuf};
		CORE::connect $s, pack_sockaddr_in($how->{port},
		    inet_aton($how->{host} || '127.0.0.1'))
		    or croak "connect to port $how->{port}: $!";
		setsockopt $s, IPPROTO_TCP, TCP_NODELAY, pack 'i', 1;
		$self->{socket} = bless $s, 'IO::Socket::INET';
	}
	$self->{socket}->blocking(0);
}

sub
socket_handle
{
	my ($self) = @_;

	return $self->{socket};
}

sub
close
{
	my ($self) = @_;

	CORE::close $self->{socket} if $self->{socket};
	$self->{socket} = undef;
}

# Gives up the connection for a new one, after a failure or a close.
sub
renew
{
	my ($self) = @_;

	$self->close;
	eval { $self->_open };
	return $self;
}

# Tells the server that nothing more will be sent.
sub
shut
{
	my ($self) = @_;

	shutdown $self->{socket}, 1;
}

# ---- bytes ------------------------------------------------------------------

# Writes everything.  If the server stops reading, takes in what it says first,
# as it may be waiting for us.  Writing to a closed connection is no error: the
# next read tells.
sub
put
{
	my ($self, $bytes) = @_;
	my $s = $self->{socket} or return 0;
	my ($done, $deadline) = (0, time + LONG);
	local $SIG{PIPE} = 'IGNORE';

	$self->{out} = $bytes;
	while ($done < length $bytes) {
		my $n = syswrite $s, $bytes, 1 << 20, $done;
		if (defined $n) {
			$done += $n;
			$deadline = time + LONG;
			next;
		}
		next if $!{EINTR};
		return 0 unless $!{EAGAIN};
		my $w = '';
		vec($w, fileno $s, 1) = 1;
		my $r = $self->{eof} ? '' : $w;
		my $found = select $r, $w, undef, $deadline - time;
		$self->_fill if $found > 0 && vec $r, fileno $s, 1;
		die "the server read $done of " . length($bytes) .
		    " bytes and then no more\n" if time > $deadline;
	}
	return 1;
}

# Reads what there is; false at the end of the stream.
sub
_fill
{
	my ($self) = @_;

	my $n = sysread $self->{socket}, $self->{in}, 1 << 16,
	    length $self->{in};
	return 1 if $n || (!defined $n && ($!{EAGAIN} || $!{EINTR}));
	$self->{eof} = 1;
	return 0;
}

# Waits for more; false at the end of the stream, dies after `limit` seconds.
sub
_more
{
	my ($self, $what, $limit) = @_;

	return 0 if $self->{eof} || !$self->{socket};
	my $deadline = time + ($limit // LONG);
	for (;;) {
		my $left = $deadline - time;
		my $r = '';
		vec($r, fileno $self->{socket}, 1) = 1;
		my $found = select $r, undef, undef, $left > 0 ? $left : 0;
		return $self->_fill if $found > 0;
		last if $found == 0 && $left <= 0;
	}
	die "waited in vain for $what, after " . quoted($self->{out}) .
	    "; there is " . quoted($self->{in}) . "\n";
}

# Exactly `n` bytes.
sub
take
{
	my ($self, $n) = @_;

	while (length $self->{in} < $n) {
		$self->_more("$n bytes") or die "closed after " .
		    length($self->{in}) . " of $n bytes: " .
		    quoted($self->{in}) . "\n";
	}
	return substr $self->{in}, 0, $n, '';
}

# What has come within `seconds`, to see that nothing does.
sub
within
{
	my ($self, $seconds) = @_;
	my $deadline = time + $seconds;

	while (!$self->{eof} && (my $left = $deadline - time) > 0) {
		eval { $self->_more('anything', $left) };
	}
	return substr $self->{in}, 0, length $self->{in}, '';
}

# Everything until the server closes; undef, with what came put back, when it
# does not.
sub
drain
{
	my ($self) = @_;

	eval {
		1 while $self->_more('the server to close');
		1;
	} or return undef;
	return substr $self->{in}, 0, length $self->{in}, '';
}

# True when the server closes and sends nothing more.
sub
closed
{
	my ($self) = @_;
	my $got = $self->drain;

	return 1 if defined $got && $got eq '';
	Test::More::diag(defined $got ? 'before it closed it sent ' .
	    quoted($got) : 'the connection is still open; there is ' .
	    quoted($self->{in}));
	return 0;
}

# ---- lines ------------------------------------------------------------------

# One line with its end; undef at the end of the stream.
sub
raw_line
{
	my ($self) = @_;
	my ($end, $from);

	for ($from = 0; ($end = index $self->{in}, "\n", $from) < 0; ) {
		$from = length $self->{in};
		$self->_more('a line') or return undef;
	}
	return substr $self->{in}, 0, $end + 1, '';
}

# One line without its end; undef at the end of the stream.
sub
line
{
	my ($self) = @_;
	my $line = $self->raw_line;

	$line =~ s/\r?\n\z// if defined $line;
	return $line;
}

# Lines up to one that matches, which is the last of the list.
sub
until_line
{
	my ($self, $regex) = @_;
	my @lines;

	for (;;) {
		my $line = $self->line;
		die "closed before a line came that matches $regex, after " .
		    quoted(join "\n", @lines) . "\n" unless defined $line;
		push @lines, $line;
		return @lines if $line =~ $regex;
	}
}

# ---- questions --------------------------------------------------------------

# undef when the answer to an mn is all that comes; else what comes instead.
sub
more
{
	my ($self) = @_;

	$self->put("mn\r\n");
	my $got = $self->_expect("MN\r\n");
	return defined $got ? quoted($got) : undef;
}

# True when nothing had been answered that was not yet read.
sub
silent
{
	my ($self) = @_;
	my $got = $self->more;

	Test::More::diag("instead of silence: $got") if defined $got;
	return !defined $got;
}

# Reads the bytes of `expected` and returns undef, or what came instead: at once
# when a byte differs, without waiting for bytes that will not come.
sub
_expect
{
	my ($self, $expected) = @_;
	my $error = '';

	for (;;) {
		my $n = length $self->{in};
		$n = length $expected if $n > length $expected;
		last if substr($self->{in}, 0, $n) ne substr $expected, 0, $n;
		if ($n == length $expected) {
			substr $self->{in}, 0, $n, '';
			return undef;
		}
		my $more = eval { $self->_more(quoted($expected)) };
		$error = '<EOF>' if defined $more && !$more;
		$error = '<and then nothing for ' . LONG . ' s>'
		    unless defined $more;
		last unless $more;
	}
	# The rest of it makes the diagnosis better.
	my $got = $self->{in};
	$got = $self->within(0.2) if $error eq '';
	return $got . $error;
}

# Sends a request and compares the whole reply: one result.
sub
ask
{
	my ($self, $request, $reply, $name) = @_;

	$self->put($request);
	my $got = $self->_expect($reply);
	my $rest = defined $got ? undef : $self->more;
	my $good = !defined $got && !defined $rest;

	my $builder = Test::More->builder;
	$builder->ok($good, $name // quoted($request));
	return 1 if $good;
	$builder->diag('      sent: ' . quoted($request) .
	    "\n  expected: " . quoted($reply) . "\n       got: " .
	    (defined $got ? quoted($got) : "that, and then $rest"));
	$self->renew;
	return 0;
}

# The answer to `stats` or `stats sub`, as a reference to a hash.
sub
stats
{
	my ($self, $sub) = @_;
	my %stats;

	$self->put('stats' . (defined $sub && length $sub ? " $sub" : '') .
	    "\r\n");
	for (;;) {
		my $line = $self->line // croak 'closed in the middle of stats';
		last if $line eq 'END';
		my ($word, $name, $value) = split / /, $line, 3;
		croak "stats answers '$line'" unless $word eq 'STAT';
		$stats{$name} = $value;
	}
	return \%stats;
}

# Bytes as one can read them, the middle left out of long ones.
sub
quoted
{
	my ($bytes) = @_;

	$bytes = substr($bytes, 0, 200) . '<' . (length($bytes) - 300) .
	    ' bytes>' . substr $bytes, -100 if length $bytes > 400;
	my %short = ("\r" => '\r', "\n" => '\n', "\t" => '\t', '"' => '\"');
	$bytes =~ s/([\x00-\x1f"\x7f-\xff])/
	    $short{$1} \/\/ sprintf '\x%02x', ord $1/gex;
	return "\"$bytes\"";
}

1;
