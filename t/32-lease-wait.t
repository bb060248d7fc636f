#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 32-lease-wait.t - w: requests that are parked until somebody else has filled.
#
# "waiters n" is how a talk knows that a request is parked.  Rules of parking
# are in 32-lease-parking.t.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# ---- what ends a wait with a value ------------------------------------------

my @leads = (
	['a fill' => "a> ms {k} 3 C{t}\na> abc\na< HD"],
	['a fill of somebody else' => "d> ms {k} 3 C{t}\nd> abc\nd< HD"],
	['lease-set' => "a> lease-set {k} {t} 0 0 3\na> abc\na< STORED"],
	['a plain set' => "d> set {k} 0 0 3\nd> abc\nd< STORED"],
	['a set of the holder' => "a> set {k} 0 0 3\na> abc\na< STORED"],
	['noreply' => "d> set {k} 0 0 3 noreply\nd> abc"],
	['add' => "d> add {k} 0 0 3\nd> abc\nd< STORED"],
	['ms' => "d> ms {k} 3\nd> abc\nd< HD"],
	['ms q' => "d> ms {k} 3 q\nd> abc"],
	['a versioned ms' => "d> ms {k} 3 V5\nd> abc\nd< HD"],
	['ma that creates' => "d> ma {k} N0 J100 v\nd< VA 3\nd< 100"],
);
for (@leads) {
	my ($name, $store) = @$_;
	my $value = $name =~ /^ma/ ? '100' : 'abc';

	talk $srv, "$name answers all who wait", <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
c> mg {k} v w90000
waiters 2
e> mg {k} k O5 s N30 w90000 q
waiters 3
b still
$store
b< VA 3 c#
b< $value
c< VA 3
c< $value
e< HD k{k} O5 s3
waiters 0
b> mg {k} v
b< VA 3
b< $value
END
}

talk $srv, 'a negative value answers them as well', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
c> mg {k} w90000
waiters 2
a> ms {k} 0 C{t} z
a>
a< HD
b< VA 0 c# z
b<
c< HD z
END

talk $srv, 'a store that is expired on arrival: they get Z', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
c> mg {k} v w90000
waiters 2
a> ms {k} 3 C{t} T-1
a> abc
a< HD
b< VA 0 c0 Z
b<
c< EN
a> ms {k} 3 C{t}
a> abc
a< NS
END

# ---- hand-over --------------------------------------------------------------

# What ends a lease without a value: the oldest willing waiter leads (P10).
my @ends = (
	['the holder gives up', 'a> md {k} C{t} U', 'a< HD'],
	['the holder gives up with md C', 'a> md {k} C{t}', 'a< HD'],
	['the holder disconnects', 'a close'],
	['the holder is reset', 'a reset'],
	['the holder quits', 'a> quit', 'a<EOF'],
	['delete', 'd> delete {k}', 'd< DELETED'],
	['md', 'd> md {k}', 'd< HD'],
	['md q', 'd> md {k} q'],
	['md I', 'd> md {k} I', 'd< *'],
	['a give-up by lease-set', 'd> lease-set {k} {t} 0 -1 0', 'd>',
	    'd< STORED'],
	['a refused fill', 'd> md {k} V9', 'd< HD', 'b still',
	    'a> ms {k} 1 C{t} V8', 'a> x', 'a< NS V9'],
	['a refused fill of a dead tag', 'd> md dead A', 'd< HD', 'b still',
	    'a> ms {k} 1 C{t} Adead', 'a> x', 'a< NS'],
	['the time', 'a> mg {k} C{t} n100', 'a< HD W'],
);
for (@ends) {
	my ($name, @steps) = @$_;
	my $steps = join "\n", @steps;
	my $v = talk $srv, "$name: the oldest is handed the lease (P10)",
	    <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
c> mg {k} v c n30000 w90000
waiters 2
$steps
b< VA 0 c{u} W
b<
waiters 1
c still
e> mg {k} c n30000
e< HD c0 Z
b> ms {k} 1 C{u} V9
b> x
b< HD
c< VA 1 c#
c< x
END
	cmp_ok($v->{u} // 0, '>', $v->{t} // 0, "$name: with a new token");
}

talk $srv, 'flush_all: the oldest is handed the lease', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
d> flush_all
d< OK
b< VA 0 c{u} W
b<
a> ms {k} 1 C{t}
a> x
a< NS
b> ms {k} 1 C{u}
b> y
b< HD
END

talk $srv, 'the end of a lease wakes one, and not another (I7)', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} c n30000 w90000
waiters 1
c> mg {k} c n30000 w90000
waiters 2
d> mg {k} c n30000 w90000
waiters 3
a close
b< HD c# W
c still
d still
b close
c< HD c# W
d still
c> md {k}
c< HD
d< HD c{u} W
d> ms {k} 1 C{u}
d> x
d< HD
END

# ---- w without n: waits, never leads ----------------------------------------

talk $srv, 'w alone: nobody leads, so there is nothing to wait for', <<'END';
a> mg {k} v w90000
a< EN
a> mg {k} n30000
a< HD W
END

talk $srv, 'w alone is passed over when the lease ends', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c w90000
waiters 1
c> mg {k} v c n30000 w90000
waiters 2
a close
c< VA 0 c{u} W
c<
b still
waiters 1
c> ms {k} 1 C{u}
c> x
c< HD
b< VA 1 c#
b< x
END

for (@ends) {
	my ($name, @steps) = @$_;
	my $steps = join "\n", @steps;

	talk $srv, "$name: w alone and no willing one left: EN", <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c k w90000
waiters 1
c> mg {k} q w90000
waiters 2
$steps
b< EN k{k}
waiters 0
c> mg {k} n30000
c< HD W
END
}

talk $srv, 'w alone: the time is over: EN', <<'END';
a> mg {k} c n30000
a< HD c{t} W
mark
b> mg {k} v c k O3 w100
b< EN k{k} O3
not before 90
b> mg {k} v c q w50
b> mn
b< MN
END

# ---- the time of a wait -----------------------------------------------------

talk $srv, 'the time is over: Z', <<'END';
a> mg {k} c n30000
a< HD c{t} W
mark
b> mg {k} v c s n30000 w100
b< VA 0 c0 s0 Z
b<
not before 90
not in 20000
waiters 0
b> mg {k} q n30000 w50
b< HD Z
a> ms {k} 1 C{t}
a> x
a< HD
END

talk $srv, 'w0 and no w: Z at once (P1)', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} c n30000
b< HD c0 Z
b> mg {k} c n30000 w0
b< HD c0 Z
b> get {k}
b< END
b> gets {k}
b< END
b> gat 0 {k}
b< END
b> mg {k}
b< EN
b> mg {k} v c t V
b< EN
b> lease-get {k}
b< LVALUE {k} 1 0 0
b<
b< END
END

talk $srv, 'a value, fresh or stale, is not waited for', <<'END';
a> ms {k} 1 T100
a> x
a< HD
a> mg {k} R200 c
a< HD c{t} W
b> mg {k} v n30000 w90000
b< VA 1 Z
b< x
a> md {k} I
a< HD
a> mg {k} n30000
a< HD X W
b> mg {k} v n30000 w90000
b< VA 1 Z X
b< x
b> mg {k} v w90000
b< VA 1 Z X
b< x
END

talk $srv, 'a flush_all with a delay ends the lease when it is time', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v n30000 w90000
waiters 1
c> flush_all 5
c< OK
b still
advance 8
b< VA 0 W
b<
END

# ---- V: only a value that is new enough -------------------------------------

talk $srv, 'V: a plain value has no version, and does not do', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} c n30000 w90000 V1
waiters 1
d> set {k} 0 0 1
d> x
d< STORED
b< HD c{u} W
b> ms {k} 1 C{u} V1
b> y
b< HD
END

talk $srv, 'V and w alone on a value that is too old: nobody leads', <<'END';
a> ms {k} 1 V3
a> x
a< HD
b> mg {k} v V5 w90000
b< EN
END

talk $srv, 'V on a value that is too old: a leader, and waiters', <<'END';
a> ms {k} 1 V5 T100
a> x
a< HD
a> mg {k} v V5 n30000 w90000
a< VA 1*
a< x
a> mg {k} v V6
a< EN
a> mg {k} v c V6 n30000 w90000
a< VA 0 c{t}* W
a<
b> mg {k} v V6 n30000 w90000
waiters 1
c> mg {k} v n30000 w90000
c< VA 1 Z
c< x
a> ms {k} 1 C{t} V6
a> y
a< HD
b< VA 1*
b< y
END

sums_hold($srv, 'at the end');
done_testing;
