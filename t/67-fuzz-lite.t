#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 67-fuzz-lite.t - thousands of byte streams that no client would send: the
# server lives, others are served, and who comes next is in step.
#
# The streams come from a seed, LEASECACHED_SEED in the environment if set; a
# failure names the stream, and LEASECACHED_STREAM=n sends that one alone.

use Leasecached;
use Leasecached::Proc;

use Socket qw(SHUT_WR);

my $seed = $ENV{LEASECACHED_SEED} // 1234;
my $streams = scaled(4000, 800);
my @only = defined $ENV{LEASECACHED_STREAM} ? $ENV{LEASECACHED_STREAM} : ();
note("seed $seed");

sub
any
{
	return $_[rand @_];
}

sub
bytes
{
	my ($n) = @_;

	return join '', map { chr rand 256 } 1 .. $n;
}

# ---- pieces of requests -----------------------------------------------------

my @verbs = qw(get gets gat gats set add replace append prepend cas incr decr
    touch delete flush_all version verbosity mn mg ms md ma me stats watch
    lease-get lease-set lru_crawler cache_memlimit slabs lru quit shutdown refresh_certs extstore
    noreply END STORED GET Set debugtime misbehave);
my @words = qw(metadump mgdump crawl all hash items slabs sizes settings conns
    detail on off dump cachedump reset server fetchers mutations evictions
    connevents deletions leases tags automove reassign tune mode temp_ttl enable disable
    sleep tocrawl graceful p r);
my @edges = qw(0 1 -1 2 10 250 251 2047 2048 2049 4095 4096 16384 65535 65536
    1048516 1048576 2147483645 2147483646 2147483647 2147483648 4294967295
    4294967296 2305843009213693953 4611686018427387903 9223372036854775807
    9223372036854775808 18446744073709551615
    18446744073709551616 99999999999999999999999 00 007 +1 0x10 1e3 1.5 nan);
my @flags = ('a' .. 'z', 'A' .. 'Z', 0 .. 9, '!', '_', "\xff", "\0");

sub
number
{
	return rand() < 0.5 ? int rand 30 : any(@edges);
}

sub
key
{
	my $what = rand;

	return any('a' .. 'h') if $what < 0.5;
	return bytes(1 + rand 40) =~ s/[ \r\n]/x/gr if $what < 0.65;
	return 'k' x any(1, 249, 250, 251, 300, 2000, 5000) if $what < 0.7;
	return any('YQ==', 'YWJj', 'YQ', '====', 'Zm9v!', 'A' x 248)
	    if $what < 0.8;
	return number() if $what < 0.9;
	return '';
}

sub
data
{
	my $n = any(0, 1, 2, 5, 20, 100, 3000);

	return rand() < 0.3 ? any(1 .. 100) . ' ' x int rand 3 :
	    rand() < 0.5 ? bytes($n) : 'x' x $n;
}

sub
eol
{
	my $what = rand;

	return $what < 0.9 ? "\r\n" : $what < 0.95 ? "\n" :
	    any("\r", "\r\r\n", '', "\n\r", ' ', "\0\r\n");
}

# The length that belongs to the data, or another one.
sub
length_of
{
	my ($data) = @_;

	return rand() < 0.85 ? length $data :
	    rand() < 0.5 ? length($data) + any(-2, -1, 1, 2, 100) : number();
}

sub
meta_flags
{
	return join ' ', map {
		my $flag = any(@flags);
		rand() < 0.5 ? $flag : $flag . (rand() < 0.7 ? number() :
		    rand() < 0.8 ? key() : join ',', map { key() } 1 .. rand 11)
	} 1 .. rand any(4, 8, 25);
}

sub
request
{
	my $what = rand;

	if ($what < 0.25) {
		my $data = data();
		my $verb = any(qw(set add replace append prepend cas));
		return "$verb " . key() . ' ' . number() . ' ' . number() .
		    ' ' . length_of($data) .
		    ($verb eq 'cas' ? ' ' . number() : '') .
		    (rand() < 0.3 ? ' noreply' : '') . eol() . $data . eol();
	}
	if ($what < 0.40) {
		my $data = data();
		return 'ms ' . key() . ' ' . length_of($data) . ' ' .
		    meta_flags() . eol() . $data . eol();
	}
	if ($what < 0.60) {
		return any(qw(mg md ma me mn)) . ' ' . key() . ' ' .
		    meta_flags() . eol();
	}
	if ($what < 0.64) {
		my $data = data();
		return 'lease-get ' . join(' ', map { key() } 0 .. rand 4) .
		    eol() . 'lease-set ' . key() . ' ' . number() . ' ' .
		    number() . ' ' . number() . ' ' . length_of($data) .
		    (rand() < 0.3 ? ' noreply' : '') . eol() . $data . eol();
	}
	if ($what < 0.75) {
		return any(qw(get gets gat gats delete incr decr touch)) . ' ' .
		    join(' ', map { rand() < 0.6 ? key() : number() }
		    0 .. rand any(2, 4, 50)) .
		    (rand() < 0.2 ? ' noreply' : '') . eol();
	}
	if ($what < 0.9) {
		return join(' ', any(@verbs), map {
			any(any(@words), any(@verbs), number())
		} 1 .. rand 5) . eol();
	}
	return bytes(rand 100) if $what < 0.95;
	return "\x80" . bytes(rand 60) if $what < 0.96;
	return ' ' x rand 200;
}

# One stream.  What takes the memory of the others is left out.
sub
stream
{
	my ($number) = @_;
	my $what;

	srand $seed * 100_003 + $number;
	$what = rand;
	my $s = $what < 0.15 ? bytes(rand any(10, 100, 5000)) :
	    $what < 0.17 ? "\x80" . bytes(rand 200) :
	    $what < 0.19 ? 'g' x any(2047, 2048, 2049, 16384, 20000) :
	    $what < 0.21 ? 'get ' . 'k ' x rand 30000 :
	    join '', map { request() } 1 .. 1 + rand any(3, 10, 60);

	# Bytes changed, lost, doubled.
	if (rand() < 0.4) {
		for (1 .. 1 + rand 5) {
			my $at = int rand length $s;
			my $how = rand;
			next if $s eq '';
			if ($how < 0.4) {
				substr $s, $at, 1, chr rand 256;
			} elsif ($how < 0.6) {
				substr $s, $at, 1 + rand 10, '';
			} elsif ($how < 0.8) {
				substr $s, $at, 0, substr $s, $at, rand 50;
			} else {
				substr $s, $at, 0, any("\r\n", ' ', "\0",
				    "\n");
			}
		}
	}
	$s =~ s/cache_memlimit/cache_memlimix/g;
	# memcached does not close a watcher that has sent more.
	$s =~ s/watch/witch/g if is_reference;
	return $s;
}

sub
shown
{
	my ($s) = @_;

	$s = substr($s, 0, 500) . '...' if length $s > 500;
	return $s =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
}

# ---- the run ----------------------------------------------------------------

# For some keys others wait, not for long.
my $srv = Leasecached->start('-m', 64, '-t', 2, is_reference ? () :
    ('-o', 'coalesce=a,wait=5,lease=20,stale=9,guard', '-o',
	'coalesce=k,wait=3,lease=5', '-o', 'tag_prefix=:,tag_key_prefix=b'));
my $other = raw_client($srv->port);
my ($bad, $last, @open) = (0, 0);

# Somebody else, and somebody new.
sub
all_is_well
{
	my ($number) = @_;
	my $new = raw_client($srv->port) or return 'no connection';
	my $talk = "set well$number 3 0 5\r\nhello\r\nget well$number\r\n" .
	    "mg well$number v f\r\ndelete well$number\r\nnonsense\r\n";
	my $want = "STORED\r\nVALUE well$number 3 5\r\nhello\r\nEND\r\n" .
	    "VA 5 f3\r\nhello\r\nDELETED\r\nERROR\r\n";

	for (['the other client', $other], ['a new client', $new]) {
		my $got = eval { all_answered($_->[1], $talk) };
		return "$_->[0] gets " . shown($got // "nothing: $@")
		    if !defined $got || $got ne $want;
	}
	return undef;
}

# Sends a stream in pieces, reads what comes, and says what is wrong.
sub
send_stream
{
	my ($number) = @_;
	my $stream = stream($number);
	my $s = raw_client($srv->port) or return 'no connection';
	my $pieces = rand() < 0.5 ? 1 : 1 + rand 5;
	my $at = 0;

	for my $piece (1 .. $pieces) {
		my $n = $piece == $pieces ? length($stream) - $at :
		    int rand length($stream) - $at;
		next unless raw_send($s, substr $stream, $at, $n);
		$at += $n;
	}
	# Some go away without a word; the server must end the others.
	if (rand() < 0.1) {
		setsockopt $s, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
		    pack 'ii', 1, 0 if rand() < 0.5;
		return undef;
	}
	if (rand() < 0.02) {
		push @open, $s;		# half a request that never ends
		shift @open if @open > 50;
		return undef;
	}
	$s->shutdown(SHUT_WR);
	my $reply = eval { raw_drain($s) };
	return "the connection is not closed: $@" unless defined $reply;
	return 'a reply that does not end in a line: ' . shown($reply)
	    if $reply ne '' && $reply !~ /\n\z/ && $reply !~ /^\x81/;
	return undef;
}

for my $number (@only ? @only : 1 .. $streams) {
	my $wrong = send_stream($number);
	$wrong //= all_is_well($number) if $number % 10 == 0 || @only;
	next unless defined $wrong;
	$bad++;
	diag("stream $number (LEASECACHED_SEED=$seed): $wrong");
	diag(shown(stream($number)));
	last if $bad > 5 || !kill 0 => $srv->pid;
}
is($bad, 0, "$streams streams are answered or ended");
is(all_is_well(0), undef, 'others are served to the end');

# The account is right after all that, and nothing is left over.
@open = ();
wait_for { stats_of($other)->{curr_connections} == 1 } 30;
is(stats_of($other)->{curr_connections}, 1, 'no connection is left over');
is(all_answered($other, "flush_all\r\n"), "OK\r\n", 'flush_all');
SKIP: {
	skip 'memcached has no leases', 1 if is_reference;
	my %is = all_answered($other, "stats leases\r\n") =~
	    /^STAT (\S+) (\d+)\r$/mg;
	my $ended = 0;

	$ended += $is{"lease_$_"} for qw(filled refused lapsed given_up revoked);
	is("$is{lease_live} live, $is{waiters} wait, $is{lease_granted}",
	    "0 live, 0 wait, $ended", 'no lease and nobody who waits is left');
}
SKIP: {
	skip 'memcached keeps flushed items', 1 if is_reference;
	wait_for { stats_of($other)->{curr_items} == 0 } 30;
	is(stats_of($other)->{curr_items}, 0, 'no item is left over');
}
is($srv->stop, 0, 'it stops as usual');

done_testing();
