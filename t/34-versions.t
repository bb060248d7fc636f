#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 34-versions.t - V: versions of the source, and floors.

use Leasecached;
use Leasecached::Lease;
use List::Util qw(shuffle);

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $seed = $ENV{LEASECACHED_SEED} // 34;
srand $seed;

my $srv = calm;

# ---- a version travels with its value ---------------------------------------

talk $srv, 'V on ms is stored, V on mg shows it', <<'END';
a> ms {k} 1 V17 T300 F5
a> a
a< HD
a> mg {k} v V s
a< VA 1 V17 s1
a< a
a> mg {k} s V k
a< HD s1 V17 k{k}
a> mg {k} v
a< VA 1
a< a
a> get {k}
a< VALUE {k} 5 1
a< a
a< END
a> gets {k}
a< VALUE {k} 5 1 {cas}
a< a
a< END
a> mg {k} c V
a< HD c{cas} V17
a> me {k}
a< ME {k} * version=17 *
END

talk $srv, 'the whole range of 64 bits', <<'END';
a> ms {k} 1 V0
a> a
a< HD
a> mg {k} V
a< HD V0
a> ms {k} 1 V18446744073709551614
a> b
a< HD
a> ms {k} 1 V9223372036854775807
a> c
a< NS V18446744073709551614
a> ms {k} 1 V18446744073709551615
a> d
a< HD
a> mg {k} V v
a< VA 1 V18446744073709551615
a< d
END

talk $srv, 'an older version is refused, the same and a newer one stored',
    <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k} 1 V16 k O3 q
a> b
a< NS k{k} O3 V17
a> mg {k} v V
a< VA 1 V17
a< a
a> ms {k} 1 V17
a> c
a< HD
a> ms {k} 1 V19 c
a> d
a< HD c{cas}
a> ms {k} 1 V18
a> e
a< NS V19
a> mg {k} v V c
a< VA 1 V19 c{cas}
a< d
END

talk $srv, 'V on mg: what is older counts as absent', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> mg {k} v V16
a< VA 1*
a< a
a> mg {k} v V17
a< VA 1*
a< a
a> mg {k} v V18
a< EN
a> mg {k} k O1 V18
a< EN k{k} O1
a> mg {k} q V18
a> mg {k} v
a< VA 1
a< a
a> ms {k1} 1
a> a
a< HD
a> mg {k1} v V1
a< EN
a> mg {k1} v V0
a< EN
a> mg {k} s c V18 n30000
a< HD s0 c{t}* W
b> mg {k} s V18 n30000
b< HD s0* Z
b> mg {k} v
b< VA 1 Z
b< a
a> ms {k} 1 C{t} V18
a> b
a< HD
b> mg {k} v V18
b< VA 1*
b< b
END

# ---- floors -----------------------------------------------------------------

talk $srv, 'md V: nothing below it is valid', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> md {k} V18
a< HD
a> mg {k} v
a< EN
a> ms {k} 1 V17
a> a
a< NS V18
a> ms {k} 1 V18
a> b
a< HD
a> mg {k} v V
a< VA 1 V18
a< b
END
talk $srv, 'md V: an equal or newer value stays, the floor is kept', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> md {k} V17
a< HD
a> md {k} V16
a< HD
a> md {k} V5 I
a< HD
a> mg {k} v V
a< VA 1 V17
a< a
END
talk $srv, 'md V: a value without a version is older than any', <<'END';
a> ms {k} 1
a> a
a< HD
a> md {k} V0
a< HD
a> mg {k} v
a< EN
a> ms {k} 1 V0
a> b
a< HD
END
talk $srv, 'md V I: what is older stays as stale', <<'END';
a> ms {k} 1 V17 T100
a> a
a< HD
a> md {k} V18 I
a< HD
b> mg {k} v V u
b< VA 1 V17 X
b< a
b> mg {k} v c
b< VA 1 c{t} X W
b< a
a> mg {k} v
a< VA 1 Z X
a< a
b> ms {k} 1 C{t} V17
b> a
b< NS V18
b> ms {k} 1 C{t} V18
b> b
b< HD
a> mg {k} v V
a< VA 1 V18
a< b
a> md {k} V18 I
a< HD
a> mg {k} v
a< VA 1
a< b
END
talk $srv, 'md V is always HD, with the flags of replies', <<'END';
a> md {k} V5
a< HD
a> md {k} V5 k O2
a< HD k{k} O2
a> md {k} V4 I k
a< HD k{k}
a> md {k} V6 q
a> ms {k} 1 V5
a> x
a< NS V6
END
talk $srv, 'md V: the highest floor counts', <<'END';
a> md {k} V10
a< HD
a> md {k} V5
a< HD
a> ms {k} 1 V9
a> x
a< NS V10
a> md {k} V12
a< HD
a> ms {k} 1 V11
a> x
a< NS V12
a> mg {k} V n30000
a< HD V12 W
END
talk $srv, 'a store with a version leaves a floor', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> delete {k}
a< DELETED
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k} 1
a> b
a< NS V17
a> mg {k} V c n30000
a< HD V17 c{t} W
a> ms {k} 1 C{t} V16
a> b
a< NS V17
a> ms {k} 1 C{t} V17
a> b
a< HD
END
talk $srv, 'what a refusal tells is the higher of floor and version', <<'END';
a> ms {k} 1 V20
a> a
a< HD
a> md {k} V15
a< HD
a> ms {k} 1 V10
a> b
a< NS V20
a> md {k} V25 I
a< HD
a> ms {k} 1 V10
a> b
a< NS V25
a> ms {k} 1 V22
a> b
a< NS V25
END

# ---- stores without a version -----------------------------------------------

my @blind = (
	["set {k} 0 0 1\na> x", 'NOT_STORED'],
	["add {k} 0 0 1\na> x", 'NOT_STORED'],
	["replace {k} 0 0 1\na> x", 'NOT_STORED'],
	["ms {k} 1\na> x", 'NS V18'],
	["ms {k} 1 O1 k\na> x", 'NS O1 k{k} V18'],
	["ms {k} 1 q\na> x", 'NS V18'],
);
for (@blind, ["ms {k} 1 ME\na> x", 'NS*'], ["ms {k} 1 MR\na> x", 'NS*']) {
	my ($request, $reply) = @$_;
	my ($name) = $request =~ /^(.*)/;

	talk $srv, "where a floor stands, and nothing else: $name", <<"END";
a> md {k} V18
a< HD
a> $request
a< $reply
a> mg {k} v
a< EN
END
}
for (@blind) {
	my ($request, $reply) = @$_;
	my ($name) = $request =~ /^(.*)/;

	talk $srv, "where a floor stands, over a value: $name", <<"END";
a> ms {k} 1 V18
a> a
a< HD
a> $request
a< $reply
a> mg {k} v V
a< VA 1 V18
a< a
END
}
talk $srv, 'cas is refused as well', <<'END';
a> ms {k} 1 V18
a> a
a< HD
a> gets {k}
a< VALUE {k} 0 1 {cas}
a< a
a< END
a> cas {k} 0 0 1 {cas}
a> b
a< NOT_STORED
a> ms {k} 1 C{cas}
a> b
a< NS V18
a> cas {k} 0 0 1 {cas+99}
a> b
a< EXISTS
a> ms {k} 1 C{cas} V19
a> b
a< HD
a> mg {k} v V
a< VA 1 V19
a< b
END
talk $srv, 'append, incr, touch are not: the value keeps its version', <<'END';
a> ms {k} 1 V18 T300
a> 1
a< HD
a> append {k} 0 0 1
a> 2
a< STORED
a> prepend {k} 0 0 1
a> 3
a< STORED
a> incr {k} 1
a< 313
a> decr {k} 3
a< 310
a> ma {k} D5 v
a< VA 3
a< 315
a> ms {k} 1 MA
a> 0
a< HD
a> touch {k} 200
a< TOUCHED
a> gat 100 {k}
a< VALUE {k} 0 4
a< 3150
a< END
a> mg {k} v V T50 t
a< VA 4 V18 t50
a< 3150
a> ms {k} 1 V17
a> x
a< NS V18
END

{
	my $lax = Leasecached->start('-o', 'lax_sets');
	for (@blind) {
		my ($request, $reply) = @$_;
		my ($name) = $request =~ /^(.*)/;
		next if $name =~ /^replace|q$/;
		my $good = $name !~ /^ms/ ? 'STORED' :
		    $reply =~ s/^NS(.*?)(?: V18)?$/HD$1/r;

		talk $lax, "lax_sets: $name", <<"END";
a> md {k} V18
a< HD
a> $request
a< $good
a> mg {k} v
a< VA 1
a< x
a> ms {k} 1 V17
a> y
a< NS V18
a> ms {k} 1 V18
a> y
a< HD
END
	}
	talk $lax, 'lax_sets: over a value, and the version is gone', <<'END';
a> ms {k} 1 V18
a> a
a< HD
a> set {k} 0 0 1
a> b
a< STORED
a> mg {k} v V18
a< EN
a> mg {k} v
a< VA 1
a< b
END
	talk $lax, 'lax_sets: such a store moves the base', <<'END';
a> md {k} V18
a< HD
a> mg {k} c n30000
a< HD c{t} W
b> set {k} 0 0 1
b> b
b< STORED
b> md {k} V19
b< HD
b> mg {k} v
b< EN
a> ms {k} 1 C{t} V19
a> c
a< NS
END
	talk $lax, 'lax_sets: a fill without a version goes by the clock', <<'END';
a> md {k} V18
a< HD
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t}
a> a
a< HD
a> delete {k}
a< DELETED
a> mg {k} c n30000
a< HD c{u} W
b> md {k} V19
b< HD
a> ms {k} 1 C{u}
a> a
a< NS
END
	sums_hold($lax, 'lax_sets');
}

# ---- MR: refresh only what is cached ----------------------------------------

talk $srv, 'MR: nothing is cached: not stored, but remembered', <<'END';
a> ms {k} 1 V17 MR
a> a
a< NS*
a> mg {k} v
a< EN
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k} 1 V17
a> c
a< HD
a> ms {k} 1 V16 MR
a> d
a< NS V17
a> ms {k} 1 V18 MR
a> e
a< HD
a> mg {k} v V
a< VA 1 V18
a< e
a> md {k} V19
a< HD
a> ms {k} 1 V19 MR
a> f
a< NS*
a> mg {k} v
a< EN
END
talk $srv, 'MR: under a lease, which is kept; the fill must be new', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1 V17 MR
b> x
b< NS*
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t} V16
a> a
a< NS V17
a> ms {k} 1 C{t} V17
a> b
a< HD
END
talk $srv, 'MR: only what is fresh and has a version is refreshed', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> md {k} I
a< HD
a> ms {k} 1 V18 MR
a> b
a< NS*
a> mg {k} v u
a< VA 1 X
a< a
a> mg {k} c
a< HD c{t} X W
a> ms {k} 1 C{t} V17
a> c
a< NS V18
a> ms {k1} 1
a> a
a< HD
a> ms {k1} 1 V18 MR
a> b
a< NS*
a> mg {k1} v
a< EN
END

# ---- flush_all, tags, eviction leave floors ---------------------------------

{
	my $f = Leasecached->start;
	talk $f, 'floors stay through flush_all', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> md {k1} V17
a< HD
a> flush_all
a< OK
a> mg {k} v
a< EN
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k1} 1 V16
a> b
a< NS V17
a> ms {k1} 1 V17
a> b
a< HD
END
	talk $f, 'and when the value has expired or its tag is dead', <<'END';
a> ms {k} 1 V17 T5
a> a
a< HD
a> ms {k1} 1 V17 At34
a> a
a< HD
a> md t34 A
a< HD
advance 7
a> mg {k} v
a< EN
a> mg {k1} v
a< EN
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k1} 1 V16
a> b
a< NS V17
END
}

# ---- order and repetition (I11) ---------------------------------------------

# However events come, and however often, the floor is the same in the end.
{
	my $c = $srv->client;
	my @events = (
		"md K V3\r\n", "md K V7\r\n", "ms K 1 V5 MR\r\nx\r\n",
		"ms K 1 V6\r\nx\r\n", "md K V4 I\r\n",
	);
	my (%floor, %value, $n);

	for my $round (1 .. 200) {
		my $k = new_key;
		my @order = shuffle((@events) x (1 + int rand 3));

		$c->put(join '', map { s/\bK\b/$k/r } @order);
		$c->line for @order;
		$c->put("ms $k 1 V0\r\nx\r\nmg $k v\r\n");
		$floor{$c->line}++;
		$value{$c->line}++;
		$n++;
	}
	is_deeply(\%floor, { 'NS V7' => 200 },
	    "I11: any order, any repetition: one floor (seed $seed)");
	is_deeply(\%value, { EN => 200 }, 'and nothing older is there');
}
{
	my $c = $srv->client;
	my @events = map { "ms K 1 V$_\r\n$_\r\n" } 1 .. 5;
	my %value;

	for my $round (1 .. 100) {
		my $k = new_key;
		$c->put(join '', map { s/\bK\b/$k/r } shuffle(@events,
		    @events));
		$c->line for @events, @events;
		$c->put("mg $k v V\r\n");
		$value{$c->line . ' ' . $c->line}++;
	}
	is_deeply(\%value, { 'VA 1 V5 5' => 100 },
	    "I11: pushes in any order: the newest remains (seed $seed)");
}

# ---- tokens and versions ----------------------------------------------------

talk $srv, 'a lease granted under a floor shows it when asked', <<'END';
a> md {k} V18
a< HD
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U
a< HD
a> mg {k} v V n30000 k
a< VA 0 V18 k{k} W
a<
b> mg {k} v V w0
b< EN
END
talk $srv, 'a store with a version over a lease answers and ends it', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v V n30000 w90000
waiters 1
c> ms {k} 1 V5
c> x
c< HD
b< VA 1 V5
b< x
a> ms {k} 1 C{t} V6
a> y
a< EX
free {k}
END

is(lease_stats($srv)->{versioned_refused} > 20, 1, 'versioned_refused');
sums_hold($srv, 'at the end');
done_testing;
