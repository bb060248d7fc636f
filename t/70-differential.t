#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 70-differential.t - 200,000 random requests, answered as memcached does.
#
# Seeded random streams go to the memcached of the system and to us, and all
# bytes of the replies are compared.  Where we answer otherwise on purpose,
# data/known-differences.txt says what we answer, and why.
#
#	LEASECACHED_PEER	another memcached to compare with
#	LEASECACHED_REQUIRE_PEER	fail instead of skip when there is none
#	LEASECACHED_SEED	the first seed (1), or `random`
#	LEASECACHED_COMMANDS	how many requests
#
# A stream that fails is printed in a form that t/differential --replay reads.

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

use Differential;
use Differential::Known;
use Differential::Servers;
use Differential::Stream;
use Leasecached::Proc qw(is_reference is_sanitized scaled server_binary
    raw_client stats_of);

use constant {
	STREAM => 5000,
	# So many failures are enough to read.
	ENOUGH => 3,
	# So often the peer may have answered by chance.
	CHANCES => 3,
};

plan skip_all => 'it compares leasecached with memcached' if is_reference();

my $binary = Differential::Servers::peer_binary();
if (!defined $binary) {
	plan skip_all => 'there is no memcached to compare with; ' .
	    'on Debian: apt install memcached'
	    unless $ENV{LEASECACHED_REQUIRE_PEER};
	fail('there is a memcached to compare with');
	done_testing;
	exit;
}

my $version = Differential::Servers::version_of(
    Differential::Servers::start($binary));
my $known = Differential::Known->load(dirname($0) .
    '/data/known-differences.txt', $version);
my $seed = $ENV{LEASECACHED_SEED} // 1;
$seed = int rand 1 << 30 if $seed eq 'random';
my $wanted = $ENV{LEASECACHED_COMMANDS} || scaled(200_000, 50_000);
note "memcached $version, ", scalar $known->rules, " rules, seed $seed";

sub peer { return Differential::Servers::start_peer($binary) }
sub ours { return Differential::Servers::start_ours(server_binary()) }

# ---- the comparison itself --------------------------------------------------

{
	my $none = Differential::Known->none($version);
	my $d = Differential->new(known => $none, peer => \&peer,
	    ours => \&peer);
	my $batches = Differential::Stream->new(known => $none)
	    ->batches($seed, STREAM);
	my $failure = $d->run($batches);

	undef $failure if $failure &&
	    $d->chance($batches, $failure) ne 'none';
	is($failure && $d->report($failure), undef,
	    'memcached answers as memcached does');
	$d->restart;
}

# A fault in one kind of reply line is found, and told with few requests.
my @faults = (
	[ 'a wrong word' => 3, sub { $_[0] =~ s/\ANOT_STORED/STORED/ } ],
	[ 'a wrong byte of data' => 3,
	    sub { $_[0] =~ s/\A4294967296\r/4294967297\r/ } ],
	[ 'a wrong size' => 4, sub { $_[0] =~ s/\AVALUE (\S+) 7 /VALUE $1 5 / } ],
	[ 'a flag that is missing' => 3, sub { $_[0] =~ s/ W\r/\r/ } ],
	[ 'a wrong lifetime' => 3, sub { $_[0] =~ s/ t100000/ t200000/ } ],
	[ 'gets and mg that tell other CAS numbers' => 4,
	    sub { $_[0] =~ s/\A(VALUE \S+ \d+ \d+ )(?=\d+\r)/${1}1/ } ],
	[ 'a line too many' => 3, sub { $_[0] =~ s/\A(NF k.*)/$1NF\r\n/s } ],
	[ 'a line that is missing' => 3, sub { $_[0] =~ s/\ATOUCHED\r\n// } ],
);
for (@faults) {
	my ($name, $most, $fault) = @$_;
	my $none = Differential::Known->none($version);
	my $d = Differential->new(known => $none, peer => \&peer,
	    ours => sub {
		Differential::Servers->start_faulty($binary, sub {
			my ($line) = @_;
			$fault->($line);
			return $line;
		});
	    }, shrink_seconds => 30);
	my $batches = Differential::Stream->new(known => $none)
	    ->batches(1, 1500);
	my $failure = $d->run($batches);

	ok($failure, "found: $name") or next;
	my $smallest = $d->shrink($batches, $failure);
	my $n = 0;
	$n += @{ $_->{steps} } for @{ $smallest // [] };
	ok($n > 0 && $n <= $most, "... and told in at most $most steps")
	    or diag($d->report($failure, $smallest));
	$d->restart;
}

# A server that answers as the peer does breaks every rule.
{
	my $d = Differential->new(known => $known, peer => \&peer,
	    ours => \&peer);
	my $stream = Differential::Stream->new(known => $known);
	my @kept;

	srand 1;
	for my $rule ($known->rules) {
		my $found;
		# Some depend on what is there already.
		my @before = map { { cmds => [ $_ ] } } "flush_all\r\n",
		    map { "ms $_ 1 T100000\r\nA\r\n" } 'a' .. 'd';

		for my $try (@{ $rule->{try} }) {
			my $request = $stream->try_of($rule, $try);
			my @rules = $known->rules_for($request);
			my $f = $d->run([
			    { conn => 0, steps => [ @before ] },
			    { conn => 1, steps => [ { cmds => [ $request ],
				rules => \@rules } ] } ]);
			$found ||= $f && $f->{rule} && $f->{rule} == $rule;
		}
		push @kept, $rule->{id} unless $found;
		$rule->{used} = 0;
	}
	is("@kept", '', 'a server without the known differences is found out');
	$d->restart;
}

# ---- leasecached ------------------------------------------------------------

my $d = Differential->new(known => $known, peer => \&peer, ours => \&ours);
my $stream = Differential::Stream->new(known => $known);
my ($done, $failed, $chances) = (0, 0, 0);

for (my $s = $seed; $done < $wanted && $failed < ENOUGH; $s++) {
	my $batches = $stream->batches($s, STREAM);
	my $n = Differential::requests_in($batches);
	my $failure = $d->run($batches);

	$done += $n;
	if ($failure) {
		my $who = $d->chance($batches, $failure);
		if ($who eq 'peer' && $chances++ < CHANCES) {
			note "seed $s: the peer answered by chance:\n",
			    $d->report($failure);
			undef $failure;
		} elsif ($who ne 'none') {
			diag "seed $s: '$who' answered otherwise when asked " .
			    'again';
		}
	}
	ok(!$failure, "seed $s: $n requests") and next;
	$failed++;
	diag $d->report($failure, $d->shrink($batches, $failure));
}
cmp_ok($done, '>=', $wanted, "$wanted requests") if $failed < ENOUGH;

SKIP: {
	skip 'there were failures', 1 if $failed;
	my @unused = grep { !$_->{used} } $known->rules;
	is(join(' ', map { $_->{id} } @unused), '', 'every rule was used');
	note sprintf '%-30s %d', $_->{id}, $_->{used} for $known->rules;
}
is($d->end, 'exit 0', 'the server ends well');

# ---- counters ---------------------------------------------------------------

# The same requests are counted alike, too.  memcached pads a number or not, as
# chance has it, and what comes of that may be hidden by noreply: so a difference
# has to show on fresh servers again.
SKIP: {
	skip 'there were failures', 1 if $failed;
	# Not total_items: memcached counts a number that grows as stored.
	my @names = qw(cmd_get cmd_set cmd_flush cmd_touch get_hits get_misses
	    delete_hits delete_misses incr_hits incr_misses decr_hits
	    decr_misses cas_hits cas_misses cas_badval touch_hits touch_misses
	    store_too_large);
	my $count = sub {
		my $d = Differential->new(known => $known, peer => \&peer,
		    ours => \&ours);
		my $batches = Differential::Stream->new(known => $known,
		    plain => 1)->batches($seed, STREAM);
		my $failure = $d->run($batches);
		my %stats = map {
			$_ => stats_of(raw_client($d->server($_)->port))
		} qw(ours peer);

		$d->end;
		return ($failure && $d->report($failure), join ', ',
		    map { "$_ $stats{ours}{$_}, not $stats{peer}{$_}" }
		    grep { $stats{ours}{$_} ne $stats{peer}{$_} } @names);
	};
	my ($failure, $differ) = $count->();

	is($failure, undef, 'a stream to count');
	if ($differ ne '') {
		my (undef, $again) = $count->();

		note "the counters differed by chance: $differ"
		    if $again ne $differ;
		$differ = '' if $again ne $differ;
	}
	is($differ, '', 'the counters of commands agree');
}

# ---- what depends on memcached's options ------------------------------------

{
	my $none = Differential::Known->none($version);
	my $d = Differential->new(known => $none, ours => \&ours,
	    peer => sub { Differential::Servers::start($binary) });
	my @requests = map { "$_\r\n" } (
		'lru mode segmented', 'lru mode x', 'lru temp_ttl -1',
		'lru temp_ttl x', 'lru_crawler enable', 'lru_crawler crawl 99',
		'lru_crawler crawl x', 'lru_crawler crawl',
		'lru_crawler metadump', 'lru_crawler metadump 99',
		'slabs automove 1', 'slabs reassign 1 1',
	);
	my $failure = $d->run([ map { { conn => 0, steps => [
	    { cmds => [ $_ ] } ] } } @requests ]);

	is($failure && $d->report($failure), undef,
	    'commands for the LRU and the slabs, with the usual options');
	$d->end;
}

done_testing;
