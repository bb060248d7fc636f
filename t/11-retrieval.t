#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 11-retrieval.t - get, gets, gat, gats: one key, many keys, wrong keys, and
# values that change while they are being sent.

use Leasecached;

my $srv = Leasecached->start('-m', '256', '-I', '32m');
my $c = $srv->client;

my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = since('1.6.40') ? $bad_line : "ERROR\r\n";
my $bad_exptime = "CLIENT_ERROR invalid exptime argument\r\n";
my $k251 = 'k' x 251;

# ---- hits and misses --------------------------------------------------------

dialogue $c, 'get', <<'END';
> get none
< END
> get none none none
< END
> set r 3 0 2
> hi
< STORED
> get r
< VALUE r 3 2
< hi
< END
> get r none r
< VALUE r 3 2
< hi
< VALUE r 3 2
< hi
< END
> get none r
< VALUE r 3 2
< hi
< END
> get   r   none
< VALUE r 3 2
< hi
< END
> get r noreply
< VALUE r 3 2
< hi
< END
> get noreply
< END
END

dialogue $c, 'gets, gat, gats', <<'END';
> gets none
< END
> gets r none r
< VALUE r 3 2 *
< hi
< VALUE r 3 2 *
< hi
< END
> gat 0 r none r
< VALUE r 3 2
< hi
< VALUE r 3 2
< hi
< END
> gats 0 r none r
< VALUE r 3 2 *
< hi
< VALUE r 3 2 *
< hi
< END
> gat 0 none
< END
> gats 0 none
< END
> gats  0   r  noreply
< VALUE r 3 2 *
< hi
< END
END

# One number for an item, whoever asks.
{
	$c->put("gets r\r\n");
	my ($cas) = $c->line =~ /^VALUE r 3 2 (\d+)$/;
	$c->take(length "hi\r\nEND\r\n");
	ok($cas, 'gets shows a number');
	$c->ask("gats 0 r\r\ngets r\r\nmg r c\r\n",
	    "VALUE r 3 2 $cas\r\nhi\r\nEND\r\n" x 2 . "HD c$cas\r\n",
	    'gats and mg show the same');
}

# ---- wrong ------------------------------------------------------------------

$c->ask("$_\r\n", $short_line, "$_ without a key") for qw(get gets gat gats);
$c->ask("$_ \r\n", $short_line, "'$_ ' without a key") for qw(get gets);
$c->ask("$_ 0\r\n", since('1.6.40') ? $bad_line : "END\r\n",
    "'$_ 0' without a key") for qw(gat gats);
for my $exptime (qw(abc 1x x1), '0x1', '-', '9223372036854775808',
    '99999999999999999999') {
	$c->ask("$_ $exptime r\r\n", $bad_exptime, "$_: exptime $exptime")
	    for qw(gat gats);
}
for my $exptime (qw(4294967295 2147483648)) {
	$c->ask("set g 0 0 1\r\na\r\ngat $exptime g\r\nget g\r\n", "STORED\r\n" .
	    "VALUE g 0 1\r\na\r\nEND\r\nEND\r\n",
	    "gat: exptime $exptime has passed");
}

# A key that is too long makes the whole reply an error, of one line.
for my $get ('get', 'gets', 'gat 0', 'gats 0') {
	for ("$k251", "r $k251", "$k251 r", "r r $k251 r", "r r r r r r r r " .
	    "r r r r r r r r r r r r r r r r r r $k251 r") {
		my $shown = s/$k251/<251 bytes>/r;
		$c->ask("$get $_\r\nget r\r\n",
		    "${bad_line}VALUE r 3 2\r\nhi\r\nEND\r\n", "$get $shown");
	}
	$c->ask("$get " . 'k' x 5000 . " r\r\n", $bad_line,
	    "$get <5000 bytes>");
}

# ---- many keys --------------------------------------------------------------

{
	my ($request, %value) = '';

	for my $n (0 .. 99) {
		$value{"m$n"} = "<$n>" x ($n * $n / 7);
		$request .= "set m$n $n 0 " . length($value{"m$n"}) .
		    " noreply\r\n" . $value{"m$n"} . "\r\n";
	}
	$c->put($request);
	ok($c->silent, 'a hundred items of different sizes');
	for my $n (1 .. 30, 99, 100) {
		my @keys = map { 'm' . $_ * 37 % 100 } 1 .. $n;
		my @asked = map { $_, "no$_" } @keys;
		$c->ask("get @asked\r\n", join('', map { "VALUE $_ " .
		    substr($_, 1) . ' ' . length($value{$_}) .
		    "\r\n$value{$_}\r\n" } @keys) . "END\r\n",
		    "$n hits and $n misses");
	}
}

{
	my $n = 30_000;
	my @keys = map { "n$_" } 1 .. $n;

	$c->put(join '', map { "set $_ 0 0 6 noreply\r\n" .
	    sprintf("%6s\r\n", $_) } @keys);
	ok($c->silent, "$n items");
	for my $get ('get', $srv->is_reference ? () : ('gat 0')) {
		$c->put("$get @keys\r\n");
		my $expected = join('', map { "VALUE $_ 0 6\r\n" .
		    sprintf("%6s\r\n", $_) } @keys) . "END\r\n";
		ok($c->take(length $expected) eq $expected,
		    "$get with $n keys, all found");
		ok($c->silent, 'and no more');
	}
	$_ = "x$_" for @keys;
	$c->ask("get @keys\r\n", "END\r\n", "$n keys, none found");
	$c->ask("get @keys m1\r\n", "VALUE m1 1 0\r\n\r\nEND\r\n",
	    'one more, found');
	$c->ask("gets @keys $k251 m1\r\n", $bad_line,
	    'and a bad one at the end');
}

# The line may come in pieces, and the key in the middle of them.
{
	my @keys = map { ("m$_", ('q' x 245) . $_) } 0 .. 20;
	my $expected = join '', map { /^m(\d+)/ ? "VALUE $_ $1 " .
	    length("<$1>" x ($1 * $1 / 7)) . "\r\n" .
	    "<$1>" x ($1 * $1 / 7) . "\r\n" : () } @keys;
	my $line = "get @keys\r\n";

	for (my $at = 0; $at < length $line; $at += 100) {
		$c->put(substr $line, $at, 100);
		select undef, undef, undef, 0.001;
	}
	$c->ask('', "${expected}END\r\n", 'a long line, slowly');
}

# ---- values that change while they are being sent ---------------------------

{
	my $n = 12_000_000;
	my $old = join '', map { pack 'N', $_ } 1 .. $n / 4;
	my $slow = $srv->connect(rcvbuf => 4096);
	my %change = (
		overwritten => ["set big 0 0 $n\r\n" . ('!' x $n) . "\r\n",
		    "STORED\r\n"],
		appended => ["append big 0 0 100\r\n" . ('!' x 100) . "\r\n",
		    "STORED\r\n"],
		deleted => ["delete big\r\n", "DELETED\r\n"],
		flushed => ["flush_all\r\n", "OK\r\n"],
	);

	for my $how (sort keys %change) {
		$c->ask("set big 0 0 $n\r\n$old\r\n", "STORED\r\n",
		    "a large value, to be $how");
		$slow->put("get big\r\n");
		my $got = $slow->take(20);
		$c->ask(@{ $change{$how} }, "it is $how");
		$c->ask("set after 0 0 8\r\nafter it\r\n", "STORED\r\n",
		    'and another is stored');
		$got .= $slow->take(length("VALUE big 0 $n\r\n\r\nEND\r\n") +
		    $n - 20);
		ok($got eq "VALUE big 0 $n\r\n$old\r\nEND\r\n",
		    "$how: the reader gets the old value, whole");
		ok($slow->silent, "$how: and is in step");
	}

	# The same with many small ones in flight.
	$c->put(join '', map { "set s$_ 0 0 1000\r\n" . ($_ % 10) x 1000 .
	    "\r\n" } 1 .. 5000);
	$c->take(8 * 5000);
	my $keys = join ' ', map { "s$_" } 1 .. 5000;
	$slow->put("get $keys\r\n");
	my $got = $slow->take(5);
	$c->put(join '', map { "set s$_ 0 0 1000 noreply\r\n" . '!' x 1000 .
	    "\r\n" } 1 .. 5000);
	ok($c->silent, 'five thousand values are overwritten');
	my $expected = join('', map { "VALUE s$_ 0 1000\r\n" .
	    ($_ % 10) x 1000 . "\r\n" } 1 .. 5000) . "END\r\n";
	$got .= $slow->take(length($expected) - 5);
	my ($mixed) = grep { length } $got =~ /^(?=.*\d)(.*!.*)$/mg;
	is($mixed, undef, 'no value is half old, half new');
	is(length $got, length $expected, 'the reply has its length');
	my @values = $got =~ /^VALUE (s\d+) 0 1000\r\n(?:\d{1000}|!{1000})\r\n/mg;
	is("@values", $keys, 'all values are there');
	ok($slow->silent, 'and the reader is in step');
}

# A client that goes in the middle of a reply is no harm.
for (1 .. 5) {
	my $gone = $srv->connect(rcvbuf => 4096);

	$gone->put("get s1 s2 s3\r\n" x 500);
	$gone->take(100);
	$gone->close;
}
$c->ask("get r\r\n", "END\r\n", 'the server has survived that');

done_testing;
