#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 37-lease-values.t - values in their grace (H), known to be absent (z), and
# refreshed early (e).

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# ---- grace ------------------------------------------------------------------

{
	my $g = Leasecached->start;
	talk $g, 'H: after its time a value is kept as stale', <<'END';
a> ms {k} 3 T10 H20 F5
a> abc
a< HD
a> mg {k} v t
a< VA 3 t10
a< abc
advance 13
a> get {k}
a< END
a> gat 100 none
a< END
a> mg {k} v
a< EN
a> mg {k} v c t s f k
a< EN k{k}
a> mg {k} v u w0
a< VA 3 X
a< abc
a> mg {k} v V u
a< VA 3* X
a< abc
b> mg {k} v c n30000
b< VA 3 c{t} X W
b< abc
a> mg {k} v n30000
a< VA 3 Z X
a< abc
a> mg {k} v w90000
a< VA 3 Z X
a< abc
a> lease-get {k}
a< LVALUE {k} 1 5 3
a< abc
a< END
a> append {k} 0 0 1
a> x
a< NOT_STORED
a> prepend {k} 0 0 1
a> x
a< NOT_STORED
a> replace {k} 0 0 1
a> x
a< NOT_STORED
a> incr {k} 1
a< NOT_FOUND
a> ma {k}
a< NF
b> ms {k} 3 C{t} T10 H20
b> def
b< HD
a> mg {k} v
a< VA 3
a< def
advance 33
a> mg {k} v u w0
a< EN
a> mg {k} v n30000
a< VA 0 W
a<
END
	talk $g, 'H: touch and T move both ends', <<'END';
a> ms {k} 1 T10 H20
a> x
a< HD
a> touch {k} 100
a< TOUCHED
a> ms {k1} 1 T10 H20
a> x
a< HD
a> mg {k1} T100
a< HD
advance 60
a> get {k}
a< VALUE {k} 0 1
a< x
a< END
a> get {k1}
a< VALUE {k1} 0 1
a< x
a< END
advance 50
a> get {k}
a< END
a> mg {k} v u w0
a< VA 1 X
a< x
a> mg {k1} v u w0
a< VA 1 X
a< x
advance 20
a> mg {k} v u w0
a< EN
a> mg {k1} v u w0
a< EN
END
	talk $g, 'H without an end of time, and H0, give no grace', <<'END';
a> ms {k} 1 H20
a> x
a< HD
a> ms {k1} 1 T10 H0
a> x
a< HD
a> ms {k2} 1 T10
a> x
a< HD
advance 12
a> mg {k} v n30000
a< VA 1
a< x
a> mg {k1} v u w0
a< EN
a> mg {k2} v u w0
a< EN
END
	talk $g, 'md I T ends the grace', <<'END';
a> ms {k} 1 T10 H100
a> x
a< HD
a> md {k} I T20
a< HD
advance 15
a> mg {k} v u t
a< VA 1 t# X
a< x
advance 7
a> mg {k} v u w0
a< EN
END
	talk $g, 'append and incr keep the grace, set drops it', <<'END';
a> ms {k} 1 T10 H100
a> 1
a< HD
a> append {k} 0 0 1
a> 0
a< STORED
a> incr {k} 1
a< 11
a> ms {k1} 1 T10 H100
a> 1
a< HD
a> set {k1} 0 10 1
a> x
a< STORED
advance 12
a> mg {k} v u w0
a< VA 2 X
a< 11
a> mg {k1} v u w0
a< EN
END
	sums_hold($g, 'grace');
}

# ---- absent -----------------------------------------------------------------

talk $srv, 'z: a miss for all who don\'t ask', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 0 C{t} z T300 F9
a>
a< HD
a> mg {k} v c f n30000
a< VA 0 c# f9 z
a<
a> mg {k} v N30
a< VA 0 z
a<
a> mg {k} w90000
a< HD z
a> mg {k} e
a< HD z
a> mg {k} V
a< HD* z
a> mg {k}
a< EN
a> mg {k} v c t s k
a< EN k{k}
a> get {k}
a< END
a> gets {k} {k}
a< END
a> gat 100 {k}
a< END
a> touch {k} 100
a< NOT_FOUND
a> incr {k} 1
a< NOT_FOUND
a> decr {k} 1
a< NOT_FOUND
a> append {k} 0 0 1
a> x
a< NOT_STORED
a> prepend {k} 0 0 1
a> x
a< NOT_STORED
a> replace {k} 0 0 1
a> x
a< NOT_STORED
a> cas {k} 0 0 1 1
a> x
a< NOT_FOUND
a> lease-get {k}
a< VALUE {k} 9 0
a<
a< END
a> mg {k} n30000
a< HD z
END
for (
	["set {k} 0 0 1\na> x", 'STORED'], ["add {k} 0 0 1\na> x", 'STORED'],
	["ms {k} 1\na> x", 'HD'], ["ms {k} 1 ME\na> x", 'HD'],
) {
	my ($request, $reply) = @$_;
	my ($name) = $request =~ /^(.*)/;
	talk $srv, "z: $name puts a value there", <<"END";
a> ms {k} 0 z
a>
a< HD
a> $request
a< $reply
a> mg {k} v n30000
a< VA 1
a< x
END
}
talk $srv, 'z: invalidated like a value', <<'END';
a> ms {k} 0 z
a>
a< HD
a> md {k}
a< *
a> mg {k} n30000
a< HD W
a> ms {k1} 0 z At37,x V5
a>
a< HD
a> md t37 A
a< HD
a> mg {k1} n30000
a< HD W
a> ms {k2} 0 z V5
a>
a< HD
a> md {k2} V6
a< HD
a> mg {k2} n30000
a< HD W
a> ms {k3} 0 z
a>
a< HD
a> delete {k3}
a< *
a> mg {k3} n30000
a< HD W
END
{
	my $z = Leasecached->start;
	talk $z, 'z: has an end', <<'END';
a> ms {k} 0 z T10
a>
a< HD
a> mg {k} n30000 t
a< HD t# z
advance 12
a> mg {k} n30000
a< HD W
stat negative_hits 1
END
}

# ---- early refresh ----------------------------------------------------------

{
	my $early = Leasecached->start;
	my $c = $early->client;
	my $tries = sub {
		my ($request, $n) = @_;
		for my $i (1 .. $n) {
			$c->put("$request\r\n");
			return $i if $c->line =~ / W$/;
		}
		return 0;
	};

	# The load takes a third of a second; 100 times that is longer than it
	# lives, so every other reader is told to refresh.
	talk $early, 'e: a value that took long to load', <<'END', k => 'slow';
mark
a> mg {k} c n30000
a< HD c{t} W
a still
a still
a still
a still
a still
a still
a> ms {k} 1 C{t} T10
a> x
a< HD
not before 250
END
	is($tries->('mg slow', 100), 0, 'without e nobody refreshes');
	my $e = $tries->('mg slow e10000', 500);
	cmp_ok($e, '>', 0, 'with e10000 somebody does');
	talk $early, 'e: one does, the others are told', <<'END', k => 'slow';
b> mg {k} v e10000
b< VA 1 Z
b< x
b> ms {k} 1 T100000
b> y
b< HD
END
	is(lease_stats($early)->{early_refreshes}, 1, 'early_refreshes');
	$c->ask("ms plain 1 T10\r\nx\r\n", "HD\r\n", 'a plain store');
	is($tries->('mg plain e10000', 300), 0,
	    'what has no load time is never early');
	talk $early, 'e: a value with no end', <<'END', k => 'ever';
a> mg {k} c n30000
a< HD c{t} W
a still
a> ms {k} 1 C{t}
a> x
a< HD
END
	is($tries->('mg ever e10000', 300), 0, 'is never early');
	talk $early, 'e: one that lives long', <<'END', k => 'long';
a> mg {k} c n30000
a< HD c{t} W
a still
a> ms {k} 1 C{t} T2000000
a> x
a< HD
END
	is($tries->('mg long e', 300), 0, 'is not early yet');
	talk $early, 'e alone does not lead on a miss', <<'END';
a> mg {k} e
a< EN
a> mg {k} e5 w90000
a< EN
a> mg {k} e n30000
a< HD W
END
	sums_hold($early, 'early refresh');
}

sums_hold($srv, 'at the end');
done_testing;
