#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 34-floors.t - floors under which nothing is lost sight of.
#
# Each talk is a trace that a model checker found in an earlier draft of the
# rules (tests/promela, `run -t <name>`): an older version came back.

use Leasecached;
use Leasecached::Lease;

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $t = calm;

talk $t, 'a record that begins counts what stands as gone', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> set {k} 0 0 1
b> x
b< STORED
b> md {k} V1
b< HD
a> ms {k} 1 C{t} V1
a> o
a< NS
END

talk $t, 'the same when a versioned write replaces it', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> set {k} 0 0 1
b> x
b< STORED
b> ms {k} 1 V1 T1
b> y
b< HD
advance 3
a> ms {k} 1 C{t} V1
a> o
a< NS
END

talk $t, 'md V that lets a newer value stay remembers its version', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t} V2 T1
a> x
a< HD
b> md {k} V1
b< HD
advance 3
a> mg {k} c n30000
a< HD c{u} W
a> ms {k} 1 C{u} V1
a> o
a< NS V2
END

talk $t, 'a refused write leaves the floor it was refused by', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t} V2 T1
a> x
a< HD
b> ms {k} 1 V1
b> o
b< NS V2
advance 3
a> mg {k} c n30000
a< HD c{u} W
a> ms {k} 1 C{u} V1
a> o
a< NS V2
END

talk $t, 'MR does not refresh what md I marked', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t} V1
a> x
a< HD
b> md {k} V3 I T1
b< HD
advance 3
b> ms {k} 1 V2 MR
b> o
b< NS
b> mg {k} v V u
b< VA 1 V1 X
b< x
END

talk $t, 'MR drops what has no version', <<'END';
b> md {k} V2 T1
b< HD
advance 3
b> set {k} 0 0 1
b> n
b< STORED
b> ms {k} 1 V1 MR
b> o
b< NS
b> mg {k} v V
b< EN
END

talk $t, 'MR ends what is known to be absent, in an older version', <<'END';
b> ms {k} 0 z V2
b>
b< HD
b> ms {k} 1 V3 MR
b> x
b< NS
b> mg {k} v V w0
b< EN
b> ms {k1} 0 z V5
b>
b< HD
b> ms {k1} 1 V3 MR
b> x
b< NS
b> mg {k1} v V w0
b< VA 0 V5 z
b<
END

talk $t, 'a versioned write that has expired on arrival leaves its floor',
    <<'END';
b> ms {k} 1 V5 T-1
b> n
b< HD
b> ms {k} 1 V4
b> o
b< NS V5
b> mg {k} v V
b< EN
END

# ---- a guard is for those who have no versions --------------------------------

my $guarded = Leasecached->start('-o', 'coalesce=k,wait=0,guard');

talk $guarded, 'a versioned write passes a guard', <<'END';
a> get {k}
a< END
b> md {k}
b< HD
a> ms {k} 1 V3
a> x
a< HD
b> ms {k} 1 V2
b> x
b< NS V3
END

done_testing;
