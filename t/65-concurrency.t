#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 65-concurrency.t - many clients at the same keys, several worker threads:
# nothing is lost, nothing is done twice, no value is a mix of two.
#
# LEASECACHED_SEED in the environment changes what is done; the seed of a run
# that failed is in its output.

use Leasecached;
use Leasecached::Proc;

use Digest::MD5 qw(md5_hex);
use POSIX ();

my $CLIENTS = 8;
my $ROUNDS = scaled(1500, 150);
my $seed = $ENV{LEASECACHED_SEED} // 4711;
note("seed $seed");

# Runs a function in several processes at once, each with its number and its
# connection; returns the lines that each has printed, as lists.
sub
in_parallel
{
	my ($srv, $work) = @_;
	my @child;

	# They begin together, when a pipe is closed, and nobody leaves before
	# all have spoken: a lease ends with its connection.
	pipe my $wait, my $go or die "pipe: $!";
	pipe my $stay, my $leave or die "pipe: $!";
	for my $number (1 .. $CLIENTS) {
		my $pid = open my $from, '-|';
		die "fork: $!" unless defined $pid;
		if ($pid == 0) {
			close $go;
			close $leave;
			my $s = raw_client($srv->port);
			srand $seed + $number;
			sysread $wait, my $nothing, 1;
			my @said = eval { $work->($s, $number) };
			@said = ("died: $@") if $@;
			print "$_\n" for @said;
			close STDOUT;
			sysread $stay, $nothing, 1;
			POSIX::_exit(0);
		}
		push @child, $from;
	}
	close $wait;
	close $stay;
	close $go;
	my @said = map { chomp(my @lines = <$_>); [@lines] } @child;
	close $leave;
	close $_ for @child;
	return @said;
}

# The value of one key: (value, cas), or nothing.
sub
gets
{
	my ($s, $key) = @_;
	my $reply = all_answered($s, "gets $key\r\n");

	return if $reply eq "END\r\n";
	my ($size, $cas) = $reply =~ /\AVALUE \S+ \d+ (\d+) (\d+)\r\n/
	    or die "gets: $reply";
	my $value = substr $reply, $+[0], $size;
	die 'short' if substr($reply, $+[0] + $size) ne "\r\nEND\r\n";
	return ($value, $cas);
}

sub
died
{
	my (@said) = @_;

	return join ' ', grep { /^died/ } map { @$_ } @said;
}

my $srv = Leasecached->start('-m', 256, '-t', 4, '-c', 200);
my $s = raw_client($srv->port);

# ---- incr and decr: the total is exact --------------------------------------

{
	my @counters = map { "n$_" } 1 .. 5;

	all_answered($s, "set $_ 0 0 7\r\n1000000\r\n") for @counters;
	my @said = in_parallel($srv, sub {
		my ($s) = @_;
		my (%sum, %last);

		for (1 .. $ROUNDS) {
			# A pipeline of several, by both commands.
			my ($batch, @names) = '';
			for (1 .. 5) {
				my $key = $counters[rand @counters];
				my $delta = int rand 1000;
				my $up = rand() < 0.7;
				my $verb = $up ? 'incr' : 'decr';
				my $mode = $up ? 'MI' : 'MD';
				# Never below zero, which would cut it.
				$delta %= 100 unless $up;
				$sum{$key} += $up ? $delta : -$delta;
				$batch .= rand() < 0.5 ?
				    "$verb $key $delta\r\n" :
				    "ma $key $mode D$delta q\r\n";
			}
			my $said = all_answered($s, $batch);
			die $said if $said =~ /[A-Z]/;
		}
		return map { "$_ " . ($sum{$_} // 0) } @counters;
	});
	my %total = map { ($_, 1000000) } @counters;
	for (map { @$_ } @said) {
		my ($key, $sum) = /^(\S+) (-?\d+)$/ or next;
		$total{$key} += $sum;
	}
	is(died(@said), '', 'incr and decr: all is answered');
	is((split ' ', (gets($s, $_))[0])[0], $total{$_},
	    "$_: the sum of what $CLIENTS clients added") for @counters;
}

# ---- cas: no update is lost -------------------------------------------------

for my $how ('cas', 'ms C') {
	my @keys = map { "list$_" } 1 .. 3;

	all_answered($s, "set $_ 0 0 1\r\n.\r\n") for @keys;
	my @said = in_parallel($srv, sub {
		my ($s, $number) = @_;
		my ($done, $clashes) = (0, 0);

		while ($done < $ROUNDS / 5) {
			my $key = $keys[rand @keys];
			my ($value, $cas) = gets($s, $key);
			$value .= "$number:" . $done . '.';
			my $n = length $value;
			my $said = all_answered($s, ($how eq 'cas' ?
			    "cas $key 0 0 $n $cas" : "ms $key $n C$cas") .
			    "\r\n$value\r\n");
			if ($said =~ /^(?:STORED|HD)\r\n\z/) {
				$done++;
			} elsif ($said =~ /^(?:EXISTS|EX)\r\n\z/) {
				$clashes++;
			} else {
				die $said;
			}
		}
		return $clashes;
	});
	is(died(@said), '', "$how: stored, or somebody was quicker");
	my $clashes = 0;
	$clashes += $_->[0] =~ /^\d+$/ ? $_->[0] : 0 for @said;
	cmp_ok($clashes, '>', 0, "$how: clients did get in each other's way");
	my %seen;
	my $of_order = 0;
	for my $key (@keys) {
		my %last;
		for ((gets($s, $key))[0] =~ /(\d+:\d+)\./g) {
			$seen{$_}++;
			my ($number, $i) = split /:/;
			$of_order++ if $i <= ($last{$number} // -1);
			$last{$number} = $i;
		}
	}
	my $each = int(($ROUNDS + 4) / 5);
	is(scalar keys %seen, $CLIENTS * $each, "$how: no update is lost");
	is(scalar(grep { $_ != 1 } values %seen), 0,
	    "$how: and none was made twice");
	is($of_order, 0, "$how: each client's are in order");
}

# ---- append and prepend -----------------------------------------------------

{
	my $each = int($ROUNDS / 3);

	all_answered($s, "set joined 0 0 1\r\n|\r\n");
	my @said = in_parallel($srv, sub {
		my ($s, $number) = @_;
		my $bad = 0;

		for my $i (1 .. $each) {
			my $text = sprintf '[%d:%d]', $number, $i;
			my $n = length $text;
			my $request =
			    $i % 4 == 0 ? "prepend joined 0 0 $n" :
			    $i % 4 == 1 ? "ms joined $n MA" :
			    $i % 4 == 2 ? "ms joined $n MP" :
			    "append joined 0 0 $n";
			my $said = all_answered($s, "$request\r\n$text\r\n");
			$bad++ if $said !~ /^(?:STORED|HD)\r\n\z/;
		}
		return $bad;
	});
	is(join(',', map { @$_ } @said), join(',', (0) x $CLIENTS),
	    'append and prepend: all are done');
	my ($value) = gets($s, 'joined');
	my ($front, $back) = split /\|/, $value;
	my %seen;
	$seen{$_}++ for $value =~ /\[(\d+:\d+)\]/g;
	is(scalar keys %seen, $CLIENTS * $each, 'no piece is missing');
	is(scalar(grep { $_ != 1 } values %seen), 0, 'none is there twice');
	(my $rest = $value) =~ s/\[\d+:\d+\]//g;
	is($rest, '|', 'and none is broken');
	my ($wrong, %last) = 0;
	for ($back =~ /\[(\d+:\d+)\]/g) {
		my ($number, $i) = split /:/;
		$wrong++ if $i <= ($last{$number} // 0);
		$last{$number} = $i;
	}
	is($wrong, 0, "appended pieces are in each client's order");
}

# ---- one winner -------------------------------------------------------------

{
	my $keys = 200;
	my $race = sub {
		my ($request, $won) = @_;
		my @said = in_parallel($srv, sub {
			my ($s, $number) = @_;
			return map {
				all_answered($s, $request->($_, $number)) =~
				    $won ? $_ : ()
			} 1 .. $keys;
		});
		my %n;
		$n{$_}++ for map { @$_ } @said;
		return (scalar keys %n) . ' keys, ' .
		    (scalar grep { $_ != 1 } values %n) . ' with several';
	};
	my $once = "$keys keys, 0 with several";

	is($race->(sub { "add add$_[0] 0 0 1\r\n$_[1]\r\n" }, qr/^STORED/),
	    $once, 'add: one client wins each key');
	is($race->(sub { "delete add$_[0]\r\n" }, qr/^DELETED/),
	    $once, 'delete: one client deletes each key');
	is($race->(sub { "ms me$_[0] 1 ME\r\n$_[1]\r\n" }, qr/^HD/),
	    $once, 'ms ME: one client wins each key');
	is($race->(sub { "mg viv$_[0] N100 v\r\n" }, qr/ W\r\n/),
	    $once, 'mg N: one client wins the right to fill');
	all_answered($s, "ms viv$_ 3 T100\r\nold\r\n") for 1 .. $keys;
	is($race->(sub { "mg viv$_[0] R1000 v\r\n" }, qr/ W\r\n/),
	    $once, 'mg R: one client wins the right to recache');
	all_answered($s, "ms viv$_ 3 T100\r\nold\r\nmd viv$_ I\r\n")
	    for 1 .. $keys;
	is($race->(sub { "mg viv$_[0] v\r\n" }, qr/ W\b/),
	    $once, 'md I: one client wins the stale value');
	is($race->(sub { "ma auto$_[0] N0 J1 v\r\n" }, qr/^VA 1\r\n1\r\n/),
	    $once, 'ma N: one client creates each counter');
	is((gets($s, 'auto7'))[0], $CLIENTS, 'and the others count on it');
}

# ---- everything at once: values carry their digest --------------------------

# "key digest payload": true when a value is one that somebody has stored.
sub
made
{
	my ($key, $size) = @_;
	my $payload = join '', map { chr 33 + int rand 90 } 1 .. 20;

	$payload = substr $payload x (1 + $size / 20), 0, $size;
	return "$key " . md5_hex("$key$payload") . " $payload";
}

sub
is_made
{
	my ($key, $value) = @_;

	return $value =~ /\A(\S+) (\S{32}) (.*)\z/s && $1 eq $key &&
	    md5_hex("$1$3") eq $2;
}

for my $megabytes (256, 16) {
	my $small = Leasecached->start('-m', $megabytes, '-t', 4);
	my @said = in_parallel($small, sub {
		my ($s, $number) = @_;
		my %n = map { ($_, 0) } qw(torn hit miss wrong);
		my $check = sub {
			my ($reply) = @_;
			while ($reply =~ /\GVALUE\ (\S+)\ (\d+)\ (\d+)
			    (?:\ \d+)?\r\n/gcx) {
				my ($key, $flags, $size) = ($1, $2, $3);
				my $value = substr $reply, pos $reply, $size;
				pos($reply) += $size + 2;
				$n{hit}++;
				$n{torn}++ unless is_made($key, $value);
				$n{wrong}++ if $flags != length $value;
			}
			$n{wrong}++ unless $reply =~ /\GEND\r\n\z/gc;
		};

		for (1 .. $ROUNDS) {
			my $key = 'v' . int rand 300;
			my $what = rand;
			my $size = int(rand() < 0.9 ? rand 2000 : rand 60000);
			my $value = made($key, $size);
			my $n = length $value;
			if ($what < 0.25) {
				$n{wrong}++ if all_answered($s,
				    "set $key $n 0 $n\r\n$value\r\n") ne
				    "STORED\r\n";
			} elsif ($what < 0.35) {
				all_answered($s,
				    "ms $key $n F$n T50 q\r\n$value\r\n");
			} elsif ($what < 0.40) {
				all_answered($s, "add $key $n 0 $n noreply" .
				    "\r\n$value\r\n");
			} elsif ($what < 0.45) {
				all_answered($s, "delete $key\r\n");
			} elsif ($what < 0.50) {
				all_answered($s, "touch $key 100\r\n" .
				    "mg $key T200 t\r\n");
			} elsif ($what < 0.51 && $number == 1) {
				all_answered($s, "flush_all\r\n");
			} elsif ($what < 0.6) {
				my ($old, $cas) = gets($s, $key) or next;
				all_answered($s, "cas $key $n 0 $n $cas" .
				    "\r\n$value\r\n");
			} elsif ($what < 0.7) {
				$check->(all_answered($s, "gat 100 $key\r\n"));
			} else {
				my @keys = map { 'v' . int rand 300 }
				    0 .. rand 20;
				$check->(all_answered($s, "gets @keys\r\n"));
			}
		}
		return map { "$_ $n{$_}" } sort keys %n;
	});
	my $name = "$megabytes MB, everything at once";
	my %n = (torn => 0, wrong => 0, hit => 0);
	for (map { @$_ } @said) {
		$n{$1} += $2 if /^(\S+) (\d+)$/;
	}
	is(died(@said), '', "$name: all is answered");
	is($n{torn}, 0, "$name: no value is torn or another key's");
	is($n{wrong}, 0, "$name: nor has the flags of another");
	cmp_ok($n{hit}, '>', $ROUNDS, "$name: and many were looked at");
	is($small->stop, 0, "$name: the server has come through");
}

# ---- counters of the server -------------------------------------------------

# What each client did is found in `stats`, to the last count.
{
	my $fresh = Leasecached->start('-t', 4);
	my @said = in_parallel($fresh, sub {
		my ($s, $number) = @_;
		my %n = map { ($_, 0) } qw(get hit set del);

		for my $i (1 .. $ROUNDS) {
			my $key = "$number." . int rand 50;
			if (rand() < 0.4) {
				all_answered($s, "set $key 0 0 1\r\nx\r\n");
				$n{set}++;
			} elsif (rand() < 0.8) {
				$n{hit}++ if all_answered($s, "get $key\r\n")
				    =~ /^VALUE/;
				$n{get}++;
			} else {
				$n{del}++ if all_answered($s,
				    "delete $key\r\n") =~ /^DELETED/;
			}
		}
		return map { "$_ $n{$_}" } sort keys %n;
	});
	my %n;
	for (map { @$_ } @said) {
		$n{$1} += $2 if /^(\S+) (\d+)$/;
	}
	my $st = stats_of(raw_client($fresh->port));
	is($st->{cmd_set}, $n{set}, 'cmd_set is what the clients stored');
	is($st->{cmd_get}, $n{get}, 'cmd_get is what they asked');
	is($st->{get_hits}, $n{hit}, 'get_hits is what they found');
	is($st->{get_misses}, $n{get} - $n{hit}, 'get_misses is the rest');
	is($st->{delete_hits}, $n{del}, 'delete_hits is what they deleted');
	# The server sees them go a moment later than they went.
	wait_for {
		$st = stats_of(raw_client($fresh->port));
		$st->{total_connections} - $st->{curr_connections} >= $CLIENTS
	} 30;
	cmp_ok($st->{total_connections} - $st->{curr_connections}, '>=',
	    $CLIENTS, 'and they have gone');
}

done_testing();
