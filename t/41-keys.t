#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 41-keys.t - keys: their lengths and their bytes, on every command.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');
my $bad_line = "CLIENT_ERROR bad command line format\r\n";

$c->put("version\r\n");
my $version = $c->line . "\r\n";

# Every command that takes a key, as a story of one key: KEY stands for it.
my @story = (
	["get KEY\r\n", "END\r\n"],
	["gets KEY\r\n", "END\r\n"],
	["gat 0 KEY\r\n", "END\r\n"],
	["gats 0 KEY\r\n", "END\r\n"],
	["mg KEY k v\r\n", "EN kKEY\r\n"],
	["me KEY\r\n", "EN\r\n"],
	["delete KEY\r\n", "NOT_FOUND\r\n"],
	["md KEY k\r\n", "NF kKEY\r\n"],
	["touch KEY 0\r\n", "NOT_FOUND\r\n"],
	["incr KEY 1\r\n", "NOT_FOUND\r\n"],
	["decr KEY 1\r\n", "NOT_FOUND\r\n"],
	["ma KEY k\r\n", "NF kKEY\r\n"],
	["replace KEY 0 0 1\r\n1\r\n", "NOT_STORED\r\n"],
	["append KEY 0 0 1\r\n1\r\n", "NOT_STORED\r\n"],
	["prepend KEY 0 0 1\r\n1\r\n", "NOT_STORED\r\n"],
	["cas KEY 0 0 1 1\r\n1\r\n", "NOT_FOUND\r\n"],
	["ms KEY 1 MR k\r\n1\r\n", "NS kKEY\r\n"],
	["set KEY 1 0 1\r\n5\r\n", "STORED\r\n"],
	["get KEY\r\n", "VALUE KEY 1 1\r\n5\r\nEND\r\n"],
	["get KEY none KEY\r\n",
	 "VALUE KEY 1 1\r\n5\r\nVALUE KEY 1 1\r\n5\r\nEND\r\n"],
	["gat 0 KEY\r\n", "VALUE KEY 1 1\r\n5\r\nEND\r\n"],
	["mg KEY k v\r\n", "VA 1 kKEY\r\n5\r\n"],
	["add KEY 0 0 1\r\n5\r\n", "NOT_STORED\r\n"],
	["replace KEY 2 0 1\r\n6\r\n", "STORED\r\n"],
	["append KEY 0 0 1\r\n1\r\n", "STORED\r\n"],
	["prepend KEY 0 0 1\r\n1\r\n", "STORED\r\n"],
	["incr KEY 1\r\n", "162\r\n"],
	["decr KEY 2\r\n", "160\r\n"],
	["ma KEY k v\r\n", "VA 3 kKEY\r\n161\r\n"],
	["touch KEY 0\r\n", "TOUCHED\r\n"],
	["ms KEY 2 k\r\n17\r\n", "HD kKEY\r\n"],
	["md KEY I k\r\n", "HD kKEY\r\n"],
	["mg KEY k v\r\n", "VA 2 kKEY X W\r\n17\r\n"],
	["delete KEY\r\n", "DELETED\r\n"],
	["ma KEY N0 J3 k v\r\n", "VA 1 kKEY\r\n3\r\n"],
	["md KEY k\r\n", "HD kKEY\r\n"],
	["mg KEY N0 k\r\n", "HD kKEY W\r\n"],
	["delete KEY\r\n", "DELETED\r\n"],
	["set KEY 0 0 1 noreply\r\n5\r\nget KEY\r\n",
	 "VALUE KEY 0 1\r\n5\r\nEND\r\n"],
	["delete KEY noreply\r\nget KEY\r\n", "END\r\n"],
);

# ---- lengths ---------------------------------------------------------------

for my $length (1, 2, 3, 7, 8, 9, 31, 32, 33, 100, 127, 128, 129, 249, 250) {
	my $key = join '', map { chr(ord('!') + ($_ * 17 + $length) % 94) }
	    1 .. $length;
	my $request = join '', map { $_->[0] } @story;
	my $reply = join '', map { $_->[1] } @story;

	s/KEY/$key/g for $request, $reply;
	$c->ask($request, $reply, "every command, a key of $length bytes");
}

# One byte more.  Nothing is stored, nothing found, and the data is swallowed.
for my $length (251, 252, 255, 256, 257, 300, 511, 1000, 1900) {
	my $key = 'x' x $length;

	# [request, reply; true where 1.6.18 does not swallow]
	for (
		["get KEY\r\n", $bad_line],
		["gets KEY\r\n", $bad_line],
		["gat 0 KEY\r\n", $bad_line],
		["gats 0 KEY\r\n", $bad_line],
		["mg KEY v\r\n", $bad_line],
		["mg KEY v k O1 q\r\n", $bad_line],
		["me KEY\r\n", $bad_line],
		["delete KEY\r\n", $bad_line],
		["md KEY\r\n", $bad_line],
		["md KEY q\r\n", $bad_line],
		["touch KEY 0\r\n", $bad_line],
		["incr KEY 1\r\n", $bad_line],
		["decr KEY 1\r\n", $bad_line],
		["ma KEY N0\r\n", $new
		    ? "CLIENT_ERROR invalid or duplicate flag\r\n" : $bad_line],
		["delete KEY noreply\r\n", ''],
		["touch KEY 0 noreply\r\n", ''],
		["incr KEY 1 noreply\r\n", ''],
		["decr KEY 1 noreply\r\n", ''],
		(map { ["$_ KEY 0 0 7\r\nversion\r\n", $bad_line, 1],
		    ["$_ KEY 0 0 7 noreply\r\nversion\r\n", '', 1] }
		    qw(set add replace append prepend)),
		["cas KEY 0 0 7 1\r\nversion\r\n", $bad_line, 1],
		["cas KEY 0 0 7 1 noreply\r\nversion\r\n", '', 1],
		["ms KEY 7\r\nversion\r\n", $bad_line, 1],
		["ms KEY 7 q k O1\r\nversion\r\n", $bad_line, 1],
	) {
		my ($request, $reply, $swallows) = @$_;
		my ($name) = $request =~ /^(.*?)\r/;

		$reply .= $version if $swallows && !$new;
		$request =~ s/KEY/$key/;
		$c->ask($request, $reply, "$name: a key of $length bytes");
	}
}
is($c->stats->{curr_items}, 0, 'nothing is left of all that');

# ---- bytes -----------------------------------------------------------------

# Every byte but space and LF, in the middle, at the start, at the end and on
# its own.  0x80 begins a key, never a connection.
for my $byte (0 .. 255) {
	my $char = chr $byte;

	next if $char eq ' ' || $char eq "\n";
	next if $byte == 0 && !$new;
	# before the end of a line a CR is part of the line's end
	for my $key ("a${char}b", "${char}b", $char eq "\r" ? () :
	    ("a$char", $char)) {
		my $request = join '', map { $_->[0] } @story;
		my $reply = join '', map { $_->[1] } @story;
		my $shown = $key;

		$shown =~ s/([^!-~])/sprintf '\\x%02x', ord $1/ge;
		s/KEY/$key/g for $request, $reply;
		$c->ask($request, $reply, "every command, the key '$shown'");
	}
}

# All of them in one key.
{
	my $all = join '', map { chr } grep { $_ != 10 && $_ != 32 && $_ != 13 }
	    $new ? 0 : 1, 2 .. 250;
	my $request = join '', map { $_->[0] } @story;
	my $reply = join '', map { $_->[1] } @story;

	is(length($all) <= 250, 1, 'a key of ' . length($all) . ' bytes');
	s/KEY/$all/g for $request, $reply;
	$c->ask($request, $reply, 'every command, a key of nearly all bytes');
}

# Keys that are near to each other are different keys.
{
	my @keys = ('k', 'K', "k\t", "\tk", "k\x01", "k\x7f", "k\xff", 'kk',
	    "k\rk", "\xe4", "\xc3\xa4", '0', '00', '-1', '+1',
	    $new ? ("\0", "\0\0", "k\0", "k\0k") : (),
	    'noreply', 'get', 'END', 'x' x 249, 'x' x 250, 'x' x 249 . 'y');

	$c->ask(join('', map { "set $keys[$_] 0 0 4\r\n" .
	    sprintf("%04d", $_) . "\r\n" } 0 .. $#keys),
	    "STORED\r\n" x @keys, scalar(@keys) . ' keys are stored');
	$c->ask("get @keys\r\n",
	    join('', map { "VALUE $keys[$_] 0 4\r\n" . sprintf("%04d", $_) .
	    "\r\n" } 0 .. $#keys) . "END\r\n", 'each has its own value');
	$c->ask(join('', map { "mg $_ v k\r\n" } @keys),
	    join('', map { "VA 4 k$keys[$_]\r\n" . sprintf("%04d", $_) .
	    "\r\n" } 0 .. $#keys), 'and so says mg');
}

# A TAB does not separate, and text beyond ASCII is a key like any other.
for (
	["get\ta\r\n", "ERROR\r\n", 'a TAB behind the verb'],
	["set \x{c3}\x{bc} 0 0 2\r\n\xc3\xbc\r\nget \xc3\xbc\r\n",
	 "STORED\r\nVALUE \xc3\xbc 0 2\r\n\xc3\xbc\r\nEND\r\n", 'UTF-8'],
	["set a\t0 0 0 1\r\nx\r\nget a\t0\r\nget a\r\n",
	 "STORED\r\nVALUE a\t0 0 1\r\nx\r\nEND\r\nEND\r\n", 'a TAB in a key'],
) {
	my ($request, $reply, $name) = @$_;
	$c->ask($request, $reply, $name);
}

done_testing;
