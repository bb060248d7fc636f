#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 19-noreply.t - `noreply`: who takes it, where, and what it hides.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

my $one_parser = since('1.6.40');
my $bad_line = "CLIENT_ERROR bad command line format\r\n";
$c->put("version\r\n");
my $version = $c->line . "\r\n";

# ---- what was done without a word -------------------------------------------

# Silent requests, then what they have done.
for (
	["set k 5 0 1 noreply\r\na\r\n", 'get k', "VALUE k 5 1\r\na\r\nEND"],
	["add k 1 0 1 noreply\r\nb\r\n", 'get k', "VALUE k 5 1\r\na\r\nEND"],
	["add l 1 0 1 noreply\r\nb\r\n", 'get l', "VALUE l 1 1\r\nb\r\nEND"],
	["replace k 6 0 1 noreply\r\nc\r\n", 'get k',
	    "VALUE k 6 1\r\nc\r\nEND"],
	["replace none 6 0 1 noreply\r\nc\r\n", 'get none', 'END'],
	["append k 0 0 1 noreply\r\nd\r\n", 'get k', "VALUE k 6 2\r\ncd\r\nEND"],
	["append none 0 0 1 noreply\r\nd\r\n", 'get none', 'END'],
	["prepend k 0 0 1 noreply\r\nb\r\n", 'get k',
	    "VALUE k 6 3\r\nbcd\r\nEND"],
	["prepend none 0 0 1 noreply\r\nb\r\n", 'get none', 'END'],
	["cas k 0 0 1 0 noreply\r\nb\r\n", 'get k', "VALUE k 6 3\r\nbcd\r\nEND"],
	["cas none 0 0 1 0 noreply\r\nb\r\n", 'get none', 'END'],
	["set n 0 0 2 noreply\r\n10\r\nincr n 5 noreply\r\n", 'get n',
	    "VALUE n 0 2\r\n15\r\nEND"],
	["decr n 1 noreply\r\n", 'get n', "VALUE n 0 2\r\n14\r\nEND"],
	["incr none 1 noreply\r\ndecr none 1 noreply\r\n", 'get none', 'END'],
	["incr k 1 noreply\r\ndecr k 1 noreply\r\n", 'get k',
	    "VALUE k 6 3\r\nbcd\r\nEND"],
	["touch k 0 noreply\r\n", 'mg k t', 'HD t-1'],
	["touch none 0 noreply\r\n", 'get none', 'END'],
	["delete k noreply\r\n", 'get k', 'END'],
	["delete k noreply\r\n", 'get k', 'END'],
	["delete n 0 noreply\r\n", 'get n', 'END'],
	["set k 5 0 1 noreply\r\na\r\nset l 5 0 1 noreply\r\nb\r\n" .
	    "flush_all noreply\r\n", 'get k l', 'END'],
	["set k 5 0 1 noreply\r\na\r\nflush_all 0 noreply\r\n", 'get k', 'END'],
	["set k 5 0 1 noreply\r\na\r\nflush_all 1000 noreply\r\n", 'get k',
	    "VALUE k 5 1\r\na\r\nEND"],
	["flush_all -1 noreply\r\n", 'get k', 'END'],
	["verbosity 1 noreply\r\nverbosity 0 noreply\r\n", 'get k', 'END'],
	["cache_memlimit 64 noreply\r\n", 'get k', 'END'],
	["set k 5 0 1 NOREPLY noreply\r\nc\r\n", 'get k',
	    $one_parser ? "VALUE k 5 1\r\nc\r\nEND" : undef],
) {
	my ($silent, $question, $answer) = @$_;

	next unless defined $answer;
	$c->ask("$silent$question\r\n", "$answer\r\n", $silent =~
	    s/\r\n\z//r =~ s/\r\n/ /gr);
}

# ---- errors it hides --------------------------------------------------------

$c->ask("set k 5 0 3\r\nold\r\n", "STORED\r\n", 'an item to spare');
my @hidden = (
	"set k 0 0 1 noreply\r\nabc",
	"set k 0 0 2 noreply\r\n1234",
	"append k 0 0 1 noreply\r\nabc",
	"cas k 0 0 1 1 noreply\r\nabc",
	"add k 0 0 2000000 noreply\r\n" . 'x' x 2_000_000 . "\r\n",
	"incr k x noreply\r\n",
	"decr k -1 noreply\r\n",
	"incr k 1 noreply\r\n",
	"touch k x noreply\r\n",
	"flush_all x noreply\r\n",
	"verbosity noreply\r\n",
	"cache_memlimit 1 noreply\r\n",
	$one_parser ? (
		"set k x 0 1 noreply\r\na\r\n",
		"set k 0 x 1 noreply\r\na\r\n",
		"set " . 'k' x 251 . " 0 0 1 noreply\r\na\r\n",
		"cas k 0 0 1 x noreply\r\na\r\n",
		"cas k 0 0 1 noreply\r\na\r\n",
		"verbosity x noreply\r\n",
		"cache_memlimit x noreply\r\n",
		"delete noreply\r\n",
		"touch k noreply\r\n",
		"shutdown noreply\r\n",
		"shutdown foo noreply\r\n",
		"foo noreply\r\n",
		"foo bar baz noreply\r\n",
		"slabs x noreply\r\n",
		"slabs automove 1 noreply\r\n",
		"slabs reassign 1 1 noreply\r\n",
		"lru x noreply\r\n",
		"lru mode flat noreply\r\n",
		"lru_crawler tocrawl 0 noreply\r\n",
		"lru_crawler sleep 100 noreply\r\n",
		"lru_crawler x noreply\r\n",
	) : (),
);
for (@hidden) {
	$c->ask("${_}get k\r\n", "VALUE k 5 3\r\nold\r\nEND\r\n",
	    'hidden: ' . Leasecached::Client::quoted(substr $_, 0, 50));
}
$c->ask(join('', @hidden, "get k\r\n"), "VALUE k 5 3\r\nold\r\nEND\r\n",
    'all of them in one packet');

# ---- what it does not hide --------------------------------------------------

for (
	["get noreply\r\n", "END\r\n", 'a key of get'],
	["gets noreply\r\n", "END\r\n", 'a key of gets'],
	["get k noreply\r\n", "VALUE k 5 3\r\nold\r\nEND\r\n",
	    'another key of get'],
	["gat 0 noreply\r\n", "END\r\n", 'a key of gat'],
	["gats 0 noreply\r\n", "END\r\n", 'a key of gats'],
	["version noreply\r\n", $version, 'version'],
	["stats noreply\r\n", "ERROR\r\n", 'a word of stats'],
	["mn noreply\r\n", "MN\r\n", 'mn'],
	["mg noreply\r\n", "EN\r\n", 'a key of mg'],
	["me noreply\r\n", "EN\r\n", 'a key of me'],
	["md noreply\r\n", "NF\r\n", 'a key of md'],
	["ma noreply\r\n", "NF\r\n", 'a key of ma'],
	["mg k noreply\r\n", 'CLIENT_ERROR ' . ($srv->is_reference ?
	    'invalid flag' : 'bad token in command line format') . "\r\n",
	    'flags of mg'],
	["ms k 1 noreply\r\na\r\n" . ($one_parser ? '' : "\r\n"),
	    "CLIENT_ERROR invalid flag\r\n" . ($one_parser ? '' :
	    "ERROR\r\n"), 'flags of ms'],
	["set k 0 0 x noreply\r\nversion\r\n", $bad_line . $version,
	    'a bad length'],
	["set k 0 0 -1 noreply\r\nversion\r\n", $bad_line . $version,
	    'a negative length'],
	["set x 0 0 1 noreplyx\r\na\r\n", "STORED\r\n", 'noreplyx'],
	["set x 0 0 1 noreply2\r\na\r\n", "STORED\r\n", 'noreply2'],
	["set x 0 0 1 nOreply\r\na\r\n", "STORED\r\n", 'nOreply'],
	["delete x noreply 0\r\n", $one_parser ? "DELETED\r\n" :
	    $bad_line =~ s/\r/.  Usage: delete <key> [noreply]\r/r,
	    'noreply in the middle'],
	["foo noreplyx\r\n", "ERROR\r\n", 'foo noreplyx'],
	$one_parser ? (
		["set k 0 0 noreply\r\nversion\r\n", $bad_line . $version,
		    'noreply for a length'],
		["set x 0 0 1 noreply foo\r\na\r\n", "STORED\r\n",
		    'noreply before the end'],
		["delete x noreply foo\r\n", "DELETED\r\n",
		    'noreply before the end of a delete'],
	) : (),
) {
	my ($request, $reply, $name) = @$_;

	next if !$one_parser && $request =~ /^set k 0 0 \S+ noreply/;
	$c->ask($request, $reply, "loud: $name");
}

# noreply is the last word of a long line, too.
$c->ask('delete ' . 'k' x 250 . " noreply\r\n", '', 'behind a long key');
$c->ask("set k   9   0    1   noreply   \r\nb\r\nget k\r\n",
    "VALUE k 9 1\r\nb\r\nEND\r\n", 'between spaces');
$c->ask("set k 9 0 1 noreply\nc\r\nget k\r\n",
    "VALUE k 9 1\r\nc\r\nEND\r\n", 'before LF');

# ---- many -------------------------------------------------------------------

{
	my $n = 10_000;

	$c->put(join '', map { "set many 0 0 5 noreply\r\n" .
	    sprintf("%05d\r\n", $_) . "delete many noreply\r\n" .
	    "incr many 1 noreply\r\nadd many 0 0 5 noreply\r\n" .
	    sprintf("%05d\r\n", $_) . "set many 0 0 1 noreply\r\nxyz" }
	    1 .. $n);
	$c->ask("get many\r\n", "VALUE many 0 5\r\n10000\r\nEND\r\n",
	    5 * $n . ' requests without a reply');
}

# A silent request does not make the next one silent.
$c->ask("set k 9 0 1 noreply\r\nc\r\nset k 9 0 1\r\nd\r\n" .
    "set k 9 0 1 noreply\r\nabcset k 0 0 x\r\n" .
    "delete none noreply\r\ndelete none\r\nfoo\r\n",
    "STORED\r\n${bad_line}NOT_FOUND\r\nERROR\r\n",
    'it is for one request');

done_testing;
