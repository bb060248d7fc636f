#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 13-incr.t - incr and decr: arithmetic of 64 bits on text.

use Leasecached;
use POSIX ();

my $srv = Leasecached->start;
my $c = $srv->client;

my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = since('1.6.40') ? $bad_line : "ERROR\r\n";
my $bad_delta = "CLIENT_ERROR invalid numeric delta argument\r\n";
my $no_number = 'CLIENT_ERROR cannot increment or decrement non-numeric ' .
    "value\r\n";

# ---- arithmetic -------------------------------------------------------------

# A value, the request, its reply, the value that is stored then.
for (
	['10', 'decr 1', '9', '9 '],
	['9 ', 'incr 1', '10', '10'],
	['10', 'incr 990', '1000', '1000'],
	['1000', 'decr 5000', '0', '0   '],
	['1000', 'decr 1000', '0', '0   '],
	['1000', 'decr 1', '999', '999 '],
	['0', 'incr 0', '0', '0'],
	['5', 'incr 0', '5', '5'],
	['5', 'decr 0', '5', '5'],
	['0', 'decr 1', '0', '0'],
	['9', 'incr 1', '10', '10'],
	['99999', 'incr 1', '100000', '100000'],
	['18446744073709551615', 'incr 1', '0', '0' . ' ' x 19],
	['18446744073709551615', 'incr 2', '1', '1' . ' ' x 19],
	['18446744073709551610', 'incr 10', '4', '4' . ' ' x 19],
	['18446744073709551614', 'incr 1', '18446744073709551615',
	    '18446744073709551615'],
	['18446744073709551615', 'decr 1', '18446744073709551614',
	    '18446744073709551614'],
	['18446744073709551615', 'decr 18446744073709551615', '0',
	    '0' . ' ' x 19],
	['0', 'incr 18446744073709551615', '18446744073709551615',
	    '18446744073709551615'],
	['1', 'incr 18446744073709551615', '0', '0'],
	['9223372036854775807', 'incr 1', '9223372036854775808',
	    '9223372036854775808'],
	['4294967295', 'incr 1', '4294967296', '4294967296'],

	# What is read as a number.
	['0005', 'incr 1', '6', '6   '],
	[' 12', 'incr 1', '13', '13 '],
	['   12', 'incr 1', '13', '13   '],
	['+7', 'incr 1', '8', '8 '],
	['12 ', 'incr 1', '13', '13 '],
	['12 b', 'incr 1', '13', '13  '],
	["1\t2", 'incr 1', '2', '2  '],
	["3\r\n4", 'incr 1', '4', '4   '],
	['000000000000000000000000000007', 'incr 1', '8', '8' . ' ' x 29],

	# What a delta may look like.
	['1', 'incr 01', '2', '2'],
	['1', 'incr 0000000000000000000001', '2', '2'],
	['1', 'incr 1 foo', '2', '2'],
	['1', 'incr 1 noreplyx', '2', '2'],
) {
	my ($value, $request, $reply, $stored) = @$_;
	my ($cmd, $rest) = split / /, $request, 2;
	my $shown = $value =~ s/([\t\r\n])/sprintf '\x%02x', ord $1/gre;

	$c->ask("set n 7 0 " . length($value) . "\r\n$value\r\n" .
	    "$cmd n $rest\r\nget n\r\n", "STORED\r\n$reply\r\nVALUE n 7 " .
	    length($stored) . "\r\n$stored\r\nEND\r\n", "'$shown' $request");
}

# One after the other, through every length.
{
	my ($request, $reply, $n) = ("set n 0 0 1\r\n0\r\n", "STORED\r\n", 0);

	for my $zeros (0 .. 18) {
		$n .= '9';
		my $delta = '9' . '0' x $zeros;
		$request .= "incr n $delta\r\n";
		$reply .= ($n + 0) . "\r\n";
	}
	for my $zeros (reverse 0 .. 18) {
		$request .= 'decr n 9' . '0' x $zeros . "\r\n";
		$n = substr $n, 0, -1;
		$reply .= ($n + 0) . "\r\n";
	}
	$c->ask("${request}get n\r\n", "${reply}VALUE n 0 19\r\n0" . ' ' x 18 .
	    "\r\nEND\r\n", 'up to 19 nines, and down again');
}

# ---- errors -----------------------------------------------------------------

for my $cmd (qw(incr decr)) {
	$c->ask("$cmd\r\n", $short_line, $cmd);
	$c->ask("$cmd n\r\n", $short_line, "$cmd n");
	$c->ask("$cmd none 1\r\n", "NOT_FOUND\r\n", "$cmd none 1");
	$c->ask("$cmd " . 'k' x 251 . " 1\r\n", $bad_line,
	    "$cmd of a key that is too long");
	$c->ask("$cmd none $_\r\n", $bad_delta,
	    "$cmd none $_: the delta comes first") for qw(-1 abc);
	for my $delta (qw(-1 abc 1x 0x1 - 18446744073709551616
	    99999999999999999999 1.5), since('1.6.40') ?
	    '00000000000000000000001' : ()) {
		$c->ask("set n 0 0 1\r\n5\r\n$cmd n $delta\r\nget n\r\n",
		    "STORED\r\n${bad_delta}VALUE n 0 1\r\n5\r\nEND\r\n",
		    "$cmd n $delta");
	}
	# (The reference reads on behind a space, into old memory.)
	for my $value ($srv->is_reference ? () : (' ', '  '), 'abc', '', '-1',
	    '1x2', 'x', '0x10', '1.5', '+-1', '18446744073709551616',
	    '99999999999999999999', '++1', "\x001", '12a') {
		my $shown = $value =~ s/\0/\\0/r;
		$c->ask("set n 0 0 " . length($value) . "\r\n$value\r\n" .
		    "$cmd n 1\r\nget n\r\n", "STORED\r\n${no_number}" .
		    'VALUE n 0 ' . length($value) . "\r\n$value\r\nEND\r\n",
		    "$cmd of '$shown'");
	}
}
{
	my $large = '1' . ' ' x 700_000;

	$c->ask("set n 0 0 700001\r\n$large\r\nincr n 1\r\n",
	    "STORED\r\n$no_number", 'a large value is no number');
}

# ---- what stays -------------------------------------------------------------

$c->ask("set i 9 100 1\r\n5\r\nincr i 1\r\ndecr i 2\r\nmg i v f\r\n",
    "STORED\r\n6\r\n4\r\nVA 1 f9\r\n4\r\n", 'the flags stay');
$c->put("mg i t\r\n");
like($c->line, qr/^HD t(?:100|9\d)$/, 'the time to live stays');
$c->ask("set i 9 100 1\r\n9\r\nincr i 1\r\nmg i v f\r\n",
    "STORED\r\n10\r\nVA 2 f9\r\n10\r\n", 'also when the value grows');
$c->put("mg i t\r\n");
like($c->line, qr/^HD t(?:100|9\d)$/, 'both of them');

dialogue $c, 'noreply', <<'END';
> set n 0 0 1
> 5
< STORED
> incr n 5 noreply
> decr n 1 noreply
> get n
< VALUE n 0 2
< 9 *
< END
> incr none 1 noreply
> incr n abc noreply
> decr n abc noreply
> set n 0 0 3
> abc
< STORED
> incr n 1 noreply
> get n
< VALUE n 0 3
< abc
< END
END

dialogue $c, 'numbers and other commands', <<'END';
> set n 0 0 1
> 1
< STORED
> append n 0 0 1
> 2
< STORED
> incr n 1
< 13
> prepend n 0 0 1
> 9
< STORED
> decr n 900
< 13
> get n
< VALUE n 0 3
< 13 *
< END
> append n 0 0 1
> 5
< STORED
> incr n 1
< 14
> delete n
< DELETED
> incr n 1
< NOT_FOUND
> add n 0 0 1
> 1
< STORED
> incr n 1
< 2
END

# ---- several at once --------------------------------------------------------

{
	my ($clients, $each) = (4, 2000);
	my @children;

	$c->ask("set sum 0 0 1\r\n0\r\n", "STORED\r\n", 'a sum');
	for (1 .. $clients) {
		my $pid = fork;
		die "fork: $!" unless defined $pid;
		push @children, $pid;
		next if $pid;

		my $own = $srv->connect;
		$own->put("incr sum 3\r\ndecr sum 2\r\n" x $each);
		for (1 .. 2 * $each) {
			POSIX::_exit(1) unless $own->line =~ /^\d+$/;
		}
		POSIX::_exit($own->silent ? 0 : 1);
	}
	my @failed = grep { waitpid($_, 0); $? } @children;
	is(@failed, 0, "$clients clients count at once");
	$c->put("get sum\r\n");
	$c->line;
	is($c->line + 0, $clients * $each, 'and nothing is lost');
	is($c->line, 'END', 'to the end');
}

done_testing;
