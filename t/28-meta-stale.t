#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 28-meta-stale.t - who may recompute: W, X and Z after N, R and I.
#
# An item is in one of six states.  The big table below plays every command in
# every state, and looks at the reply, at the state behind it, and at the TTL.
#
# To memcached what N makes is an empty item, which is won for ever; here it is
# a lease, nothing stands, and a win ends with its lease.  So some of it is told
# twice; 36-state-table.t has all states of leases.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');
my $ours = !$srv->is_reference;

$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

# ---- the states ------------------------------------------------------------

# [how to get there, the replies, TTL, letters in the next mg and after it]
my %state = (
	fresh    => ["ms K 2 T100\r\n10\r\n", "HD\r\n", 100, '', ''],
	eternal  => ["ms K 2\r\n10\r\n", "HD\r\n", -1, '', ''],
	vivified => ["mg K N30\r\n", "HD W\r\n", 30, ' Z', ' Z'],
	recached => ["ms K 2 T100\r\n10\r\nmg K R200\r\n", "HD\r\nHD W\r\n",
	    100, ' Z', ' Z'],
	stale    => ["ms K 2 T100\r\n10\r\nmd K I\r\n", "HD\r\nHD\r\n",
	    100, ' X W', ' Z X'],
	taken    => ["ms K 2 T100\r\n10\r\nmd K I\r\nmg K\r\n",
	    "HD\r\nHD\r\nHD X W\r\n", 100, ' Z X', ' Z X'],
);
my @states = grep { !($ours && $_ eq 'vivified') }
    qw(fresh eternal vivified recached stale taken);

# Without a frozen clock a second may have passed.
sub
line_without_ticks
{
	my $line = $c->line;

	$line =~ s/ t(\d*9)\b/' t' . ($1 + 1)/e unless $srv->can_advance;
	return $line;
}

# ---- what each command does in each state ----------------------------------

my $keep = { map { $_ => $state{$_}[3] } @states };
my $seen = { map { $_ => $state{$_}[4] } @states };
my $clear = { map { $_ => '' } @states };
my $stale = { map { $_ => ' X W' } @states };
# a store with an older number: stale from now on, but who won stays the winner
my $older = { %$stale, vivified => ' Z X', recached => ' Z X',
	taken => ' Z X' };
my $old_ttl = { map { $_ => $state{$_}[2] } @states };

# What differs here: u wins nothing; what is made of a stale value is as stale,
# and whoever refreshes a value goes on; an older value replaces a stale one
# only.
my $unseen = $ours ? { %$seen, stale => ' X W' } : $seen;
my $joined = $ours ? $keep : $clear;
$older = { %$keep, map { $_ => $older->{$_} } qw(stale taken) } if $ours;
sub peek_reply { return $ours && $_[0] eq 'stale' ? "HD X\r\n" : mg_reply(@_) }
sub
older_reply
{
	return $ours && $_[0] !~ /stale|taken/ ? "EX\r\n" : "HD\r\n";
}

sub
all
{
	my ($ttl) = @_;
	return { map { $_ => $ttl } @states };
}

my $old = "10";
sub value { return $_[0] eq 'vivified' ? '' : $old }
sub read_reply
{
	return "VALUE K 0 @{[length value($_[0])]}\r\n" .
	    value($_[0]) . "\r\nEND\r\n";
}
sub mg_reply { return "HD$state{$_[0]}[3]\r\n" }
sub mg_v_reply
{
	return "VA @{[length value($_[0])]}$state{$_[0]}[3]\r\n" .
	    value($_[0]) . "\r\n";
}
sub recache_reply
{
	return $_[0] eq 'fresh' ? "HD W\r\n" : mg_reply($_[0]);
}
sub
count_reply
{
	my ($good, $state) = @_;
	return $state eq 'vivified' ? "CLIENT_ERROR cannot increment or " .
	    "decrement non-numeric value\r\n" : $good;
}

# [request, reply or function of the state, letters behind, TTL behind]
my @table = (
	# reads
	["mg K\r\n", \&mg_reply, $seen, $old_ttl],
	["mg K v\r\n", \&mg_v_reply, $seen, $old_ttl],
	["mg K q\r\n", \&mg_reply, $seen, $old_ttl],
	["mg K u\r\n", \&peek_reply, $unseen, $old_ttl],
	["mg K N50\r\n", \&mg_reply, $seen, $old_ttl],
	["mg K R30\r\n", \&mg_reply, $seen, $old_ttl],
	["mg K R-1\r\n", \&mg_reply, $seen, $old_ttl],
	["mg K R200\r\n", \&recache_reply, { %$seen, fresh => ' Z' },
	 $old_ttl],
	["mg K N50 R200\r\n", \&recache_reply, { %$seen, fresh => ' Z' },
	 $old_ttl],
	["mg K T50\r\n", \&mg_reply, $seen, all(50)],
	["mg K T0\r\n", \&mg_reply, $seen, all(-1)],
	["get K\r\n", \&read_reply, $keep, $old_ttl],
	["gat 50 K\r\n", \&read_reply, $keep, all(50)],
	["touch K 50\r\n", "TOUCHED\r\n", $keep, all(50)],

	# stores
	["ms K 1\r\nx\r\n", "HD\r\n", $clear, all(-1)],
	["ms K 1 MS T50\r\nx\r\n", "HD\r\n", $clear, all(50)],
	["ms K 1 MR\r\nx\r\n", "HD\r\n", $clear, all(-1)],
	["ms K 1 MA\r\nx\r\n", "HD\r\n", $joined, $old_ttl],
	["ms K 1 MP\r\nx\r\n", "HD\r\n", $joined, $old_ttl],
	["ms K 1 I\r\nx\r\n", "HD\r\n", $clear, all(-1)],
	["ms K 1 ME\r\nx\r\n", "NS\r\n", $keep, $old_ttl],
	["ms K 1 ME I\r\nx\r\n", "NS\r\n", $keep, $old_ttl],
	["ms K 1 C0\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["ms K 1 C1\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["ms K 1 C9999999999\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["ms K 1 C9999999999 I\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["ms K 1 C1 I\r\nx\r\n", \&older_reply, $older, $old_ttl],
	["ms K 1 C1 I T50\r\nx\r\n", \&older_reply, $older, $old_ttl],
	["ms K 1 C1 I MS\r\nx\r\n", \&older_reply, $older, $old_ttl],
	["ms K 1 C1 I MR\r\nx\r\n", \&older_reply, $older, $old_ttl],
	["ms K 1 C1 I MA\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["ms K 1 C1 I MP\r\nx\r\n", "EX\r\n", $keep, $old_ttl],
	["set K 0 0 1\r\nx\r\n", "STORED\r\n", $clear, all(-1)],
	["set K 0 50 1\r\nx\r\n", "STORED\r\n", $clear, all(50)],
	["replace K 0 50 1\r\nx\r\n", "STORED\r\n", $clear, all(50)],
	["append K 0 0 1\r\nx\r\n", "STORED\r\n", $joined, $old_ttl],
	["prepend K 0 0 1\r\nx\r\n", "STORED\r\n", $joined, $old_ttl],
	["add K 0 0 1\r\nx\r\n", "NOT_STORED\r\n", $keep, $old_ttl],
	["cas K 0 0 1 1\r\nx\r\n", "EXISTS\r\n", $keep, $old_ttl],
	["ms K 2\r\nabcd", "CLIENT_ERROR bad data chunk\r\n", $keep, $old_ttl],

	# deletes and invalidations
	["delete K\r\n", "DELETED\r\n"],
	["md K\r\n", "HD\r\n"],
	["md K C1\r\n", "EX\r\n", $keep, $old_ttl],
	["md K C1 I\r\n", "EX\r\n", $keep, $old_ttl],
	["md K I\r\n", "HD\r\n", $stale, $old_ttl],
	["md K I T50\r\n", "HD\r\n", $stale, all(50)],
	["md K I T0\r\n", "HD\r\n", $stale, all(-1)],
	["md K I T-1\r\n", "HD\r\n"],
	["md K x\r\n", "HD\r\n", $clear, all(-1), 'newer'],
	["md K x T50\r\n", "HD\r\n", $clear, all(50), 'newer'],
	["md K x I\r\n", "HD\r\n", $stale, all(-1), 'newer'],
	["md K x I T50\r\n", "HD\r\n", $stale, all(50), 'newer'],

	# arithmetic
	["incr K 1\r\n", sub { count_reply("11\r\n", @_) }, $keep, $old_ttl,
	 'newer'],
	["decr K 10\r\n", sub { count_reply("0\r\n", @_) }, $keep, $old_ttl,
	 'newer'],
	["ma K\r\n", sub { count_reply("HD\r\n", @_) }, $keep, $old_ttl,
	 'newer'],
	["ma K v MD N30\r\n", sub { count_reply("VA 1\r\n9\r\n", @_) }, $keep,
	 $old_ttl, 'newer'],
	["ma K T50\r\n", sub { count_reply("HD\r\n", @_) }, $keep,
	 { %{ all(50) }, vivified => 30 }, 'newer'],
	["ma K C1\r\n",
	 sub { $_[0] eq 'vivified' ? count_reply('', @_) : "EX\r\n" }, $keep,
	 $old_ttl, 'newer'],
);

my $n = 0;
$c->ask("set first 0 0 1\r\nx\r\n", "STORED\r\n", 'something is stored');
for my $row (@table) {
	my ($request, $reply, $letters, $ttl, $newer) = @$row;
	my ($shown) = $request =~ /^(.*?)\r/;

	next if $newer && !$new;
	for my $state (@states) {
		my ($setup, $setup_reply) = @{ $state{$state} };
		my $key = 'key' . ++$n;
		my $expect = ref $reply ? $reply->($state) : $reply;
		my $behind = $letters
		    ? "HD t$ttl->{$state}$letters->{$state}" : 'EN';
		my ($ask, $want) = ($setup . $request, $setup_reply . $expect);

		# C comes before the look at the value
		$want =~ s/CLIENT_ERROR cannot.*\r\n\z/EX\r\n/
		    if $shown eq 'ma K C1';
		s/\bK\b/$key/g for $ask, $want;
		$c->put($ask);
		my $got = $c->take(length $want);
		$c->put("mg $key t\r\n");
		is($got . line_without_ticks(), $want . $behind,
		    "$shown on a key that is $state");
	}
}

# ---- T, E and C with I and x, in all combinations --------------------------

my $serial = 0;

# Makes an item, sends the request and tells the reply and what it left.
sub
outcome
{
	my ($command, $flags, $guard, $data) = @_;
	my $key = 'combo' . ++$serial;

	$c->put("ms $key 2 T100 F5 c\r\n10\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/ or return 'no item';
	my %c = (right => " C$cas", lower => ' C' . ($cas - 1),
		higher => ' C' . ($cas + 1_000_000), none => '');
	$c->put("$command $key $flags$c{$guard}\r\n$data");
	my $reply = $c->line;

	$c->put("mg $key s f t c u\r\n");
	my $line = line_without_ticks();
	$line =~ s/ X$/ X W/ if $ours;	# see u above
	$line =~ s/ c(\d+)/' c=' . ($1 == $cas ? 'kept'
	    : $1 == 123456 ? 'E' : $1 > $cas ? 'new' : 'less')/e;
	return "$reply, $line";
}

for my $e ($new ? ('', ' E123456') : '') {
	my $set = $e ? 'E' : 'new';

	for my $t ('', ' T30', ' T0') {
		my %ttl = ('' => 100, ' T30' => 30, ' T0' => -1);
		my $stored = $ttl{$t} == 100 ? -1 : $ttl{$t};
		my $same = "HD s2 f5 t100 c=kept";

		for (
			['md', "I$t$e",
			 "HD, HD s2 f5 t$ttl{$t} c=$set X W", 'EX', ''],
			['md', "x I$t$e",
			 "HD, HD s0 f0 t$stored c=$set X W", 'EX', ''],
			['md', "I F9 x$e$t",
			 "HD, HD s0 f9 t$stored c=$set X W", 'EX', ''],
			['md', "x$t$e",
			 'HD, HD s0 f0 t' . $stored . ' c=' .
			 ($e ? 'E' : 'kept'), 'EX', ''],
			['md', "F9$e$t x",
			 'HD, HD s0 f9 t' . $stored . ' c=' .
			 ($e ? 'E' : 'kept'), 'EX', ''],
			['md', "$t$e F9", 'HD, EN', 'EX', ''],
			['ms', "3$t$e", "HD, HD s3 f0 t$stored c=$set",
			 'EX', "abc\r\n"],
			['ms', "3$t$e I F9", "HD, HD s3 f9 t$stored c=$set",
			 $ours ? 'EX' : "HD, HD s3 f9 t100 c=$set X W",
			 "abc\r\n"],
			['ms', "3 MR I$e$t", "HD, HD s3 f0 t$stored c=$set",
			 $ours ? 'EX' : "HD, HD s3 f0 t100 c=$set X W",
			 "abc\r\n"],
			['ms', "3 MA I$e$t", "HD, HD s5 f5 t100 c=$set",
			 'EX', "abc\r\n"],
		) {
			my ($command, $flags, $done, $lower, $data) = @$_;

			next if $flags =~ /x/ && !$new;
			my $refused = "EX, $same";
			is(outcome($command, $flags, 'none', $data), $done,
			    "$command $flags");
			is(outcome($command, $flags, 'right', $data), $done,
			    "$command $flags, C right");
			is(outcome($command, $flags, 'lower', $data),
			    $lower eq 'EX' ? $refused : $lower,
			    "$command $flags, C lower");
			is(outcome($command, $flags, 'higher', $data),
			    $refused, "$command $flags, C higher");
		}
	}
}

# ---- N: a missing item is made, one client wins -----------------------------

theirs $c, 'vivify: one wins, the others see that', <<'END';
> mg v1 N30 v t
< VA 0 t30 W
<
> mg v1 N30 v
< VA 0 Z
<
> mg v1 v
< VA 0 Z
<
> mg v1 k s f O1 N30
< HD kv1 s0 f0 O1 Z
> get v1
< VALUE v1 0 0
<
< END
> ms v1 3 T0
> abc
< HD
> mg v1 v t
< VA 3 t-1
< abc
> mg v1 N30 v t
< VA 3 t-1
< abc
END

theirs $c, 'vivify: t, s, f, h, l in place; the letter comes last', <<'END';
> mg v2 v k N30 t s f h l O1
< VA 0 kv2 t30 s0 f0 h0 l0 O1 W
<
> mg v3 t N30 k
< HD t-1 kv3 W
> mg v4 N0 t
< HD t-1 W
> mg v5 N30 T60 t
< HD t60 W
> mg v6 T60 t N30
< HD t60 W
> mg v6 t
< HD t30 Z
> mg v7 N-1
< HD W
> mg v7
< EN
> mg v8 N30 R60 t
< HD t30 W
> mg v8 N30 R60
< HD Z
END

theirs $c, 'vivify: E numbers the new item', <<'END' if $new;
> mg v9 N30 E4711 c
< HD c4711 W
> mg v9 c E5
< HD c4711 Z
> ms v9 1 C4711 E4712
> a
< HD
> mg v9 v c
< VA 1 c4712
< a
END

theirs $c, 'vivify: the number guards the store of the winner', <<'END';
> mg va N30
< HD W
> ms va 1 ME
> a
< NS
> add va 0 0 1
> a
< NOT_STORED
> ms va 1 C0
> a
< EX
> ms va 1 MR
> b
< HD
> mg va v
< VA 1
< b
> mg vb N30
< HD W
> delete vb
< DELETED
> ms vb 1 C5
> a
< NF
> mg vb N30
< HD W
END

# ---- N: one client gets the lease -------------------------------------------

ours $c, 'lease: one wins, the others see that', <<'END';
> mg v1 N30 v t
< VA 0 t30 W
<
> mg v1 N30 v t
< VA 0 t30 Z
<
> mg v1 v
< EN
> mg v1 k s f O1 N30
< HD kv1 s0 f0 O1 Z
> get v1
< END
> ms v1 3 T0
> abc
< HD
> mg v1 v t
< VA 3 t-1
< abc
> mg v1 N30 v t
< VA 3 t-1
< abc
END

# 60 s is the longest lease; T and R have no item to act on.
ours $c, 'lease: t, s, f, h, l in place; the letter comes last', <<'END';
> mg v2 v k N30 t s f h l O1
< VA 0 kv2 t30 s0 f0 h0 l0 O1 W
<
> mg v3 t N30 k
< HD t30 kv3 W
> mg v4 N0 t
< HD t60 W
> mg v5 N30 T60 t
< HD t30 W
> mg v6 N90 t
< HD t60 W
> mg v7 N-1 t
< HD t60 W
> mg v7
< EN
> mg v8 N30 R60 t
< HD t30 W
> mg v8 N30 R60
< HD Z
> mg v9 N30 E4711 c
< HD c* W
> mg v9 N30 c E5
< HD c0 Z
END

ours $c, 'lease: every verb finds nothing but a lease', <<'END';
> mg va N30
< HD W
> ms va 1 C0
> a
< NF
> ms va 1 C5
> a
< NF
> ms va 1 MR
> b
< NS
> append va 0 0 1
> b
< NOT_STORED
> incr va 1
< NOT_FOUND
> touch va 0
< NOT_FOUND
> gat 0 va
< END
> mg va N30
< HD Z
> add va 0 0 1
> a
< STORED
> mg va N30 v
< VA 1
< a
> mg vb N30
< HD W
> delete vb
< DELETED
> delete vb
< NOT_FOUND
> mg vb N30
< HD W
> md vb
< HD
> md vb
< NF
END

# ---- R: the item is there, but not for long --------------------------------

dialogue $c, 'recache: one wins when the TTL is below R', <<'END';
> ms r1 1 T100
> a
< HD
> mg r1 R30 v
< VA 1
< a
> mg r1 R100 t
< HD t100
> mg r1 R101 v t
< VA 1 t100 W
< a
> mg r1 R101 v
< VA 1 Z
< a
> mg r1 R30
< HD Z
> mg r1 v
< VA 1 Z
< a
> ms r1 1 T100
> b
< HD
> mg r1 v R30
< VA 1
< b
> mg r1 v R200
< VA 1 W
< b
> ms r2 1
> a
< HD
> mg r2 R30 t
< HD t-1
> mg r2 R2000000 t
< HD t-1
END

dialogue $c, 'recache: T before R changes what R sees', <<'END';
> ms r3 1 T100
> a
< HD
> mg r3 T10 R30 t
< HD t10 W
> ms r3 1 T100
> a
< HD
> mg r3 R30 T10 t
< HD t10
> mg r3 R30 T100
< HD W
> ms r3 1 T100
> a
< HD
> mg r3 T0 R200
< HD
END

# ---- I: stale, but better than nothing -------------------------------------

dialogue $c, 'stale: one wins, the next md I starts again', <<'END';
> ms w1 3
> abc
< HD
> md w1 I T30
< HD
> mg w1 v t
< VA 3 t30 X W
< abc
> mg w1 v
< VA 3 Z X
< abc
> mg w1 v O1 k
< VA 3 O1 kw1 Z X
< abc
> md w1 I T30 q
> mg w1 s v
< VA 3 s3 X W
< abc
> mg w1 q
< HD Z X
> ms w1 1 T0
> z
< HD
> mg w1 v
< VA 1
< z
END

newer $c, 'stale: only the store with the number of the winner counts', <<'END';
> ms s 1 E100
> a
< HD
> md s I E200
< HD
> mg s v
< VA 1 X W
< a
> mg s c v
< VA 1 c200 Z X
< a
> ms s 1 C100
> b
< EX
> ms s 1 C100 I E300
> c
< HD
> mg s c v
< VA 1 c300 Z X
< c
> ms s 1 C200
> d
< EX
> ms s 1 C300 E400
> e
< HD
> mg s c v
< VA 1 c400
< e
END

ours $c, 'stale: ms C I of an older number', <<'END';
> ms c 1 E20 T90 F5
> a
< HD
> ms c 1 C15 I E30 T30 F7 k
> y
< EX kc
> md c I E25
< HD
> ms c 1 C15 I E30 T30 F7 k
> y
< HD kc
> mg c v t f
< VA 1 t90 f7 X W
< y
> mg c v c
< VA 1 c30 Z X
< y
> ms c 1 C99999999 I
> y
< EX
> ms c 1 I
> q
< HD
> mg c v
< VA 1
< q
END

theirs $c, 'stale: ms C I of an older number', <<'END' if $new;
> ms c 1 E20 T90 F5
> a
< HD
> ms c 1 C15 I E30 T30 F7 k
> y
< HD kc
> mg c v c t f
< VA 1 c30 t90 f7 X W
< y
> mg c v
< VA 1 Z X
< y
> ms c 1 C99999999 I
> y
< EX
> ms c 1 I
> q
< HD
> mg c v
< VA 1
< q
END

newer $c, 'stale: numbers keep the letter, incr and ma alike', <<'END';
> set n 0 0 2
> 10
< STORED
> md n I
< HD
> ma n v
< VA 2
< 11
> mg n v
< VA 2 X W
< 11
> incr n 1
< 12
> mg n v
< VA 2 Z X
< 12
END

dialogue $c, 'stale: a missing item is not marked', <<'END';
> md none I
< NF
> md none I T30
< NF
> mg none
< EN
END

# ---- time ------------------------------------------------------------------

SKIP: {
	skip 'the reference has no clock to move, and no leases', 3
	    unless $ours;

	dialogue $c, 'items with a future', <<'END';
> mg t1 N30
< HD W
> ms t2 1 T100
> a
< HD
> md t2 I T30
< HD
> ms t3 1 T100
> a
< HD
> mg t3 R30 t
< HD t100
> ms t4 1 T100
> a
< HD
> md t4 I
< HD
> mg t4
< HD X W
END
	$srv->advance(29);
	dialogue $c, 'shortly before the end', <<'END';
> mg t1 N30 t
< HD t1 Z
> mg t2 t v
< VA 1 t1 X W
< a
> mg t3 R71 t
< HD t71
> mg t3 R72 t
< HD t71 W
# the lease of who won is over
> mg t4 t
< HD t71 X W
END
	$srv->advance(1);
	dialogue $c, 'after the end nobody holds the item, and one wins anew',
	    <<'END';
> mg t1
< EN
> mg t1 N30 t
< HD t30 W
# the value has gone, who won it may still bring a new one
> mg t2
< EN
> mg t2 N30 v
< VA 0 Z
<
> mg t3 t
< HD t70 Z
> ms t1 1 C1
> x
< NF
> flush_all
< OK
> mg t1
< EN
> mg t4 N30
< HD W
END
}

# ---- no memory -------------------------------------------------------------

# A full server that must not evict still finds what it has.
{
	my $full = Leasecached->start('-M', '-m', '8');
	my $c = $full->client;

	$c->ask("ms keep 1 T100\r\na\r\n", "HD\r\n", 'an item to keep');
	for my $size (50_000, 500, 0) {
		my $line = 'HD';

		for (my $i = 0; $line eq 'HD' && $i < 100_000; $i++) {
			$c->put("ms $size-$i $size\r\n" . 'x' x $size .
			    "\r\n");
			$line = $c->line;
		}
		is($line, 'SERVER_ERROR out of memory storing object',
		    "no room for $size bytes more");
	}
	$c->ask("mg keep N30 v\r\nmg keep R200\r\nmg keep N30 T50\r\n" .
	    "md keep I\r\nmg keep N30 v\r\nmd keep\r\n",
	    "VA 1\r\na\r\nHD W\r\nHD Z\r\nHD\r\nVA 1 X W\r\na\r\nHD\r\n",
	    'without room: N, R and I on an item that is there');
}

# ---- many clients ----------------------------------------------------------

# However many ask at once, one of them wins.
my @many = map { $srv->connect } 1 .. 20;
for my $round (1 .. 10) {
	for my $kind (
		['a missing key', "mg K N30 v\r\n", '', 'VA 0 W', 'VA 0 Z'],
		['a stale key', "mg K v\r\n", "ms K 0 q\r\n\r\nmd K I q\r\n",
		 'VA 0 X W', 'VA 0 Z X'],
		['a key near its end', "mg K R90 v\r\n",
		 "ms K 0 T60 q\r\n\r\n", 'VA 0 W', 'VA 0 Z'],
	) {
		my ($name, $request, $setup, $won, $lost) = @$kind;
		my $key = "race$round" . length $setup;
		my %got;

		s/\bK\b/$key/g for $request, $setup;
		$c->put("${setup}mn\r\n");
		$c->line;
		$_->put($request) for @many;
		for my $client (@many) {
			my $line = $client->line;

			$got{$line}++;
			$got{'no data'}++ if $client->line ne '';
		}
		is(join(', ', map { "$got{$_} x $_" } sort keys %got),
		    "1 x $won, 19 x $lost",
		    "$name, asked by 20: one wins, round $round");
	}
}

done_testing;
