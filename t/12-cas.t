#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 12-cas.t - CAS numbers: when they change, and stores that depend on them.

use Leasecached;
use POSIX ();

my $srv = Leasecached->start;
my $c = $srv->client;

my $one_parser = since('1.6.40');
my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = $one_parser ? $bad_line : "ERROR\r\n";

# The number of a key, undef when it is not there.
sub
number
{
	my ($key, $client) = @_;

	$client ||= $c;
	$client->put("gets $key\r\n");
	my $line = $client->line;
	return undef if $line eq 'END';
	my ($n, $cas) = $line =~ /^VALUE \S+ \d+ (\d+) (\d+)$/
	    or die "gets $key: '$line'";
	$client->take($n + length "\r\nEND\r\n");
	return $cas;
}

# ---- replies ----------------------------------------------------------------

dialogue $c, 'cas without a match', <<'END';
> cas none 0 0 1 5
> a
< NOT_FOUND
> cas none 0 0 1 0
> a
< NOT_FOUND
> get none
< END
> set s1 5 0 3
> abc
< STORED
> cas s1 0 0 1 999999999
> a
< EXISTS
> cas s1 0 0 1 0
> a
< EXISTS
> cas s1 0 0 1 18446744073709551615
> a
< EXISTS
> get s1
< VALUE s1 5 3
< abc
< END
END

my $cas = number('s1');
$c->ask("cas s1 9 0 4 $cas\r\nwxyz\r\n", "STORED\r\n", 'cas with its number');
$c->ask("get s1\r\n", "VALUE s1 9 4\r\nwxyz\r\nEND\r\n",
    'value and flags are the new ones');
$c->ask("cas s1 9 0 4 $cas\r\nabcd\r\n", "EXISTS\r\n", 'but only once');
cmp_ok(number('s1'), '>', $cas, 'the number has grown');
$cas = number('s1');
$c->ask("cas  s1  9  0  1  $cas foo\r\na\r\n", "STORED\r\n",
    'a word behind the number is ignored');
$cas = number('s1');
$c->ask("cas s1 1 0 1 $cas noreply\r\nb\r\nget s1\r\n",
    "VALUE s1 1 1\r\nb\r\nEND\r\n", 'noreply: stored');
$c->ask("cas s1 1 0 1 $cas noreply\r\nc\r\nget s1\r\n",
    "VALUE s1 1 1\r\nb\r\nEND\r\n", 'noreply: exists');
$c->ask("cas none 1 0 1 $cas noreply\r\nc\r\nget none\r\n", "END\r\n",
    'noreply: not found');
$cas = number('s1');
$c->ask("cas s1 1 -1 1 $cas\r\nc\r\nget s1\r\n", "STORED\r\nEND\r\n",
    'an exptime that has passed');

# ---- errors -----------------------------------------------------------------

$c->ask("set s1 5 0 3\r\nold\r\n", "STORED\r\n", 'an item to spare');
for ('', ' s1', ' s1 0', ' s1 0 0') {
	$c->ask("cas$_\r\n", $short_line, "'cas$_' is short");
}
# The data is a command: it answers if it was not taken.
$c->put("version\r\n");
my $version = $c->line . "\r\n";
my $after = $one_parser ? '' : $version;
for my $number (qw(abc -1 12x 0x1 18446744073709551616
    99999999999999999999999)) {
	$c->ask("cas s1 0 0 7 $number\r\nversion\r\n", $bad_line . $after,
	    "number $number: the data is taken");
	$c->ask("cas s1 0 0 7 $number noreply\r\nversion\r\n", $after,
	    "number $number: noreply hides that");
}
$c->ask("cas s1 0 0 7\r\nversion\r\n", $short_line . $after,
    'no number: the data is taken');
$c->ask("cas s1 0 0 7 noreply\r\nversion\r\n", '',
    'noreply for a number: the data is taken') if $one_parser;
$c->ask("cas s1 0 0 -1 5\r\nversion\r\n", $bad_line . $version,
    'a bad length: no data is taken');
$c->ask("cas s1 x 0 7 5\r\nversion\r\n", $bad_line . $after,
    'bad flags: the data is taken');
$c->ask("cas s1 0 x 7 5\r\nversion\r\n", $bad_line . $after,
    'a bad exptime: the data is taken');
$c->ask('cas ' . 'k' x 251 . " 0 0 7 5\r\nversion\r\n", $bad_line . $after,
    'a bad key: the data is taken');
$cas = number('s1');
$c->ask("cas s1 0 0 3 $cas\r\nabcdefgh\r\n",
    "CLIENT_ERROR bad data chunk\r\nERROR\r\n", 'a bad data chunk');
$c->ask("cas s1 0 0 3 $cas noreply\r\nabcdefgh\r\n", "ERROR\r\n",
    'a bad data chunk, noreply');
$c->ask("gets s1\r\n", "VALUE s1 5 3 $cas\r\nold\r\nEND\r\n",
    'none of these touched the item');

# ---- what changes the number ------------------------------------------------

for (
	['set', "set n 0 0 2\r\n10\r\n", "STORED\r\n", 1],
	['replace', "replace n 0 0 2\r\n10\r\n", "STORED\r\n", 1],
	['append', "append n 0 0 1\r\n5\r\n", "STORED\r\n", 1],
	['prepend', "prepend n 0 0 1\r\n5\r\n", "STORED\r\n", 1],
	['append of nothing', "append n 0 0 0\r\n\r\n", "STORED\r\n", 1],
	['incr', "incr n 1\r\n", "5106\r\n", 1],
	['incr by 0', "incr n 0\r\n", "5106\r\n", 1],
	['decr', "decr n 1\r\n", "5105\r\n", 1],
	['add', "add n 0 0 1\r\na\r\n", "NOT_STORED\r\n", 0],
	['cas of another', "cas n 0 0 1 0\r\na\r\n", "EXISTS\r\n", 0],
	['touch', "touch n 100\r\n", "TOUCHED\r\n", 0],
	['gat', "gat 200 n\r\n", "VALUE n 0 4\r\n5105\r\nEND\r\n", 0],
	['get', "get n\r\n", "VALUE n 0 4\r\n5105\r\nEND\r\n", 0],
	['mg T', "mg n T100\r\n", "HD\r\n", 0],
	['incr that fails', "incr n abc\r\n",
	    "CLIENT_ERROR invalid numeric delta argument\r\n", 0],
	['a bad data chunk', "set n 0 0 1\r\nabc",
	    "CLIENT_ERROR bad data chunk\r\n", 0],
	['another key', "set other 0 0 1\r\na\r\n", "STORED\r\n", 0],
	['ma', "ma n\r\n", "HD\r\n", 1],
	['ms', "ms n 1\r\n1\r\n", "HD\r\n", 1],
	['md I', "md n I\r\n", "HD\r\n", 1],
) {
	my ($what, $request, $reply, $changes) = @$_;
	my $before = number('n');

	$c->ask($request, $reply, $what);
	my $now = number('n');
	if (!defined $before || $changes) {
		cmp_ok($now, '>', $before // 0, "$what: a new number");
	} else {
		is($now, $before, "$what: the same number");
	}
}

# One counter for all keys: no number comes twice, later ones are larger.
{
	my @numbers;

	for my $n (1 .. 200) {
		$c->put("set u$n 0 0 1 noreply\r\n1\r\n" .
		    ($n % 3 ? '' : "incr u$n 1 noreply\r\n"));
		push @numbers, number("u$n");
	}
	is((grep { $numbers[$_] <= $numbers[$_ - 1] } 1 .. $#numbers), 0,
	    'numbers grow from store to store, across keys');
	my $again = number('u1');
	$c->ask("delete u1\r\nset u1 0 0 1\r\n1\r\n", "DELETED\r\nSTORED\r\n",
	    'a key is deleted and set again');
	cmp_ok(number('u1'), '>', $numbers[-1], 'its number is new');
	$c->ask("cas u1 0 0 1 $again\r\n2\r\n", "EXISTS\r\n",
	    'its old one is void');
	my $flushed = number('u2');
	$c->ask("flush_all\r\ncas u2 0 0 1 $flushed\r\n2\r\n",
	    "OK\r\nNOT_FOUND\r\n", 'cas of what was flushed');
}

# ---- two who want the same --------------------------------------------------

{
	my ($a, $b) = ($srv->connect, $srv->connect);

	$c->ask("set race 0 0 1\r\n0\r\n", "STORED\r\n", 'two clients');
	my ($first, $second) = (number('race', $a), number('race', $b));
	is($first, $second, 'see the same number');
	$b->ask("cas race 0 0 1 $second\r\nb\r\n", "STORED\r\n",
	    'one is faster');
	$a->ask("cas race 0 0 1 $first\r\na\r\n", "EXISTS\r\n",
	    'the other is told');
	$a->ask("get race\r\n", "VALUE race 0 1\r\nb\r\nEND\r\n",
	    'and sees why');
}
{
	my ($clients, $each) = (4, 150);
	my @children;

	$c->ask("set sum 0 0 1\r\n0\r\n", "STORED\r\n", 'a sum');
	for (1 .. $clients) {
		my $pid = fork;
		die "fork: $!" unless defined $pid;
		push @children, $pid;
		next if $pid;

		my $own = $srv->connect;
		for (1 .. $each) {
			my $reply = '';
			until ($reply eq 'STORED') {
				$own->put("gets sum\r\n");
				my ($n, $cas) = $own->line =~
				    /^VALUE sum 0 (\d+) (\d+)$/ or
				    POSIX::_exit(1);
				my $sum = $own->take($n) + 1;
				$own->take(length "\r\nEND\r\n");
				$own->put("cas sum 0 0 " . length($sum) .
				    " $cas\r\n$sum\r\n");
				$reply = $own->line;
				POSIX::_exit(2) unless
				    $reply =~ /^(?:STORED|EXISTS)$/;
			}
		}
		POSIX::_exit(0);
	}
	my @failed = grep { waitpid($_, 0); $? } @children;
	is(@failed, 0, "$clients clients add to it by gets and cas");
	my $sum = $clients * $each;
	$c->ask("get sum\r\n", "VALUE sum 0 " . length($sum) .
	    "\r\n$sum\r\nEND\r\n", 'and no addition is lost');
}

# ---- without numbers --------------------------------------------------------

{
	my $without = Leasecached->start('-C');

	dialogue $without, '-C', <<'END';
> set a 1 0 1
> a
< STORED
> gets a
< VALUE a 1 1 0
< a
< END
> gats 0 a
< VALUE a 1 1 0
< a
< END
> cas a 0 0 1 0
> b
< EXISTS
> cas a 0 0 1 1
> b
< EXISTS
> get a
< VALUE a 1 1
< a
< END
END
	is($without->client->stats('settings')->{cas_enabled}, 'no',
	    '-C is in the settings');
}

done_testing;
