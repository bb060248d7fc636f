#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 38-lease-old-clients.t - leases for clients that know nothing of them: rules
# for prefixes of keys.

use Leasecached;
use Leasecached::Lease;
use Leasecached::Proc ();

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

sub
rules
{
	return Leasecached->start(map { ('-o', "coalesce=$_") } @_);
}

# ---- rules ------------------------------------------------------------------

my $srv = rules('p:,wait=90000,lease=60000', 'p:n:,wait=0',
    'short:,wait=100,lease=60000', 'lapse:,wait=90000,lease=100',
    'guard:,wait=0,lease=60000,guard', 'stale:,wait=90000,lease=60000,stale=60',
    'dflt:');

# Each request that a rule is for: [request, reply to a miss, to a hit]
my @reads = (
	['get p:{k}', ['END'], ['VALUE p:{k} 7 1', 'x', 'END']],
	['gets p:{k}', ['END'], ['VALUE p:{k} 7 1 #', 'x', 'END']],
	['gat 0 p:{k}', ['END'], ['VALUE p:{k} 7 1', 'x', 'END']],
	['gats 0 p:{k}', ['END'], ['VALUE p:{k} 7 1 #', 'x', 'END']],
	['mg p:{k} v', ['EN'], ['VA 1', 'x']],
	['mg p:{k} k s c', ['EN kp:{k}'], ['HD kp:{k} s1 c#']],
);
for (@reads) {
	my ($request, $miss, $hit) = @$_;
	my ($name) = $request =~ /^(\w+)/;
	my $lines = sub {
		my ($client, $lines) = @_;
		return join "\n", map { "$client< $_" } @$lines;
	};
	my $hit_b = $lines->('b', $hit);
	my $hit_c = $lines->('c', $hit);
	my $miss_a = $lines->('a', $miss);
	my $miss_b = $lines->('b', $miss);

	talk $srv, "$name: the first is a miss, others wait for its set",
	    <<"END";
a> $request
$miss_a
b> $request
waiters 1
c> $request
waiters 2
b still
a> set p:{k} 7 0 1
a> x
a< STORED
$hit_b
$hit_c
waiters 0
END
	talk $srv, "$name: the first disconnects: the miss goes on", <<"END";
a> $request
$miss_a
b> $request
waiters 1
c> $request
waiters 2
a close
$miss_b
c still
b> set p:{k} 7 0 1
b> x
b< STORED
$hit_c
END
	talk $srv, "$name: more bytes end the wait", <<"END";
a> $request
$miss_a
b> $request
waiters 1
b> mn
$miss_b
b< MN
waiters 0
b> set p:{k} 7 0 1
b> x
b< STORED
END
	talk $srv, "$name: bytes that came with it, too", <<"END";
a> $request
$miss_a
b>| $request\\r\\nmn\\r\\n
$miss_b
b< MN
waiters 0
END
}

# Any store answers.
for (
	['set', "set p:{k} 7 0 1\nd> x", 'STORED'],
	['add', "add p:{k} 7 0 1\nd> x", 'STORED'],
	['ms', "ms p:{k} 1 F7\nd> x", 'HD'],
	['set of the first', "set p:{k} 7 0 1\na> x", 'STORED', 'a'],
	['add of the first', "add p:{k} 7 0 1\na> x", 'STORED', 'a'],
) {
	my ($name, $request, $reply, $who) = @$_;
	$who //= 'd';
	talk $srv, "a rule: $name answers", <<"END";
a> get p:{k}
a< END
b> get p:{k}
waiters 1
$who> $request
$who< $reply
b< VALUE p:{k} 7 1
b< x
b< END
END
}

talk $srv, 'a rule: delete hands the miss to the oldest', <<'END';
a> get p:{k}
a< END
b> get p:{k}
waiters 1
c> get p:{k}
waiters 2
a> delete p:{k}
a< DELETED
b< END
c still
b> set p:{k} 0 0 1
b> x
b< STORED
c< VALUE p:{k} 0 1
c< x
c< END
END
talk $srv, 'a rule: the wait is over: a miss', <<'END';
a> get short:{k}
a< END
mark
b> get short:{k}
b< END
not before 90
not in 20000
b> mg short:{k} v k
b< EN kshort:{k}
a> set short:{k} 0 0 1
a> x
a< STORED
END
talk $srv, 'a rule: the lease is over: the oldest has the miss', <<'END';
mark
a> get lapse:{k}
a< END
b> get lapse:{k}
b< END
not before 90
not in 20000
END
talk $srv, 'a rule: the wait of 500 ms and the lease of 2 s', <<'END';
mark
a> get dflt:{k}
a< END
b> get dflt:{k}
b< END
not before 450
END
talk $srv, 'a rule: a value is a hit for all', <<'END';
a> set p:{k} 0 0 1
a> x
a< STORED
a> get p:{k}
a< VALUE p:{k} 0 1
a< x
a< END
b> get p:{k}
b< VALUE p:{k} 0 1
b< x
b< END
END
talk $srv, 'a rule is for its prefix, and the longest counts', <<'END';
a> get q:{k}
a< END
b> get q:{k}
b< END
a> get {k}
a< END
b> get {k}
b< END
a> get p
a< END
b> get p
b< END
a> get p:n:{k}
a< END
b> get p:n:{k}
b< END
a> get p:n{k}
a< END
b> get p:n{k}
waiters 1
a> set p:n{k} 0 0 0
a>
a< STORED
b< VALUE p:n{k} 0 0
b<
b< END
END
talk $srv, 'a rule is not for several keys', <<'END';
a> get p:{k}
a< END
b> get p:{k} p:{k1}
b< END
b> gets p:{k1} p:{k}
b< END
a> set p:{k} 0 0 0
a>
a< STORED
END
talk $srv, 'a rule: the first leads, and so does not wait (P4)', <<'END';
a> get p:{k}
a< END
b> get p:{k1}
b< END
a> get p:{k1}
a< END
b> get p:{k}
b< END
a> get p:{k}
a< END
a> set p:{k} 0 0 0
a>
a< STORED
a> get p:{k1}
waiters 1
b> set p:{k1} 0 0 0
b>
b< STORED
a< VALUE p:{k1} 0 0
a<
a< END
END
talk $srv, 'a rule, and mg with n: both are leases of the key', <<'END';
a> mg p:{k} c n30000
a< HD c{t} W
b> get p:{k}
waiters 1
c> mg p:{k} v n30000
c< VA 0 Z
c<
a> ms p:{k} 1 C{t}
a> x
a< HD
b< VALUE p:{k} 0 1
b< x
b< END
a> get p:{k1}
a< END
c> mg p:{k1} v n30000 w90000
waiters 1
a close
c< VA 0 W
c<
END
talk $srv, 'a rule: a waiter that shuts down gets its miss', <<'END';
a> get p:{k}
a< END
b> get p:{k}
waiters 1
b shut
b< END
b<EOF
c> get p:{k}
waiters 1
c reset
waiters 0
a> get p:{k}
a< END
END
{
	my $all = rules('*,wait=90000');
	talk $all, 'a rule for all keys', <<'END';
a> get {k}
a< END
b> get {k}
waiters 1
a> set {k} 0 0 1
a> x
a< STORED
b< VALUE {k} 0 1
b< x
b< END
stat rule:*:granted 1
stat rule:*:wait_served 1
a> get {k1}
a< END
b> get {k1}
waiters 1
b close
waiters 0
stat rule:*:granted 2
END
	# A client that knows nothing, and asks for much, is not kept waiting.
	my $b = $all->connect;
	my $a = $all->connect;
	my @keys = map { new_key } 1 .. 50;
	$a->ask(join('', map { "get $_\r\n" } @keys), "END\r\n" x 50,
	    '50 misses');
	$b->ask(join('', map { "get $_\r\n" } @keys), "END\r\n" x 50,
	    'a pipeline of another is answered at once');
	sums_hold($all, 'a rule for all keys');
}

# stale, and guard.
talk $srv, 'stale: one is shown a miss, others the expired value', <<'END';
a> set stale:{k} 5 10 3
a> old
a< STORED
advance 13
a> get stale:{k}
a< END
b> get stale:{k}
b< VALUE stale:{k} 5 3
b< old
b< END
c> mg stale:{k} v
c< VA 3*
c< old
a> set stale:{k} 6 100 3
a> new
a< STORED
b> get stale:{k}
b< VALUE stale:{k} 6 3
b< new
b< END
a> set stale:{k1} 5 10 3
a> old
a< STORED
advance 80
a> get stale:{k1}
a< END
b> get stale:{k1}
waiters 1
a> set stale:{k1} 6 100 3
a> new
a< STORED
b< VALUE stale:{k1} 6 3
b< new
b< END
END
for my $verb ('set', 'add') {
	talk $srv, "guard: a late $verb is refused", <<"END";
a> get guard:{k}
a< END
b> delete guard:{k}
b< *
a> $verb guard:{k} 0 0 3
a> old
a< NOT_STORED
b> get guard:{k}
b< END
b> $verb guard:{k} 0 0 3
b> new
b< STORED
END
	talk $srv, "guard: a $verb in time is stored", <<"END";
a> get guard:{k}
a< END
a> $verb guard:{k} 0 0 3
a> new
a< STORED
b> get guard:{k}
b< VALUE guard:{k} 0 3
b< new
b< END
END
	talk $srv, "guard: a $verb of who has not asked is stored", <<"END";
a> get guard:{k}
a< END
b> delete guard:{k}
b< *
b> $verb guard:{k} 0 0 3
b> new
b< STORED
END
}
talk $srv, 'without guard a late set is stored', <<'END';
a> get short:{k}
a< END
b> delete short:{k}
b< *
a> set short:{k} 0 0 3
a> old
a< STORED
END
is(lease_stats($srv)->{'rule:guard%3A:guard_refused'}, 2,
    'stats leases: guard_refused of the rule');
cmp_ok(lease_stats($srv)->{'rule:short%3A:wait_timed_out'} // 0, '>=', 2,
    'wait_timed_out of the rule');
cmp_ok(lease_stats($srv)->{'rule:p%3A:wait_served'} // 0, '>=', 10,
    'wait_served of the rule');
sums_hold($srv, 'rules');

for my $bad ('', ',wait=5', 'a:,wait=x', 'a:,wait=-1', 'a:,lease=0',
    'a:,lease=60001', 'a:,wait=2147483648', 'a:,stale=x') {
	my ($how, $out, $err) = Leasecached::Proc::run(
	    Leasecached::Proc::as_user(), '-p', -1, '-l', '127.0.0.1', '-o',
	    "coalesce=$bad");
	like($how, qr/^exit (?!0$)/, "coalesce=$bad is refused");
	isnt($err, '', 'and why is told');
}
{
	my $more = Leasecached->start('-o', 'coalesce=a:,wait=90000,guard,' .
	    'lease_max=5000,lease_default=500,token_max=5,coalesce=b:');
	talk $more, 'other options may follow in the list', <<'END';
a> get a:{k}
a< END
b> get a:{k}
waiters 1
a close
b< END
END
}

done_testing;
