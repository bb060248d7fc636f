#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# mixed.pl - everything at once, for as long as you like; run by hand:
#
#	perl -It/lib t/soak/mixed.pl [minutes [megabytes [clients]]]
#
# Clients store, read, change and delete values that carry their digest, with
# lifetimes and sizes that shift every minute; some read slowly, some hang up
# half way.  Each ten seconds a line says how the server is.  It ends at the
# first value that is torn, the first refusal, or when resident memory leaves
# its bound; LEASECACHED_SEED repeats a run as far as threads allow.

use Leasecached;
use Leasecached::Proc;

use Digest::MD5 qw(md5_hex);
use POSIX ();
use Time::HiRes qw(sleep time);

my ($minutes, $megabytes, $clients) = ($ARGV[0] // 1, $ARGV[1] // 64,
    $ARGV[2] // 6);
my $seed = $ENV{LEASECACHED_SEED} // time ^ $$;
my @sizes = ([100], [1000], [4000], [50000], [100, 1000, 4000, 50000],
    [20], [300, 700_000]);

note("seed $seed");

my $srv = Leasecached->start('-m', $megabytes, '-t', 4);
my $bound = 1.10 * $megabytes * 1024 + 32 * 1024;
my $end = time + 60 * $minutes;
my $began = time;

sub
made
{
	my ($key, $size) = @_;
	my $part = join '', map { chr 33 + int rand 90 } 1 .. 50;
	my $payload = substr $part x (1 + $size / 50), 0, $size;

	return "$key " . md5_hex("$key$payload") . " $payload";
}

sub
check
{
	my ($reply) = @_;

	while ($reply =~ /\GVALUE (\S+) \d+ (\d+)(?: \d+)?\r\n/gc) {
		my ($key, $size) = ($1, $2);
		my $value = substr $reply, pos $reply, $size;
		pos($reply) += $size + 2;
		my ($name, $digest, $payload) = $value =~
		    /\A(\S+) (\S{32}) (.*)\z/s;
		die "torn: $key\n" unless defined $payload && $name eq $key &&
		    md5_hex("$key$payload") eq $digest;
	}
	die "not in step\n" unless $reply =~ /\GEND\r\n\z/gc;
}

sub
one_step
{
	my ($s) = @_;
	my $phase = $sizes[(time - $began) / 60 % @sizes];
	my $what = rand;
	my @keys = map { 's' . int rand 200_000 } 1 .. 20;

	if ($what < 0.5) {
		my $batch = '';
		for my $key (@keys) {
			my $size = $phase->[rand @$phase];
			my $value = made($key, int rand 2 * $size);
			my $ttl = rand() < 0.3 ? 1 + int rand 100 : 0;
			$batch .= "set $key 0 $ttl " . length($value) .
			    " noreply\r\n$value\r\n";
			last if length $batch > 500_000;
		}
		my $said = all_answered($s, $batch);
		die "refused: $said\n" if $said ne '';
	} elsif ($what < 0.9) {
		check(all_answered($s, "get @keys\r\n"));
	} elsif ($what < 0.95) {
		all_answered($s, join '', map { "delete $_ noreply\r\n" }
		    @keys);
	} elsif ($what < 0.98) {
		all_answered($s, join '', map { "touch $_ 50 noreply\r\n" }
		    @keys);
	} elsif ($what < 0.99) {
		my $slow = raw_client($srv->port, rcvbuf => 8192);
		raw_send($slow, "get @keys\r\n" x 50);
		raw_read($slow, 5);
	} else {
		my $half = raw_client($srv->port);
		raw_send($half, "set $keys[0] 0 0 1000000\r\nhalf");
	}
}

my @child;
for my $number (1 .. $clients) {
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		srand $seed + $number;
		my $done = eval {
			my $s = raw_client($srv->port);
			one_step($s) while time < $end;
			1;
		};
		print STDERR "client $number: $@" unless $done;
		POSIX::_exit($done ? 0 : 1);
	}
	push @child, $pid;
}

my $s = raw_client($srv->port);
my ($top, $failed) = (0, 0);
while (time < $end && !$failed) {
	for (1 .. 100) {
		sleep 0.1;
		my $rss = rss_kib($srv->pid) // 0;
		$top = $rss if $rss > $top;
	}
	my $st = stats_of($s);
	note(sprintf '%4d s  resident %d KiB (most %d, bound %d)  bytes %d' .
	    '  items %d  evictions %d  cmds %d', time - $began,
	    rss_kib($srv->pid), $top, $bound, @$st{qw(bytes curr_items
	    evictions)}, $st->{cmd_get} + $st->{cmd_set});
	while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
		next unless grep { $_ == $pid } @child;
		@child = grep { $_ != $pid } @child;
		$failed ||= $?;
	}
}
kill KILL => @child if $failed;
for my $pid (@child) {
	waitpid $pid, 0;
	$failed ||= $?;
}
is($failed, 0, 'no value was torn, none refused');
SKIP: {
	skip 'a sanitizer needs memory of its own', 1 if is_sanitized;
	cmp_ok($top, '<=', $bound, 'resident KiB at the most');
}
is($srv->stop, 0, 'it stops as usual');

done_testing();
