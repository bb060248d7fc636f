# SPDX-License-Identifier: BSD-3-Clause
# Leasecached/Lease.pm - conversations of several clients, and what leases leave
# in stats.
#
# A talk is a text, one step a line; each client is called by a letter and has a
# new connection:
#
#	a> mg {k} c n30000	client a sends this, and CR LF
#	a< HD c{t} W		and reads this; # is any number, * any text,
#				{t} a number that is learned here
#	b> mg {k} v w5000
#	waiters 1		waits until so many requests are parked
#	b still			nothing has come
#	a> ms {k} 3 C{t}	what was learned is sent; {t-1} is one less
#
# Names that start with k are keys, made up when they are first used.  There are
# more steps:
#
#	a>| text		sent as it is; \r and \n are understood
#	a~ request		sent again and again until the reply is the
#				line that follows
#	a<EOF			the server closes
#	a close | shut | reset	ends the connection, one direction, hard
#	free {k}		waits until nobody has a lease for the key
#	stat name value		waits until `stats leases` says so
#	state {k} SL x		the state, and the value, of a key (see state_of)
#	advance n		moves the server's clock by seconds
#	mark			begins to measure, for
#	not before n		at least so many milliseconds have gone by
#	not in n		they have not (a generous limit!)
#
# At the end no client may have anything more to read.

package Leasecached::Lease;

use strict;
use warnings;

use Carp qw(croak);
use Exporter 'import';
use Leasecached ();
use Leasecached::Client ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(talk until_true new_key lease_stats lease_of sums_hold
    state_of ports calm FIRST_TOKEN);

# No token is smaller.
use constant FIRST_TOKEN => 1 << 61;

# A bound for a broken server, as in Leasecached.pm.
use constant LONG => 30;

my $serial = 0;

sub
new_key
{
	return sprintf '%sx%d', $_[0] // 'k', ++$serial;
}

# A server whose tables of clocks are so large that two keys or tags never meet
# in a slot; if they do, a fill is refused that need not be.
sub
calm
{
	return Leasecached->start('-o',
	    'clock_slots=16777216,tag_slots=16777216', @_);
}

# Calls a function until it is true; its last value.
sub
until_true(&)
{
	my ($true) = @_;
	my $deadline = time + LONG;

	for (;;) {
		my $said = $true->();
		return $said if $said || time > $deadline;
		sleep 0.005;
	}
}

# ---- stats ------------------------------------------------------------------

sub
lease_stats
{
	my ($srv) = @_;

	return $srv->client->stats('leases');
}

# The live lease of a key, as a hash, or undef.
sub
lease_of
{
	my ($srv, $key) = @_;
	my $stats = lease_stats($srv);

	for my $name (grep { /^lease:/ } keys %$stats) {
		my %lease = map { split /=/, $_, 2 } split / /, $stats->{$name};
		return \%lease if ($lease{key} // '') eq $key;
	}
	return undef;
}

# Every lease that was granted has ended in one way, or lives.
sub
sums_hold
{
	my ($srv, $name) = @_;
	my @ends = qw(filled refused lapsed given_up revoked live);
	my ($stats, $sum);
	my $good = until_true {
		$stats = lease_stats($srv);
		$sum = 0;
		$sum += $stats->{"lease_$_"} // -1_000_000 for @ends;
		$sum == ($stats->{lease_granted} // -1);
	};
	my $builder = Test::More->builder;
	$builder->ok($good, "$name: granted is the sum of all ends");
	$builder->diag(join ', ', map {
		"$_ " . ($stats->{"lease_$_"} // 'missing')
	} 'granted', @ends) unless $good;
	return $good;
}

# ---- the state of a key -----------------------------------------------------

# A nothing, L lease, F fresh, FL, S stale, SL; B the source is being spared,
# N known to be absent.  Takes the lease if it is free, so this comes last.  In
# a list: the state and the value.
sub
state_of
{
	my ($c, $key) = @_;

	$c->put("mg $key v n5000\r\n");
	my $line = $c->line // return 'closed';
	return $line unless $line =~ /^VA (\d+)((?: [a-zWXZ]\d*)*)$/;
	my ($n, $flags) = ($1, "$2 ");
	my $value = substr $c->take($n + 2), 0, $n;
	my $state = $flags =~ / z / ? 'N' : $flags =~ / X W / ? 'S' :
	    $flags =~ / Z X / ? 'SL' : $n ? ($flags =~ / Z / ? 'FL' :
	    $flags =~ / W / ? 'F, but won' : 'F') :
	    $flags =~ / d\d/ ? 'B' : $flags =~ / W / ? 'A' :
	    $flags =~ / Z / ? 'L' : "empty$flags";
	return wantarray ? ($state, $value) : $state;
}

# ---- servers with several listeners ------------------------------------------

# The ports of a server, in the order of its listeners.
sub
ports
{
	my ($srv) = @_;

	open my $file, '<', $srv->{port_file} or croak "no port file: $!";
	local $/;
	return <$file> =~ /^TCP INET: (\d+)\n/mg;
}

# ---- talks ------------------------------------------------------------------

sub
talk
{
	my ($srv, $name, $text, %given) = @_;
	my $self = bless {
		srv => $srv, client => {}, marked => time,
		connect => delete $given{-connect} || sub { $srv->connect },
		var => \%given,
	}, __PACKAGE__;
	my @steps = grep { !/^\s*(?:#.*)?$/ } split /\n/, $text;
	my @seen;
	my $builder = Test::More->builder;
	my $wrong;

	while (@steps) {
		my $step = shift @steps;
		my @more = $step =~ /^\w~/ ? shift @steps : ();
		$wrong = eval { $self->_step($step, @more) };
		$wrong = $@ =~ s/\n\z//r if $@;
		push @seen, $step, @more;
		last if defined $wrong;
	}
	for my $letter (sort keys %{ $self->{client} }) {
		last if defined $wrong;
		my $c = $self->{client}{$letter};
		next if $c->{talk_ended} || !$c->socket_handle;
		my $rest = eval { $c->more } // ($@ eq '' ? undef : $@);
		$wrong = "$letter has more to read: $rest" if defined $rest;
	}
	$builder->ok(!defined $wrong, $name);
	if (defined $wrong) {
		my $from = @seen > 14 ? @seen - 14 : 0;
		my $var = $self->{var};
		$builder->diag(join "\n", (map { "    $_" }
		    @seen[$from .. $#seen]), "but: $wrong",
		    'with ' . join ', ', map { "$_ = $var->{$_}" }
		    sort keys %$var);
	}
	$_->close for values %{ $self->{client} }, $self->{probe} // ();
	return $self->{var};
}

sub
_client
{
	my ($self, $letter) = @_;

	return $self->{client}{$letter} ||= $self->{connect}->($letter);
}

# What is sent: names replaced by what they stand for.
sub
_filled
{
	my ($self, $text) = @_;

	$text =~ s/\{(\w+)([-+]\d+)?\}/defined $2 ?
	    $self->_value($1) + $2 : $self->_value($1)/gex;
	return $text;
}

sub
_value
{
	my ($self, $name) = @_;
	my $var = $self->{var};

	$var->{$name} = new_key($name) if $name =~ /^k/ && !$var->{$name};
	croak "nothing is known of {$name}" unless defined $var->{$name};
	return $var->{$name};
}

# undef, or what came instead of the line; learns the names in it.
sub
_expect
{
	my ($self, $c, $expected) = @_;
	my $line = $c->line;

	return 'the connection was closed' unless defined $line;
	return $self->_matches($line, $expected) ? undef :
	    'got ' . Leasecached::Client::quoted($line);
}

sub
_matches
{
	my ($self, $line, $expected) = @_;
	my $var = $self->{var};
	my ($regex, @new) = '';

	for my $part (split /(\*|#|\{\w+\})/, $expected) {
		if ($part eq '*') {
			$regex .= '.*';
		} elsif ($part eq '#') {
			$regex .= '\d+';
		} elsif ($part =~ /^\{(\w+)\}$/ && !defined $var->{$1} &&
		    $part !~ /^\{k/) {
			push @new, $1;
			$regex .= '(\d+)';
		} elsif ($part =~ /^\{(\w+)\}$/) {
			$regex .= quotemeta $self->_value($1);
		} else {
			$regex .= quotemeta $part;
		}
	}
	my @got = $line =~ /\A$regex\z/s or return 0;
	@$var{@new} = @got if @new;
	return 1;
}

sub
_step
{
	my ($self, $step, $reply) = @_;

	if ($step =~ /^(\w)>\| ?(.*)$/) {
		my ($letter, $bytes) = ($1, $self->_filled($2));
		$bytes =~ s/\\([rn])/$1 eq 'r' ? "\r" : "\n"/ge;
		$self->_client($letter)->put($bytes);
	} elsif ($step =~ /^(\w)>(?: (.*))?$/) {
		my ($letter, $line) = ($1, $2 // '');
		$self->_client($letter)->put($self->_filled($line) . "\r\n");
	} elsif ($step =~ /^(\w)<EOF$/) {
		my $c = $self->_client($1);
		$c->{talk_ended} = 1;
		my $got = $c->drain // 'no end of the stream';
		return $got eq '' ? undef : 'got ' .
		    Leasecached::Client::quoted($got);
	} elsif ($step =~ /^(\w)<(?: (.*))?$/) {
		return $self->_expect($self->_client($1), $2 // '');
	} elsif ($step =~ /^(\w)~ (.*)$/) {
		my ($c, $request) = ($self->_client($1), $self->_filled($2));
		my ($expected) = $reply =~ /^\w<(?: (.*))?$/ or
		    croak "no reply behind $step";
		my $line;
		return until_true {
			$c->put("$request\r\n");
			$line = $c->line // die "the connection was closed\n";
			$self->_matches($line, $expected // '');
		} ? undef : 'at last ' . Leasecached::Client::quoted($line);
	} elsif ($step =~ /^(\w) (close|shut|reset|still)$/) {
		return $self->_act($self->_client($1), $2);
	} else {
		return $self->_look($step);
	}
	return undef;
}

sub
_act
{
	my ($self, $c, $what) = @_;

	if ($what eq 'still') {
		my $got = $c->within(0.05);
		return $got eq '' ? undef : 'got ' .
		    Leasecached::Client::quoted($got);
	}
	if ($what eq 'shut') {
		$c->shut;
		return undef;
	}
	setsockopt $c->socket_handle, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
	    if $what eq 'reset';
	$c->close;
	return undef;
}

sub
_look
{
	my ($self, $step) = @_;
	my $gone = 1000 * (time - $self->{marked});

	if ($step eq 'mark') {
		$self->{marked} = time;
	} elsif ($step =~ /^not before (\d+)$/) {
		return "it took only $gone ms" if $gone < $1;
	} elsif ($step =~ /^not in (\d+)$/) {
		return "it took $gone ms" if $gone >= $1;
	} elsif ($step =~ /^advance (\d+)$/) {
		$self->{srv}->advance($1);
	} elsif ($step =~ /^state (\S+) (\S+)(?: (.*))?$/) {
		my ($key, $state, $value) = ($self->_filled($1), $2, $3 // '');
		my @is = state_of($self->{probe} ||= $self->{connect}->(''),
		    $key);
		return "the state is @is" if "@is" ne "$state $value";
	} elsif ($step =~ /^free (\S+)$/) {
		my $key = $self->_filled($1);
		return "somebody has a lease for $key" unless until_true {
			!lease_of($self->{srv}, $key);
		};
	} elsif ($step =~ /^(?:stat (\S+)|waiters) (\d+)$/) {
		my ($name, $wanted, $is) = ($1 // 'waiters', $2);
		return "$name is $is" unless until_true {
			$is = lease_stats($self->{srv})->{$name} // 'missing';
			$is eq $wanted;
		};
	} else {
		croak "no step: $step";
	}
	return undef;
}

1;
