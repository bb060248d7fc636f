#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 31-lease-flags.t - the flags of leases on mg, ms and md: what is answered, in
# which order, and what is refused.  Nobody waits here.

use Leasecached;
use Leasecached::Lease;
use Leasecached::Proc ();
use MIME::Base64 qw(encode_base64);

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;
my $c = $srv->client;

# ---- who may fill, and what is answered -------------------------------------

{
	my $v = talk $srv, 'a miss with n is won once', <<'END';
a> mg {k} v c n30000
a< VA 0 c{t} W
a<
b> mg {k} v c n30000
b< VA 0 c0 Z
b<
b> mg {k} v c N30
b< VA 0 c0 Z
b<
a> mg {k} c n30000
a< HD c0 Z
b> mg {k} v c
b< EN
a> ms {k} 3 C{t}
a> abc
a< HD
b> mg {k} v c n30000
b< VA 3 c{cas}
b< abc
END
	cmp_ok($v->{t} // 0, '>', FIRST_TOKEN, 'a token is above 2^61');
	cmp_ok($v->{t} // 0, '<', 1 << 62, 'and below 2^62');
	cmp_ok($v->{cas} // FIRST_TOKEN, '<', 1 << 53,
	    'a CAS number is exact in a double');
	is((($v->{t} // 0) - FIRST_TOKEN >> 18) < ($v->{cas} // 0), 1,
	    'both come of one counter: the store has a higher number');

	my $w = talk $srv, 'N is the same in seconds', <<'END';
a> mg {k} v c N30
a< VA 0 c{t} W
a<
b> mg {k} v c n30000
b< VA 0 c0 Z
b<
a> ms {k} 3 C{t}
a> abc
a< HD
b> mg {k} v
b< VA 3
b< abc
END
	cmp_ok($w->{t} // 0, '>', $v->{t} // 0, 'tokens rise');
}

talk $srv, 'a miss that is won: flags in the order of the request', <<'END';
a> mg {k} v k O7 t s f h l c n30000
a< VA 0 k{k} O7 t# s0 f0 h0 l0 c# W
a<
a> mg {k} n30000 c l h f s O7 k v
a< VA 0 c0 l0 h0 f0 s0 O7 k{k} Z
a<
a> mg {kb} s O9 n30000 k c q
a< HD s0 O9 k{kb} c# W
a> mg {kb} O9 k
a< EN O9 k{kb}
a> md {kc} V18
a< HD
a> mg {kc} c V k n30000
a< HD c# V18 k{kc} W
END

talk $srv, 'a stale value: its flags, c is the token of the winner', <<'END';
a> ms {k} 3 F7 T100
a> abc
a< HD
a> md {k} I T50
a< HD
a> mg {k} u v s
a< VA 3 s3 X
a< abc
a> mg {k} v s f c k n30000
a< VA 3 s3 f7 c{t} k{k} X W
a< abc
b> mg {k} v c n30000
b< VA 3 c{cas} Z X
b< abc
a> ms {k} 3 C{t}
a> def
a< HD
b> mg {k} v
b< VA 3
b< def
END

talk $srv, 'q hides only EN', <<'END';
a> mg {k} q
a> mg {k} q v w0
a> mg {k} q n30000
a< HD W
a> mg {k} q n30000
a< HD Z
a> ms {k} 1 q
a> x
a> mg {k} q
a< HD
a> md {k} I q
a> mg {k} q
a< HD X W
a> mg {k} q
a< HD Z X
END

talk $srv, 'a miss with w alone is EN, with k, O and b', <<'END';
a> mg {k} w0
a< EN
a> mg {k} k O1 w0
a< EN k{k} O1
a> mg {k} k O1 w200000
a< EN k{k} O1
a> mg _ w0
a< EN
END

# ---- which mg takes a lease -------------------------------------------------

talk $srv, 'without N, n, R and e a miss takes no lease', <<'END';
a> mg {k}
a< EN
a> mg {k} v c w0 V
a< EN
a> mg {k} V5
a< EN
b> mg {k} n30000
b< HD W
END

talk $srv, 'an md I value: one without u', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> md {k} I
a< HD
a> mg {k} u
a< HD X
a> mg {k} u v
a< VA 1 X
a< x
b> mg {k}
b< HD X W
a> mg {k} u
a< HD Z X
a> mg {k}
a< HD Z X
END

talk $srv, 'R: one when the time left is below', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> mg {k} R30 c n30000
a< HD c{cas}
a> mg {k} R200 v c
a< VA 1 c{t} W
a< x
b> mg {k} R200 v c
b< VA 1 c{cas} Z
b< x
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t} T100
a> y
a< HD
b> mg {k} v R30
b< VA 1
b< y
END

talk $srv, 'R: a win lapses, and another can win', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> mg {k} R200 n30
a< HD W
b~ mg {k} R200 n30000
b< HD W
a> mg {k} R200 n30000
a< HD Z
END

# How long: [flag, seconds left at the most]
for (
	['n1', 1], ['n1500', 2], ['n30000', 30], ['n60000', 60],
	['n60001', 60], ['n2147483647', 60],
	['N1', 1], ['N30', 30], ['N60', 60], ['N61', 60], ['N2592000', 60],
	['N2592001', 60], ['N0', 60], ['N-1', 60], ['N-2592001', 60],
) {
	my ($flag, $most) = @$_;
	my $v = talk $srv, "$flag: t is what is left", <<"END";
a> mg {k} $flag t
a< HD t{left} W
END
	cmp_ok($v->{left} // 99, '<=', $most, "$flag: at most $most s");
	next if $most < 30;
	cmp_ok($v->{left} // 0, '>', $most - 25, "$flag: and not much less");
}
{
	my $v = { map { $_ => new_key } qw(k l) };
	my $a = $srv->connect;
	$a->ask("mg $v->{k} n60000\r\nms $v->{l} 1\r\nx\r\nmd $v->{l} I\r\n" .
	    "mg $v->{l}\r\n", "HD W\r\nHD\r\nHD\r\nHD X W\r\n",
	    'a lease with n, one without');
	my $lease = lease_of($srv, $v->{k}) // {};
	cmp_ok($lease->{left_ms} // 0, '>', 20000, 'stats leases: left_ms');
	cmp_ok($lease->{left_ms} // 1e9, '<=', 60000, 'and not too much');
	cmp_ok($lease->{age_ms} // 1e9, '<', 60000, 'age_ms');
	is($lease->{waiters}, 0, 'waiters');
	like($lease->{holder} // '', qr/^\d+$/, 'holder');
	is($lease->{state}, 'live', 'state');
	cmp_ok((lease_of($srv, $v->{l}) // {})->{left_ms} // 1e9, '<=', 10000,
	    'lease_default is 10 s');
	$a->close;
}

{
	my $short = Leasecached->start('-o',
	    'lease_default=100,lease_max=200,token_max=60');

	talk $short, 'lease_default is for those who say nothing', <<'END';
a> ms {k} 1
a> x
a< HD
a> md {k} I
a< HD
mark
a> mg {k}
a< HD X W
b~ mg {k}
b< HD X W
not before 90
not in 9000
END
	talk $short, 'lease_max is for those who say too much', <<'END';
mark
a> mg {k} n30000 t
a< HD t# W
b~ mg {k} n30000
b< HD W
not before 190
not in 20000
a> mg {kb} N30
a< HD W
b~ mg {kb} N0
b< HD W
END
	talk $short, 'n is for those who know', <<'END';
mark
a> mg {k} n150
a< HD W
b~ mg {k} n150
b< HD W
not before 140
END
	sums_hold($short, 'short leases');
	my $longer = Leasecached->start('-o',
	    'lease_default=100,lease_max=1500');
	talk $longer, 'renewed again and again, a lease ends at lease_max',
	    <<'END';
mark
a> mg {k} c n1500
a< HD c{t} W
a> mg {k} C{t} n1500
a< HD W
a~ mg {k} C{t} n1500
a< EN
not before 1490
b> mg {k} n200
b< HD W
END
}

# ---- C on ms ----------------------------------------------------------------

talk $srv, 'C (a): the CAS number of the value, as in memcached', <<'END';
a> ms {k} 1 c
a> a
a< HD c{cas}
a> ms {k} 1 C{cas+1000000}
a> b
a< EX
a> ms {k} 1 C{cas}
a> c
a< HD
a> mg {k} v
a< VA 1
a< c
a> ms {k} 1 E2305843009213693999
a> d
a< HD
a> ms {k} 1 C2305843009213693999
a> e
a< HD
a> mg {k} v
a< VA 1
a< e
END

talk $srv, 'C (b): a token, from any connection', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1 C{t}
b> b
b< HD
a> mg {k} v n30000
a< VA 1
a< b
END

talk $srv, 'C (c): no token of this key: EX or NF', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1 C5
b> x
b< NF
b> ms {k} 1 C{t+1}
b> x
b< NF
b> ms {k} 1 C{t-1}
b> x
b< NF
b> ms {k} 1 C{t+262144}
b> x
b< NF
b> ms {kb} 1 C{t}
b> x
b< NF
b> ms {kb} 1
b> y
b< HD
b> ms {kb} 1 C{t}
b> x
b< EX
b> mg {kb} v
b< VA 1
b< y
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
END

talk $srv, 'M is looked at before C', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1
b> b
b< HD
a> ms {k} 1 C{t} ME
a> a
a< NS
a> ms {k} 1 C{t}
a> a
a< EX
a> ms {kb} 1 C5 MR
a> a
a< NF
a> mg {kc} c n30000
a< HD c{u} W
a> ms {kc} 1 C{u} MR
a> c
a< NS
a> ms {kc} 1 C{u} ME
a> c
a< HD
a> mg {kc} v
a< VA 1
a< c
END

talk $srv, 'C and I never put an older value over a newer, fresh one', <<'END';
a> ms {k} 1 c
a> a
a< HD c{old}
a> ms {k} 1
a> b
a< HD
a> ms {k} 1 C{old} I
a> c
a< EX
a> mg {k} v
a< VA 1
a< b
a> mg {kb} c n30000
a< HD c{t} W
b> set {kb} 0 0 1
b> b
b< STORED
a> ms {kb} 1 C{t} I
a> a
a< EX
a> mg {kb} v
a< VA 1
a< b
END

talk $srv, 'the replies of a fill can have flags', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 O8 k C{t} c
a> x
a< HD O8 k{k} c{cas}
a> mg {k} c
a< HD c{cas}
END

# ---- renewal ----------------------------------------------------------------

{
	my $a = $srv->connect;
	my $k = new_key;

	$a->put("mg $k c n20000\r\n");
	my ($t) = ($a->line // '') =~ /c(\d+)/;
	$t //= 0;
	$a->ask("mg $k C$t n50000\r\n", "HD W\r\n", 'renewal');
	cmp_ok((lease_of($srv, $k) // {})->{left_ms} // 0, '>', 30000,
	    'moves the deadline');
	$srv->connect->ask("mg $k C$t N40\r\n", "HD W\r\n",
	    'N renews as well, and from another connection');
	$a->ask("ms $k 1 C$t\r\nx\r\n", "HD\r\n", 'the token is the same');
	$a->close;
}
talk $srv, 'renewal of a lease that has gone is an ordinary mg', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U
a< HD
a> mg {k} C{t} n30000 w5000
a< EN
a> mg {k} v c k C{t} n30000
a< EN k{k}
b> mg {k} n30000
b< HD W
a> mg {k} C{t} n30000
a< EN
b> ms {k} 1
b> x
b< HD
a> mg {k} v C{t} n30000
a< VA 1
a< x
b> delete {k}
b< DELETED
a> mg {k} C{t} n30000
a< EN
END

# ---- giving up --------------------------------------------------------------

talk $srv, 'md with C and U gives the lease up, md with C as well', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U
a< HD
b> mg {k} c n30000
b< HD c{u} W
b> md {k} C{u}
b< HD
a> mg {k} n30000
a< HD W
END
talk $srv, 'U of a value\'s lease leaves the value', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> mg {k} R200 c
a< HD c{t} W
b> mg {k}
b< HD Z
a> md {k} C{t} U
a< HD
b> mg {k} v
b< VA 1
b< x
b> md {k} I
b< HD
a> mg {k} c
a< HD c{u} X W
a> md {k} C{u} U
a< HD
b> mg {k} v
b< VA 1 X W
b< x
END
talk $srv, 'U with a token that has no lease changes nothing', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U
a< HD
b> mg {k} n30000
b< HD W
a> md {k} C{t} U
a< *
a> md {k} C{t-1} U
a< *
a> mg {k} n30000
a< HD Z
b> ms {k} 1
b> x
b< HD
a> md {k} C{t} U
a< *
b> mg {k} v
b< VA 1
b< x
END

# ---- b ----------------------------------------------------------------------

{
	my $key = new_key;
	my $base64 = encode_base64($key, '');

	talk $srv, 'b: tokens are of the decoded key', <<'END',
a> mg {b} b k c n30000
a< HD k{b} b c{t} W
b> mg {key} n30000
b< HD Z
b> mg {b} b n30000
b< HD Z
b> mg {b} n30000
b< HD W
b> ms {key} 3 C{t} Ateam-b9
b> abc
b< HD
a> mg {b} b v
a< VA 3
a< abc
a> md dGVhbS1iOQ== A b
a< HD
b> get {key}
b< END
a> mg {b} b k n30000
a< HD k{b} b W
b> mg {key} n30000
b< HD Z
END
	    b => $base64, key => $key;
	is(encode_base64('team-b9', ''), 'dGVhbS1iOQ==', 'that tag');
	my $binary = encode_base64("\x00\r\n\xff$key", '');
	talk $srv, 'b: keys of any bytes', <<'END', b => $binary;
a> mg {b} b c n30000
a< HD c{t} W
a> ms {b} 3 b C{t}
a> abc
a< HD
a> mg {b} b v k
a< VA 3 k{b} b
a< abc
a> md {b} b V7
a< HD
a> ms {b} 1 b V6
a> x
a< NS V7
END
}

# ---- what memcached has done before -----------------------------------------

talk $srv, 'whoever uses none of it sees memcached', <<'END';
a> mg {k}
a< EN
a> mg {k} v c t s
a< EN
a> ms {k} 1 T30 F5
a> x
a< HD
a> mg {k} v t s f h l u
a< VA 1 t# s1 f5 h0 l#
a< x
a> md {k} q
a> mg {k} q k O1
a> md {k}
a< NF
a> ms {k} 1 C5
a> x
a< NF
a> ms {k} 1 MR
a> x
a< NS
END

# ---- validation -------------------------------------------------------------

my $bad_token = "CLIENT_ERROR bad token in command line format\r\n";
my $invalid = "CLIENT_ERROR invalid flag\r\n";
my $duplicate = "CLIENT_ERROR duplicate flag\r\n";
my $ma_error = "CLIENT_ERROR invalid or duplicate flag\r\n";

# The data of ms are a command: what is not swallowed answers.
my %request = (
	mg => sub { "mg k $_[0]\r\n" },
	ms => sub { "ms k 7 $_[0]\r\nversion\r\n" },
	md => sub { "md k $_[0]\r\n" },
	ma => sub { "ma k $_[0]\r\n" },
);

sub
refused
{
	my ($cmd, $error, @flags) = @_;

	$c->ask($request{$cmd}->($_), $error, "$cmd k $_") for @flags;
}

$c->ask("set k 0 0 4\r\n1234\r\n", "STORED\r\n", 'the value to spare');
my $before = $c->stats->{total_items};
my $token64 = 't' x 64;

# A letter outside its cell.
refused('mg', $invalid, qw(A At H H5 z U d d5 a g i j m r y B G Q Y));
refused('ms', $invalid, qw(n n5 w w5 e e50 U d d5 a g B Y));
refused('md', $invalid, qw(n n5 w w5 e e50 H H5 z a g B Y));
refused('ma', $ma_error, qw(n n5 w w5 e e50 V V5 A At H H5 z U d d5));

# A bad token, or none.
refused('mg', $bad_token, qw(n n0 n-1 n+1 nx n5x n1.5 n0x5 n2147483648
    n99999999999999999999));
refused('mg', $bad_token, qw(w w-1 w+1 wx w5x w1.5 w2147483648
    w99999999999999999999));
refused('mg', $bad_token, qw(e0 e-1 e+1 ex e5x e10001 e4294967297));
refused('mg', $bad_token, qw(V-1 V+1 Vx V5x V18446744073709551616));
refused('ms', $bad_token, qw(V V-1 V+1 Vx V5x V18446744073709551616),
    'V' . '9' x 40);
refused('md', $bad_token, qw(V V-1 V+1 Vx V5x V18446744073709551616));
refused('ms', $bad_token, qw(H H-1 H+1 Hx H5x H2592001 H4294967297));
refused('ms', $bad_token, 'A', 'A,', 'A,t', 'At,', 'At,,u',
    'A' . 't' x 65, "A$token64,${token64}t", 'A' . join ',', 1 .. 9);
refused('md', $bad_token, map { ("C5 U $_", "U $_ C5") }
    qw(d d-1 d+1 dx d5x d2147483648));
refused('md', $bad_token, 'V5 T0', 'T0 V5', 'V5 T-1', 'V5 T3601',
    'T3601 V5', 'V5 I T3601', 'V5 Tx');

# Repeats.
refused('mg', $duplicate, 'n5 n5', 'w5 w6', 'e e', 'e5 e', 'V V', 'V V5',
    'n5 N5', 'N5 n5', 'n5 v N5');
refused('ms', $duplicate, 'V5 V5', 'H5 H6', 'At Au', 'z z');
refused('md', $duplicate, 'V5 V6', 'A A', 'C5 U U', 'C5 U d5 d5');

# Flags that don't go together.
refused('md', $invalid, 'U', 'U I', 'd5', 'C5 d5', 'd5 I', 'A V5', 'V5 A',
    'A I', 'A C5', 'A C5 U', 'A U', 'C5 U I', 'C5 U x', 'C5 U V5', 'I C5 U');
refused('ms', $invalid, 'z', 'T30 z', 'z q');

# What is refused changes nothing, and is answered under q too.
refused('mg', $bad_token, 'q n0', 'n0 q k O1');
refused('ms', $bad_token, 'q V', 'V q');
refused('md', $duplicate, 'q A A');
$c->ask("get k\r\n", "VALUE k 0 4\r\n1234\r\nEND\r\n", 'the value is there');
is($c->stats->{total_items}, $before, 'nothing was stored');

# The edges that are right.
for (
	["mg k n1\r\n", "HD\r\n"], ["mg k n2147483647\r\n", "HD\r\n"],
	["mg k w0\r\n", "HD\r\n"], ["mg k w2147483647\r\n", "HD\r\n"],
	["mg k e\r\n", "HD\r\n"], ["mg k e1\r\n", "HD\r\n"],
	["mg k e10000\r\n", "HD\r\n"], ["mg none V0\r\n", "EN\r\n"],
	["mg none V18446744073709551615\r\n", "EN\r\n"],
	["mg k E5 n5\r\n", "HD\r\n"],
	["ms v0 1 V0\r\nx\r\n", "HD\r\n"],
	["ms v1 1 V18446744073709551615\r\nx\r\n", "HD\r\n"],
	["mg v1 V\r\n", "HD V18446744073709551615\r\n"],
	["ms h 1 H0\r\nx\r\n", "HD\r\n"],
	["ms h 1 H2592000\r\nx\r\n", "HD\r\n"],
	['ms a 1 A' . join(',', 1 .. 8) . "\r\nx\r\n", "HD\r\n"],
	["ms a 1 A$token64,u\r\nx\r\n", "HD\r\n"],
	['ms a 1 A' . join(',', map { $_ . 'u' x 63 } 1 .. 7) .
	    "\r\nx\r\n", "HD\r\n"],
	["ms a 0 z\r\n\r\n", "HD\r\n"],
	["md f V0\r\n", "HD\r\n"], ["md f V5 T1\r\n", "HD\r\n"],
	["md f T3600 V5\r\n", "HD\r\n"], ["md f V5 I T60\r\n", "HD\r\n"],
	["md f V18446744073709551615\r\n", "HD\r\n"],
	["md t A\r\n", "HD\r\n"], ["md t A q\r\nmn\r\n", "MN\r\n"],
	["md t A k O5\r\n", "HD kt O5\r\n"],
	["me k n5\r\n", undef], ["me k\r\n", undef],
) {
	my ($request, $reply) = @$_;
	my ($shown) = $request =~ /^(.{1,60})/;

	if (defined $reply) {
		$c->ask($request, $reply, "right: $shown");
	} elsif ($request =~ /n5/) {
		$c->ask($request, $invalid, 'me takes no new letter');
	} else {
		$c->put($request);
		like($c->line, qr/^ME k /, 'me answers');
	}
}

# ---- me ---------------------------------------------------------------------

{
	my $v = talk $srv, 'values of all kinds', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t} V5 T100 H30 Aone,two
a> x
a< HD
a> ms {kp} 1
a> x
a< HD
a> ms {kz} 0 z
a>
a< HD
END
	my $me = sub {
		$c->put("me $_[0]\r\n");
		return $c->line;
	};
	my $line = $me->($v->{k} // 'none');
	like($line, qr/^ME\ \S+\ exp=.*\ size=\d+\ version=5\ birth=\d+
	    \ stored=\d+\ grace=30\ tags=2$/x, 'me shows what was given');
	my ($birth, $stored) = $line =~ / birth=(\d+) stored=(\d+)/;
	is($birth // 0, ($v->{t} // 0) - FIRST_TOKEN >> 18,
	    'birth is the number of the grant');
	cmp_ok($stored // 0, '>', $birth // 0, 'stored is higher');
	$line = $me->($v->{kp} // 'none');
	like($line, qr/ birth=(\d+) stored=\1$/, 'a plain value has no more');
	$line = $me->($v->{kz} // 'none');
	like($line, qr/ negative=yes$/, 'known to be absent');
}

# ---- options ----------------------------------------------------------------

for my $bad (qw(lease_default=0 lease_default=60001 lease_default=x
    lease_max=0 lease_max=3600001 token_max=0 token_max=86401 token_max=59
    tombstone_ttl=0 tombstone_ttl=3601 tombstone_max=0
    tombstone_max=2592001 tombstones=1023 tombstones=16777217
    clock_slots=65535 clock_slots=65537 clock_slots=33554432 tag_slots=1000
    leases=x waiters=-1 tag_prefix= tag_prefix=ab tag_key_prefix=),
    'tag_key_prefix=' . 'x' x 65) {
	my ($how, $out, $err) = Leasecached::Proc::run(
	    Leasecached::Proc::as_user(), '-p', -1, '-l', '127.0.0.1', '-o',
	    $bad);
	my ($name) = $bad =~ /^(\w+)/;
	next if ok($how =~ /^exit (?!0$)/ && $err =~ /$name/,
	    "-o $bad: the start is refused, and the reason told");
	diag("$how, '$err'");
}

sums_hold($srv, 'at the end');
done_testing;
