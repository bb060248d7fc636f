#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 38-lease-listeners.t - listeners with a mode, for clients that know nothing of
# leases and for proxies; visible_stubs; watch leases.

use Leasecached;
use Leasecached::Lease;
use Leasecached::Proc qw(free_port tmpdir);
use IO::Socket::UNIX ();
use Leasecached::Suite ();
use POSIX ();

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

# ---- listeners --------------------------------------------------------------

# A server with a plain listener and one with a mode; the clients of a talk
# whose letter is before m use the latter.
sub
modes
{
	my ($mode, @options) = @_;
	my $srv = Leasecached->start('-l', '127.0.0.1', '-l',
	    "mode[$mode]:127.0.0.1", @options);
	my ($plain, $port) = ports($srv);
	isnt($port // $plain, $plain, "mode[$mode]: two listeners");

	$srv->{port} = $plain;
	return ($srv, -connect => sub {
		return $srv->connect if $_[0] ge 'm' || $_[0] eq '';
		return Leasecached::Client->new(port => $port);
	}, -port => $port);
}

{
	my ($srv, %with) = modes('lease');
	delete $with{-port};
	my $v = talk $srv, 'lease: gets of a miss shows a token, cas fills',
	    <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
b> gets {k}
b< VALUE {k} 0 0 1
b<
b< END
b> cas {k} 0 0 1 1
b> x
b< NOT_FOUND
n> gets {k}
n< END
a> get {k}
a< END
a> cas {k} 5 0 3 {t}
a> abc
a< STORED
b> gets {k}
b< VALUE {k} 5 3 {cas}
b< abc
b< END
b> cas {k} 5 0 3 {cas}
b> def
b< STORED
a> cas {k} 5 0 3 {cas}
a> old
a< EXISTS
a> cas {k} 5 0 3 {t}
a> old
a< EXISTS
n> gets {k}
n< VALUE {k} 5 3 #
n< def
n< END
END
	cmp_ok($v->{t} // 0, '>', FIRST_TOKEN, 'it is a token');
	talk $srv, 'lease: a late fill is refused', <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
n> delete {k}
n< DELETED
a> cas {k} 0 0 3 {t}
a> old
a< EXISTS
n> get {k}
n< END
b> gats 100 {k}
b< VALUE {k} 0 0 {u}
b<
b< END
b> cas {k} 0 0 3 {u}
b> new
b< STORED
END
	talk $srv, 'lease: several keys', <<'END', %with;
a> set {k1} 3 0 1
a> x
a< STORED
b> gets {k2}
b< VALUE {k2} 0 0 {t}
b<
b< END
a> gets {k0} {k1} {k2} {k3}
a< VALUE {k0} 0 0 {u}
a<
a< VALUE {k1} 3 1 #
a< x
a< VALUE {k2} 0 0 1
a<
a< VALUE {k3} 0 0 {v}
a<
a< END
a> cas {k3} 0 0 1 {v}
a> y
a< STORED
a> cas {k0} 0 0 1 {u}
a> z
a< STORED
END
	talk $srv, 'lease: a token works on any listener', <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
n> mg {k} n30000
n< HD Z
n> mg {k} v w90000
waiters 1
n still
o> ms {k} 1 C{t}
o> x
o< HD
n< VA 1
n< x
n> mg {k2} c n30000
n< HD c{v} W
a> gets {k2}
a< VALUE {k2} 0 0 1
a<
a< END
a> cas {k2} 0 0 1 {v}
a> x
a< STORED
END
	talk $srv, 'lease: the holder goes, another may fill', <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
a close
free {k}
b> gets {k}
b< VALUE {k} 0 0 {u}
b<
b< END
b> cas {k} 0 0 1 {u}
b> x
b< STORED
END
	sums_hold($srv, 'lease listener');
}

{
	my ($srv, %with) = modes('lease,wait=90000');
	delete $with{-port};
	talk $srv, 'lease, wait: gets and lease-get of one key may park',
	    <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
b> gets {k}
waiters 1
c> lease-get {k}
waiters 2
n> lease-get {k}
n< LVALUE {k} 1 0 0
n<
n< END
d> gets {k} {k1}
d< VALUE {k} 0 0 1
d<
d< VALUE {k1} 0 0 {u}
d<
d< END
d> lease-get {k1} {k}
d< LVALUE {k1} 1 0 0
d<
d< LVALUE {k} 1 0 0
d<
d< END
a> cas {k} 0 0 1 {t}
a> x
a< STORED
b< VALUE {k} 0 1 #
b< x
b< END
c< VALUE {k} 0 1
c< x
c< END
END
	talk $srv, 'lease, wait: hand-over', <<'END', %with;
a> gets {k}
a< VALUE {k} 0 0 {t}
a<
a< END
b> gets {k}
waiters 1
c> lease-get {k}
waiters 2
a close
b< VALUE {k} 0 0 {u}
b<
b< END
waiters 1
b close
c< LVALUE {k} {v} 0 0
c<
c< END
c> lease-set {k} {v} 0 0 1
c> x
c< STORED
END
}

{
	my ($srv, %with) = modes('proxy', '-o', 'coalesce=p:,wait=90000');
	delete $with{-port};
	talk $srv, 'proxy: nobody is parked', <<'END', %with;
n> mg {k} c n30000
n< HD c{t} W
a> mg {k} v c n30000 w90000
a< VA 0 c0 Z
a<
a> mg {k} v w90000
a< EN
a> lease-get {k}
a< LVALUE {k} 1 0 0
a<
a< END
n> get p:{k1}
n< END
a> get p:{k1}
a< END
o> get p:{k1}
waiters 1
n> set p:{k1} 0 0 1
n> x
n< STORED
o< VALUE p:{k1} 0 1
o< x
o< END
END
	talk $srv, 'proxy: the lease is not the connection\'s', <<'END', %with;
a> mg {k} c n60000
a< HD c{t} W
a close
b> mg {k} n30000
b< HD Z
b> mg {k1} n60000
b< HD W
b> mg {k2} n60000
b< HD W
n> mg {k} v n30000 w90000
waiters 1
b> ms {k} 1 C{t}
b> x
b< HD
n< VA 1
n< x
END
	talk $srv, 'proxy: it ends with its time', <<'END', %with;
a> mg {k} c n50
a< HD c{t} W
a close
b~ mg {k} n30000
b< HD W
END
	sums_hold($srv, 'proxy listener');
}
{
	my ($srv, %with) = modes('plain');
	delete $with{-port};
	talk $srv, 'plain: as without a mode', <<'END', %with;
a> gets {k}
a< END
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v n30000 w90000
waiters 1
a close
b< VA 0 W
b<
END
}
for my $bad ('mode[foo]:127.0.0.1', 'mode[]:127.0.0.1', 'mode[lease:127.0.0.1',
    'mode[lease,wait=x]:127.0.0.1', 'mode[proxy,wait=5]:127.0.0.1') {
	my ($how, $out, $err) = Leasecached::Proc::run(
	    Leasecached::Proc::as_user(), '-p', -1, '-l', $bad);
	like($how, qr/^exit (?!0$)/, "-l $bad is refused");
}

# ---- real clients -----------------------------------------------------------

SKIP: {
	my $python = Leasecached::Suite::python3();
	my (undef, $status) = Leasecached::Suite::output_of($python, '-c',
	    'import pymemcache');
	if ($status != 0 && $ENV{LEASECACHED_REQUIRE_CLIENTS}) {
		ok(0, 'python3-pymemcache is installed');
	}
	skip 'python3-pymemcache is not installed', 1 if $status != 0;

	my ($srv, %with) = modes('lease');
	my ($said) = Leasecached::Suite::output_of($python, '-c', <<'END',
import sys
from pymemcache.client.base import Client
a, b = [Client(('127.0.0.1', int(sys.argv[1]))) for _ in range(2)]
empty, token = a.gets('k')
print(empty, int(token) > 2**61)
print(b.gets('k'))
print(a.cas('k', b'value', token))
print(b.gets('k')[0], b.get('k'))
empty, token = a.gets('l')
b.delete('l', noreply=False)
try:
    print(a.cas('l', b'old', token) == True)
except Exception as error:
    print(False)
print(b.get('l'))
END
	    $with{-port});
	is($said, "b'' True\n(b'', b'1')\nTrue\nb'value' b'value'\nFalse\n" .
	    "None\n", 'pymemcache: gets takes a lease, cas fills');
}

SKIP: {
	my $nutcracker = Leasecached::Suite::program('nutcracker');
	if (!$nutcracker && $ENV{LEASECACHED_REQUIRE_CLIENTS}) {
		ok(0, 'nutcracker is installed');
	}
	skip 'nutcracker is not installed', 1 unless $nutcracker;

	my ($srv, %with) = modes('lease');
	my $dir = tmpdir();
	open my $conf, '>', "$dir/conf" or die "$dir/conf: $!\n";
	print $conf "pool:\n  listen: $dir/pool\n  hash: fnv1a_64\n" .
	    "  distribution: ketama\n  timeout: 30000\n  servers:\n" .
	    "   - 127.0.0.1:$with{-port}:1\n";
	close $conf;
	# Its port for statistics may be taken by somebody else in between.
	my $pid;
	for (1 .. 10) {
		$pid = fork // die "fork: $!\n";
		if ($pid == 0) {
			open $_, '+<', '/dev/null'
			    for *STDIN, *STDOUT, *STDERR;
			@SIG{qw(HUP INT TERM)} = ('DEFAULT') x 3;
			{
				no warnings 'exec';
				exec $nutcracker, '-c', "$dir/conf", '-o',
				    "$dir/log", '-p', "$dir/pid", '-a',
				    '127.0.0.1', '-s', free_port();
			}
			POSIX::_exit(127);
		}
		my $gone;
		until_true {
			$gone = waitpid($pid, POSIX::WNOHANG()) != 0;
			$gone || IO::Socket::UNIX->new("$dir/pool");
		};
		last unless $gone;
		undef $pid;
	}
	ok($pid, 'nutcracker has started') or skip 'it has not', 1;
	my @c = map { Leasecached::Client->new(unix => "$dir/pool") } 1 .. 3;
	my $gets = sub {
		my ($c, $key) = @_;
		$c->put("gets $key\r\n");
		my @lines = $c->until_line(qr/^END$/);
		return $lines[0] =~ /^VALUE \S+ (.*)$/ ? $1 : "@lines";
	};
	my $cas = sub {
		my ($c, $key, $token) = @_;
		$c->put("cas $key 0 0 3 $token\r\nabc\r\n");
		return $c->line;
	};
	my ($token) = $gets->($c[0], 'k') =~ /^0 0 (\d+)$/;
	cmp_ok($token // 0, '>', FIRST_TOKEN, 'nutcracker: gets shows a token');
	is($gets->($c[1], 'k'), '0 0 1', 'to the first; the second gets 1');
	is($cas->($c[0], 'k', $token // 0), 'STORED', 'cas fills');
	like($gets->($c[2], 'k'), qr/^0 3 \d+$/, 'all see the value');
	($token) = $gets->($c[0], 'l') =~ /^0 0 (\d+)$/;
	$c[1]->put("delete l\r\n");
	is($c[1]->line, 'DELETED', 'nutcracker: a delete in between');
	is($cas->($c[0], 'l', $token // 0), 'EXISTS', 'and cas does not');
	kill TERM => $pid;
	waitpid $pid, 0;
}

# ---- visible_stubs ----------------------------------------------------------

{
	my $stubs = Leasecached->start('-o', 'visible_stubs');
	talk $stubs, 'visible_stubs: a lease is an empty value', <<'END';
a> mg {k} v c n30000
a< VA 0 c{t} W
a<
b> get {k}
b< VALUE {k} 0 0
b<
b< END
b> gets {k}
b< VALUE {k} 0 0 {t}
b<
b< END
b> add {k} 0 0 1
b> x
b< NOT_STORED
b> cas {k} 0 0 1 {t}
b> x
b< STORED
b> mg {k} v
b< VA 1
b< x
a> mg {k1} c n30000
a< HD c{u} W
b> delete {k1}
b< DELETED
b> get {k1}
b< END
a> ms {k1} 1 C{u}
a> y
a< NS
END
}

# ---- watch leases -----------------------------------------------------------

{
	my $srv = Leasecached->start;
	my ($w, $a) = ($srv->connect, $srv->connect);
	my $v = {};

	$w->put("watch leases\r\n");
	is($w->line, 'OK', 'watch leases');
	talk $srv, 'a lease of every end', <<'END', %$v;
a> mg fill c n30000
a< HD c{t} W
a> ms fill 1 C{t}
a> x
a< HD
a> mg refuse c n30000
a< HD c{u} W
b> md dead A
b< HD
a> ms refuse 1 C{u} Adead
a> x
a< NS
a> mg lapse n20
a< HD W
free lapse
a> mg give c n30000
a< HD c{v} W
a> md give C{v} U
a< HD
a> mg revoke n30000
a< HD W
b> delete revoke
b< DELETED
a> mg hand c n30000
a< HD c{x} W
c> mg hand c n30000 w90000
waiters 1
a> md hand C{x} U
a< HD
c< HD c{y} W
c> ms hand 1 C{y}
c> x
c< HD
END
	my (%seen, $bad);
	until (($seen{lease_fill} // 0) == 2 || $bad) {
		my $line = eval { $w->line } // 'nothing';
		if ($line =~ /^ts=\d+\.\d{1,6}\ gid=\d+\ type=(lease_\w+)
		    \ key=(\w+)\ token=\d+(?:\ |$)/x) {
			$seen{$1}++;
			$seen{"$1 $2"}++;
		} else {
			$bad = $line;
		}
	}
	is($bad, undef, 'each line is an event of a lease');
	ok($seen{$_}, "watch leases: $_") for 'lease_grant fill',
	    'lease_fill fill', 'lease_grant refuse', 'lease_refuse refuse',
	    'lease_lapse lapse', 'lease_give_up give', 'lease_revoke revoke',
	    'lease_give_up hand', 'lease_hand_over hand', 'lease_fill hand';
}

done_testing;
