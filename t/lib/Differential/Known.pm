# SPDX-License-Identifier: BSD-3-Clause
# Differential/Known.pm - the table of known differences, t/data/.
#
# The head of t/data/known-differences.txt says how a rule is written.

package Differential::Known;

use strict;
use warnings;

my %REQUIRED = map { $_ => 1 } qw(request peer ours why try);
my %MEANT = (%REQUIRED, map { $_ => 1 } qw(when after));

# The rules of a file that hold for a peer of this version, '1.6.18'.
sub
load
{
	my ($class, $file, $version) = @_;
	my (%macro, @all, $rule);

	open my $f, '<:raw', $file or die "$file: $!\n";
	while (my $line = <$f>) {
		my $where = "$file:$.";
		chomp $line;
		next if $line =~ /^\s*(?:#|$)/;
		if ($line =~ /^let (\w+)\s+(.*)/) {
			$macro{$1} = $2;
		} elsif ($line =~ /^\[([\w-]+)\]$/) {
			die "$where: rule $1 is there twice\n"
			    if grep { $_->{id} eq $1 } @all;
			push @all, $rule = { id => $1, try => [],
				where => $where };
		} elsif ($rule && $line =~ /^(\w+):(?: (.*))?$/) {
			my ($name, $value) = ($1, $2 // '');
			die "$where: no such field: $name\n"
			    unless $MEANT{$name};
			$value =~ s/<([A-Z]+)>/$macro{$1} \/\/
			    die "$where: no such macro: $1\n"/ge
			    if $name eq 'request' || $name eq 'peer';
			if ($name eq 'try') {
				push @{ $rule->{try} }, $value;
			} elsif ($name eq 'why' && $rule->{why}) {
				$rule->{why} .= " $value";
			} else {
				die "$where: $name is there twice\n"
				    if exists $rule->{$name};
				$rule->{$name} = $value;
			}
		} else {
			die "$where: not understood: $line\n";
		}
	}
	my $self = bless { version => $version, rules => [], by_word => {} },
	    $class;
	for my $r (@all) {
		for my $name (sort keys %REQUIRED) {
			my $is = $r->{$name};
			die "$r->{where}: rule $r->{id} has no $name\n"
			    unless ref $is ? @$is : defined $is;
		}
		$self->_add($r) if _holds($r, $version);
	}
	return $self;
}

# No rules at all: both servers must answer alike.
sub
none
{
	my ($class, $version) = @_;

	return bless { version => $version, rules => [], by_word => {} },
	    $class;
}

sub
_number
{
	my ($version) = @_;

	return sprintf '%03d%03d%03d', (split(/\./, $version), 0, 0)[0 .. 2];
}

# Whether a version is at least another.
sub
at_least
{
	my ($version, $other) = @_;

	return _number($version) ge _number($other);
}

sub
_holds
{
	my ($rule, $version) = @_;

	for (split /,\s*/, $rule->{when} // '') {
		my ($op, $limit) = /^\s*(<|>=)\s*([\d.]+)\s*$/
		    or die "$rule->{where}: 'when' of $rule->{id}: $_\n";
		my $is = at_least($version, $limit);
		return 0 unless $op eq '<' ? !$is : $is;
	}
	return 1;
}

# A rule is looked up by the first word of the request, when it has just one.
sub
_add
{
	my ($self, $r) = @_;

	for my $name (qw(request peer)) {
		my $re = eval { qr/\A(?:$r->{$name})\z/ };
		die "$r->{where}: $name of $r->{id}: $@" unless $re;
		$r->{"${name}_re"} = $re;
	}
	$r->{used} = 0;
	my %words;
	for my $try (@{ $r->{try} }) {
		my @starts = $try =~ /\A\{one of ([^}]*)\}([a-z]*)/ ?
		    map { $_ . $2 } split /\|/, $1, -1 : $try;
		$words{_word($_)} = 1 for @starts;
	}
	push @{ $self->{by_word}{$_} }, $r for keys %words;
	push @{ $self->{rules} }, $r;
}

sub
_word
{
	my ($request) = @_;

	return $request =~ /\A([a-z]+)/ ? $1 : '';
}

# The rules whose request this is.
sub
rules_for
{
	my ($self, $request) = @_;
	my $list = $self->{by_word}{_word($request)} // return;

	return grep { $request =~ $_->{request_re} } @$list;
}

sub rules { return @{ $_[0]{rules} } }

# What we are to say to the request, given what the peer said: (text, rule)
# when a rule has a word on it.
sub
expected
{
	my ($self, $request, $peer, @rules) = @_;

	for my $r (@rules) {
		next unless $request =~ $r->{request_re};
		my %asked = %+;
		next unless $peer =~ $r->{peer_re};
		my %is = (%asked, %+);
		$r->{used}++;
		return (expand($r->{ours}, sub {
			$is{$_[0]} // die "rule $r->{id}: no {$_[0]}\n"
		}), $r);
	}
	return;
}

# What to send to both, without a word in reply, to make them agree again.
sub
afterwards
{
	my ($self, $request, $rule) = @_;
	my $after = $rule->{after} // return;

	$request =~ $rule->{request_re} or return;
	my %is = %+;
	return expand($after, sub {
		$is{$_[0]} // die "rule $rule->{id}: no {$_[0]}\n"
	});
}

# Text with escapes (\r \n \t \\ \xNN) and {names} that a function replaces.
sub
expand
{
	my ($text, $value_of) = @_;
	my %plain = (r => "\r", n => "\n", t => "\t", '\\' => '\\');

	$text =~ s/\\x([0-9a-fA-F]{2})|\\(.)|\{([^{}]*)\}/
	    defined $1 ? chr hex $1 :
	    defined $2 ? $plain{$2} \/\/ die "\\$2 in '$text'\n" :
	    $value_of->($3)/ge;
	return $text;
}

1;
