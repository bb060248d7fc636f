#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 33-lease-fill.t - which fills are stored: F1, F5, F2, F3, F4, in this order.
#
# A token is a right to fill as of the moment it was granted.  What was stored
# or invalidated since then decides; whether its lease lives does not.

use Leasecached;
use Leasecached::Lease;
use Time::HiRes qw(sleep);

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# ---- accepted ---------------------------------------------------------------

talk $srv, 'a fill is stored once', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 3 C{t} T100 F5
a> abc
a< HD
a> mg {k} v f t
a< VA 3 f5 t#
a< abc
a> get {k}
a< VALUE {k} 5 3
a< abc
a< END
a> ms {k} 3 C{t}
a> def
a< EX
a> mg {k} v
a< VA 3
a< abc
END

# How a lease may end without its token.
for (
	['its time is over', 'a> mg {k} C{t} n20', 'a< HD W', 'free {k}'],
	['it was given up', 'a> md {k} C{t} U', 'a< HD'],
	['its connection has gone', 'a close', 'free {k}'],
) {
	my ($name, @steps) = @$_;
	my $steps = join "\n", @steps;

	talk $srv, "late, as $name: stored all the same", <<"END";
a> mg {k} c n30000
a< HD c{t} W
$steps
b> ms {k} 1 C{t}
b> x
b< HD
b> mg {k} v n30000
b< VA 1
b< x
END
	talk $srv, "late, as $name: stored while another leads, who is refused",
	    <<"END";
a> mg {k} c n30000
a< HD c{t} W
$steps
c> mg {k} c n30000
c< HD c{u} W
d> mg {k} v n30000 w90000
waiters 1
b> ms {k} 1 C{t}
b> x
b< HD
d< VA 1
d< x
free {k}
c> ms {k} 1 C{u}
c> y
c< EX
b> mg {k} v
b< VA 1
b< x
END
	talk $srv, "late, as $name: refused when another has stored", <<"END";
a> mg {k} c n30000
a< HD c{t} W
$steps
c> mg {k} c n30000
c< HD c{u} W
c> ms {k} 1 C{u}
c> y
c< HD
b> ms {k} 1 C{t}
b> x
b< EX
b> mg {k} v
b< VA 1
b< y
END
	talk $srv, "late, as $name: refused when it was invalidated", <<"END";
a> mg {k} c n30000
a< HD c{t} W
$steps
c> delete {k}
c< NOT_FOUND
b> ms {k} 1 C{t}
b> x
b< NS
b> mg {k} v
b< EN
END
}

talk $srv, 'a data block that is too long is no fill', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a>| ms {k} 1 C{t}\r\nxy\r\n
a< CLIENT_ERROR bad data chunk
a< *
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
END

# ---- F1 ---------------------------------------------------------------------

talk $srv, 'F1: every other number is refused', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t+1}
a> x
a< NF
a> ms {k} 1 C{t-262144}
a> x
a< NF
a> ms {k} 1 C{t+262144}
a> x
a< NF
a> ms {k} 1 C{t+262144000000}
a> x
a< NF
a> ms {k} 1 C2305843009213693952
a> x
a< NF
a> ms {k} 1 C2305843009213693953
a> x
a< NF
a> ms {k} 1 C18446744073709551615
a> x
a< NF
a> ms {k} 1 C1
a> x
a< NF
a> ms {k} 1 C0
a> x
a< *
b> mg {k} v
b< EN
b> mg {k} n30000
b< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
END

talk $srv, 'F1: a token is for its key alone', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> mg {k1} c n30000
a< HD c{u} W
a> ms {k1} 1 C{t}
a> x
a< NF
a> ms {k} 1 C{u}
a> x
a< NF
a> ms {k} 1 C{t}
a> x
a< HD
a> ms {k1} 1 C{u}
a> x
a< HD
END

# The server has looked at the clock, which it does each second.
sub
ticks
{
	my ($of) = @_;
	my $c = $of->client;
	my $before = $c->stats->{uptime};

	until_true {
		sleep 0.1;
		$c->stats->{uptime} >= $before + 2;
	};
}

# Tokens grow old.  A second is the grain of that, so one is tried after the
# other until the server has looked at the clock.
for my $max (600, 100) {
	my $old = Leasecached->start($max == 600 ? () : ('-o',
	    "token_max=$max"));
	my ($c, @first, @second) = $old->client;
	my $grant = sub {
		my ($k) = @_;
		$c->put("mg $k c n1\r\n");
		my ($token) = ($c->line // '') =~ / c(\d+) W$/;
		return [$k, $token // 0];
	};
	my $fill = sub {
		my ($k, $token) = @{ shift() };
		$c->put("ms $k 1 C$token\r\nx\r\n");
		return $c->line // 'closed';
	};

	@first = map { $grant->(new_key) } 1 .. 400;
	ticks($old);
	$old->advance($max / 2);
	ticks($old);
	@second = map { $grant->(new_key) } 1 .. 3;
	is($fill->(shift @first), 'HD', "F1: after $max / 2 s: stored");
	$c->ask("set $first[0][0] 0 0 1\r\ny\r\n", "STORED\r\n",
	    'a value over an old token');
	$c->ask("set $second[0][0] 0 0 1\r\ny\r\n", "STORED\r\n",
	    'a value over a newer token');
	ticks($old);
	$old->advance($max / 2 + 2);
	my $over = shift @first;
	my $reply = '';
	until_true {
		sleep 0.02;
		$reply = @first > 1 ? $fill->(shift @first) : 'never';
		$reply ne 'HD';
	};
	is($reply, 'NF', "F1: after token_max, $max s: refused");
	is($fill->(shift @first), 'NF', 'and so are all of that age');
	is($fill->($over), 'NF', 'F1 before F5: it is too old');
	is($fill->(shift @second), 'EX', 'F5: it is not');
	is($fill->(shift @second), 'HD', 'those that are newer are stored');
	ticks($old);
	$old->advance($max / 2 + 2);
	ticks($old);
	is($fill->(shift @second), 'NF', 'until they are old');
	sums_hold($old, "token_max=$max");
}

# ---- F5 ---------------------------------------------------------------------

talk $srv, 'F5: never over a value that was stored since', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> set {k} 0 0 1
b> b
b< STORED
a> ms {k} 1 C{t}
a> a
a< EX
a> mg {k} v
a< VA 1
a< b
END

talk $srv, 'F5: E and md I don\'t change when it was stored', <<'END';
a> ms {k} 1 T100 E5
a> a
a< HD
a> mg {k} R200 c
a< HD c{t} W
a> ms {k} 1 C{t} T100 E2305843009213693999
a> b
a< HD
a> mg {k} R200 c
a< HD c{u} W
a> ms {k} 1 C{u} T100 E7
a> c
a< HD
a> md {k} I
a< HD
a> mg {k} c
a< HD c{v} X W
a> ms {k} 1 C{v}
a> d
a< HD
a> mg {k} v
a< VA 1
a< d
END

talk $srv, 'F5: over a readable value the version must not be lower', <<'END';
a> ms {k} 1 T100 V10
a> a
a< HD
a> mg {k} R200 c
a< HD c{t} W
a> ms {k} 1 C{t} V9
a> b
a< EX
a> mg {k} v V
a< VA 1 V10
a< a
a> ms {k} 1 C{t} V10 T100
a> c
a< HD
a> mg {k} v V R200 c
a< VA 1 V10 c{u} W
a< c
a> ms {k} 1 C{u} V11
a> d
a< HD
a> mg {k} v V
a< VA 1 V11
a< d
END

talk $srv, 'F5: a value without a version may be replaced by any', <<'END';
a> ms {k} 1 T100
a> a
a< HD
a> mg {k} R200 c
a< HD c{t} W
a> ms {k} 1 C{t} V1
a> b
a< HD
a> mg {k} v V
a< VA 1 V1
a< b
END

# ---- F2 ---------------------------------------------------------------------

talk $srv, 'F2: not over flush_all', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k1} c n30000
b< HD c{u} W
b> flush_all
b< OK
a> ms {k} 1 C{t}
a> a
a< NS
b> ms {k1} 1 C{u} V5
b> a
b< NS
a> mg {k} v
a< EN
a> mg {k} c n30000
a< HD c{v} W
a> ms {k} 1 C{v}
a> b
a< HD
END

{
	my $later = Leasecached->start;
	talk $later, 'F2: a flush_all with a delay counts when it is time',
	    <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> mg {k1} c n30000
a< HD c{u} W
a> flush_all 100
a< OK
a> ms {k} 1 C{t}
a> x
a< HD
a> mg {k} v
a< VA 1
a< x
advance 102
a~ mg {k}
a< EN
a> ms {k1} 1 C{u}
a> x
a< NS
a> mg {k1} c n30000
a< HD c{v} W
a> ms {k1} 1 C{v}
a> x
a< HD
END
}

# ---- F3 ---------------------------------------------------------------------

talk $srv, 'F3: not over a tag of it that was invalidated', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> md tag33a A
b< HD
a> ms {k} 1 C{t} Aother,tag33a,more
a> x
a< NS
a> mg {k} v
a< EN
a> ms {k} 1 C{t} Aother,more
a> y
a< HD
a> mg {k} v
a< VA 1
a< y
a> md tag33a A
a< HD
a> mg {k} v
a< VA 1
a< y
a> mg {k1} c n30000
a< HD c{u} W
a> ms {k1} 1 C{u} Atag33a
a> z
a< HD
END

# ---- F4 ---------------------------------------------------------------------

# Everything that invalidates a key.
for (
	['delete', 'delete {k}', 'DELETED'],
	['md', 'md {k}', 'HD'],
	['md q', 'md {k} q'],
	['md I', 'md {k} I', 'HD'],
	['delete noreply', 'delete {k} noreply'],
	['set that is expired', "set {k} 0 -1 1\nb> x", 'STORED'],
	['ms T-1', "ms {k} 1 T-1\nb> x", 'HD'],
	['ms V MR', "ms {k} 1 V5 MR\nb> x", 'NS'],
) {
	my ($name, $request, $reply) = @$_;
	my $answer = defined $reply ? "b< $reply" : 'b> mn' . "\nb< MN";
	my $floor = $name eq 'ms V MR' ? ' V5' : '';

	talk $srv, "F4: $name ends what may be filled", <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> $request
$answer
a> ms {k} 1 C{t}
a> x
a< NS$floor
a> mg {k} v
a< EN
END
}
talk $srv, 'F4: delete of what is not there counts', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> md {k} C{t} U
a< HD
b> delete {k}
b< NOT_FOUND
b> md {k}
b< NF
a> ms {k} 1 C{t}
a> x
a< NS
END
talk $srv, 'F4: delete, then a new lease: one is refused, one stored', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> delete {k}
b< DELETED
b> mg {k} c n30000
b< HD c{u} W
a> ms {k} 1 C{t}
a> a
a< NS
c> mg {k} n30000
c< HD Z
b> ms {k} 1 C{u}
b> b
b< HD
a> ms {k} 1 C{t}
a> a
a< EX
END

talk $srv, 'F4: versions: what the event asked for is stored', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> md {k} V18
b< HD
a> ms {k} 1 C{t} V17
a> a
a< NS V18
a> ms {k} 1 C{t} V18
a> b
a< HD
a> mg {k} v V
a< VA 1 V18
a< b
END
talk $srv, 'F4: versions: again and again, and it gets cached still', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> md {k} V1
b< HD
b> md {k} V2
b< HD
b> md {k} V3
b< HD
b> md {k} V3
b< HD
a> ms {k} 1 C{t} V3
a> x
a< HD
END
talk $srv, 'F4: an invalidation without version moves the base', <<'END';
a> md {k} V18
a< HD
a> mg {k} c n30000
a< HD c{t} W
b> delete {k}
b< DELETED
a> ms {k} 1 C{t} V18
a> x
a< NS
a> ms {k} 1 C{t} V99
a> x
a< NS
a> mg {k} c n30000
a< HD c{u} W
a> ms {k} 1 C{u} V17
a> x
a< NS V18
a> ms {k} 1 C{u} V18
a> x
a< HD
END
talk $srv, 'F4: a record vouches only for what was granted since it began',
    <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> delete {k}
b< DELETED
b> md {k} V18
b< HD
a> ms {k} 1 C{t} V18
a> x
a< NS
END
talk $srv, 'F4: a fill without a version, and a floor', <<'END';
a> md {k} V18
a< HD
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t}
a> x
a< NS V18
a> mg {k} v
a< EN
a> ms {k} 1 C{t} V18446744073709551615
a> x
a< HD
END
talk $srv, 'F4: a version, no floor: the clock counts', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> delete {k}
b< DELETED
a> ms {k} 1 C{t} V99
a> x
a< NS
END

# Many keys share the slots of the clock: a fill may be refused that need not
# be, and none is stored that must not.
{
	my $shared = Leasecached->start('-o', 'clock_slots=65536');
	my $c = $shared->client;
	my @keys = map { new_key } 1 .. 10;
	my %said;

	$c->put(join '', map { "mg $_ c n60000\r\n" } @keys);
	my %token = map { $_ => ($c->line // '') =~ / c(\d+) W$/ } @keys;
	for my $n (1 .. 50) {
		$c->put(join '', map { "delete other$n.$_ noreply\r\n" }
		    1 .. 20_000);
	}
	$c->silent;
	for my $k (@keys) {
		$c->put("ms $k 1 C$token{$k}\r\nx\r\nmg $k\r\n");
		$said{$c->line . ', ' . $c->line}++;
	}
	is_deeply(\%said, { 'NS, EN' => 10 },
	    'F4: a million other keys, and all slots have moved');
}

# ---- the order --------------------------------------------------------------

talk $srv, 'F5 before F2, F3 and F4', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> mg {k1} c n30000
a< HD c{u} W
a> mg {k2} c n30000
a< HD c{v} W
b> flush_all
b< OK
b> md tag33b A
b< HD
b> delete {k2}
b< *
b> set {k} 0 0 1
b> b
b< STORED
b> set {k1} 0 0 1
b> b
b< STORED
b> set {k2} 0 0 1
b> b
b< STORED
a> ms {k} 1 C{t}
a> a
a< EX
a> ms {k1} 1 C{u} Atag33b
a> a
a< EX
a> ms {k2} 1 C{v}
a> a
a< EX
END
talk $srv, 'F2 and F3 before F4: no floor is told', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> md {k} V9
b< HD
b> md tag33c A
b< HD
a> ms {k} 1 C{t} V8 Atag33c
a> a
a< NS
a> ms {k} 1 C{t} V8
a> a
a< NS V9
b> flush_all
b< OK
a> ms {k} 1 C{t} V8
a> a
a< NS
END

# ---- a value that has gone leaves its mark ----------------------------------

{
	my $gone = Leasecached->start;
	# [what takes the value, its flags, steps]
	for (
		['expiry', 'T5', 'advance 7'],
		['expiry and grace', 'T5 H5', 'advance 12'],
		['a tag', 'Atag33d', "b> md tag33d A\nb< HD"],
		['delete', '', "b> delete {k}\nb< DELETED"],
		['flush_all', '', "b> flush_all\nb< OK"],
	) {
		my ($name, $flags, $steps) = @$_;
		my $v = talk $gone, "$name: a value was there", <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1 $flags
b> b
b< HD
$steps
b> mg {k} v
b< EN
END
		my $c = $gone->client;
		$c->put("ms $v->{k} 1 C" . ($v->{t} // 1) . "\r\na\r\n");
		like($c->line, qr/^(?:EX|NS)$/, "$name: older ones are refused");
		$c->ask("mg $v->{k} v\r\n", "EN\r\n", "$name: nothing is there");
		$c->put("mg $v->{k} c n30000\r\n");
		my ($t) = ($c->line // '') =~ / c(\d+) W/;
		$c->ask("ms $v->{k} 1 C" . ($t // 1) . "\r\na\r\n", "HD\r\n",
		    "$name: newer ones are stored");
	}
	my $v = talk $gone, 'in its grace a value stands', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> ms {k} 1 T5 H100
b> b
b< HD
advance 7
a> ms {k} 1 C{t}
a> a
a< EX
b> mg {k} v w0
b< VA 1 X
b< b
b> mg {k} v c n30000
b< VA 1 c{u} X W
b< b
b> ms {k} 1 C{u}
b> c
b< HD
END
	sums_hold($gone, 'gone values');
}

# Eviction.
{
	my $small = Leasecached->start('-m', '8');
	my $c = $small->client;
	my %token;

	for my $k (map { "evict$_" } 1 .. 40) {
		$c->put("mg $k c n60000\r\n");
		$token{$k} = $1 if ($c->line // '') =~ / c(\d+) W/;
		$c->put("set $k 0 0 1\r\nb\r\n");
		$c->line;
	}
	is(scalar keys %token, 40, '40 tokens');
	my $big = 'x' x 10_000;
	$c->put("set flood$_ 0 0 10000 noreply\r\n$big\r\n") for 1 .. 3000;
	$c->silent;
	my @gone = grep {
		$c->put("mg $_ u\r\n");
		$c->line eq 'EN';
	} sort keys %token;
	cmp_ok(scalar @gone, '>', 20, 'values were evicted');
	my %said;
	for my $k (@gone) {
		$c->put("ms $k 1 C$token{$k}\r\na\r\n");
		$said{$c->line}++;
	}
	is(join(' ', sort keys %said), 'NS',
	    'eviction: a fill that is older than what it took is refused');
}

# ---- refused ----------------------------------------------------------------

talk $srv, 'a refused fill ends its own lease, not another\'s', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> md tag33e A
b< HD
a> ms {k} 1 C{t} Atag33e
a> x
a< NS
b> mg {k} c n30000
b< HD c{u} W
a> ms {k} 1 C{t} Atag33e
a> x
a< NS
c> mg {k} n30000
c< HD Z
b> ms {k} 1 C{u} Atag33e
b> x
b< HD
END

{
	my $count = Leasecached->start;
	talk $count, 'each reason is counted', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> set {k} 0 0 1
b> x
b< STORED
a> ms {k} 1 C{t}
a> x
a< EX
stat fill_refused_newer 1
a> mg {k1} c n30000
a< HD c{u} W
b> flush_all
b< OK
a> ms {k1} 1 C{u}
a> x
a< NS
stat fill_refused_flush 1
a> mg {k2} c n30000
a< HD c{v} W
b> md t A
b< HD
a> ms {k2} 1 C{v} At
a> x
a< NS
stat fill_refused_tag 1
a> mg {k3} c n30000
a< HD c{w} W
b> delete {k3}
b< DELETED
a> ms {k3} 1 C{w}
a> x
a< NS
stat fill_refused_clock 1
a> mg {k4} c n30000
a< HD c{x} W
b> md {k4} V5
b< HD
a> ms {k4} 1 C{x} V4
a> x
a< NS V5
stat fill_refused_floor 1
a> ms {k4} 1 C{x} V5
a> x
a< HD
stat fill_late 1
a> mg {k5} c n30000
a< HD c{y} W
a> ms {k5} 1 C{y}
a> x
a< HD
stat fill_late 1
stat lease_filled 1
END
	sums_hold($count, 'each reason');
}

sums_hold($srv, 'at the end');
done_testing;
