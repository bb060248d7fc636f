#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 37-lease-verbs.t - lease-get and lease-set; back-off; what the other verbs do
# with keys that are leased or stale.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;
my $c = $srv->client;

# ---- lease-get, lease-set ---------------------------------------------------

{
	my $v = talk $srv, 'lease-get: a miss, a fill, a hit', <<'END';
a> lease-get {k}
a< LVALUE {k} {t} 0 0
a<
a< END
b> lease-get {k}
b< LVALUE {k} 1 0 0
b<
b< END
a> lease-get {k}
a< LVALUE {k} 1 0 0
a<
a< END
a> lease-set {k} {t} 5 300 3
a> abc
a< STORED
b> lease-get {k}
b< VALUE {k} 5 3
b< abc
b< END
b> mg {k} v f t
b< VA 3 f5 t#
b< abc
END
	cmp_ok($v->{t} // 0, '>', FIRST_TOKEN, 'the token is one');
	cmp_ok($v->{t} // ~0, '<', 1 << 63, 'mcrouter reads it as positive');
	isnt(($v->{t} // 0) >> 32, 0x7aceb00c, 'and not as its own');
}

talk $srv, 'lease-get and mg, lease-set and ms understand each other', <<'END';
a> lease-get {k}
a< LVALUE {k} {t} 0 0
a<
a< END
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
a> mg {k1} c n30000
a< HD c{u} W
b> lease-get {k1}
b< LVALUE {k1} 1 0 0
b<
b< END
c> mg {k1} v w90000
waiters 1
a> lease-set {k1} {u} 0 0 1
a> y
a< STORED
c< VA 1
c< y
END

talk $srv, 'lease-get: a stale value', <<'END';
a> set {k} 7 0 5
a> stale
a< STORED
a> md {k} I
a< HD
a> lease-get {k}
a< LVALUE {k} {t} 7 5
a< stale
a< END
b> lease-get {k}
b< LVALUE {k} 1 7 5
b< stale
b< END
a> lease-set {k} {t} 8 0 5
a> fresh
a< STORED
b> lease-get {k}
b< VALUE {k} 8 5
b< fresh
b< END
END

talk $srv, 'lease-get: several keys, in order, one END', <<'END';
a> set {k1} 1 0 1
a> x
a< STORED
b> lease-get {k2}
b< LVALUE {k2} {t} 0 0
b<
b< END
a> set {k3} 3 0 1
a> z
a< STORED
a> md {k3} I
a< HD
a> lease-get {k0} {k1} {k2} {k3} {k0} {k1}
a< LVALUE {k0} {u} 0 0
a<
a< VALUE {k1} 1 1
a< x
a< LVALUE {k2} 1 0 0
a<
a< LVALUE {k3} {v} 3 1
a< z
a< LVALUE {k0} 1 0 0
a<
a< VALUE {k1} 1 1
a< x
a< END
END
{
	my @keys = map { new_key } 1 .. 60;
	$c->put("lease-get @keys\r\n");
	my @lines = $c->until_line(qr/^END$/);
	my %token = map { /^LVALUE (\S+) (\d+) 0 0$/ ? ($1 => $2) : () }
	    @lines;
	is(scalar keys %token, 60, '60 keys: each is answered');
	is(scalar @lines, 121, 'and nothing more');
	$c->put(join '', map { "lease-set $_ $token{$_} 0 0 1\r\nx\r\n" }
	    sort keys %token);
	is(scalar(grep { $c->line eq 'STORED' } @keys), 60, 'all are filled');
}

talk $srv, 'lease-get never parks', <<'END';
a> mg {k} n30000
a< HD W
b> lease-get {k}
b< LVALUE {k} 1 0 0
b<
b< END
stat waiters 0
END

talk $srv, 'lease-set: refused', <<'END';
a> lease-get {k}
a< LVALUE {k} {t} 0 0
a<
a< END
a> lease-set {k} 0 0 0 1
a> x
a< NOT_STORED
a> lease-set {k} 1 0 0 1
a> x
a< NOT_STORED
a> lease-set {k} 18446744073709551615 0 0 1
a> x
a< NOT_STORED
a> lease-set {k} {t+1} 0 0 1
a> x
a< NOT_STORED
a> lease-set {k1} {t} 0 0 1
a> x
a< NOT_STORED
a> get {k} {k1}
a< END
b> delete {k}
b< DELETED
a> lease-set {k} {t} 0 0 1
a> x
a< NOT_STORED
a> lease-get {k}
a< LVALUE {k} {u} 0 0
a<
a< END
b> set {k} 0 0 1
b> y
b< STORED
a> lease-set {k} {u} 0 0 1
a> x
a< NOT_STORED
a> lease-set {k} 1 0 0 1
a> x
a< NOT_STORED
a> gets {k}
a< VALUE {k} 0 1 {cas}
a< y
a< END
a> lease-set {k} {cas} 0 0 1
a> x
a< NOT_STORED
a> get {k}
a< VALUE {k} 0 1
a< y
a< END
END

talk $srv, 'lease-set: a negative exptime gives up', <<'END';
a> lease-get {k}
a< LVALUE {k} {t} 0 0
a<
a< END
b> mg {k} c n30000 w90000
waiters 1
a> lease-set {k} {t} 0 -1 0
a>
a< STORED
b< HD c{u} W
a> lease-set {k} {t} 0 -1 0
a>
a< NOT_STORED
a> lease-set {k} {u} 0 -1 3
a> abc
a< STORED
a> get {k}
a< END
a> lease-set {k} 1 0 -1 0
a>
a< NOT_STORED
a> mg {k} n30000
a< HD W
END

talk $srv, 'lease-set: noreply', <<'END';
a> lease-get {k} {k1}
a< LVALUE {k} {t} 0 0
a<
a< LVALUE {k1} {u} 0 0
a<
a< END
a> lease-set {k} {t} 0 0 1 noreply
a> x
a> lease-set {k1} 1 0 0 1 noreply
a> y
a> lease-set {k1} {u} 0 -1 0 noreply
a>
a> get {k} {k1}
a< VALUE {k} 0 1
a< x
a< END
b> mg {k1} n30000
b< HD W
END

talk $srv, 'lease-set: flags may have 64 bits', <<'END';
a> lease-get {k} {k1}
a< LVALUE {k} {t} 0 0
a<
a< LVALUE {k1} {u} 0 0
a<
a< END
a> lease-set {k} {t} 18446744073709551615 0 1
a> x
a< STORED
a> lease-get {k}
a< VALUE {k} * 1
a< x
a< END
a> lease-set {k1} {u} 4294967295 0 1
a> x
a< STORED
a> get {k1}
a< VALUE {k1} 4294967295 1
a< x
a< END
END

# Wrong lines: one answer each, and no data block is taken for a command.
{
	my $bad = "CLIENT_ERROR bad command line format\r\n";
	my $k = new_key;
	$c->put("lease-get\r\n");
	like($c->line, qr/^(?:CLIENT_)?ERROR/, 'lease-get without a key');
	$c->ask("lease-get " . 'x' x 251 . "\r\n", $bad, 'a key too long');
	for (
		"$k x 0 0 7", "$k -1 0 0 7", "$k 5 x 0 7", "$k 5 -1 0 7",
		"$k 5 0 x 7", "$k 18446744073709551616 0 0 7",
		"$k 5 18446744073709551616 0 7",
	) {
		$c->put("lease-set $_\r\nversion\r\nmn\r\n");
		my @lines = eval { $c->until_line(qr/^MN$/) };
		like($lines[0] // '', qr/^CLIENT_ERROR /, "lease-set $_");
		is(scalar @lines, 2, 'one answer') or
		    diag(join "\n", @lines);
	}
	$c->put("lease-set $k 5 0 0 x\r\n");
	like($c->line, qr/^CLIENT_ERROR /, 'no length');
	$c->put("lease-set $k 5 0 0 -1\r\n");
	like($c->line, qr/^CLIENT_ERROR /, 'a length below 0');
	$c->put("lease-set $k 5 0 0\r\n");
	like($c->line, qr/^(?:CLIENT_)?ERROR/, 'a token short');
	$c->ask("mn\r\n", "MN\r\n", 'nothing is left over');
	$c->put("lease-get $k\r\n");
	my ($token) = $c->line =~ / (\d+) 0 0$/;
	$c->line for 1, 2;
	$c->put("lease-set $k $token 0 0 1\r\nxyz\r\n");
	is($c->line, 'CLIENT_ERROR bad data chunk', 'bad data');
	$c->renew;
}

# ---- back-off ---------------------------------------------------------------

talk $srv, 'U d: all are told to come back', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
a> md {k} C{t} U d60000
a< HD
b< VA 0 c0 d{d} Z
b<
c> mg {k} k n30000 s
c< HD k{k} s0 d# Z
c> mg {k} n30000 w90000
c< HD d# Z
c> mg {k} N30 c
c< HD c0 d# Z
c> mg {k}
c< EN
c> get {k}
c< END
c> gets {k}
c< END
c> lease-get {k}
c< LVALUE {k} 1 0 0
c<
c< END
stat backoffs 1
c> set {k} 0 0 1
c> x
c< STORED
c> mg {k} v n30000
c< VA 1
c< x
c> delete {k}
c< DELETED
c> mg {k} n30000
c< HD W
END
{
	my $v = talk $srv, 'U d: what is left of it', <<'END';
a> mg {k} c n30000
a< HD c{t} W
mark
a> md {k} C{t} U d1000
a< HD
a> mg {k} n30000
a< HD d{d} Z
a~ mg {k} n30000
a< HD W
not before 990
not in 25000
END
	cmp_ok($v->{d} // 1e9, '<=', 1000, 'd counts down');
}
talk $srv, 'U d0 and U without d spare nobody', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U d0
a< HD
b> mg {k} c n30000
b< HD c{u} W
b> md {k} C{u} U
b< HD
a> mg {k} n30000
a< HD W
END
talk $srv, 'U d over a stale value: it is shown', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> md {k} I
a< HD
a> mg {k} c n30000
a< HD c{t} X W
a> md {k} C{t} U d60000
a< HD
b> mg {k} v n30000
b< VA 1 d# Z X
b< x
b> lease-get {k}
b< LVALUE {k} 1 0 1
b< x
b< END
b> ms {k} 1 C{t}
b> y
b< HD
b> mg {k} v n30000
b< VA 1
b< y
END
talk $srv, 'a late fill ends the back-off', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U d60000
a< HD
a> ms {k} 1 C{t}
a> x
a< HD
b> mg {k} v n30000
b< VA 1
b< x
END

# ---- other verbs, a stub ----------------------------------------------------

talk $srv, 'a lease is no value, for any verb', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> get {k}
b< END
b> gets {k}
b< END
b> gat 100 {k}
b< END
b> touch {k} 100
b< NOT_FOUND
b> append {k} 0 0 1
b> x
b< NOT_STORED
b> prepend {k} 0 0 1
b> x
b< NOT_STORED
b> replace {k} 0 0 1
b> x
b< NOT_STORED
b> cas {k} 0 0 1 5
b> x
b< NOT_FOUND
b> incr {k} 1
b< NOT_FOUND
b> decr {k} 1
b< NOT_FOUND
b> ma {k}
b< NF
b> mg {k} v
b< EN
b> mg {k} T100
b< EN
b> me {k}
b< EN
b> ms {k} 1 MA
b> x
b< NS
b> ms {k} 1 MR
b> x
b< NS
a> mg {k} n30000
a< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
END
for (
	['add', "add {k} 0 0 1\nb> 5", 'STORED'],
	['ms ME', "ms {k} 1 ME\nb> 5", 'HD'],
	['ma N', 'ma {k} N0 J5', 'HD'],
	['ms MA N', "ms {k} 1 MA N0\nb> 5", 'HD'],
) {
	my ($name, $request, $reply) = @$_;
	talk $srv, "a lease is no value: $name stores, and ends it", <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> $request
b< $reply
b> mg {k} v n30000
b< VA 1
b< 5
a> ms {k} 1 C{t}
a> x
a< EX
END
}
talk $srv, 'delete and md of a lease answer as memcached does', <<'END';
a> mg {k} n30000
a< HD W
a> delete {k}
a< DELETED
a> delete {k}
a< NOT_FOUND
a> mg {k} n30000
a< HD W
a> md {k}
a< HD
a> md {k}
a< NF
a> mg {k} n30000
a< HD W
a> md {k} I
a< HD
a> md {k} I
a< NF
END

# ---- other verbs, a value marked stale --------------------------------------

for (
	['append', "append {k} 0 0 1\na> 2", 'STORED', '12'],
	['prepend', "prepend {k} 0 0 1\na> 2", 'STORED', '21'],
	['ms MA', "ms {k} 1 MA\na> 2", 'HD', '12'],
	['incr', 'incr {k} 5', '6', '6'],
	['decr', 'decr {k} 1', '0', '0'],
	['ma', 'ma {k} v', "VA 1\na< 2", '2'],
	['touch', 'touch {k} 100', 'TOUCHED', '1'],
	['gat', 'gat 100 {k}', "VALUE {k} 0 1\na< 1\na< END", '1'],
) {
	my ($name, $request, $reply, $value) = @$_;
	my $n = length $value;
	talk $srv, "$name of a stale value leaves it stale", <<"END";
a> ms {k} 1 T300
a> 1
a< HD
a> md {k} I
a< HD
a> $request
a< $reply
a> mg {k} v u
a< VA $n X
a< $value
a> mg {k} v c
a< VA $n c{t} X W
a< $value
a> ms {k} 1 C{t}
a> 9
a< HD
END
}
for (
	['set', "set {k} 0 0 1\na> 2", 'STORED'],
	['replace', "replace {k} 0 0 1\na> 2", 'STORED'],
	['ms', "ms {k} 1\na> 2", 'HD'],
	['ms MR', "ms {k} 1 MR\na> 2", 'HD'],
) {
	my ($name, $request, $reply) = @$_;
	talk $srv, "$name of a stale value makes it fresh", <<"END";
a> ms {k} 1 T300
a> 1
a< HD
a> md {k} I
a< HD
a> $request
a< $reply
a> mg {k} v
a< VA 1
a< 2
END
}

sums_hold($srv, 'at the end');
done_testing;
