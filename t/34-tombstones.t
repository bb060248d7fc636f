#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 34-tombstones.t - how long a floor is remembered, and how many are.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

# ---- the time of a floor ----------------------------------------------------

{
	my $t = Leasecached->start;

	# A write that is refused prolongs what refused it, so each key is
	# asked once: those of 1 at 55 s, those of 2 at 65 s, and so on.
	talk $t, 'a floor lives for tombstone_ttl, 60 s', <<'END';
a>| md {k1} V18\r\nmd {k2} V18\r\n
a< HD
a< HD
a>| ms {k1s} 1 V18\r\na\r\nms {k2s} 1 V18\r\na\r\n
a< HD
a< HD
a>| delete {k1s}\r\ndelete {k2s}\r\n
a< DELETED
a< DELETED
a>| md {k2t} V18 T200\r\nmd {k3t} V18 T200\r\nmd {k0} V18 T5\r\n
a< HD
a< HD
a< HD
# The later of two deadlines counts, and the higher of two floors.
a>| md {k2u} V18 T200\r\nmd {k2u} V19 T5\r\n
a< HD
a< HD
a>| md {k2v} V18 T5\r\nmd {k2v} V17 T200\r\n
a< HD
a< HD
a>| md {k1w} V18 T5\r\nmd {k1w} V18\r\n
a< HD
a< HD
a>| md {k2w} V18 T5\r\nmd {k2w} V18\r\n
a< HD
a< HD
advance 10
a> ms {k0} 1 V17
a> x
a< HD
advance 45
a> ms {k1} 1 V17
a> x
a< NS V18
a> ms {k1s} 1 V17
a> x
a< NS V18
a> ms {k1w} 1 V17
a> x
a< NS V18
advance 10
a> ms {k2} 1 V17
a> x
a< HD
a> ms {k2s} 1 V17
a> x
a< HD
a> ms {k2w} 1 V17
a> x
a< HD
a> ms {k2t} 1 V17
a> x
a< NS V18
a> ms {k2u} 1 V18
a> x
a< NS V19
a> ms {k2v} 1 V17
a> x
a< NS V18
# k1 was prolonged.
a> ms {k1} 1 V17
a> x
a< NS V18
advance 140
a> ms {k3t} 1 V17
a> x
a< HD
a> ms {k1} 1 V17
a> x
a< HD
END
	talk $t, 'a value outlives its floor, and keeps its version', <<'END';
a> ms {k} 1 V17
a> a
a< HD
a> ms {k1} 1 V17
a> a
a< HD
advance 65
a> md {k} V10
a< HD
a> mg {k} v V
a< VA 1 V17
a< a
# The floor is that of the value which stays.
a> delete {k}
a< DELETED
a> ms {k} 1 V16
a> b
a< NS V17
a> ms {k} 1 V17
a> c
a< HD
a> ms {k1} 1 V16
a> b
a< NS V17
a> delete {k1}
a< DELETED
a> ms {k1} 1 V16
a> b
a< NS V17
END
	talk $t, 'without a floor a plain store is stored', <<'END';
a> ms {k} 1 V17
a> a
a< HD
advance 65
a> set {k} 0 0 1
a> b
a< STORED
a> mg {k} v V18
a< EN
a> ms {k} 1 V1
a> c
a< HD
END
	talk $t, 'the end of a floor ends what may be filled', <<'END';
a> mg {k} c n60000
a< HD c{t} W
a> md {k} V18 T5
a< HD
advance 8
a> ms {k} 1 C{t} V18
a> x
a< NS
a> mg {k} c n30000
a< HD* W
END
	cmp_ok(lease_stats($t)->{tombstone_ended}, '>', 0, 'tombstone_ended');
	talk $t, 'limit: pushes that come later than the floor lives', <<'END';
a> md {k} V18
a< HD
a> md {k1} V18
a< HD
advance 65
a> ms {k} 3 V17
a> old
a< HD
a> mg {k} v
a< VA 3
a< old
# MR is right for those.
a> ms {k1} 3 V17 MR
a> old
a< NS*
a> mg {k1} v
a< EN
END
	sums_hold($t, 'the time of a floor');

	my $o = Leasecached->start('-o', 'tombstone_ttl=10,tombstone_max=20');
	talk $o, 'tombstone_ttl and tombstone_max', <<'END';
a> md {k} V18
a< HD
a> md {k1} V18
a< HD
a> md {k2} V18 T20
a< HD
a> md {k3} V18 T20
a< HD
a> md {k4} V18 T21
a< CLIENT_ERROR bad token in command line format
advance 7
a> ms {k} 1 V17
a> x
a< NS V18
advance 5
a> ms {k1} 1 V17
a> x
a< HD
a> ms {k2} 1 V17
a> x
a< NS V18
advance 10
a> ms {k3} 1 V17
a> x
a< HD
END
}

# ---- a table that is full ---------------------------------------------------

{
	my $few = Leasecached->start('-o', 'tombstones=1024');
	my $c = $few->client;
	my @early = map { "early$_" } 1 .. 100;
	my (%token, %count);

	for my $k (@early) {
		$c->put("mg $k c n60000\r\nmd $k V2 T10\r\n");
		$token{$k} = $1 if ($c->line // '') =~ / c(\d+) W/;
		$c->line;
	}
	my $stats = lease_stats($few);
	is($stats->{tombstone_recorded}, 100, 'a hundred records');
	is($stats->{tombstones}, 100 - $stats->{tombstone_dropped},
	    'are in the table');

	# Long ones, which take their places.
	my @long = map { "long$_" } 1 .. 5000;
	$c->put(join '', map { "md $_ V2 T3600\r\n" } @long);
	is(scalar(grep { $c->line eq 'HD' } @long), 5000,
	    'md V is HD whether there is room or not');
	$stats = lease_stats($few);
	is($stats->{tombstone_recorded}, 5100, 'tombstone_recorded');
	cmp_ok($stats->{tombstones}, '<=', 1024, 'no more than the table has');
	cmp_ok($stats->{tombstones}, '>', 700, 'which is used');
	is($stats->{tombstone_dropped}, 5100 - $stats->{tombstones},
	    'all others were dropped, and counted');
	cmp_ok($stats->{tombstone_bytes}, '<=', 1024 * 64, 'and little memory');

	# Who was dropped has no floor; what was granted before is refused.
	for my $k (@early) {
		$c->put("ms $k 1 C" . ($token{$k} // 1) . " V2\r\nx\r\n");
		$count{$c->line}++;
	}
	is($count{NS} // 0, 100 - ($count{HD} // 0),
	    'the early ones: kept, or refused as if their time had come');
	cmp_ok($count{NS} // 0, '>=', 90,
	    'the nearest deadline was dropped first');

	my %floor;
	for my $k (@long) {
		$c->put("mg $k V n1\r\n");
		my $line = $c->line;
		$floor{$line}++;
	}
	cmp_ok($floor{'HD V2 W'} // 0, '<=', 1024, 'at most 1024 floors');
	cmp_ok($floor{'HD V2 W'} // 0, '>', 700, 'and not many fewer');
	is(($floor{'HD V2 W'} // 0) + ($floor{'HD W'} // 0), 5000,
	    'the others have none');

	# Records with long deadlines stay when many short ones pass.
	$stats = lease_stats($few);
	$c->put(join '', map { "md short$_ V2 T1\r\n" } 1 .. 5000);
	$c->line for 1 .. 5000;
	my $left = 0;
	for my $k (@long) {
		$c->put("mg $k V n1 u\r\n");
		$left++ if $c->line =~ / V2 /;
	}
	cmp_ok($left, '>=', 0.7 * $floor{'HD V2 W'},
	    "of these $left stay when short ones pass");

	# The known limit.
	my ($forgotten) = grep {
		$c->put("mg $_ V n1\r\n");
		$c->line !~ / V2/;
	} @long;
	$c->put("ms $forgotten 3 V1\r\nold\r\n");
	is($c->line, 'HD', 'limit: a floor that was dropped does not protect');
}

done_testing;
