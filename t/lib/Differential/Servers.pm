# SPDX-License-Identifier: BSD-3-Clause
# Differential/Servers.pm - the two servers, and one with a planted fault.

package Differential::Servers;

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use Leasecached::Proc ();

# The memcached to compare with: LEASECACHED_PEER, or that of the system.
# undef when there is none.
sub
peer_binary
{
	my $named = $ENV{LEASECACHED_PEER};

	if (defined $named && $named ne '') {
		die "LEASECACHED_PEER: $named: can't be run\n"
		    unless -x $named && !-d _;
		return $named;
	}
	for my $dir (split(/:/, $ENV{PATH} // ''), '/usr/bin') {
		return "$dir/memcached" if -x "$dir/memcached";
	}
	return undef;
}

# The protocol version that a server tells its clients.
sub
version_of
{
	my ($server) = @_;
	my $s = Leasecached::Proc::raw_client($server->port)
	    or die "port " . $server->port . ": $!\n";

	Leasecached::Proc::raw_send($s, "version\r\n");
	my $line = Leasecached::Proc::raw_line($s) // 'nothing';
	$line =~ /^VERSION ([\d.]+)/ or die "a version like '$line'?\n";
	return $1;
}

# Starts a server.
sub
start
{
	my ($binary, @options) = @_;
	local $ENV{LEASECACHED_BIN} = $binary;
	my $server = Leasecached::Proc->start_listening(
	    Leasecached::Proc::as_user(), '-l', '127.0.0.1', '-p', '-1',
	    '-m', '256', @options);

	die "$binary doesn't start: " . $server->err . "\n"
	    unless $server->port;
	return $server;
}

# Starts a memcached whose answers depend on the requests alone.  It pads a
# number after decr only when nobody else holds the item: neither a reply that
# isn't sent yet, which one thread prevents from batch to batch, nor the
# threads that look after the LRU.
sub
start_peer
{
	return start($_[0], '-t', 1, '-o', 'no_lru_maintainer,no_lru_crawler');
}

# Our server; what is won stays won, as in memcached, for as long as a stream
# takes.
sub
start_ours
{
	return start($_[0], '-o',
	    'lease_default=3600000,lease_max=3600000,token_max=3600');
}

# A server behind a proxy that passes each reply line through a function.
sub
start_faulty
{
	my ($class, $binary, $fault) = @_;
	my $server = start_peer($binary);
	my $listen = IO::Socket::INET->new(Listen => 16,
	    LocalAddr => '127.0.0.1') or die "listen: $!\n";

	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		_proxy($listen, $server->port, $fault);
		POSIX::_exit(0);
	}
	return bless { server => $server, proxy => $pid,
		port => $listen->sockport }, $class;
}

sub port { return $_[0]{port} }
sub err { return $_[0]{server}->err }
sub running { return $_[0]{server}->running }

sub
stop
{
	my ($self, $signal) = @_;

	if (my $pid = delete $self->{proxy}) {
		kill KILL => $pid;
		waitpid $pid, 0;
	}
	return $self->{server}->stop($signal);
}

sub
DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);

	$self->stop if $self->{proxy};
}

# The texts that go one way must be shorter than the sockets' buffers.
sub
_proxy
{
	my ($listen, $port, $fault) = @_;
	my $select = IO::Select->new($listen);
	my (%to, %is_reply);

	for (;;) {
		for my $s ($select->can_read) {
			if ($s == $listen) {
				my $client = $listen->accept or next;
				my $server = IO::Socket::INET->new(
				    PeerAddr => '127.0.0.1',
				    PeerPort => $port) or next;
				setsockopt $_, IPPROTO_TCP, TCP_NODELAY,
				    pack 'i', 1 for $client, $server;
				$to{$client} = $server;
				$to{$server} = $client;
				$is_reply{$server} = '';
				$select->add($client, $server);
				next;
			}
			my $other = $to{$s};
			my $n = sysread $s, my $bytes, 65536;
			if (!$n) {
				$select->remove($s, $other);
				close $_ for $s, $other;
				next;
			}
			if (exists $is_reply{$s}) {
				$is_reply{$s} .= $bytes;
				$bytes = '';
				while ($is_reply{$s} =~ s/\A([^\n]*\n)//) {
					$bytes .= $fault->($1);
				}
			}
			Leasecached::Proc::raw_send($other, $bytes)
			    if $bytes ne '';
		}
	}
}

1;
