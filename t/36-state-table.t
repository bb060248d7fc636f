#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 36-state-table.t - what every event does in every state of a key.
#
# The states, and the columns of the table below:
#
#	A	nothing		L	a lease		LW	and a waiter w
#	F	fresh		FL	and a lease
#	I	stale, md I	IL	and a lease
#	G	in its grace	GL	and a lease
#
# Each also comes with a tombstone, floor 10: AT, LT and so on; its value then
# has version 10.  Values are "a".  Client h has a token {t} that is good, also
# where its lease has ended; with L it is that of the lease.  Values have the
# tag {ktag}.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

my %value = map { $_ => 1 } qw(F FL I IL G GL);
my %shown = (LW => 'L', I => 'S', IL => 'SL', G => 'S', GL => 'SL');

# The steps that bring a key into a state.
sub
setup
{
	my ($state, $tombstone) = @_;
	my @steps = $tombstone ? ('h> md {k} V10 T3600', 'h< HD') : ();
	my $version = $tombstone ? ' V10' : '';
	my $time = $state =~ /^G/ ? 'T1 H1000' : 'T100';

	push @steps, "h> ms {k} 1 $time A{ktag}$version", 'h> a', 'h< HD'
	    if $value{$state};
	push @steps, 'h> md {k} I', 'h< HD' if $state =~ /^I/;
	push @steps, 'advance 3' if $state =~ /^G/;
	push @steps, 'h> mg {k} c n50000 R200',
	    'h< HD c{t} ' . ($state =~ /^[IG]/ ? 'X W' : 'W');
	push @steps, 'h> md {k} C{t} U', 'h< HD' unless $state =~ /L/;
	push @steps, 'w> mg {k} v n30000 w90000', 'waiters 1'
	    if $state =~ /W/;
	return @steps;
}

# Some steps have names.
my %macro = (
	# Tokens from before are dead.
	clk => ['h> ms {k} 1 C{t}', 'h> z', 'h< NS'],
	clkT => ['h> ms {k} 1 C{t} V99', 'h> z', 'h< NS'],
	# The waiter is handed the lease, has the value, or goes.
	hand => ['w< VA 0 W', 'w<'],
	served => ['w< VA 1', 'w< b', 'waiters 0'],
	leaves => ['w still', 'w close', 'waiters 0'],
);

# One cell: reply steps, an arrow, the state after it (= is the same), its value
# if it is not "a", and the floor if it is not 10.
sub
cell
{
	my ($event, $column, $send, $expect) = @_;
	my ($state, $tombstone) = $column =~ /^(\w+?)(T?)$/;
	my ($reply, $after) = $expect =~ /^(.*?)\s*->\s*(.*)$/ or
	    die "$event, $column: $expect\n";
	my ($end, $value, $floor);

	for my $word (split ' ', $after) {
		if ($word =~ /^V(\d+)$/) {
			$floor = $1;
		} elsif ($word =~ /^[A-Z=]+$/) {
			$end = $word eq '=' ? $shown{$state} // $state : $word;
		} else {
			$value = $word;
		}
	}
	$floor //= 10 if $tombstone;
	$value //= $end =~ /[FS]/ ? 'a' : '';
	my @steps = map {
		my $words = $macro{"$_$tombstone"} // $macro{$_};
		$words ? @$words : $_;
	} split m{ / }, $reply;
	talk $srv, "$event: $column", join "\n", setup($state, $tombstone),
	    @$send, @steps, "state {k} $end" . ($value ne '' ? " $value" : ''),
	    defined $floor ? ('f> ms {k} 1 V0', 'f> z', "f< NS V$floor") : ();
}

# An event is its name, what is sent, and cells.  Without a cell of its own a
# column with T is like the one without; "no T" leaves it out.
my ($event, @send, %cell, $no_t);
sub
play
{
	return unless defined $event;
	for my $state (qw(A L LW F FL I IL G GL)) {
		cell($event, $state, \@send, $cell{$state})
		    if defined $cell{$state};
		my $with = $cell{"${state}T"} // ($no_t ? undef :
		    $cell{$state});
		cell($event, "${state}T", \@send, $with) if defined $with;
	}
	undef $event;
	@send = ();
	%cell = ();
	$no_t = 0;
}

while (my $line = <DATA>) {
	chomp $line;
	if ($line =~ /^==\s*(.*)$/) {
		my $next = $1;
		play();
		$event = $next;
	} elsif ($line eq 'no T') {
		$no_t = 1;
	} elsif ($line =~ /^((?:[A-Z]+ ?)+):\s*(.*)$/) {
		my $expect = $2;
		$cell{$_} = $expect for split ' ', $1;
	} elsif ($line =~ /\S/ && $line !~ /^#/) {
		push @send, $line;
	}
}
play();

# ---- what does not fit a table of one server --------------------------------

# The end of a tombstone moves the key clock.
talk $srv, 'exptime: the record\'s end: A', <<'END';
h> md {k} V10 T5
h< HD
h> mg {k} c n50000
h< HD c{t} W
h> md {k} C{t} U
h< HD
advance 8
h> ms {k} 1 C{t} V10
h> z
h< NS
state {k} A
END
talk $srv, 'exptime: the record\'s end: L, F', <<'END';
h> md {k} V10 T5
h< HD
h> mg {k} c n50000
h< HD c{t} W
h> ms {k1} 1 V10
h> a
h< HD
h> md {k1} V10 T5
h< HD
advance 70
state {k1} F a
f> set {k1} 0 0 1
f> b
f< STORED
state {k1} F b
END

# Eviction: values go, leases stay, the clock remembers.
{
	my $small = calm('-m', '8');
	my $c = $small->client;
	my (%token, %after);
	my %setup = (
		F => "ms K 1\r\na\r\nmg K q\r\n",
		FL => "ms K 1 T900\r\na\r\n",
		S => "ms K 1 T900\r\na\r\nmd K I q\r\n",
		SL => "ms K 1 T900\r\na\r\nmd K I q\r\n",
	);
	my %lines = (F => 2, FL => 1, S => 1, SL => 1);
	for my $state (qw(F FL S SL)) {
		for my $k (map { "$state$_" } 1 .. 25) {
			$c->put($setup{$state} =~ s/K/$k/gr);
			$c->line for 1 .. $lines{$state};
			next unless $state =~ /L/;
			$c->put("mg $k c n60000 R1000\r\n");
			$token{$k} = $1 if ($c->line // '') =~ / c(\d+) .*W/;
		}
	}
	is(scalar keys %token, 50, 'eviction: 50 leases');
	my $big = 'x' x 10_000;
	$c->put("set flood$_ 0 0 10000 noreply\r\n$big\r\n") for 1 .. 3000;
	$c->silent;
	my %wanted = (F => 'A', FL => 'L', S => 'A', SL => 'L');
	for my $state (qw(F FL S SL)) {
		for my $k (map { "$state$_" } 1 .. 25) {
			my $is = state_of($c, $k);
			$after{$state}{$is eq $state ? 'kept' : $is}++;
			next unless $is eq 'L' && $token{$k};
			$c->put("ms $k 1 C$token{$k}\r\nb\r\n");
			$after{"$state, filled"}{$c->line}++;
		}
		my $kept = delete $after{$state}{kept} // 0;
		is(join(' ', keys %{ $after{$state} }), $wanted{$state},
		    "eviction: $state, $kept kept: else $wanted{$state}");
	}
	# A key whose clock is that of one of the others is refused.
	for my $state (qw(FL SL)) {
		my $said = $after{"$state, filled"} // {};
		cmp_ok($said->{HD} // 0, '>', 3 * ($said->{NS} // 0),
		    "eviction: the lease of $state may fill");
	}
}

# A lease table that is full: W without a record, counted.
{
	my $full = Leasecached->start('-o', 'leases=2');
	talk $full, 'lease table full', <<'END';
a> ms {k3} 1
a> x
a< HD
a> md {k3} I
a< HD
a> mg {k1} c n30000
a< HD c{t} W
a> mg {k2} c n30000
a< HD c{u} W
b> mg {k1} n30000
b< HD Z
b> mg {k4} c n30000
b< HD c{v} W
c> mg {k4} c n30000
c< HD c{w} W
stat lease_unrecorded 2
stat lease_live 2
b> mg {k3} v c n30000
b< VA 1 c{x} X W
b< x
c> mg {k3} v n30000
c< VA 1 X W
c< x
# Tokens are right all the same.
b> ms {k4} 1 C{v}
b> y
b< HD
c> ms {k4} 1 C{w}
c> z
c< EX
b> ms {k3} 1 C{x}
b> y
b< HD
b> mg {k4} v n30000
b< VA 1
b< y
a> ms {k1} 1 C{t}
a> y
a< HD
b> mg {k5} n30000
b< HD W
c> mg {k5} n30000
c< HD Z
END
	sums_hold($full, 'lease table full');
}

sums_hold($srv, 'after all events');
done_testing;

__DATA__
== plain get
e> get {k}
A L: e< END -> =
LW: e< END / leaves -> =
F FL I IL: e< VALUE {k} 0 1 / e< a / e< END -> =
G GL: e< END -> =

== plain gets
e> gets {k}
A L: e< END -> =
F FL I IL: e< VALUE {k} 0 1 # / e< a / e< END -> =
G GL: e< END -> =

== mg without a flag of leases
e> mg {k} v
A L G GL: e< EN -> =
LW: e< EN / leaves -> =
F: e< VA 1 / e< a -> =
FL: e< VA 1 Z / e< a -> =
I: e< VA 1 X W / e< a -> SL
IL: e< VA 1 Z X / e< a -> =

== mg u with a look at everything
e> mg {k} v u V w0
no T
A L: e< EN -> =
F: e< VA 1* / e< a -> =
FL: e< VA 1* Z / e< a -> =
I G: e< VA 1* X / e< a -> =
IL GL: e< VA 1* Z X / e< a -> =
FT: e< VA 1 V10 / e< a -> =
FLT: e< VA 1 V10 Z / e< a -> =
IT GT: e< VA 1 V10 X / e< a -> =
ILT GLT: e< VA 1 V10 Z X / e< a -> =

== lease get, no w
e> mg {k} v c n30000
A: e< VA 0 c# W / e< -> L
L: e< VA 0 c0 Z / e< -> =
LW: e< VA 0 c0 Z / e< / leaves -> =
F: e< VA 1 c# / e< a -> =
FL: e< VA 1 c# Z / e< a -> =
I G: e< VA 1 c# X W / e< a -> SL
IL GL: e< VA 1 c# Z X / e< a -> =

== lease get, no w, V
e> mg {k} v V n30000
no T
AT: e< VA 0 V10 W / e< -> L
LT: e< VA 0* Z / e< -> =
FT: e< VA 1 V10 / e< a -> =
FLT: e< VA 1 V10 Z / e< a -> =
IT GT: e< VA 1 V10 X W / e< a -> SL
ILT GLT: e< VA 1 V10 Z X / e< a -> =

== lease get, no w, R
e> mg {k} v c R200 n30000
F: e< VA 1 c# W / e< a -> FL
FL: e< VA 1 c# Z / e< a -> =

== lease get, w
e> mg {k} v n30000 w90000
A: e< VA 0 W / e< -> L
L: waiters 1 / e still / e close / waiters 0 -> =
LW: waiters 2 / h> md {k} / h< HD / hand / e still / e close / waiters 0 -> =
F: e< VA 1 / e< a -> =
FL: e< VA 1 Z / e< a -> =
I G: e< VA 1 X W / e< a -> SL
IL GL: e< VA 1 Z X / e< a -> =

== lease-get
e> lease-get {k}
A: e< LVALUE {k} {u} 0 0 / e< / e< END -> L
L: e< LVALUE {k} 1 0 0 / e< / e< END -> =
F FL: e< VALUE {k} 0 1 / e< a / e< END -> =
I G: e< LVALUE {k} {u} 0 1 / e< a / e< END -> SL
IL GL: e< LVALUE {k} 1 0 1 / e< a / e< END -> =

== fill accepted
h> ms {k} 1 C{t}
h> b
no T
A L F FL I IL G GL: h< HD -> F b
LW: h< HD / served -> F b

== fill accepted, with a version
h> ms {k} 1 C{t} V12
h> b
A L F FL I IL G GL: h< HD -> F b V12
LW: h< HD / served -> F b V12

== fill refused: no token
h> ms {k} 1 C{t+1}
h> b
A L G GL: h< NF -> =
LW: h< NF / leaves -> =
F FL I IL: h< EX -> =

== fill refused: its tag
e> md {ktag} A
e< HD
h> ms {k} 1 C{t} V10 A{ktag}
h> b
A: h< NS -> =
L: h< NS -> A
LW: h< NS / hand -> L
F I G: h< * -> A
FL IL GL: h< * -> A

== fill refused: another tag
e> md dead A
e< HD
h> ms {k} 1 C{t} V10 Adead
h> b
A: h< NS -> =
L: h< NS -> A
LW: h< NS / hand -> L
F: h< NS -> =
FL: h< NS -> F
I G: h< NS -> =
IL GL: h< NS -> S

== fill refused: the floor
h> ms {k} 1 C{t} V9
h> b
no T
AT: h< NS V10 -> =
LT: h< NS V10 -> A
LWT: h< NS V10 / hand -> L
FT: h< EX -> =
FLT: h< EX -> F
IT GT: h< NS V10 -> =
ILT GLT: h< NS V10 -> S

== fill refused: no version where a floor stands
h> ms {k} 1 C{t}
h> b
no T
AT: h< NS V10 -> =
LT: h< NS V10 -> A
LWT: h< NS V10 / hand -> L
FT: h< NS V10 -> =
FLT: h< NS V10 -> F
IT GT: h< NS V10 -> =
ILT GLT: h< NS V10 -> S

== fill refused: another has stored
e> ms {k} 1 V10
e> b
e< HD
h> ms {k} 1 C{t} V10
h> c
A L F FL I IL G GL: h< EX -> F b V10
LW: served / h< EX -> F b V10

== a fill that is expired on arrival
h> ms {k} 1 C{t} T-1
h> b
no T
A L F FL I IL G GL: h< HD / clk -> A
LW: h< HD / w< VA 0 Z / w< / waiters 0 / clk -> A

== a fill that is expired on arrival, with a version
h> ms {k} 1 C{t} T-1 V10
h> b
no T
AT LT FT FLT IT ILT GT GLT: h< HD -> A
LWT: h< HD / w< VA 0 Z / w< / waiters 0 -> A

== set
e> set {k} 0 0 1
e> b
A L F FL I IL G GL: e< STORED -> F b
LW: e< STORED / served -> F b
AT LT FT FLT IT ILT GT GLT: e< NOT_STORED -> =
LWT: e< NOT_STORED / leaves -> =

== ms
e> ms {k} 1
e> b
A L F FL I IL G GL: e< HD -> F b
LW: e< HD / served -> F b
AT LT FT FLT IT ILT GT GLT: e< NS V10 -> =
LWT: e< NS V10 / leaves -> =

== replace
e> replace {k} 0 0 1
e> b
A L G GL: e< NOT_STORED -> =
LW: e< NOT_STORED / leaves -> =
F FL I IL: e< STORED -> F b
FT FLT IT ILT: e< NOT_STORED -> =

== cas that misses
e> cas {k} 0 0 1 99999999
e> b
no T
A L G GL: e< NOT_FOUND -> =
LW: e< NOT_FOUND / leaves -> =
F FL I IL: e< EXISTS -> =

== cas that stores
e> gets {k}
e< VALUE {k} 0 1 {cas}
e< a
e< END
e> cas {k} 0 0 1 {cas}
e> b
F FL I IL: e< STORED -> F b
FT FLT IT ILT: e< NOT_STORED -> =

== add
e> add {k} 0 0 1
e> b
A L: e< STORED -> F b
LW: e< STORED / served -> F b
F FL I IL: e< NOT_STORED -> =
G GL: e< STORED -> F b
AT LT FT FLT IT ILT GT GLT: e< NOT_STORED -> =
LWT: e< NOT_STORED / leaves -> =

== a store that is expired on arrival
e> set {k} 0 -1 1
e> b
no T
A L F FL I IL G GL: e< STORED / clk -> A
LW: e< STORED / hand / clk -> L

== versioned set, new enough
e> ms {k} 1 V11
e> b
A L F FL I IL G GL: e< HD -> F b V11
LW: e< HD / served -> F b V11

== versioned set, the same version
e> ms {k} 1 V10
e> b
A L F FL I IL G GL: e< HD -> F b V10
LW: e< HD / served -> F b V10

== versioned set, too old
e> ms {k} 1 V9
e> b
no T
AT LT FT FLT IT ILT GT GLT: e< NS V10 -> =
LWT: e< NS V10 / leaves -> =

== ms V MR
e> ms {k} 1 V12 MR
e> b
A L: e< NS* -> = V12
LW: e< NS* / leaves -> = V12
F: e< NS* -> A V12
FL: e< NS* -> L V12
I IL: e< NS* -> = V12
FT FLT: e< HD -> F b V12

== ms V MR and a fill of that version
e> ms {k} 1 V12 MR
e> b
e< NS*
h> ms {k} 1 C{t} V12
h> c
A L: h< HD -> F c V12

== ms V MR and a fill without a version
e> ms {k} 1 V12 MR
e> b
e< NS*
h> ms {k} 1 C{t}
h> c
A L: h< NS V12 -> A V12

== delete
e> delete {k}
A: e< NOT_FOUND / clk -> A
L F FL I IL: e< DELETED / clk -> A
LW: e< DELETED / hand / clk -> L
G GL: e< * / clk -> A

== md
e> md {k}
A: e< NF / clk -> A
L F FL I IL: e< HD / clk -> A
LW: e< HD / hand / clk -> L
G GL: e< * / clk -> A

== md I
e> md {k} I
A: e< NF / clk -> A
L: e< HD / clk -> A
LW: e< HD / hand / clk -> L
F FL I IL: e< HD / clk -> S

== md I gives a new CAS number
e> mg {k} c u w0
e< HD c{old}*
e> md {k} I
e< HD
F: e> mg {k} c u / e< HD c{new} X / e> ms {k} 1 C{old} V10 / e> b / e< EX -> S
FL: e> mg {k} c u / e< HD c{new} X / e> ms {k} 1 C{old} V10 / e> b / e< EX -> S

== md V
e> md {k} V5
A I G: e< HD -> A V5
L IL GL: e< HD -> L V5
LW: e< HD / leaves -> L V5
F: e< HD -> A V5
FL: e< HD -> L V5
AT LT FT FLT IT ILT GT GLT: e< HD -> =
LWT: e< HD / leaves -> =

== md V, the same version
e> md {k} V10
no T
AT LT FT FLT IT ILT GT GLT: e< HD -> =
LWT: e< HD / leaves -> =

== md V, a newer version
e> md {k} V12
A F I G: e< HD -> A V12
L FL IL GL: e< HD -> L V12
LW: e< HD / leaves -> L V12

== md V and a fill of that version
e> md {k} V12
e< HD
h> ms {k} 1 C{t} V12
h> b
A L F FL I IL G GL: h< HD -> F b V12
LW: h< HD / served -> F b V12

== md V I
e> md {k} V12 I
A: e< HD -> A V12
L: e< HD -> L V12
LW: e< HD / leaves -> L V12
F I: e< HD -> S V12
FL IL: e< HD -> SL V12

== md V I, the same version
e> md {k} V10 I
no T
AT LT FT FLT IT ILT GT GLT: e< HD -> =
LWT: e< HD / leaves -> =

== tag
e> md {ktag} A
A L: e< HD -> =
LW: e< HD / leaves -> =
F I G: e< HD -> A
FL IL GL: e< HD -> L

== exptime
e> touch {k} 1
e< TOUCHED
advance 3
F I: e> get {k} / e< END -> A
FL IL: e> get {k} / e< END -> L

== exptime and grace
h> ms {k} 1 V10 T100 H1000
h> a
h< HD
h> mg {k} c R200 n50000
h< HD c{u} W
e> touch {k} 1
e< TOUCHED
advance 3
F FL: e> get {k} / e< END -> SL V10
A L: h> md {k} C{u} U / h< HD -> S a V10

== the grace is over
h> ms {k} 1 V10 T1 H2
h> a
h< HD
advance 5
A L F FL I IL G GL: e> mg {k} w0 u / e< EN -> A V10

== lease ends: U
h> md {k} C{t} U
L: h< HD -> A
LW: h< HD / hand -> L
FL: h< HD -> F
IL GL: h< HD -> S

== lease ends: lease-set
e> lease-set {k} {t} 0 -1 0
e>
L: e< STORED -> A
LW: e< STORED / hand -> L
FL: e< STORED -> F
IL GL: e< STORED -> S
A F I G: e< NOT_STORED -> =

== lease ends: disconnect
h close
L: free {k} -> A
LW: hand -> L
FL: free {k} -> F
IL GL: free {k} -> S

== lease ends: time
h> mg {k} C{t} n20
h< HD W
L: free {k} -> A
LW: hand -> L
FL: free {k} -> F
IL GL: free {k} -> S

== renewal
h> mg {k} C{t} n30000
L FL IL GL: h< HD W -> =
LW: h< HD W / leaves -> =
A: h< EN -> =
F: h< HD -> =
G: h< EN -> =

== back-off
h> md {k} C{t} U d50000
h< HD
L: e> mg {k} v c n30000 / e< VA 0 c0 d# Z / e< / e> get {k} / e< END -> B
LW: w< VA 0 d# Z / w< / waiters 0 / e> mg {k} w90000 n30000 / e< HD d# Z -> B
FL: e> mg {k} v n30000 / e< VA 1 / e< a -> F
IL GL: e> mg {k} v n30000 / e< VA 1 d# Z X / e< a -> SL

== back-off, and a store
h> md {k} C{t} U d50000
h< HD
e> ms {k} 1 V10
e> b
L FL IL GL: e< HD / e> delete {k} / e< DELETED / e> mg {k} n30000 / e< HD W -> L

== back-off is over
h> md {k} C{t} U d20
h< HD
L: e~ mg {k} n30000 / e< HD W -> L
IL GL: e~ mg {k} n30000 / e< HD X W -> SL

== waiter: its time is over
e> mg {k} v n30000 w30
L: e< VA 0 Z / e< -> =
LW: e< VA 0 Z / e< / leaves -> =

== waiter: its time is over, no n
e> mg {k} v w30
L: e< EN -> =
LW: e< EN / leaves -> =

== flush_all
e> flush_all
A L F FL I IL G GL: e< OK / clk -> A
LW: e< OK / hand / clk -> L
AT LT FT FLT IT ILT GT GLT: e< OK / clkT -> A
LWT: e< OK / hand / clkT -> L

== stored as absent
h> ms {k} 0 C{t} z V10
h>
A L F FL I IL G GL: h< HD -> N V10
LW: h< HD / w< VA 0 z / w< -> N V10
