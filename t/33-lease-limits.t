#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 33-lease-limits.t - what tokens and versions do not protect from: the known
# limits, each shown.  (Those of tombstones are in 34-tombstones.t.)

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# ---- restart ----------------------------------------------------------------

{
	my ($before, $after) = map { Leasecached->start } 1 .. 2;
	my $v = talk $before, 'a token of one process', <<'END', k => 'key';
a> mg {k} c n30000
a< HD c{t} W
END
	talk $after, 'is nothing to another', <<'END', k => 'key', t => $v->{t};
a> mg {k} c n30000
a< HD c{u} W
a> ms {k} 1 C{t}
a> x
a< NF
a> ms {k} 1 C{u}
a> y
a< HD
a> ms {k} 1 C{t}
a> x
a< EX
a> mg {k} v
a< VA 1
a< y
END
}

# ---- known limits -----------------------------------------------------------

talk $srv, 'limit: without versions, a replica that lags is believed', <<'END';
# The database has a new row, the replica has not; the key is invalidated.
b> delete {k}
b< NOT_FOUND
# What is read from the replica after that is old, and stored.
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 3 C{t}
a> old
a< HD
a> mg {k} v
a< VA 3
a< old
END
{
	my ($before, $after) = map { Leasecached->start } 1 .. 2;
	talk $before, 'versions find that out', <<'END', k => 'key';
b> md {k} V18
b< HD
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 3 C{t} V17
a> old
a< NS V18
END
	talk $after, 'limit: but not when the server was restarted', <<'END',
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 3 C{t} V17
a> old
a< HD
END
	    k => 'key';
	talk $_, 'limit: each server has a leader of its own', <<'END'
a> mg {k} n30000
a< HD W
END
	    , k => 'shared' for $before, $after;
}

sums_hold($srv, 'at the end');
done_testing;
