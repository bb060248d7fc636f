#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 23-meta-arith.t - ma: modes, delta, creation, padding, 64-bit wrap.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

dialogue $c, 'ma needs a number, or N to create it', <<'END';
> ma n
< NF
> ma n v
< NF
> ma n q O1 k
< NF O1 kn
> ma n J10 D5
< NF
> mg n
< EN
> ma n N0 J10 v t k O1
< VA 2 t-1 kn O1
< 10
> mg n v f t s
< VA 2 f0 t-1 s2
< 10
> ma n N90 J20 v t
< VA 2 t-1
< 11
> ma new N30 t v
< VA 1 t30
< 0
> mg new v t
< VA 1 t30
< 0
END

dialogue $c, 'on creation J is the value, whatever D and M', <<'END';
> ma c1 N0 J7 MD D2 v
< VA 1
< 7
> ma c2 N0 J7 D2 v
< VA 1
< 7
> ma c2 N0 J7 D2 v
< VA 1
< 9
> ma c3 N0 J18446744073709551615 v
< VA 20
< 18446744073709551615
> ma c4 N0 J1 F5
< HD
> mg c4 f
< HD f0
> ma c5 N0 J007 v
< VA 1
< 7
> mg c5 v
< VA 1
< 7
END

dialogue $c, 'modes', <<'END';
> set m 0 0 1
> 5
< STORED
> ma m
< HD
> ma m v
< VA 1
< 7
> ma m MI v
< VA 1
< 8
> ma m M+ D3 v
< VA 2
< 11
> ma m MD D3 v
< VA 1
< 8
> ma m M- v
< VA 1
< 7
> ma m MD D100 v
< VA 1
< 0
> ma m D0 v
< VA 1
< 0
> ma m D007 v
< VA 1
< 7
END

dialogue $c, 'the stored text never gets shorter: it is padded', <<'END';
> ms p 2 F7 T100
> 10
< HD
> ma p MD v t
< VA 1 t100
< 9
> mg p s f t
< HD s2 f7 t100
> ma p v
< VA 2
< 10
> ma p D990 v
< VA 4
< 1000
> mg p s f t
< HD s4 f7 t100
> ma p MD D5000 v
< VA 1
< 0
> mg p s
< HD s4
> ma p MD v
< VA 1
< 0
END

my $wide = '0' . ' ' x 19;
for (
	['padding is made of spaces, on the right',
	 "set w 3 0 2\r\n10\r\nma w MD\r\nget w\r\n",
	 "STORED\r\nHD\r\nVALUE w 3 2\r\n9 \r\nEND\r\n"],
	['2^64 wraps to 0',
	 "set w 0 0 20\r\n18446744073709551615\r\nma w v\r\nmg w v\r\n",
	 "STORED\r\nVA 1\r\n0\r\nVA 20\r\n$wide\r\n"],
	['the largest delta', "ma w D18446744073709551615 v\r\n",
	 "VA 20\r\n18446744073709551615\r\n"],
	['wraps by more than one', "ma w D18446744073709551615 v\r\n",
	 "VA 20\r\n18446744073709551614\r\n"],
	['decrement floors at 0', "ma w MD D18446744073709551615 v\r\n",
	 "VA 1\r\n0\r\n"],
	['a delta of 2^64 is refused', "ma w D18446744073709551616 v\r\n",
	 "CLIENT_ERROR invalid or duplicate flag\r\n"],
	['an initial value of 2^64 is refused',
	 "ma none N0 J18446744073709551616\r\nmg none\r\n",
	 "CLIENT_ERROR invalid or duplicate flag\r\nEN\r\n"],
	['a delta may have leading zeros',
	 "ma w D0000000000000000000007 v\r\n", "VA 1\r\n7\r\n"],
	['leading zeros and spaces are read',
	 "set w 0 0 5\r\n 0012\r\nma w v\r\nmg w v\r\n",
	 "STORED\r\nVA 2\r\n13\r\nVA 5\r\n13   \r\n"],
	['text after a space is not read', "set w 0 0 4\r\n12 b\r\nma w v\r\n",
	 "STORED\r\nVA 2\r\n13\r\n"],
) {
	my ($name, $request, $reply) = @$_;
	$c->ask($request, $reply, $name);
}

# What is no number; and q hides none of it.
for my $value ('', ' ', 'abc', '-1', '1x2', '0x10', '1.5', "\0",
	'18446744073709551616', '99999999999999999999', '9' x 300) {
	my $length = length $value;
	my $shown = $length > 20 ? "$length digits" : "'$value'";
	$shown =~ s/\0/\\0/;

	for my $flags ('', ' q', ' v MD', ' N0 J5 v') {
		$c->ask("set t 0 0 $length\r\n$value\r\nma t$flags\r\n" .
		    "get t\r\n",
		    "STORED\r\nCLIENT_ERROR cannot increment or decrement " .
		    "non-numeric value\r\nVALUE t 0 $length\r\n$value\r\n" .
		    "END\r\n", "$shown is not a number: ma$flags");
	}
}

dialogue $c, 'T gives a TTL; t is evaluated in its place', <<'END';
> set t 4 100 1
> 5
< STORED
> ma t t
< HD t100
> ma t T30 t
< HD t30
> ma t t T50
< HD t30
> ma t t v
< VA 1 t50
< 9
> ma t T0 t
< HD t-1
> ma t T20 MD D3 v t
< VA 1 t20
< 7
> mg t f t s
< HD f4 t20 s2
> ma t2 N30 T60 t
< HD t60
> mg t2 t
< HD t60
> ma t4 T60 t N30
< HD t60
> mg t4 t
< HD t30
> ma t3 t N30
< HD t-1
> mg t3 t
< HD t30
> ma t T-1 v
< VA 1
< 8
END

dialogue $c, 'after T-1 the number is gone', <<'END';
> mg t
< EN
> ma t
< NF
> ma t N0 J3 v
< VA 1
< 3
END

dialogue $c, 'return flags in the order of the request', <<'END';
> set o 0 100 1
> 5
< STORED
> ma o k O1 t v
< VA 1 ko O1 t100
< 6
> ma o v t O1 k
< VA 1 t100 O1 ko
< 7
> ma o O k
< HD O ko
> ma o s f h l u P1 L2 v
< VA 1
< 9
> ma none O1 k
< NF O1 knone
END

dialogue $c, 'q hides HD and VA', <<'END';
> set q 0 0 1
> 5
< STORED
> ma q q
> ma q q v k O1
> mn
< MN
> mg q v
< VA 1
< 7
> ma none q
< NF
> ma q C1 q
< EX
END

newer $c, 'also when N creates the item', <<'END';
> ma q2 N0 J7 q
> ma q3 N0 J7 q v
> mn
< MN
> mg q2 v
< VA 1
< 7
END

# With numbers of the server's choice, as a client would do it.
{
	$c->ask("ma own N0 J5 v\r\n", "VA 1\r\n5\r\n", 'a new number');
	$c->put("mg own c\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/;
	$cas //= 'none';

	$c->ask("ma own C@{[$cas + 1]} k O1 v\r\n", "EX kown O1\r\n",
	    'C of another version');
	$c->ask("mg own v c\r\n", "VA 1 c$cas\r\n5\r\n", 'it changed nothing');
	$c->put("ma own C$cas v c\r\n");
	my ($next) = $c->line =~ /^VA 1 c(\d+)$/;
	is($c->line, '6', 'C of this version counts');
	cmp_ok($next // 0, '>', $cas, 'and makes a new version');
	$c->ask("mg own c\r\n", "HD c$next\r\n", 'which mg shows, too');
	$c->ask("ma own C$cas\r\n", "EX\r\n", 'the old version is refused');
	$c->ask("ma own C0 v\r\n", "VA 1\r\n7\r\n", 'C0 asks for no version');
	$c->ask("ma none C$cas\r\n", "NF\r\n", 'C without an item');
	$c->ask("ma other C$cas N0 J4 v\r\n", "VA 1\r\n4\r\n",
	    'C does not keep N from creating');
}

newer $c, 'E sets the version', <<'END';
> set e 0 0 1
> 5
< STORED
> ma e E500 c v
< VA 1 c500
< 6
> ma e C500 E600 v c
< VA 1 c600
< 7
> ma e C500
< EX
> mg e c v
< VA 1 c600
< 7
> ma e2 N0 J1 E700 c
< HD c700
> gets e2
< VALUE e2 0 1 700
< 1
< END
END

dialogue $c, 'incr and decr count on', <<'END';
> ma i N0 J10
< HD
> incr i 5
< 15
> ma i v
< VA 2
< 16
> decr i 10
< 6
> ma i MD v
< VA 1
< 5
> append i 0 0 1
> 0
< STORED
> mg i s
< HD s3
END

dialogue $c, 'a mode is one of I + D -', <<'END';
> set x 0 0 1
> 5
< STORED
> ma x Mx
< CLIENT_ERROR invalid mode for ma M token
> ma x Mi
< CLIENT_ERROR invalid mode for ma M token
> ma x MS q k O1
< CLIENT_ERROR invalid mode for ma M token
> ma none MX N0
< CLIENT_ERROR invalid mode for ma M token
> mg none
< EN
> mg x v
< VA 1
< 5
END

newer $c, 'a mode is one letter', <<'END';
> ma x Mincr v
< CLIENT_ERROR invalid mode for ma M token
> ma x M++
< CLIENT_ERROR invalid mode for ma M token
> ma x M
< CLIENT_ERROR invalid mode for ma M token
> mg x v
< VA 1
< 5
END

# Several clients at once: no step is lost.
{
	my @clients = map { $srv->connect } 1 .. 8;

	$c->ask("ma all N0 J1000000\r\n", "HD\r\n", 'a number for all');
	for my $round (1 .. 10) {
		$_->put("ma all q D3\r\nma all MD q\r\nincr all 1 noreply\r\n"
		    x 50) for @clients;
	}
	is(scalar(grep { $_->silent } @clients), 8, '8 clients count');
	$c->ask("mg all v\r\n", "VA 7\r\n1012000\r\n",
	    '8 times 500 times 3 more');
}

# Counters: what each kind of ma adds.
for (
	['a hit', "ma q", "HD\r\n", 'incr_hits'],
	['a hit of MD', "ma q MD v", "VA 1\r\n0\r\n", 'decr_hits'],
	['a miss', "ma none", "NF\r\n", 'incr_misses'],
	['a miss of MD', "ma none MD", "NF\r\n", 'decr_misses'],
	['a creation', "ma fresh N0", "HD\r\n", 'total_items'],
	['C refused', "ma q C1", "EX\r\n", ''],
	['a refused flag', "ma q z",
	 "CLIENT_ERROR invalid or duplicate flag\r\n", ''],
) {
	my ($name, $request, $reply, $counted) = @$_;
	$c->ask("ms q 1\r\n0\r\n", "HD\r\n", "a 0, to see how $name counts");
	my %before = %{ $c->stats };
	$c->put("$request\r\n");
	my $got = $c->take(length $reply);
	my %after = %{ $c->stats };
	my @rose = grep { $after{$_} != $before{$_} }
	    qw(cmd_get cmd_set cmd_touch incr_hits incr_misses decr_hits
	       decr_misses total_items);

	is("$got@rose", $reply . $counted,
	    "$name counts as " . ($counted || 'nothing'));
}

done_testing;
