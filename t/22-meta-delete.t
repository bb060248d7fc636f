#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 22-meta-delete.t - md: delete, compare, empty the value (x), mark stale (I).

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

dialogue $c, 'md deletes', <<'END';
> md none
< NF
> set d 5 0 1
> a
< STORED
> md d
< HD
> mg d
< EN
> get d
< END
> md d
< NF
> add d 0 0 1
> b
< STORED
> md  d
< HD
> mg d v
< EN
END

dialogue $c, 'k and O are echoed in the order of the request', <<'END';
> md none k O1
< NF knone O1
> md none O1 k
< NF O1 knone
> ms d 1
> a
< HD
> md d O k
< HD O kd
> ms d 1
> a
< HD
> md d kxx Oa=/!
< HD kd Oa=/!
> md bm9uZQ== b k
< NF kbm9uZQ== b
END

dialogue $c, 'q hides HD and nothing else', <<'END';
> ms d 1
> a
< HD
> md d q
> mn
< MN
> mg d
< EN
> md d q
< NF
> md d q k O1
< NF kd O1
> ms d 1
> a
< HD
> md d q k O1
> mn
< MN
> ms d 1
> a
< HD
> md d C0 q k O1
< EX kd O1
> md d I q
> mn
< MN
> mg d v
< VA 1 X W
< a
END

dialogue $c, 'T alone does not keep the item', <<'END';
> ms d 1
> a
< HD
> md d T30
< HD
> mg d
< EN
END

# With a number of the server's choice, as a client would do it.
{
	$c->put("ms own 1 c\r\na\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/;
	$cas //= 'none';

	$c->ask("md own C@{[$cas + 1]}\r\n", "EX\r\n", 'a number above');
	$c->ask("md own C0\r\n", "EX\r\n", 'the number 0');
	$c->ask("md own I C@{[$cas + 1]} k\r\n", "EX kown\r\n",
	    'a number above, with I');
	$c->ask("mg own v c\r\n", "VA 1 c$cas\r\na\r\n", 'all as before');
	$c->ask("md own C$cas\r\n", "HD\r\n", 'the number itself');
	$c->ask("mg own\r\n", "EN\r\n", 'the item is gone');
	$c->ask("md own C$cas\r\n", "NF\r\n", 'now there is nothing');
}

newer $c, 'C deletes only at the number given', <<'END';
> ms d 3 c E1000 F7 T90
> abc
< HD c1000
> md d C5 q O1
< EX O1
> md d C999
< EX
> md d C1001 k
< EX kd
> mg d v c
< VA 3 c1000
< abc
> md d C1000 k O1
< HD kd O1
> mg d
< EN
> md d C1000
< NF
END

newer $c, 'x empties the value and keeps the item', <<'END';
> ms x 3 F7 T90 E50
> abc
< HD
> md x x
< HD
> mg x v f t c
< VA 0 f0 t-1 c50
<
> get x
< VALUE x 0 0
<
< END
> ms x 2 F3 T100 E5
> ab
< HD
> md x x T20 F8 E7
< HD
> mg x c v f t
< VA 0 c7 f8 t20
<
> md x x q
> mn
< MN
> mg x c v f t
< VA 0 c7 f0 t-1
<
> md none x
< NF
> md none x q k
< NF knone
> mg none
< EN
> ms x 1 ME
> a
< NS
> ms x 1 MA
> a
< HD
> mg x v
< VA 1
< a
END

newer $c, 'x with C, k, O', <<'END';
> ms x 2 E5 F3
> ab
< HD
> md x x C4 k O1
< EX kx O1
> mg x v f
< VA 2 f3
< ab
> md x C5 x O1 k
< HD O1 kx
> mg x v f c
< VA 0 f0 c5
<
END

newer $c, 'x and I combine', <<'END';
> ms xi 3 E50 F3 T10
> abc
< HD
> md xi x I F9 T40
< HD
> mg xi v f t
< VA 0 f9 t40 X W
<
> mg xi v f t
< VA 0 f9 t40 Z X
<
> ms xi 2 E60
> ab
< HD
> md xi I x E70
< HD
> mg xi v t
< VA 0 t-1 X W
<
> mg xi v c t
< VA 0 c70 t-1 Z X
<
END

newer $c, 'x ends the stale and the won state', <<'END';
> ms xs 3
> abc
< HD
> md xs I
< HD
> md xs x
< HD
> mg xs v
< VA 0
<
> md xs I
< HD
> mg xs
< HD X W
> md xs x
< HD
> mg xs v
< VA 0
<
END

dialogue $c, 'I keeps value, client flags and TTL', <<'END';
> ms i 3 F7 T90
> abc
< HD
> md i I
< HD
> mg i v f t
< VA 3 f7 t90 X W
< abc
> md i I T30 k O1
< HD ki O1
> mg i v f t
< VA 3 f7 t30 X W
< abc
> md i I T0 F5
< HD
> mg i f t
< HD f7 t-1 X W
> md i I T-1
< HD
> mg i
< EN
> md i I
< NF
> md i I q k
< NF ki
END

dialogue $c, 'I is no access, and forgets none', <<'END';
> ms h 1
> a
< HD
> md h I
< HD
# u takes no lease here, and wins in memcached
> mg h h u
< HD h0 X*
> mg h h
< HD h0 *X*
> md h I T30
< HD
> mg h h
< HD h1 X W
END

newer $c, 'nor does E with it', <<'END';
> ms h 1
> a
< HD
> mg h h
< HD h0
> md h I E5
< HD
> mg h h
< HD h1 X W
> mg h h c
< HD h1 c5 Z X
END

# I changes the number: the value of a slow loader is refused.
{
	$c->put("ms own 1 c\r\na\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/;

	$c->ask("md own I\r\n", "HD\r\n", 'marked stale');
	$c->put("mg own c\r\n");
	my ($new) = $c->line =~ /^HD c(\d+) X W$/;
	cmp_ok($new // 0, '>', $cas // 'inf', 'the number rose');
	$c->ask("ms own 1 C$cas\r\nb\r\n", "EX\r\n", 'the old one is refused');
	$c->ask("ms own 1 C$new\r\nb\r\nmg own v\r\n",
	    "HD\r\nVA 1\r\nb\r\n", 'the new one stores');
}

newer $c, 'E is the number after I', <<'END';
> ms e 1 E100
> a
< HD
> md e I E200
< HD
> mg e v
< VA 1 X W
< a
> mg e c v
< VA 1 c200 Z X
< a
> md e C200 I E9 c
< HD
> mg e v
< VA 1 X W
< a
> mg e c v
< VA 1 c9 Z X
< a
> md e C200 I
< EX
> md e E5
< HD
> mg e
< EN
END

dialogue $c, 'md deletes what the classic verbs made, and the reverse', <<'END';
> set n 0 0 1
> 5
< STORED
> incr n 10
< 15
> md n
< HD
> incr n 1
< NOT_FOUND
> ma n N0
< HD
> delete n
< DELETED
> md n
< NF
END

# Counters: what each kind of md adds.
my @counters = (
	['a delete', "md q", "HD\r\n", 'delete_hits'],
	['a miss', "md none", "NF\r\n", 'delete_misses'],
	['a miss with I', "md none I", "NF\r\n", 'delete_misses'],
	['C refused', "md q C0", "EX\r\n", 'delete_misses'],
	['I', "md q I", "HD\r\n", ''],
	['a refused flag', "md q v v", undef, ''],
);
push @counters, (
	['x', "md q x", "HD\r\n", 'delete_hits total_items'],
	['x without an item', "md none x", "NF\r\n", 'delete_misses'],
) if since('1.6.45');

for (@counters) {
	my ($name, $request, $reply, $counted) = @$_;
	$reply //= !since('1.6.45')
	    ? "CLIENT_ERROR invalid or duplicate flag\r\n"
	    : "CLIENT_ERROR duplicate flag\r\n";
	$c->ask("ms q 1\r\na\r\n", "HD\r\n", "an item, to see how $name counts");
	my %before = %{ $c->stats };
	$c->put("$request\r\n");
	my $got = $c->take(length $reply);
	my %after = %{ $c->stats };
	my @rose = grep { $after{$_} != $before{$_} }
	    qw(cmd_get cmd_set cmd_touch delete_hits delete_misses
	       total_items);

	is("$got@rose", $reply . $counted,
	    "$name counts as " . ($counted || 'nothing'));
}

done_testing;
