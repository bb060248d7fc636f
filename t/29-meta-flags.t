#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 29-meta-flags.t - every flag on every meta command, and their order.
#
# Each cell of the table is played on an item of its own: the reply and what the
# command left behind are compared with those of the command without the flag.
# A wrong token is an error in every cell: 25-meta-errors.t has those.

use Leasecached;
use List::Util ();

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');

$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

# Without a frozen clock a second may have passed.
sub
without_ticks
{
	my ($line) = @_;

	$line =~ s/ t(\d*9)\b/' t' . ($1 + 1)/e unless $srv->can_advance;
	return $line;
}

# Plays one request on a new item: value 10, client flags 5, TTL 100.  KEY, CAS
# and OTHER in it stand for the key, its number, and another number.
my $serial = 0;

sub
outcome
{
	my ($request) = @_;
	my $key = 'key' . ++$serial;

	$c->put("ms $key 2 F5 T100 c\r\n10\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/ or return 'no item';
	my $other = $cas + 1_000_000;
	s/KEY/$key/g, s/CAS/$cas/g, s/OTHER/$other/g for $request;
	$c->put("${request}mn\r\n");
	my $reply = join ' | ', map { without_ticks($_) } $c->until_line(qr/^MN$/);
	$c->put("mg $key v s f t h u c\r\n");
	my $left = without_ticks($c->line);
	$left .= ' | ' . $c->line if $left =~ /^VA/;

	s/\b$key\b/KEY/g, s/k$key\b/kKEY/g for $reply, $left;
	s/ c$cas\b/ c=same/g for $reply, $left;
	s/ c4711\b/ c=E/g for $reply, $left;
	s/ c([1-9]\d*)\b/ c=new/g for $reply, $left;
	s/ birth=\d+ stored=\d+//, s/ cas=\d+/ cas=*/, s/(cls|size)=\d+/$1=*/g,
	    s/exp=-?(100|99)/exp=100/ for $reply;
	return "$reply / $left";
}

my %form = (
	mg => sub { "mg KEY $_[0]\r\n" },
	ms => sub { "ms KEY 3 $_[0]\r\n123\r\n" },
	md => sub { "md KEY $_[0]\r\n" },
	ma => sub { "ma KEY $_[0]\r\n" },
	me => sub { "me KEY $_[0]\r\n" },
);

my $same = 'VA 2 s2 f5 t100 h0 c=same | 10';
my $read = 'VA 2 s2 f5 t100 h1 c=same | 10';
my $gone = 'EN';
my $set = 'VA 3 s3 f0 t-1 h0 c=new | 123';
my $eleven = 'VA 2 s2 f5 t100 h0 c=new | 11';
my $me = 'ME KEY exp=100 la=0 cas=* fetch=no cls=* size=*';

my %plain = (
	mg => "HD | MN / $read",
	ms => "HD | MN / $set",
	md => "HD | MN / $gone",
	ma => "HD | MN / $eleven",
	me => "$me | MN / $same",
);

# ---- no effect -------------------------------------------------------------

# What each command takes and ignores; a token behind it does not matter.
my %ignored = (
	mg => [qw(q F7 I x M MX J3 D3 P L Pxyz Lxyz N30 R30)],
	ms => [qw(v f t h l u R200 x J3 D3 P L Pxyz Lxyz N30 I)],
	md => [qw(v f s t c h l u N30 R200 M MX J3 D3 P L Pxyz Lxyz T30 F7
	    E4711)],
	ma => [qw(f s h l u R200 F7 I x P L Pxyz Lxyz N30 J3)],
	me => [qw(k O1 q v f s t c h l u T30 N30 R30 C1 E1 F1 I x M J3 D3
	    P L)],
);
# flags that Debian's 1.6.18 does not know, or not there
my %unknown = map { $_ => 1 } qw(x E4711 E1 M MX);

for my $cmd (qw(mg ms md ma me)) {
	my @flags = grep { $new || !$unknown{$_} } @{ $ignored{$cmd} };

	@flags = () if $cmd eq 'me' && !$new;	# prints exp differently
	is(outcome($form{$cmd}->('')), $plain{$cmd}, "$cmd without flags");
	for my $flag (@flags) {
		is(outcome($form{$cmd}->($flag)), $plain{$cmd},
		    "$cmd ignores $flag");
	}
}
for my $cmd ($new ? qw(mg ms md ma) : ()) {
	# all of them at once, each letter once
	my %seen;
	my @flags = grep { !/^[NJT]/ && !$seen{substr $_, 0, 1}++ }
	    @{ $ignored{$cmd} };

	is(outcome($form{$cmd}->("@flags")),
	    $cmd eq 'mg' ? $plain{mg} : $plain{$cmd},
	    "$cmd ignores @flags together");
}

# ---- an effect -------------------------------------------------------------

# What is left is looked at with u, which takes no lease here.
my $stale = $srv->is_reference ? ' X W' : ' X';

# [command and flags, what comes of it, needs a server newer than 1.6.18]
for (
	['mg k', "HD kKEY | MN / $read"],
	['mg Oabc', "HD Oabc | MN / $read"],
	['mg O', "HD O | MN / $read"],
	['mg v', "VA 2 | 10 | MN / $read"],
	['mg f', "HD f5 | MN / $read"],
	['mg s', "HD s2 | MN / $read"],
	['mg t', "HD t100 | MN / $read"],
	['mg c', "HD c=same | MN / $read"],
	['mg h', "HD h0 | MN / $read"],
	['mg l', "HD l0 | MN / $read"],
	['mg u', "HD | MN / $same"],
	['mg T30', 'HD | MN / VA 2 s2 f5 t30 h1 c=same | 10'],
	['mg R200', 'HD W | MN / VA 2 s2 f5 t100 h1 c=same Z | 10'],
	['mg CCAS v', "HD | MN / $read", 1],
	['mg COTHER v', "VA 2 | 10 | MN / $read"],
	['mg E4711', "HD | MN / $read", 1],

	['ms k', "HD kKEY | MN / $set"],
	['ms Oabc', "HD Oabc | MN / $set"],
	['ms q', "MN / $set"],
	['ms s', "HD s3 | MN / $set", 1],
	['ms s MA', 'HD s5 | MN / VA 5 s5 f5 t100 h0 c=new | 10123', 1],
	['ms c', "HD c=new | MN / $set"],
	['ms T30', 'HD | MN / VA 3 s3 f0 t30 h0 c=new | 123'],
	['ms F7', 'HD | MN / VA 3 s3 f7 t-1 h0 c=new | 123'],
	['ms CCAS', "HD | MN / $set"],
	['ms COTHER', "EX | MN / $same"],
	['ms C1 I', $srv->is_reference ?
	 'HD | MN / VA 3 s3 f0 t100 h0 c=new X W | 123' : "EX | MN / $same"],
	['ms E4711', 'HD | MN / VA 3 s3 f0 t-1 h0 c=E | 123', 1],
	['ms ME', "NS | MN / $same"],
	['ms MR', "HD | MN / $set"],
	['ms MS', "HD | MN / $set"],
	['ms MA', 'HD | MN / VA 5 s5 f5 t100 h0 c=new | 10123'],
	['ms MP', 'HD | MN / VA 5 s5 f5 t100 h0 c=new | 12310'],

	['md k', "HD kKEY | MN / $gone"],
	['md Oabc', "HD Oabc | MN / $gone"],
	['md q', "MN / $gone"],
	['md CCAS', "HD | MN / $gone"],
	['md COTHER', "EX | MN / $same"],
	['md I', "HD | MN / VA 2 s2 f5 t100 h0 c=new$stale | 10"],
	['md I T30', "HD | MN / VA 2 s2 f5 t30 h0 c=new$stale | 10"],
	['md I F7', "HD | MN / VA 2 s2 f5 t100 h0 c=new$stale | 10"],
	['md I E4711', "HD | MN / VA 2 s2 f5 t100 h0 c=E$stale | 10", 1],
	['md x', 'HD | MN / VA 0 s0 f0 t-1 h0 c=same | ', 1],
	['md x T30', 'HD | MN / VA 0 s0 f0 t30 h0 c=same | ', 1],
	['md x F7', 'HD | MN / VA 0 s0 f7 t-1 h0 c=same | ', 1],
	['md x E4711', 'HD | MN / VA 0 s0 f0 t-1 h0 c=E | ', 1],

	['ma k', "HD kKEY | MN / $eleven"],
	['ma Oabc', "HD Oabc | MN / $eleven"],
	['ma q', "MN / $eleven"],
	['ma v', "VA 2 | 11 | MN / $eleven"],
	['ma t', "HD t100 | MN / $eleven"],
	['ma c', "HD c=new | MN / $eleven"],
	['ma T30', 'HD | MN / VA 2 s2 f5 t30 h0 c=new | 11'],
	['ma CCAS', "HD | MN / $eleven"],
	['ma COTHER', "EX | MN / $same"],
	['ma E4711', 'HD | MN / VA 2 s2 f5 t100 h0 c=E | 11', 1],
	['ma E4711 c', 'HD c=E | MN / VA 2 s2 f5 t100 h0 c=E | 11', 1],
	['ma MD', 'HD | MN / VA 2 s2 f5 t100 h0 c=new | 9 '],
	['ma MI', "HD | MN / $eleven"],
	['ma D5', 'HD | MN / VA 2 s2 f5 t100 h0 c=new | 15'],
	['ma D5 MD v', 'VA 1 | 5 | MN / VA 2 s2 f5 t100 h0 c=new | 5 '],
) {
	my ($words, $expect, $needs) = @$_;
	my ($cmd, $flags) = split / /, $words, 2;

	next if $needs && !$new;
	is(outcome($form{$cmd}->($flags)), $expect, $words);
}

# On a missing key: only these have an effect there.
for (
	['mg N30', 'HD W', 1], ['mg N30 v t', "VA 0 t30 W\r\n", 1],
	['mg N30 f s t h l', 'HD f0 s0 t30 h0 l0 W', 1],
	['mg T30 R30 C1 v', 'EN', 0],
	['mg q', '', 0], ['mg k Oabc v s t f c h l', 'EN kKEY Oabc', 0],
	['ms C1', 'NF', 0], ['ms ME', 'HD', 1], ['ms MR', 'NS', 0],
	['ms MA', 'NS', 0], ['ms MP', 'NS', 0], ['ms C1 ME', 'HD', 1],
	['ms C1 MA', 'NS', 0], ['ms C1 I', 'NF', 0], ['ms N30 C1', 'NF', 0],
	['md I', 'NF', 0], ['md T30 F7 I', 'NF', 0],
	['ma D5 J5', 'NF', 0], ['ma N30 J5 D7 v t', "VA 1 t30\r\n5", 1],
	['ma C1', 'NF', 0],
	$new ? (
		['ms MA N30', 'HD', 1], ['ms MP N30', 'HD', 1],
		['ms MR N30', 'NS', 0], ['ms C1 MP N30', 'HD', 1],
		# (the number of the lease is its token)
		$srv->is_reference ? ['mg N30 E4711 c', 'HD c4711 W', 1] :
		['mg N30 E4711 h', 'HD h0 W', 1],
		['ma N30 E4711 c', 'HD c4711', 1],
		['md x', 'NF', 0], ['md x I T30 F7 E4711', 'NF', 0],
	) : (),
) {
	my ($words, $reply, $made) = @$_;
	my ($cmd, $flags) = split / /, $words, 2;
	my $request = $form{$cmd}->($flags);
	my $key = 'none' . ++$serial;

	s/KEY/$key/ for $request, $reply;
	$reply .= "\r\n" if $reply ne '';
	$c->ask("${request}md $key\r\n", $reply . ($made ? "HD\r\n" : "NF\r\n"),
	    "$words on a missing key");
}

# ---- order -----------------------------------------------------------------

# Return flags come as asked for, the letters behind them.  The seed is fixed:
# the same orders are tried each time.
srand 1645;

$c->put("ms ord 2 F5 T100 c\r\n10\r\n");
my ($cas) = $c->line =~ /^HD c(\d+)$/;
$cas //= 'none';

my %mg = (k => 'kord', Oab => 'Oab', s => 's2', t => 't100', f => 'f5',
	c => "c$cas", h => 'h1', l => 'l0', v => '', q => '', u => '',
	P => '', Lx => '', R30 => '');
$c->ask("mg ord h\r\n", "HD h0\r\n", 'the first read');
for my $round (1 .. 60) {
	my @flags = List::Util::shuffle(keys %mg);

	@flags = @flags[0 .. int rand @flags];
	my $head = (grep { $_ eq 'v' } @flags) ? 'VA 2' : 'HD';
	my $expect = join ' ', $head, grep { $_ ne '' } @mg{@flags};
	$c->put("mg ord @flags\r\n");
	my $got = without_ticks($c->line);
	$got .= ' ' . $c->line, $expect .= ' 10' if $head eq 'VA 2';
	$got =~ s/ l1\b/ l0/ unless $new;
	is($got, $expect, "mg @flags");
}

for my $round (1 .. 20) {
	my %ms = (k => 'kms', Oab => 'Oab', F3 => '', T30 => '', I => '',
		v => '', f => '', t => '');
	$ms{s} = 's3' if $new;
	my @flags = List::Util::shuffle(keys %ms);

	@flags = @flags[0 .. int rand @flags];
	$c->ask("ms ms 3 @flags\r\nabc\r\n",
	    join(' ', 'HD', grep { $_ ne '' } @ms{@flags}) . "\r\n",
	    "ms @flags");
}

for my $round (1 .. 20) {
	my %ma = (k => 'kn', Oab => 'Oab', t => 't100', v => '', MD => '',
		D0 => '', J7 => '', N100 => '', f => '', s => '');
	my @flags = List::Util::shuffle(keys %ma);

	@flags = @flags[0 .. int rand @flags];
	$c->ask("ms n 1 T100 q\r\n0\r\n", '', 'a number') if $round == 1;
	my $request = join ' ', 'ma n', grep({ $_ ne 'D0' } @flags), 'D0';
	my $head = (grep { $_ eq 'v' } @flags) ? 'VA 1' : 'HD';
	my $expect = join ' ', $head, grep { $_ ne '' } @ma{@flags};
	$c->put("$request\r\n");
	my $got = without_ticks($c->line);
	$got .= ' ' . $c->line, $expect .= ' 0' if $head eq 'VA 1';
	is($got, $expect, $request);
}

for my $flags ('k Oab', 'Oab k', 'Oab v s k t', 'k b Oab', 'b Oab k',
	'Oab b k') {
	my $key = $flags =~ /b\b(?<!Oab)/ ? 'bm9uZQ==' : 'none';
	my $shown = $key eq 'none' ? 'knone' : "k$key b";
	my $echo = join ' ', map { $_ eq 'k' ? $shown : $_ }
	    grep { /^[kO]/ } split ' ', $flags;

	$c->ask("mg $key $flags\r\n", "EN $echo\r\n", "mg $flags, a miss");
	$c->ask("md $key $flags\r\n", "NF $echo\r\n", "md $flags, a miss");
	$c->ask("ma $key $flags\r\n", "NF $echo\r\n", "ma $flags, a miss");
	$c->ask("ms $key 1 MR $flags\r\na\r\n",
	    'NS ' . join(' ', map { $_ eq 'k' ? $shown : $_ }
	    grep { /^[kO]/ } split ' ', $flags) . "\r\n",
	    "ms $flags, a miss") if $flags !~ /s/;
}

done_testing;
