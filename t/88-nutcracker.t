#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 88-nutcracker.t - twemproxy in front of three servers: ketama, multi-get,
# and what happens when one of them goes.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();
use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(sleep time);

my $nutcracker = needs_program('nutcracker');

use constant LONG => 60;

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start } 1 .. 3;
my @losing = map { Leasecached->start } 1 .. 3;

# ---- the proxy --------------------------------------------------------------

sub
pool
{
	my ($name, $settings, @backends) = @_;
	my $i = 0;

	return "$name:\n" . "  listen: $dir/$name\n" .
	    "  hash: fnv1a_64\n  distribution: ketama\n" .
	    "  timeout: 30000\n" .
	    join('', map { "  $_\n" } @$settings) . "  servers:\n" .
	    join '', map {
		sprintf "   - 127.0.0.1:%d:1 server%d\n", $_->port, ++$i
	    } @backends;
}

my $log = "$dir/log";
{
	open my $conf, '>', "$dir/conf" or die "$dir/conf: $!\n";
	print $conf pool('plain', [], @servers);
	# Once a server fails it is left out for a minute.
	print $conf pool('eject', ['auto_eject_hosts: true',
	    'server_failure_limit: 1', 'server_retry_timeout: 60000'],
	    @losing);
	# Here for a moment.
	print $conf pool('rejoin', ['auto_eject_hosts: true',
	    'server_failure_limit: 1', 'server_retry_timeout: 300'],
	    @losing);
	close $conf;
}

my $pid;

sub
free_port
{
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	    or die "no free port: $!\n";

	return $s->sockport;
}

# Its port for statistics may be taken by somebody else in between.
for (1 .. 10) {
	$pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		@SIG{qw(HUP INT TERM)} = ('DEFAULT') x 3;
		{
			no warnings 'exec';
			exec $nutcracker, '-c', "$dir/conf", '-o', $log,
			    '-p', "$dir/pid", '-a', '127.0.0.1', '-s',
			    free_port();
		}
		POSIX::_exit(127);
	}
	my $end = time + LONG;
	my $ready = 0;
	until ($ready || time > $end) {
		last if waitpid($pid, POSIX::WNOHANG()) != 0;
		$ready = !grep { !-S "$dir/$_" } qw(plain eject rejoin);
		sleep 0.01;
	}
	last if $ready;
	$pid = undef;
}

END {
	local ($?, $!);
	if ($pid) {
		kill TERM => $pid;
		waitpid $pid, 0;
	}
}

unless (ok(defined $pid, 'nutcracker has started')) {
	done_testing;
	exit;
}

# A connection to a pool; it knows no mn, so nothing of ours may send one.
sub
proxy
{
	my ($pool) = @_;
	my $end = time + LONG;
	my $c;

	until ($c = eval { Leasecached::Client->new(unix => "$dir/$pool") }) {
		die "no connection to $pool: $@" if time > $end;
		sleep 0.01;
	}
	return $c;
}

# Sends a request and compares the bytes of the reply.
sub
says
{
	my ($c, $request, $reply, $name) = @_;

	$c->put($request);
	my $got = eval { $c->take(length $reply) } // $@;
	return 1 if is($got, $reply, $name);
	$c->renew;
	return 0;
}

# The items of a reply to get, by key.
sub
fetch
{
	my ($c, @keys) = @_;
	my %found;

	$c->put("get @keys\r\n");
	for (;;) {
		my $line = $c->line // die "closed\n";
		return \%found if $line eq 'END';
		my ($key, $n) = $line =~ /^VALUE (\S+) \d+ (\d+)$/ or
		    die "get: $line\n";
		$found{$key} = substr $c->take($n + 2), 0, $n;
	}
}

my $c = proxy('plain');

# ---- the commands -----------------------------------------------------------

says($c, "set k 5 0 5\r\nvalue\r\n", "STORED\r\n", 'set');
says($c, "get k\r\n", "VALUE k 5 5\r\nvalue\r\nEND\r\n", 'get');
says($c, "get none\r\n", "END\r\n", 'get of a missing key');
says($c, "add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n", 'add');
says($c, "replace none 0 0 1\r\nx\r\n", "NOT_STORED\r\n", 'replace');
says($c, "append k 0 0 1\r\n>\r\n", "STORED\r\n", 'append');
says($c, "prepend k 0 0 1\r\n<\r\n", "STORED\r\n", 'prepend');
says($c, "get k\r\n", "VALUE k 5 7\r\n<value>\r\nEND\r\n", 'their result');
says($c, "set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 1\r\n",
    "STORED\r\n15\r\n14\r\n", 'incr and decr');
says($c, "incr none 1\r\n", "NOT_FOUND\r\n", 'incr of a missing key');
says($c, "incr k 1\r\n", 'CLIENT_ERROR cannot increment or decrement ' .
    "non-numeric value\r\n", 'incr of a text');
says($c, "touch k 100\r\n", "TOUCHED\r\n", 'touch');
says($c, "touch none 100\r\n", "NOT_FOUND\r\n", 'touch of a missing key');
$c->put("gets k\r\n");
my ($unique) = map { /^VALUE k 5 7 (\d+)$/ } $c->until_line(qr/^END$/);
ok($unique, 'gets: the number');
says($c, "cas k 5 0 3 $unique\r\nnew\r\n", "STORED\r\n", 'cas');
says($c, "cas k 5 0 3 $unique\r\nold\r\n", "EXISTS\r\n", 'cas again');
says($c, "cas none 5 0 3 1\r\nold\r\n", "NOT_FOUND\r\n",
    'cas of a missing key');
says($c, "delete k\r\n", "DELETED\r\n", 'delete');
says($c, "delete k\r\n", "NOT_FOUND\r\n", 'delete again');
says($c, "set q 0 0 1 noreply\r\n1\r\nincr q 1 noreply\r\n" .
    "delete none noreply\r\nadd q 0 0 1 noreply\r\nx\r\nget q\r\n",
    "VALUE q 0 1\r\n2\r\nEND\r\n", 'noreply');
says($c, "set e 0 3000000 1\r\nx\r\nget e\r\n", "STORED\r\nEND\r\n",
    'an exptime in the past');
for my $n (0, 1, 16384, 100_000, 1_000_000) {
	my $value = join '', map { chr($_ * 7 % 256) } 1 .. 256;
	$value = substr $value x ($n / 256 + 1), 0, $n;
	$c->put("set large 1 0 $n\r\n$value\r\n");
	is($c->line, 'STORED', "set of $n bytes");
	ok(fetch($c, 'large')->{large} eq $value, "get of $n bytes");
}
{
	my $value = 'x' x 1_048_600;
	$c->put("set large 0 0 " . length($value) . "\r\n$value\r\n");
	is($c->line, 'SERVER_ERROR object too large for cache',
	    'a value that is too large');
	is_deeply(fetch($c, 'large'), {}, 'took the old one with it');
}

# ---- many keys, three servers -----------------------------------------------

my %pairs = map { ("key$_" => "value $_") } 1 .. 900;
my @keys = sort keys %pairs;

$c->put(join '', map {
	sprintf "set %s 0 0 %d\r\n%s\r\n", $_, length $pairs{$_}, $pairs{$_};
} @keys);
is(scalar(grep { $c->line eq 'STORED' } @keys), 900,
    '900 sets in one packet');
{
	my (%on, @share);
	for my $s (@servers) {
		my $found = fetch($s->connect, @keys);
		push @share, scalar keys %$found;
		$on{$_}++ for keys %$found;
	}
	is(scalar(grep { $_ == 1 } values %on), 900,
	    'ketama: each key is on one server');
	cmp_ok((sort { $a <=> $b } @share)[0], '>', 150,
	    "ketama: each server has its share (@share)");

	# The ring goes by names: it is the same in another pool.
	my $d = proxy('eject');
	$d->put(join '', map { "set $_ 0 0 1\r\nx\r\n" } @keys);
	$d->line for @keys;
	my $same = 0;
	for my $i (0 .. 2) {
		my $here = fetch($servers[$i]->connect, @keys);
		my $there = fetch($losing[$i]->connect, @keys);
		$same += grep { exists $there->{$_} } keys %$here;
	}
	is($same, 900, 'ketama: the same key, the same server');
	$_->client->put("flush_all\r\n"), $_->client->line for @losing;
}
is_deeply(fetch($c, @keys), \%pairs, 'one get for 900 keys of all servers');
{
	my @order = map { $keys[$_ * 7 % 900] } 0 .. 49;
	$c->put("get @order\r\n");
	my @got = map { /^VALUE (\S+) / ? $1 : () } $c->until_line(qr/^END$/);
	is(join(' ', sort @got), join(' ', sort @order),
	    'a get of 50 keys: each once');
	is_deeply(fetch($c, 'none1', @order, 'none2'),
	    { map { ($_ => $pairs{$_}) } @order }, 'some missing');
	$c->put("gets key1 key2 none\r\n");
	my @gets = grep { /^VALUE key[12] 0 7 \d+$/ }
	    $c->until_line(qr/^END$/);
	is(scalar @gets, 2, 'gets of keys of several servers');
}
$c->put(join '', map { "get $_\r\n" } @keys);
{
	my $good = 0;
	for (@keys) {
		$good++ if $c->line eq "VALUE $_ 0 " . length $pairs{$_};
		$good++ if $c->line eq $pairs{$_};
		$good++ if $c->line eq 'END';
	}
	is($good, 2700, '900 gets in one packet: replies in order');
}

# Several clients at once, in different places of the same conversation.
{
	my @clients = map { proxy('plain') } 1 .. 8;
	my $good = 0;
	for my $round (1 .. 20) {
		for my $i (0 .. 7) {
			my $n = 50 + $round * 200 + $i;
			$clients[$i]->put("set mine$i 0 0 $n\r\n" . $i x $n .
			    "\r\nget mine$i key1 key2 key3\r\nincr n 1\r\n");
		}
		for my $i (0 .. 7) {
			my @lines = map { $clients[$i]->line } 1 .. 11;
			$good++ if $lines[0] eq 'STORED' &&
			    $lines[9] eq 'END' && $lines[10] =~ /^\d+$/ &&
			    grep { $_ eq $i x (50 + $round * 200 + $i) }
			    @lines;
		}
	}
	is($good, 160, '8 clients at once: each gets its own');
	is(fetch($c, 'n')->{n}, 14 + 160, 'and they counted right');
}

# ---- one server goes --------------------------------------------------------

# Without ejection its keys are errors, and the others are served.
my $gone = $losing[1];
my $port = $gone->port;
{
	my $d = proxy('eject');
	$d->put(join '', map { "set $_ 0 0 1\r\na\r\n" } @keys);
	is(scalar(grep { $d->line eq 'STORED' } @keys), 900,
	    'before: all keys are stored');
	my %its = %{ fetch($gone->connect, @keys) };
	cmp_ok(scalar keys %its, '>', 150, 'a third of them on the second');
	$gone->stop;

	# The first that meets it hears of it; from then on it is left out,
	# and its keys go to the others.
	my ($first) = sort keys %its;
	my ($errors, $line) = (0);
	for (1 .. 50) {
		$d->put("get $first\r\n");
		$line = $d->line;
		if (!defined $line) {
			$d->renew;
			$errors++;
			next;
		}
		last if $line eq 'END';
		$line =~ /^SERVER_ERROR / ? $errors++ : last;
		sleep 0.02;
	}
	is($line, 'END', "a key of the server that went is a miss, after " .
	    'no more than a few errors');
	cmp_ok($errors, '<=', 10, 'indeed a few');
	my $found = fetch($d, @keys);
	is(scalar keys %$found, 900 - keys %its,
	    'the keys of the others are found');
	is(scalar(grep { $its{$_} } keys %$found), 0, 'and none of its own');
	$d->put(join '', map { "set $_ 0 0 1\r\nb\r\n" } sort keys %its);
	is(scalar(grep { $d->line eq 'STORED' } keys %its),
	    scalar keys %its, 'its keys can be stored again');
	$found = fetch($d, @keys);
	is(scalar keys %$found, 900, 'and all are found again');
	is(scalar(grep { $found->{$_} ne ($its{$_} ? 'b' : 'a') } @keys), 0,
	    'with the right values');
	my @share = map { scalar keys %{ fetch($_->connect, @keys) } }
	    @losing[0, 2];
	is($share[0] + $share[1], 900, 'on the two that are left');
}

# It comes back at its place, and is used again.
{
	my $back = Leasecached->start('-p', $port);
	my $d = proxy('rejoin');
	my $end = time + LONG;
	my $n = 0;

	until ($n > 150 || time > $end) {
		for my $key (@keys) {
			$d->put("set $key 0 0 1\r\nc\r\n");
			my $line = $d->line;
			$d->renew unless defined $line;
		}
		$n = $back->connect->stats->{curr_items};
	}
	cmp_ok($n, '>', 150, 'a server that came back gets its share again');
	my $found = fetch($d, @keys);
	is(scalar(grep { ($found->{$_} // '') eq 'c' } @keys), 900,
	    'and all keys are found');
	undef $d;
}

# What it does not know it answers by closing, which is its way.
for my $request ("stats\r\n", "flush_all\r\n", "mg k v\r\n") {
	my $d = proxy('plain');
	$d->put($request);
	my $got = $d->drain;
	is($got, '', 'nutcracker closes on ' .
	    Leasecached::Client::quoted($request));
}
says($c, "version\r\n", "VERSION ", 'version');
$c->line;
says($c, "get key1\r\n", "VALUE key1 0 7\r\nvalue 1\r\nEND\r\n",
    'and goes on with others');
cmp_ok($_->connect->stats->{curr_connections}, '>', 1,
    'the server knows its connection') for @servers;

done_testing;
