#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 10-storage.t - set, add, replace, append, prepend: replies, limits, and what
# becomes of the data block when the line in front of it is wrong.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

my $one_parser = since('1.6.40');	# which took the data of a bad line
my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = $one_parser ? $bad_line : "ERROR\r\n";
my $bad_chunk = "CLIENT_ERROR bad data chunk\r\n";
my $too_large = "SERVER_ERROR object too large for cache\r\n";
$c->put("version\r\n");
my $version = $c->line . "\r\n";
like($version, qr/^VERSION 1\.\d+\.\d+\r$/, 'the version');

# ---- each command -----------------------------------------------------------

dialogue $c, 'set, add, replace, append, prepend', <<'END';
> set s1 5 0 3
> abc
< STORED
> add s1 0 0 1
> z
< NOT_STORED
> get s1
< VALUE s1 5 3
< abc
< END
> replace s1 9 0 3
> def
< STORED
> append s1 77 100 2
> gh
< STORED
> prepend s1 77 100 2
> yz
< STORED
> get s1
< VALUE s1 9 7
< yzdefgh
< END
> replace none 0 0 1
> a
< NOT_STORED
> append none 0 0 1
> a
< NOT_STORED
> prepend none 0 0 1
> a
< NOT_STORED
> get none
< END
> add none 1 0 2
> ab
< STORED
> get none
< VALUE none 1 2
< ab
< END
END

dialogue $c, 'an empty value', <<'END';
> set e 3 0 0
>
< STORED
> get e
< VALUE e 3 0
<
< END
> append e 0 0 0
>
< STORED
> prepend e 0 0 2
> ab
< STORED
> append e 0 0 0
>
< STORED
> get e
< VALUE e 3 2
< ab
< END
END

dialogue $c, 'words behind the length are ignored', <<'END';
> set x 0 0 3 foo
> abc
< STORED
> set x 0 0 3 noreplyx
> def
< STORED
> set x 0 0 3 NOREPLY
> ghi
< STORED
> set  x  0  0  003  a
> jkl
< STORED
> get x
< VALUE x 0 3
< jkl
< END
END

dialogue $c, 'append and prepend keep flags and the time to live', <<'END';
> set t 7 100 1
> b
< STORED
> append t 1 0 1
> c
< STORED
> prepend t 1 5000 1
> a
< STORED
> mg t v f
< VA 3 f7
< abc
END
like($c->put("mg t t\r\n") && $c->line, qr/^HD t(?:100|99|9\d)$/,
    'the time to live is the one of the set');

# ---- flags ------------------------------------------------------------------

for (
	['0', 0], ['1', 1], ['65535', 65535], ['65536', 65536],
	['2147483648', 2147483648], ['4294967295', 4294967295],
	['4294967296', 0], ['4294967301', 5], ['+5', 5], ['007', 7],
	['18446744073709551615', 4294967295],
) {
	my ($sent, $kept) = @$_;

	$c->ask("set g $sent 0 2\r\nab\r\nget g\r\n",
	    "STORED\r\nVALUE g $kept 2\r\nab\r\nEND\r\n",
	    "flags $sent are read as $kept");
}

# ---- the line is wrong: whose are the next bytes? ---------------------------

my $k251 = 'k' x 251;
my @updates = qw(set add replace append prepend);

$c->ask("set v 0 0 3\r\nold\r\n", "STORED\r\n", 'an item to spare');

# The data block is a command: it answers if it was not taken.
my $after = $one_parser ? '' : $version;
for my $cmd (@updates) {
	for (
		['v abc 0 7', 'flags are text'],
		['v -1 0 7', 'flags are negative'],
		['v 18446744073709551616 0 7', 'flags of 65 bits'],
		['v 0 abc 7', 'exptime is text'],
		['v 0 9223372036854775808 7', 'exptime of 64 bits'],
		['v 0 -9223372036854775809 7', 'exptime below 64 bits'],
		["$k251 0 0 7", 'key of 251 bytes'],
	) {
		my ($args, $name) = @$_;

		$c->ask("$cmd $args\r\nversion\r\n", $bad_line . $after,
		    "$cmd: $name: the data is taken");
		$c->ask("$cmd $args noreply\r\nversion\r\n", $after,
		    "$cmd: $name: noreply hides that");
	}
	for (
		['-1', 'negative'], ['abc', 'text'], ['7x', 'half text'],
		['0x7', 'hexadecimal'], ['2147483646', 'too long'],
		['18446744073709551616', 'of 65 bits'],
		['99999999999999999999999', 'endless'],
		$one_parser ? (['+7', 'signed'], ['4294967296', 'of 33 bits']) :
		(),
	) {
		my ($length, $name) = @$_;

		$c->ask("$cmd v 0 0 $length\r\nversion\r\n",
		    $bad_line . $version,
		    "$cmd: the length is $name: no data is taken");
		$c->ask("$cmd v 0 0 $length noreply\r\nversion\r\n",
		    $bad_line . $version,
		    "$cmd: the length is $name: noreply does not hide that")
		    if $one_parser;
	}
	for my $args ('', ' v', ' v 0', ' v 0 0') {
		$c->ask("$cmd$args\r\n", $short_line, "'$cmd$args' is short");
	}
	$c->ask("$cmd v 0 0 noreply\r\nversion\r\n", $bad_line . $version,
	    "$cmd: noreply is no length") if $one_parser;
}
$c->ask("get v\r\n", "VALUE v 0 3\r\nold\r\nEND\r\n",
    'none of these touched the item');

# ---- the data is wrong ------------------------------------------------------

# Exactly length + 2 bytes are the data; what follows is a command.
for (
	["abcdef\r\n", $bad_chunk . $short_line, 'three bytes too long'],
	["abcdefgh\r\n", "${bad_chunk}ERROR\r\n", 'five bytes too long'],
	["abcd\r\nversion\r\n", $bad_chunk . $short_line . $version,
	    'one byte too long'],
	["abc\n\nversion\r\n", $bad_chunk . $version, 'LF LF'],
	["abc\r\rversion\r\n", $bad_chunk . $version, 'CR CR'],
	["abc\n\rversion\r\n", $bad_chunk . $version, 'LF CR'],
	["a\r\nxyversion\r\n", $bad_chunk . $version, 'too short'],
	["version\r\nversion\r\n",
	    $bad_chunk . "ERROR\r\n" . $version, 'no data at all'],
) {
	my ($data, $reply, $name) = @$_;

	for my $cmd (qw(set replace append prepend)) {
		$c->ask("$cmd v 0 0 3\r\n$data", $reply,
		    "$cmd: data: $name");
		$c->ask("$cmd v 0 0 3 noreply\r\n$data",
		    substr($reply, length $bad_chunk),
		    "$cmd: data: $name, noreply");
	}
	$c->ask("add new 0 0 3\r\n$data", $reply, "add: data: $name");
}
$c->ask("get v new\r\n", "VALUE v 0 3\r\nold\r\nEND\r\n",
    'a bad data chunk leaves the item as it was');

$c->ask("set lf 0 0 3\nabc\r\n", "STORED\r\n", 'the line may end in LF alone');
$c->put("set lf 0 0 3\r\ndef\n");
$c->ask("\n", $bad_chunk, 'the data may not');
$c->ask("get lf\r\n", "VALUE lf 0 3\r\nabc\r\nEND\r\n",
    'and was not stored');

# ---- keys -------------------------------------------------------------------

for my $n (1, 2, 15, 16, 17, 127, 128, 249, 250) {
	my $key = 'k' x $n;

	$c->ask("set $key $n 0 1\r\na\r\nget $key\r\n",
	    "STORED\r\nVALUE $key $n 1\r\na\r\nEND\r\n", "a key of $n bytes");
}
$c->ask("get $k251\r\n", $bad_line, 'a key of 251 bytes is none');

# Any byte but space, LF and the last CR is part of a key (1.6.18 stops at NUL).
{
	my @bytes = grep { $_ != 10 && $_ != 32 && ($one_parser || $_) } 0 .. 255;
	my ($request, $reply) = ('', '');

	for my $byte (@bytes) {
		my $key = 'k' . chr($byte) . 'k';

		$request .= "set $key $byte 0 1\r\na\r\nget $key\r\n";
		$reply .= "STORED\r\nVALUE $key $byte 1\r\na\r\nEND\r\n";
	}
	$c->ask($request, $reply, 'keys of any byte');
	my $all = join '', map { chr } grep { $_ != 13 } @bytes;
	for my $key (substr($all, 0, 127), substr $all, 127) {
		$c->ask("set $key 0 0 2\r\nab\r\nget $key\r\n",
		    "STORED\r\nVALUE $key 0 2\r\nab\r\nEND\r\n",
		    'a key of many of them, ' . length($key) . ' long');
	}
	$c->ask("get kak\r\n", "VALUE kak 97 1\r\na\r\nEND\r\n",
	    'keys are compared whole');
	$c->ask("get KAK kAk ka kBk\r\n", "VALUE kAk 65 1\r\na\r\n" .
	    "VALUE kBk 66 1\r\na\r\nEND\r\n", 'and with their case');
}
dialogue $c, 'keys that look like something else', <<'END';
> set 0 0 0 0
>
< STORED
> set noreply 0 0 1
> a
< STORED
> set get 1 0 1
> b
< STORED
> get noreply get 0
< VALUE noreply 0 1
< a
< VALUE get 1 1
< b
< VALUE 0 0 0
<
< END
END

# ---- values -----------------------------------------------------------------

{
	my $bytes = join '', map { chr } 0 .. 255;

	$c->ask("set bytes 0 0 256\r\n$bytes\r\nget bytes\r\n",
	    "STORED\r\nVALUE bytes 0 256\r\n$bytes\r\nEND\r\n",
	    'a value may have any byte');
	my $trap = "\r\nEND\r\nSTORED\r\nget bytes\r\n\0\r\n";
	my $n = length $trap;
	$c->ask("set trap 0 0 $n\r\n$trap\r\nget trap\r\n",
	    "STORED\r\nVALUE trap 0 $n\r\n$trap\r\nEND\r\n",
	    'and look like the protocol');
}

# Sizes around those of buffers, where an off-by-one would be.
for my $around (64, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072,
    524288) {
	my ($request, $reply) = ('', '');

	for my $n ($around - 34 .. $around - 30, $around - 3 .. $around + 3) {
		my $value = pack 'a*', substr sprintf('%08d', $n) x
		    ($n / 8 + 1), 0, $n;

		$request .= "set around 0 0 $n\r\n$value\r\nget around\r\n";
		$reply .= "STORED\r\nVALUE around 0 $n\r\n$value\r\nEND\r\n";
	}
	$c->ask($request, $reply, "values around $around bytes");
}

{
	my ($request, $value) = ("set grown 0 0 0\r\n\r\n", '');

	for my $n (1 .. 1500) {
		$request .= "append grown 0 0 5\r\n" .
		    sprintf("%05d\r\n", $n);
		$value .= sprintf '%05d', $n;
		next if $n % 3;
		$request .= "prepend grown 0 0 4\r\n" .
		    sprintf("%04d\r\n", $n);
		$value = sprintf('%04d', $n) . $value;
	}
	my $n = length $value;
	$c->ask($request . "get grown\r\n", "STORED\r\n" x 2001 .
	    "VALUE grown 0 $n\r\n$value\r\nEND\r\n",
	    'a value grows by 2000 pieces');
	$value x= 50;
	$n = length $value;
	$c->ask("set grown 3 0 $n\r\n$value\r\nappend grown 0 0 100000\r\n" .
	    ('a' x 100000) . "\r\nprepend grown 0 0 100000\r\n" .
	    ('p' x 100000) . "\r\nget grown\r\n", "STORED\r\n" x 3 .
	    'VALUE grown 3 ' . ($n + 200000) . "\r\n" . ('p' x 100000) .
	    $value . ('a' x 100000) . "\r\nEND\r\n",
	    'a large value grows by large pieces');
}

# ---- too large --------------------------------------------------------------

# What -I bounds: 48 + 8 for the CAS number + key + 1 + 4 for flags that are
# not 0 + value + 2.
for (
	['L', 0, 1048516], ['L', 1, 1048512], ['k' x 250, 0, 1048267],
	['k' x 250, 5, 1048263],
) {
	my ($key, $flags, $most) = @$_;
	my $value = 'x' x $most;
	my $name = length($key) . ' byte key, flags ' . ($flags ? 'not 0' : 0);

	$c->ask("set $key $flags 0 $most\r\n$value\r\nget $key\r\n",
	    "STORED\r\nVALUE $key $flags $most\r\n$value\r\nEND\r\n",
	    "$name: a value of $most bytes is stored");
	$c->ask("set $key $flags 0 " . ($most + 1) . "\r\nx$value\r\n",
	    $too_large, "$name: a byte more is not");
	$c->ask("get $key\r\n", "END\r\n", "$name: the old value is gone");
}

$c->ask("set L 3 0 1\r\na\r\n", "STORED\r\n", 'a small value again');
{
	my $huge = 'x' x 2_000_000;
	my $kept = "VALUE L 3 1\r\na\r\nEND\r\n";

	for my $cmd (qw(add replace append prepend)) {
		$c->ask("$cmd L 0 0 2000000\r\n$huge\r\nget L\r\n",
		    $too_large . $kept, "$cmd: too large: the old value stays");
		$c->ask("$cmd L 0 0 2000000 noreply\r\n$huge\r\nget L\r\n",
		    $kept, "$cmd: too large: noreply hides that");
	}
	$c->ask("cas L 0 0 2000000 1\r\n$huge\r\nget L\r\n",
	    $too_large . $kept, 'cas: too large: the old value stays');
	for my $cmd (qw(append prepend)) {
		$c->ask("$cmd L 0 0 1048512\r\n" . ('x' x 1048512) .
		    "\r\nget L\r\n", "NOT_STORED\r\n$kept",
		    "$cmd: too large together: the old value stays");
	}
	$c->ask("set L 0 0 2000000 noreply\r\n$huge\r\nget L\r\n", "END\r\n",
	    'set: too large: noreply hides that, the old value is gone');
	$c->ask("add L 0 0 2000000\r\n$huge\r\nget L\r\n",
	    "${too_large}END\r\n", 'add: too large for a key that is not there');
	$c->ask("set L 0 0 2000000\r\n${huge}xxversion\r\n",
	    $too_large . $version,
	    'of data that is thrown away the end is not checked');
}

# A length that is accepted is waited for.
{
	my $slow = $srv->connect;

	$slow->put("set x 0 0 2147483645\r\n");
	$slow->put("version\r\n");
	unlike($slow->within(0.2), qr/VERSION/, 'a length of 2147483645: ' .
	    'what follows is data');
	$slow->close;
}

# ---- other limits -----------------------------------------------------------

unless ($srv->is_reference) { # 1.6.18 crashes
	my $small = Leasecached->start('-I', '1024', '-o', 'slab_chunk_max=1');
	my $s = $small->client;

	$s->ask("set a 0 0 1\r\na\r\nset a 0 0 2048\r\n" . ('x' x 2048) .
	    "\r\nget a\r\n", "STORED\r\n${too_large}END\r\n",
	    '-I 1024 refuses 2048 bytes');
	is($s->stats->{store_too_large}, 1, 'and counts that');
	my $most = 1024 - 48 - 8 - 1 - 1 - 2;
	my $value = 'x' x $most;
	$s->ask("set a 0 0 $most\r\n$value\r\nget a\r\nset a 0 0 " .
	    ($most + 1) . "\r\nx$value\r\nget a\r\n", "STORED\r\n" .
	    "VALUE a 0 $most\r\n$value\r\nEND\r\n${too_large}END\r\n",
	    "it takes $most bytes and no more");
}
{
	my $large = Leasecached->start('-I', '32m', '-m', '256');
	my $value = pack 'N*', 1 .. 5_000_000;
	my $n = length $value;
	my $l = $large->client;

	$l->ask("set a 0 0 $n\r\n$value\r\nget a\r\n",
	    "STORED\r\nVALUE a 0 $n\r\n$value\r\nEND\r\n",
	    "-I 32m takes $n bytes");
	$l->ask("append a 0 0 $n\r\n$value\r\nappend a 0 0 3\r\nabc\r\n" .
	    "mg a s\r\n", "NOT_STORED\r\nSTORED\r\nHD s" . ($n + 3) . "\r\n",
	    'but not twice that');
}

# ---- no memory --------------------------------------------------------------

{
	my $full = Leasecached->start('-M', '-m', '8');
	my $no_memory = "SERVER_ERROR out of memory storing object\r\n";
	my $f = $full->client;
	my $value = 'x' x 100_000;
	my ($stored, $reply) = (0);

	for my $n (0 .. 999) {
		$f->put("set k$n 0 0 100000\r\n$value\r\n");
		$reply = $f->line;
		last unless $reply eq 'STORED';
		$stored++;
	}
	is("$reply\r\n", $no_memory, '-M: the server is full');
	ok($stored >= 10 && $stored <= 84, "-M: $stored values of 100 kB " .
	    'went into 8 MB');
	$f->ask("add new 0 0 100000\r\n$value\r\nget new\r\n",
	    "${no_memory}END\r\n", '-M: add');
	$f->ask("set new 0 0 100000 noreply\r\n$value\r\nget new\r\n",
	    "END\r\n", '-M: set noreply');
	$f->ask("get k0\r\n", "VALUE k0 0 100000\r\n$value\r\nEND\r\n",
	    '-M: what is there stays');
	is($f->stats->{evictions}, 0, '-M: nothing was evicted');
	is($f->stats->{store_no_memory}, 3, '-M: it is counted');

	# There may be room when the old one goes; the old value never stays.
	my $other = 'y' x 100_000;
	$f->put("set k0 0 0 100000\r\n$other\r\n");
	$reply = $f->line;
	if ($reply eq 'STORED') {
		$f->ask("get k0\r\n", "VALUE k0 0 100000\r\n$other\r\nEND\r\n",
		    '-M: set has replaced the old value');
	} else {
		is("$reply\r\n", $no_memory, '-M: set of a key that is there');
		$f->ask("get k0\r\n", "END\r\n", '-M: the old value is gone');
	}
	$f->ask("delete k1\r\nadd k1 0 0 100000\r\n$value\r\n",
	    "DELETED\r\nSTORED\r\n", '-M: what is deleted makes room');
}

# ---- the number of items ----------------------------------------------------

{
	my $many = Leasecached->start;
	my $m = $many->client;
	my $n = 20_000;

	$m->put(join '', map { "set key$_ $_ 0 " . length($_) . " noreply\r\n" .
	    "$_\r\n" } 1 .. $n);
	ok($m->silent, "$n items are set");
	is($m->stats->{curr_items}, $n, 'curr_items');
	is($m->stats->{total_items}, $n, 'total_items');
	$m->put('get ' . join(' ', map { "key$_" } 1 .. $n) . "\r\n");
	my $expected = join('', map { "VALUE key$_ $_ " . length($_) .
	    "\r\n$_\r\n" } 1 .. $n) . "END\r\n";
	ok($m->take(length $expected) eq $expected, 'and read');
	ok($m->silent, 'exactly');
	$m->put(join '', map { "delete key$_ noreply\r\n" } 1 .. $n);
	ok($m->silent, 'and deleted');
	is($m->stats->{curr_items}, 0, 'no item is left');
}

done_testing;
