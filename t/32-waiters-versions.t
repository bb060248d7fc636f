#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 32-waiters-versions.t - waiters that want a version: a store answers those whom
# it satisfies, and the others have a leader again.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# Waiters are on threads of their own, so the order of events varies.
for my $round (1 .. 10) {
	talk $srv, 'V: an older value leaves them waiting, with a leader', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000 V10
waiters 1
c> mg {k} v w90000 V10
waiters 2
d> mg {k} v w90000 V5
waiters 3
e> mg {k} v w90000
waiters 4
a> ms {k} 1 C{t} V5
a> x
a< HD
d< VA 1*
d< x
e< VA 1
e< x
b< VA 0 c{u}* W
b<
waiters 1
c still
e> mg {k} v
e< VA 1 Z
e< x
b> ms {k} 1 C{u} V10
b> y
b< HD
c< VA 1*
c< y
END
}

sums_hold($srv, 'at the end');
done_testing;
