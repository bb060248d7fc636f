#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 32-lease-parking.t - P2 to P10, the rules of requests that are parked; caps,
# many of them at once, and what is counted.

use Leasecached;
use Leasecached::Lease;
use Leasecached::Proc ();
use Time::HiRes qw(time);

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;
Leasecached::Proc::need_fds(500);

my $srv = calm;

# ---- P2: order --------------------------------------------------------------

talk $srv, 'P2: what is queued goes out, what follows waits', <<'END';
a> ms {k1} 1
a> x
a< HD
a> mg {k} c n30000
a< HD c{t} W
b>| mg {k1} v\r\nmg {k} v n30000 w90000\r\nset {k2} 0 0 1\r\ny\r\nmn\r\n
b< VA 1
b< x
waiters 1
b still
a> get {k2}
a< END
a> ms {k} 1 C{t}
a> z
a< HD
b< VA 1
b< z
b< STORED
b< MN
a> get {k2}
a< VALUE {k2} 0 1
a< y
a< END
END

talk $srv, 'P2: lines that come later wait as well', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v O1 n30000 w90000
waiters 1
b> mg {k} v O2
b> set {k2} 0 0 1
b> y
b still
a> get {k2}
a< END
a> ms {k} 1 C{t}
a> z
a< HD
b< VA 1 O1
b< z
b< VA 1 O2
b< z
b< STORED
END

talk $srv, 'P2: a connection may wait again and again', <<'END';
a> mg {k1} c n30000
a< HD c{t} W
a> mg {k2} c n30000
a< HD c{u} W
b>| mg {k1} v n30000 w90000\r\nmg {k2} v n30000 w90000\r\nmn\r\n
waiters 1
b still
a> ms {k1} 1 C{t}
a> x
a< HD
b< VA 1
b< x
waiters 1
b still
a> ms {k2} 1 C{u}
a> y
a< HD
b< VA 1
b< y
b< MN
END

talk $srv, 'P2: a quit that follows waits as well', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b>| mg {k} v n30000 w90000\r\nquit\r\n
waiters 1
a> ms {k} 1 C{t}
a> x
a< HD
b< VA 1
b< x
b<EOF
END

talk $srv, 'P2: handed the lease, it has it when it asks again', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b>| mg {k} c n30000 w90000\r\nmg {k} c n30000 w90000\r\n
waiters 1
a> md {k} C{t} U
a< HD
b< HD c# W
b< HD c0 Z
END

# ---- P3: the deadline counts from arrival -----------------------------------

{
	my @keys = map { new_key } 1 .. 40;
	my ($a, $b) = ($srv->connect, $srv->connect);

	$a->ask(join('', map { "mg $_ n50000\r\n" } @keys),
	    "HD W\r\n" x @keys, '40 leases');
	my $start = time;
	$b->put(join '', map { "mg $_ n5000 w1000\r\n" } @keys);
	is(join(' ', map { $b->line } @keys), join(' ', ('HD Z') x @keys),
	    'P3: 40 requests in one packet, each with w1000');
	my $gone = time - $start;
	cmp_ok($gone, '>', 0.95, 'P3: they wait a second');
	cmp_ok($gone, '<', 20, 'P3: together, not one after the other');

	# The longest of them counts, wherever it stands.
	$start = time;
	$b->put(join '', map { "mg $keys[$_] n5000 w" . ($_ == 5 ? 400 : 50) .
	    "\r\n" } 0 .. 9);
	is(join(' ', map { $b->line } 0 .. 9), join(' ', ('HD Z') x 10),
	    'P3: one of ten waits longer');
	cmp_ok(time - $start, '>', 0.38, 'P3: and has its time');
	$_->close for $a, $b;
}

# ---- P4: who leads does not wait --------------------------------------------

talk $srv, 'P4: a connection with an unfilled lease is not parked', <<'END';
a> mg {k1} c n30000
a< HD c{t} W
b> mg {k2} c n30000
b< HD c{u} W
a> mg {k2} c n30000 w90000
a< HD c0 Z
b> mg {k1} c n30000 w90000
b< HD c0 Z
b> mg {k1} v w90000
b< EN
a> mg {k1} c n30000 w90000
a< HD c0 Z
a> ms {k1} 1 C{t}
a> x
a< HD
a> mg {k2} v n30000 w90000
waiters 1
b> ms {k2} 1 C{u}
b> y
b< HD
a< VA 1
a< y
END

talk $srv, 'P4: after giving up one may wait', <<'END';
a> mg {k1} c n30000
a< HD c{t} W
b> mg {k2} c n30000
b< HD c{u} W
a> md {k1} C{t} U
a< HD
a> mg {k2} v n30000 w90000
waiters 1
b close
a< VA 0 W
a<
END

for (
	['has lapsed', 'a> mg {k1} C{v} n20', 'a< HD W', 'free {k1}'],
	['was ended by a delete', 'b> delete {k1}', 'b< DELETED'],
	['was ended by a store', 'b> ms {k1} 0', 'b>', 'b< HD'],
) {
	my ($name, @steps) = @$_;
	my $steps = join "\n", @steps;
	talk $srv, "P4: a lease that $name does not count", <<"END";
a> mg {k1} c n30000
a< HD c{v} W
$steps
b> mg {k2} c n30000
b< HD c{t} W
a> mg {k2} v n30000 w90000
waiters 1
b> ms {k2} 1 C{t}
b> x
b< HD
a< VA 1
a< x
END
}

talk $srv, 'P4: who was handed a lease leads', <<'END';
a> mg {k1} c n30000
a< HD c{t} W
c> mg {k2} n30000
c< HD W
b> mg {k1} c n30000 w90000
waiters 1
a close
b< HD c{u} W
b> mg {k2} n30000 w90000
b< HD Z
b> ms {k1} 1 C{u}
b> x
b< HD
END

talk $srv, 'P4: the pipeline that takes what it can, then asks again', <<'END';
a> mg {k2} c n30000
a< HD c{t} W
b>| mg {k1} c n30000 w90000\r\nmg {k2} c n30000 w90000\r\n
b> mg {k3} c n30000 w90000
b< HD c{u} W
b< HD c0 Z
b< HD c{v} W
b>| ms {k1} 1 C{u} q\r\nx\r\nms {k3} 1 C{v} q\r\nx\r\n
b> mg {k2} v n30000 w90000
waiters 1
a> ms {k2} 1 C{t}
a> y
a< HD
b< VA 1
b< y
END

# ---- P6: the waiter goes ----------------------------------------------------

talk $srv, 'P6: at the end of the stream the time is up', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v c n30000 w90000
waiters 1
mark
b shut
b< VA 0 c0 Z
b<
b<EOF
not in 20000
waiters 0
c> mg {k} v c O1 w90000
waiters 1
c shut
c< EN O1
c<EOF
a> mg {k} n30000
a< HD Z
END

talk $srv, 'P6: what was sent before the end is carried out', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b>| mg {k} v n30000 w90000\r\nset {k2} 0 0 1\r\nx\r\nmn\r\n
waiters 1
b shut
b< VA 0 Z
b<
b< STORED
b< MN
b<EOF
a> get {k2}
a< VALUE {k2} 0 1
a< x
a< END
END

# Each in another way.
for my $way ('shut', 'close', 'reset') {
	my $end = $way eq 'shut' ? "b< HD c0 Z\nb<EOF" : '';

	talk $srv, "P6, P10: one who has gone ($way) is not handed a lease",
	    <<"END";
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} c n30000 w90000
waiters 1
c> mg {k} c n30000 w90000
waiters 2
b $way
$end
waiters 1
a close
c< HD c{u} W
c> ms {k} 1 C{u}
c> x
c< HD
END
}

talk $srv, 'P6: a waiter that comes and goes leaves the others', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} n30000 w90000
waiters 1
c> mg {k} n30000 w60
d> mg {k} v n30000 w90000
c< HD Z
waiters 2
b reset
waiters 1
d still
a> ms {k} 1 C{t}
a> x
a< HD
d< VA 1
d< x
END

# ---- P7: caps ---------------------------------------------------------------

{
	my $two = Leasecached->start('-o', 'waiters=2');
	talk $two, 'P7: waiters=2: the third gets Z', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> mg {k1} n30000
a< HD W
b> mg {k} n30000 w90000
waiters 1
c> mg {k1} n30000 w90000
waiters 2
d> mg {k} c n30000 w90000
d< HD c0 Z
d> mg {k} w90000
d< EN
stat wait_refused_cap 2
stat waiters 2
stat waiters_most 2
a> ms {k} 1 C{t}
a> x
a< HD
b< HD
waiters 1
d> mg {k1} v w90000
waiters 2
a> ms {k1} 1
a> y
a< HD
c< HD
d< VA 1
d< y
END
	my $none = Leasecached->start('-o', 'waiters=0');
	talk $none, 'P7: waiters=0: nobody waits', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} n30000 w90000
b< HD Z
END
	my $key = Leasecached->start('-o', 'waiters_per_key=1');
	talk $key, 'P7: waiters_per_key', <<'END';
a> mg {k} n30000
a< HD W
a> mg {k1} n30000
a< HD W
b> mg {k} n30000 w90000
waiters 1
c> mg {k} n30000 w90000
c< HD Z
c> mg {k1} n30000 w90000
waiters 2
a close
b< HD W
c< HD W
END
	my $address = Leasecached->start('-o', 'waiters_per_address=1');
	talk $address, 'P7: waiters_per_address', <<'END';
a> mg {k} n30000
a< HD W
a> mg {k1} n30000
a< HD W
b> mg {k} n30000 w90000
waiters 1
c> mg {k1} n30000 w90000
c< HD Z
a> md {k}
a< HD
b< HD W
c> mg {k1} w90000
waiters 1
a> ms {k1} 0
a>
a< HD
c< HD
END
	sums_hold($_, 'P7') for $two, $none, $key, $address;
}

# ---- P8: the server stops ---------------------------------------------------

{
	my $last = Leasecached->start('-o', 'coalesce=rule:,wait=90000');
	my ($a, $b, $c, $d) = map { $last->connect } 1 .. 4;

	$a->ask("mg k n30000\r\nget rule:1\r\n", "HD W\r\nEND\r\n",
	    'two leases');
	$b->put("mg k v c n30000 w90000\r\n");
	$c->put("mg k k w90000\r\n");
	$d->put("get rule:1\r\n");
	ok(until_true { lease_stats($last)->{waiters} == 3 }, 'three wait');
	kill TERM => $last->pid;
	is($b->drain, "VA 0 c0 Z\r\n\r\n", 'P8: Z when the server stops');
	is($c->drain, "EN kk\r\n", 'P8: EN without n');
	is($d->drain, "END\r\n", 'P8: a miss for plain get');
	is($last->wait, 0, 'and it ends well');
}

# ---- P9: many ---------------------------------------------------------------

# One load for all of them (I12), each answered once (I6).
{
	my $many = Leasecached::Proc::scaled(300, 150);
	my $before = lease_stats($srv);
	my ($k, $size) = (new_key, 100_000);
	my @clients = map { $srv->connect } 1 .. $many;
	my ($token, @waiting);

	$_->put("mg $k v c n30000 w90000\r\n") for @clients;
	until_true {
		lease_stats($srv)->{waiters} == $many - 1;
	};
	is(lease_stats($srv)->{waiters}, $many - 1,
	    'all but one who miss at once wait');
	for my $client (@clients) {
		my $line = $client->within(0.001);
		push @waiting, $client if $line eq '';
		$token = $1 if $line =~ /^VA 0 c(\d+) W\r\n\r\n\z/;
	}
	is(scalar @waiting, $many - 1, 'I12: one of them leads');
	my $value = join '', map { chr 33 + $_ % 90 } 1 .. $size;
	$srv->connect->ask("ms $k $size C$token\r\n$value\r\n", "HD\r\n",
	    'the fill') if defined $token;
	my $good = grep {
		($_->line // '') =~ /^VA $size c\d+$/ &&
		    $_->take($size + 2) eq "$value\r\n"
	} @waiting;
	is($good, $many - 1, 'P9: all others have the value');
	is(scalar(grep { defined $_->more } @clients), 0,
	    'I6: and nothing more');
	my $after = lease_stats($srv);
	my $grown = sub { return $after->{$_[0]} - $before->{$_[0]} };
	is($grown->('lease_granted'), 1, 'one lease was granted');
	is($grown->('wait_parked'), $many - 1, 'wait_parked');
	is($grown->('wait_served'), $many - 1, 'wait_served');
	is($grown->('loads_saved'), $many - 1, 'loads_saved');
	cmp_ok($after->{waiters_most}, '>=', $many - 1, 'waiters_most');
	is($after->{waiters}, 0, 'nobody waits any more');
	$_->close for @clients;
}

# The lease goes from hand to hand when nobody fills.
{
	my $k = new_key;
	my @clients = map { $srv->connect } 1 .. 30;
	my ($last, $rising) = (0, 1);

	for my $n (1 .. @clients) {
		$clients[$n - 1]->put("mg $k c n30000 w90000\r\n");
		until_true {
			my $lease = lease_of($srv, $k);
			$lease && $lease->{waiters} == $n - 1;
		};
	}
	for my $client (@clients) {
		my ($token) = ($client->line // '') =~ /^HD c(\d+) W$/;
		$rising = 0 if ($token // 0) <= $last;
		$last = $token // 0;
		$client->close;
	}
	ok($rising, 'P10: the oldest first, each with a higher token');
}

# ---- what is counted --------------------------------------------------------

{
	my $new = Leasecached->start;
	talk $new, 'a wait of each kind', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} n30000 w20
b< HD Z
stat wait_timed_out 1
b> mg {k} n30000 w90000
waiters 1
b reset
stat wait_gone 1
stat waiters 0
c> mg {k} c n30000 w90000
waiters 1
a close
c< HD c{u} W
stat wait_handed 1
stat lease_handed_over 1
stat lease_disconnected 1
c> mg {k} n30000 w90000
c< HD Z
stat wait_refused_holder 1
d> mg {k} w90000
waiters 1
c> ms {k} 1 C{u}
c> x
c< HD
d< HD
stat wait_served 1
stat wait_parked 4
stat loads_saved 1
stat lease_granted 2
stat lease_lapsed 1
stat lease_filled 1
stat waiters_most 1
END
	my $stats = lease_stats($new);
	like($stats->{$_} // 'nothing', qr/^\d+$/, "stats leases: $_")
	    for map { "lease_$_" } qw(granted filled refused lapsed given_up
	    revoked live handed_over unrecorded renewed disconnected bytes);
	like($stats->{$_} // 'nothing', qr/^\d+$/, "stats leases: $_")
	    for qw(fill_late fill_refused_token fill_refused_newer
	    fill_refused_flush fill_refused_tag fill_refused_clock
	    fill_refused_floor wait_parked wait_served wait_handed
	    wait_timed_out wait_gone wait_refused_holder wait_refused_cap
	    waiters waiters_most loads_saved stale_served early_refreshes
	    backoffs negative_hits versioned_refused tombstones
	    tombstone_recorded tombstone_ended tombstone_dropped
	    waiter_bytes tombstone_bytes clock_bytes tag_clock_bytes);
	talk $new, 'what is renewed, and shown though stale', <<'END';
a> mg {k} c n30000
a< HD c{t} W
a> mg {k} C{t} n30000
a< HD W
stat lease_renewed 1
a> ms {k} 1
a> x
a< HD
a> md {k} I
a< HD
a> mg {k} n30000
a< HD X W
b> mg {k} v n30000
b< VA 1 Z X
b< x
stat stale_served 1
stat loads_saved 2
END
	sums_hold($new, 'a wait of each kind');
}

sums_hold($srv, 'at the end');
done_testing;
