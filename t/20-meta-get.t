#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 20-meta-get.t - mg: hits and misses, the value, the return flags, T and C.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

# Without ticks in between, TTLs are exact.
$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

dialogue $c, 'a miss is EN and reflects O, k and b alone', <<'END';
> mg none
< EN
> mg none v
< EN
> mg none s t f c h l u v
< EN
> mg none v k Oabc
< EN knone Oabc
> mg none Oabc v k
< EN Oabc knone
> mg none R30 T30 O1
< EN O1
> mg bm9uZQ== b k O1 v
< EN kbm9uZQ== b O1
> mg none
< EN
END

dialogue $c, 'a hit is HD without v and VA with it', <<'END';
> set m1 5 0 2
> hi
< STORED
> mg m1
< HD
> mg m1 v
< VA 2
< hi
> mg  m1   v
< VA 2
< hi
> mg m1 k
< HD km1
> mg m1 f
< HD f5
> mg m1 s
< HD s2
> mg m1 t
< HD t-1
> mg m1 O123
< HD O123
> mg m1 O
< HD O
> mg m1 Oa=/!
< HD Oa=/!
> mg m1 k s v
< VA 2 km1 s2
< hi
END

dialogue $c, 'an empty value has a data block of its own', <<'END';
> set empty 0 0 0
>
< STORED
> mg empty
< HD
> mg empty v s
< VA 0 s0
<
> mg empty s
< HD s0
END

my $odd = "\r\nEN\r\n\0\xff\r";
my $large = join '', map { chr($_ * 7 % 256) } 1 .. 300_000;

for (
	['spaces around the tokens', "mg  m1  v  s  \r\n", "VA 2 s2\r\nhi\r\n"],
	['a line may end in a bare LF', "mg m1 v\n", "VA 2\r\nhi\r\n"],
	['a value of CR, LF, NUL and EN comes back as it is',
	 "set odd 0 0 9\r\n$odd\r\nmg odd v s\r\nmg none v\r\n",
	 "STORED\r\nVA 9 s9\r\n$odd\r\nEN\r\n"],
	['300,000 bytes, and client flags of 32 bits',
	 "set large 4294967295 0 300000\r\n$large\r\nmg large v f s k\r\n",
	 "STORED\r\nVA 300000 f4294967295 s300000 klarge\r\n$large\r\n"],
	['a large value need not be sent', "mg large s\r\n", "HD s300000\r\n"],
	['many requests in one write are answered in order',
	 join('', map { "mg m1 v O$_\r\nmg none O$_\r\n" } 1 .. 2000),
	 join('', map { "VA 2 O$_\r\nhi\r\nEN O$_\r\n" } 1 .. 2000)],
) {
	my ($name, $request, $reply) = @$_;
	$c->ask($request, $reply, $name);
}

dialogue $c, 'mg finds what the classic verbs stored', <<'END';
> add a1 1 0 1
> a
< STORED
> mg a1 v f
< VA 1 f1
< a
> append a1 0 0 1
> b
< STORED
> mg a1 v f s
< VA 2 f1 s2
< ab
> set n1 0 0 3
> 999
< STORED
> incr n1 1
< 1000
> mg n1 v s
< VA 4 s4
< 1000
> delete n1
< DELETED
> mg n1 v s
< EN
END

dialogue $c, 'T gives a new TTL; t tells it, evaluated in its place', <<'END';
> set t1 0 0 1
> a
< STORED
> mg t1 t
< HD t-1
> mg t1 T100 t
< HD t100
> mg t1 t T30
< HD t100
> mg t1 t
< HD t30
> mg t1 v T50 t
< VA 1 t50
< a
> mg t1 T0 t
< HD t-1
> mg t1 T2592000 t
< HD t2592000
> mg t1 T00020 t
< HD t20
> touch t1 70
< TOUCHED
> mg t1 t
< HD t70
> gat 60 t1
< VALUE t1 0 1
< a
< END
> mg t1 t
< HD t60
END

dialogue $c, 'T below 0 or in the past: the last hit', <<'END';
> set t2 0 0 1
> a
< STORED
> mg t2 s T-1
< HD s1
> mg t2
< EN
> set t2 0 0 1
> a
< STORED
> mg t2 T2592001 v
< VA 1
< a
> mg t2 v
< EN
> get t2
< END
END

dialogue $c, 'h becomes 1 with the first read', <<'END';
> set h1 0 0 1
> a
< STORED
> mg h1 h
< HD h0
> mg h1 h
< HD h1
> set h1 0 0 1
> a
< STORED
> get h1
< VALUE h1 0 1
< a
< END
> mg h1 h v
< VA 1 h1
< a
> set h1 0 0 1
> a
< STORED
> mg h1 v
< VA 1
< a
> mg h1 h
< HD h1
> set h1 0 0 1
> a
< STORED
> gat 0 h1
< VALUE h1 0 1
< a
< END
> mg h1 h
< HD h1
> set h1 0 0 1
> a
< STORED
> mg h1 h
< HD h0
END

dialogue $c, 'u reads without being noticed', <<'END';
> set u1 0 0 1
> a
< STORED
> mg u1 u v
< VA 1
< a
> mg u1 u h
< HD h0
> mg u1 h u
< HD h0
> mg u1 h
< HD h0
> mg u1 u h
< HD h1
END

SKIP: {
	skip 'the reference has no clock to move', 4 unless $srv->can_advance;

	dialogue $c, 'an item to look at later', <<'END';
> ms l1 1 T100
> a
< HD
> mg l1 l t
< HD l0 t100
END
	$srv->advance(10);
	dialogue $c, 'l counts the seconds since the last access', <<'END';
> mg l1 u l t
< HD l10 t90
> mg l1 u l h
< HD l10 h1
> mg l1 l
< HD l10
> mg l1 v
< VA 1
< a
> mg l1 l t
< HD l0 t90
END
	$srv->advance(89);
	$c->ask("mg l1 t\r\n", "HD t1\r\n", 'one second is left');
	$srv->advance(1);
	$c->ask("mg l1 t\r\nmg l1 v\r\nget l1\r\n", "EN\r\nEN\r\nEND\r\n",
	    'an expired item is a miss');
}

newer $c, 'c is the number that gets shows', <<'END';
> ms cas 1 E4711
> a
< HD
> mg cas c
< HD c4711
> gets cas
< VALUE cas 0 1 4711
< a
< END
> mg cas v c k
< VA 1 c4711 kcas
< a
> mg cas T100 c
< HD c4711
> ms cas 1 E18446744073709551615
> b
< HD
> mg cas c v
< VA 1 c18446744073709551615
< b
END

newer $c, 'C leaves the value away when the client has it already', <<'END';
> ms cc 2 E90 F3
> ab
< HD
> mg cc C90 v
< HD
> mg cc C90
< HD
> mg cc v C90 s
< HD s2
> mg cc C90 v q
< HD
> mg cc C90 v k O1 f t c
< HD kcc O1 f3 t-1 c90
> mg cc C91 v k
< VA 2 kcc
< ab
> mg cc C91
< HD
> mg cc C18446744073709551615 v
< VA 2
< ab
> mg none C90 v
< EN
> mg none C90 v k
< EN knone
END

$c->ask("ms cl 300000 E91\r\n$large\r\nmg cl C91 v s\r\nmg cl C92 v\r\n" .
    "md cl\r\n", "HD\r\nHD s300000\r\nVA 300000\r\n$large\r\nHD\r\n",
    'C and a large value') if since('1.6.45');

dialogue $c, 'flags that take no token ignore one', <<'END';
> mg m1 vfoo kbar sxyz
< VA 2 km1 s2
< hi
> mg m1 v0
< VA 2
< hi
> mg m1 qxx fyy txx v
< VA 2 f5 t-1
< hi
END

# Counters: what each kind of mg adds.
for (
	['a hit', 'mg m1 v', "VA 2\r\nhi\r\n", 'cmd_get get_hits'],
	['a miss', 'mg none v', "EN\r\n", 'cmd_get get_misses'],
	['a hit with T', 'mg m1 T0', "HD\r\n", 'cmd_touch touch_hits'],
	['a miss with T', 'mg none T0', "EN\r\n", 'cmd_get get_misses'],
	# nothing is there, but a lease
	['a miss that is won', 'mg viv N30', "HD W\r\n",
	 $srv->is_reference ? 'cmd_get get_hits total_items' :
	 'cmd_get get_misses'],
	['a miss that is taken', 'mg viv N30', "HD Z\r\n",
	 $srv->is_reference ? 'cmd_get get_hits' : 'cmd_get get_misses'],
	['a refused request', 'mg m1 z', "CLIENT_ERROR invalid flag\r\n", ''],
) {
	my ($name, $request, $reply, $counted) = @$_;
	my %before = %{ $c->stats };
	$c->put("$request\r\n");
	my $got = $c->take(length $reply);
	my %after = %{ $c->stats };
	my @rose = grep { $after{$_} != $before{$_} }
	    qw(cmd_get cmd_set cmd_touch cmd_meta get_hits get_misses
	       touch_hits touch_misses total_items);

	is("$got@rose", $reply . $counted,
	    "$name counts as " . ($counted || 'nothing'));
}

done_testing;
