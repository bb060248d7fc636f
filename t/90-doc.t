#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 90-doc.t - what the documentation shows is what the server does.
#
# Plays every dialogue of doc/protocol.md and doc/leases.md, each on new
# connections and an empty store, and the telnet sessions of README and of the
# manual page.  The notation stands in doc/protocol.md, "How to read the
# dialogues".  Options of the server follow the word `dialogue` at the head of a
# block.
#
# The clock is stopped, so that the times a dialogue shows are exact.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Leasecached;

plan skip_all => 'the documentation is about this server'
    if $ENV{LEASECACHED_REFERENCE};

my $top = "$FindBin::Bin/..";

sub
lines_of
{
	my ($name) = @_;

	open my $file, '<:raw', "$top/$name" or die "$name: $!\n";
	chomp(my @lines = <$file>);
	return @lines;
}

# ---- dialogues ----------------------------------------------------------------

# The blocks of a page: { line, heading, options, steps }.
sub
dialogues_of
{
	my ($name) = @_;
	my ($n, $heading, $block, @blocks) = (0, $name);

	for my $line (lines_of($name)) {
		$n++;
		if ($block && $line eq '```') {
			undef $block;
		} elsif ($block) {
			push @{$block->{steps}}, $line;
		} elsif ($line =~ /^```dialogue\b\s*(.*)/) {
			$block = { line => $n, heading => $heading,
			    options => [split ' ', $1], steps => [] };
			push @blocks, $block;
		} elsif ($line =~ /^#+ (.*)/) {
			$heading = $1;
		}
	}
	die "$name: the block of line $block->{line} has no end\n" if $block;
	return @blocks;
}

sub
unescaped
{
	my ($text) = @_;
	my %plain = (r => "\r", n => "\n", t => "\t", '\\' => '\\');

	$text =~ s/\\(?:([rnt\\])|x([0-9A-Fa-f]{2}))/
	    defined $1 ? $plain{$1} : chr hex $2/ge;
	return $text;
}

# What a shown reply matches; `*` is any text, `<name>` a number that is known by
# this name, or learned now.
sub
matcher
{
	my ($bytes, $known) = @_;
	my $regex = '';

	for my $part (split /(\*|<[a-z]\w*>)/, $bytes, -1) {
		my ($name) = $part =~ /^<(.*)>$/;

		$regex .= $part eq '*' ? '.*' :
		    !defined $name ? quotemeta $part :
		    $known->{$name} // "(?<$name>\\d+)";
	}
	return qr/\A$regex\z/s;
}

# Reads lines until one matches, only the first if nothing may be left out;
# returns what came instead.
sub
misses
{
	my ($client, $bytes, $known, $leave_out) = @_;
	my $regex = matcher($bytes, $known);
	my $line;

	do {
		$line = eval { $client->raw_line };
		return $@ || 'the connection is closed' unless defined $line;
		if ($line =~ $regex) {
			%$known = (%$known, %+);
			return;
		}
	} while ($leave_out);
	return Leasecached::Client::quoted($line);
}

# Waits until so many requests are parked.
sub
await_waiters
{
	my ($server, $n) = @_;
	my $deadline = time + 30;
	my $waiters;

	while (time < $deadline) {
		$waiters = $server->client->stats('leases')->{waiters};
		return if $waiters == $n;
		select undef, undef, undef, 0.01;
	}
	return "$waiters wait";
}

# Plays one line of a dialogue; returns what is wrong.
sub
play_step
{
	my ($play, $step) = @_;
	my ($server, $client) = @$play{qw(server client)};

	if ($step =~ /^# (\d+) seconds later$/) {
		$server->advance($1);
		return;
	}
	return await_waiters($server, $1) if $step =~ /^# (\d+) waits?$/;
	return if $step =~ /^#/;
	if ($step eq '...') {
		$play->{leave_out} = 1;
		return;
	}
	if ($step eq '<EOF') {
		$play->{closed} = 1;
		return $client->closed ? undef : 'no end of the connection';
	}

	if ($step =~ /^([2-9])>EOF$/) {
		$play->{other}{$1}->close;
		return;
	}

	my ($who, $way, $exact, $text) =
	    $step =~ /^([2-9]?)([<>])(\|?)(?: (.*))?\z/
	    or die "this is no line of a dialogue: $step\n";
	$client = $play->{other}{$who} ||= $server->connect if $who;
	my $bytes = $exact ? unescaped($text) : ($text // '') . "\r\n";
	if ($way eq '>') {
		$client->put($bytes =~ s/<([a-z]\w*)>/$play->{known}{$1}/gr);
		return;
	}
	my $leave_out = delete $play->{leave_out};
	return misses($client, $bytes, $play->{known}, $leave_out);
}

sub
play
{
	my ($name, $server, $block) = @_;
	my $play = { server => $server, client => $server->connect,
	    known => {} };
	my $title = "$name:$block->{line} $block->{heading}";
	my ($n, @seen) = ($block->{line});

	for my $step (@{$block->{steps}}) {
		$n++;
		push @seen, $step;
		my $wrong = play_step($play, $step);
		next unless defined $wrong;
		fail $title;
		@seen = @seen[-8 .. -1] if @seen > 8;
		diag "$name:$n\n", (map { "    $_\n" } @seen),
		    "got\n    < $wrong";
		return;
	}
	my $rest = $play->{closed} ? undef : $play->{client}->more;
	ok !defined $rest, $title or diag "and then came $rest";
}

my %server;		# by options

# A server whose clock stands still.
sub
server_with
{
	my (@options) = @_;

	return $server{"@options"} ||= do {
		my $server = Leasecached->start(@options);
		$server->connect->ask("debugtime p\r\n", "OK\r\n",
		    join ' ', 'the clock is stopped', @options);
		$server;
	};
}

# Removes all items, and lets floors and back-offs end.  What was flushed is
# counted until the maintenance thread has met it, a moment later.
sub
empty
{
	my ($server, $name) = @_;
	my $client = $server->client;
	my $deadline = time + 30;

	$server->advance(120); # less than token_max: tokens stay good
	$client->ask("flush_all\r\nstats detail off\r\nstats reset\r\n",
	    "OK\r\nOK\r\nRESET\r\n", $name);
	while ($client->stats->{curr_items} > 0 && time < $deadline) {
		select undef, undef, undef, 0.01;
	}
}

sub
play_all
{
	my ($name, @blocks) = @_;

	for my $block (@blocks) {
		my @options = @{$block->{options}};
		my $server = server_with(@options);

		if (@options) {
			play($name, $server, $block);
			delete $server{"@options"};
			is $server->${\ ("@options" eq '-A' ? 'wait' :
			    'stop')}, 0,
			    "... and a server with @options ends well";
		} else {
			empty($server, "an empty store for line $block->{line}");
			play($name, $server, $block);
		}
	}
}

my @blocks = dialogues_of('doc/protocol.md');
play_all('doc/protocol.md', @blocks);
play_all('doc/leases.md', dialogues_of('doc/leases.md'));

# ---- nothing is left out ------------------------------------------------------

my @requests = map { /^[2-9]?>\|? (.*)/ ? $1 : () }
    map { @{$_->{steps}} } @blocks;

for my $line (lines_of('src/proto/command.def')) {
	my ($command) = $line =~ /^COMMAND\(\s*([\w-]+)/ or next;
	ok scalar(grep { /(?:^|\\n)$command\b/ } @requests),
	    "a dialogue has $command";
}
for my $line (lines_of('src/proto/meta.def')) {
	my ($flag) = $line =~ /^META\('(\w)'/ or next;
	ok scalar(grep { /(?:^|\\n)m[gsdae] \S+.* \Q$flag\E/ } @requests),
	    "a dialogue has the meta flag $flag";
}

# ---- telnet sessions ----------------------------------------------------------

my %takes_data = map { $_ => 1 } qw(set add replace append prepend cas ms);
my %is_command = map { /^COMMAND\(\s*([\w-]+)/ ? ($1 => 1) : () }
    lines_of('src/proto/command.def');

# The lines of the session behind `$ telnet`, as far as `$last` matches.
sub
session_of
{
	my ($name, $last) = @_;
	my (@session, $inside);

	for my $line (lines_of($name)) {
		if ($inside) {
			$line =~ s/^\s+//;
			push @session, $line;
			last if $line =~ $last;
		}
		$inside = 1 if $line =~ /^\s*\$ telnet /;
	}
	return @session;
}

# Who types what is not marked in a session: commands are lower case words, and
# the line behind a storage command is its data.  Everything else is a reply.
# A number of 19 digits is a token, and stands for that which the server gives.
sub
play_session
{
	my ($name, @session) = @_;
	my $client = server_with()->connect;
	my ($data, $typed, @wrong) = (0, 0);
	my %known;

	for my $line (@session) {
		my ($word) = $line =~ /^([\w-]*)/;
		next if $line =~ /^(?:Trying|Connected to|Escape character) /;
		if ($line =~ /^Connection closed/) {
			push @wrong, $line unless $client->closed;
		} elsif ($data || $is_command{$word}) {
			$line =~ s/(?<!\d)(\d{19})(?!\d)/$known{"t$1"} \/\/ $1/ge;
			$client->put("$line\r\n");
			$data = !$data && $takes_data{$word};
			$typed++;
		} else {
			my $pattern = $line =~ s/(?<!\d)(\d{19})(?!\d)/<t$1>/gr;
			my $got = misses($client, "$pattern\r\n", \%known);
			push @wrong, "$line\n    got $got" if defined $got;
		}
	}
	ok $typed > 2 && !@wrong, "the telnet session of $name";
	diag "$name: ", @wrong ? @wrong : 'there is no session' if
	    @wrong || $typed <= 2;
}

play_session('README', session_of('README', qr/^Connection closed/));
play_session('doc/leasecached.1.in',
    session_of('doc/leasecached.1.in', qr/^quit$/));

done_testing;
