#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 18-framing.t - where requests begin and end, however the bytes arrive.

use Leasecached;
use Time::HiRes qw(sleep);

my $srv = Leasecached->start;
my $c = $srv->client;

my $one_parser = since('1.6.40');
my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = $one_parser ? $bad_line : "ERROR\r\n";
my $error = "ERROR\r\n";
$c->put("version\r\n");
my $version = $c->line . "\r\n";

# ---- lines ------------------------------------------------------------------

for (
	["version\n", $version, 'LF alone ends a line'],
	["version\r\r\n", $error, 'one CR is dropped, not two'],
	["version \r\n", $version, 'a space at the end'],
	["version      \n", $version, 'spaces at the end'],
	["ver\rsion\r\n", $error, 'a CR inside is a byte like others'],
	["get\ta\r\n", $error, 'a TAB is no space'],
	["version\r\nversion\nversion\r\n", $version x 3, 'ends of both kinds'],
	["set lf 0 0 3\nabc\r\nget lf\nget lf\r\n", "STORED\r\n" .
	    "VALUE lf 0 3\r\nabc\r\nEND\r\n" x 2, 'a data block behind LF'],
	["\r\n", $short_line, 'CR LF'],
	["\n", $short_line, 'LF'],
	["a\r\n", $short_line, 'a'],
	["\r\n\r\n\n", $short_line x 3, 'empty lines'],
	["ab\n", $short_line, 'two letters, LF'],
	["mn\r\n", "MN\r\n", 'the shortest command'],
	["foob\r\n", $error, 'four letters'],
	["set  k   0 0  1 \r\na\r\nget    k  \r\n",
	    "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n", 'any number of spaces'],
	$one_parser ? (
		[" version\r\n", $error, 'a space in front'],
		["  set k 0 0 1\r\n", $error, 'spaces in front of a set'],
		["version\0\r\n", $error, 'a NUL is a byte like others'],
	) : (),
) {
	my ($request, $reply, $name) = @$_;

	$c->ask($request, $reply, $name);
}

$c->ask('version' . ' x' x 500 . "\r\n", $version, '500 words');
$c->ask('foo' . ' x' x 500 . "\r\n", $error, '500 words of an unknown command');

# ---- long lines -------------------------------------------------------------

# 2048 bytes without an end are waited for; one more closes the connection.
for my $start ('touch ', 'set ', 'mg ', 'ms k ', 'foo ', 'delete ', '') {
	my $l = $srv->connect;
	my $line = $start . 'x' x (2048 - length $start);

	$l->put("version\r\n");
	is($l->line . "\r\n", $version, "a line of '$start…'");
	$l->put($line);
	is($l->within(0.05), '', 'of 2048 bytes is waited for');
	$l->ask("\r\n", $start eq '' || $start eq 'foo ' || ($start eq 'set ' &&
	    !$one_parser) ? $error : $start eq 'set ' || $start eq 'touch ' ?
	    $short_line : $bad_line, 'and answered');
	$l->put("version\r\n");
	is($l->line . "\r\n", $version, 'and in step');
	$l->put($line . 'x');
	ok($l->closed, 'of 2049 bytes it closes the connection');
}

# A complete line may be longer.
$c->ask('version ' . 'x' x 8000 . "\r\n", $version,
    'a line of 8 kB that comes whole');
$c->ask('foo ' . 'x' x 14000 . "\r\n", $error, 'one of 14 kB');
$c->ask('touch ' . 'x' x 10000 . " 0\r\n", $bad_line, 'one with a huge key');
$c->ask('gat 0 ' . join(' ', map { 'x' x 200 . $_ } 1 .. 70) . "\r\n",
    "END\r\n", 'a gat of 14 kB');

# The lines of those that take many keys have no limit.
for my $get ('get', 'gets', $srv->is_reference ? () : ('gat 0', 'gats 0')) {
	my $l = $srv->connect;

	$l->put("$get " . 'k ' x 1500);
	is($l->within(0.05), '', "$get: 3000 bytes are waited for");
	$l->put('x ' x 100_000);
	is($l->within(0.05), '', "$get: 200 kB, too");
	$l->ask("y\r\n", ($get =~ /s/ ? gets_k() :
	    "VALUE k 0 1\r\na\r\n") x 1500 . "END\r\n", "$get: and answered");
}

sub
gets_k
{
	$c->put("gets k\r\n");
	my ($value) = $c->until_line(qr/^END$/);
	return "$value\r\na\r\n";
}

# ---- requests of other protocols --------------------------------------------

for my $line ('GET / HTTP/1.1', 'POST /x HTTP/1.0', 'PRI * HTTP/2.0',
    'foo HTTP/1.1', 'foo bar baz HTTP/', 'GET /version HTTP/1.1') {
	my $h = $srv->connect;

	$h->put("$line\r\nHost: x\r\n\r\nversion\r\n");
	ok($h->closed, "'$line' is closed without a word");
}
$c->ask("get HTTP/1.1\r\n", "END\r\n", 'but HTTP/1.1 may be a key');
$c->ask("foo HTTP\r\n", $error, 'and HTTP a word');
$c->ask("foo HTTP/1.1 x\r\n", $error, 'and HTTP/1.1 not the last');

SKIP: {
	skip 'memcached speaks the binary protocol', 1 if $srv->is_reference;

	# magic, opcode, key length, extras, type, status, body, opaque, cas
	my $header = 'C C n C C n N N Q>';

	# Checks one refusal.
	sub
	refused
	{
		my ($b, $opcode, $opaque, $name) = @_;
		my $log = () = $srv->stderr =~ /binary protocol/g;
		my $reply = $b->drain;

		ok(defined $reply, "$name: closed");
		$reply //= '';
		cmp_ok(length $reply, '>=', 24, "$name: answered") or return;
		my ($magic, $op, $key, $extras, $type, $status, $body, $echo,
		    $cas) = unpack $header, $reply;
		is($magic, 0x81, "$name: magic");
		is($op, $opcode, "$name: opcode");
		is($status, 0x81, "$name: unknown command");
		is($echo, $opaque, "$name: opaque");
		is(length $reply, 24 + $body, "$name: well-formed");
		is($key + $extras + $type, 0, "$name: text only");
	}

	my $logged = sub { scalar(() = $srv->stderr =~ /^.*binary.*$/mg) };
	my $n = $logged->();
	for my $opcode (0x00, 0x01, 0x0a, 0x0b, 0x10, 0x21, 0xff) {
		my $b = $srv->connect;

		$b->put(pack $header, 0x80, $opcode, 0, 0, 0, 0, 0,
		    0x12345678 + $opcode, 0);
		refused($b, $opcode, 0x12345678 + $opcode, "opcode $opcode");
		ok($srv->logged(qr/(?:binary[^\n]*\n.*){${\++$n}}/s),
		    'it is logged');
		is($logged->(), $n, 'with one line');
	}

	my $b = $srv->connect;
	$b->put(pack("$header a8 a*", 0x80, 1, 3, 8, 0, 0, 3 + 8 + 5, 7, 0, '',
	    'keyvalue'));
	refused($b, 1, 7, 'a set');

	$b = $srv->connect;
	for my $byte (split //, pack $header, 0x80, 0x0a, 0, 0, 0, 0, 0, 99,
	    0) {
		$b->put($byte);
		sleep 0.002;
	}
	refused($b, 0x0a, 99, 'byte by byte');

	$b = $srv->connect;
	$b->put("\x80\x0a");
	$b->shut;
	ok(defined $b->drain, 'half a header, and then the end');

	$b = $srv->connect;
	$b->ask("version\r\n\x80\n\x80version\r\n", $version . $bad_line .
	    $error, '0x80 as a later byte is text');
}

# ---- in pieces --------------------------------------------------------------

# A get with a key that is too long; in 1.6.18 it takes along the replies of all
# that came before it in the packet.
my $long_get = 'get ' . 'k' x ($one_parser ? 251 : 250);

# A script that leaves no trace: each run gets the same replies.
my $script = join '', map { "$_\r\n" } (
	'flush_all', 'set a 5 0 10', "01234\r\n789", 'add a 0 0 1', 'x',
	'get a b', 'gat 0 a', 'append a 0 0 3', "\0\r\n", 'get  a', 'set b 0 0 0',
	'', 'replace b 1 0 2', '17', 'incr b 5', 'decr b 100 noreply', 'get b a',
	'set bad 0 0 3', 'abcd', 'version', 'set bad 0 0 -1', 'set b x 0 1',
	$one_parser ? 'v' : (), 'touch b 100', 'touch b x', 'delete b noreply',
	'delete b', 'cas a 0 0 1 0', 'z', 'cas none 0 0 2 5', 'yy', 'mg a v k s',
	'ms m 4 T0 F9 k Oxyz', "a\r\nb", 'mg m v f k O1 q', 'mg none q', 'mn',
	'ma m', 'ma c N0 J13 v', 'md m q', 'md m k', 'ms Zm9v 3 b', 'foo',
	'mg foo k v', 'foo', '', 'get', $long_get, 'gets none',
	'mg a z', 'verbosity 0', 'cache_memlimit x', 'stats foo', 'set late 0 0 4',
	"get\n", 'get late',
);
$script .= "get late\n";
$c->put("${script}mn\r\n");
my $expected = '';
$expected .= $c->raw_line until $expected =~ /^MN\r\n.*^MN\r\n\z/ms;
$expected =~ s/MN\r\n\z//;
like($expected, qr/\AOK\r\nSTORED\r\n.*
    (?:VALUE\ late\ 0\ 4\r\nget\n\r\nEND\r\n){2}\z/sx,
    'a script of ' . length($script) . ' bytes');
$c->ask($script, $expected, 'is answered the same again');

{
	my $bad = 0;

	for my $at (1 .. length($script) - 1) {
		$c->put(substr $script, 0, $at);
		sleep 0.0005;
		$c->put(substr($script, $at) . "mn\r\n");
		my $got = $c->take(length($expected) + 4);
		next if $got eq "${expected}MN\r\n";
		diag "split at byte $at, after " .
		    Leasecached::Client::quoted(substr $script, 0, $at);
		diag 'got ' . Leasecached::Client::quoted($got);
		last if ++$bad > 2;
		$c->renew;
	}
	is($bad, 0, 'cut in two at every byte');
}
{
	my $wrong = 0;

	srand 12;
	for my $run (1 .. 60) {
		my $at = 0;
		my $most = (3, 20, 200)[$run % 3];

		while ($at < length $script) {
			my $n = 1 + int rand $most;
			$c->put(substr $script, $at, $n);
			$at += $n;
			sleep 0.0002 if $most > 3 || !($at & 15);
		}
		$c->put("mn\r\n");
		$wrong++, last if $c->take(length($expected) + 4) ne
		    "${expected}MN\r\n";
	}
	is($wrong, 0, 'cut in many pieces');
	$c->renew if $wrong;
	$c->put($_) for split //, $script;
	$c->ask('', $expected, 'byte by byte');
}

# ---- many in one packet -----------------------------------------------------

{
	my $runs = 200;

	$c->ask($script x $runs, $expected x $runs,
	    length($script) * $runs . ' bytes of requests at once');
	$c->ask("version\r\n" x 20_000, $version x 20_000,
	    '20000 times version');
	$c->ask('mg none q' . "\r\nmg none q" x 20_000 . "\r\nmn\r\n", "MN\r\n",
	    '20000 quiet misses');

	my $value = 'v' x 10_000;
	$c->ask("set large 0 0 10000\r\n$value\r\n" . "get large\r\n" x 2000,
	    "STORED\r\n" . "VALUE large 0 10000\r\n$value\r\nEND\r\n" x 2000,
	    '20 MB of replies to one write');
	$c->ask("set large 0 0 10000\r\n$value\r\n" x 2000,
	    "STORED\r\n" x 2000, '20 MB of requests');

	# Another is served between them.
	my $busy = $srv->connect(rcvbuf => 4096);
	$busy->put("get large\r\n" x 2000);
	$c->ask("version\r\n", $version, 'another client meanwhile');
	my $got = $busy->take(length("VALUE large 0 10000\r\n\r\nEND\r\n") *
	    2000 + 2000 * 10_000);
	ok($got eq "VALUE large 0 10000\r\n$value\r\nEND\r\n" x 2000,
	    'and a slow reader gets all');
	ok($busy->silent, 'and is in step');
}

# ---- nonsense, then sense ---------------------------------------------------

{
	my @nonsense = (
		["\r\n", $short_line],
		["foo\r\n", $error],
		["set k 0 0\r\n", $short_line],
		["set k 0 0 x\r\n", $bad_line],
		["set k 0 0 1\r\nabc", "CLIENT_ERROR bad data chunk\r\n"],
		["set k 0 0 2000000\r\n" . 'x' x 2_000_000 . "\r\n",
		    "SERVER_ERROR object too large for cache\r\n"],
		["$long_get\r\n", $one_parser ? $bad_line : "END\r\n"],
		["incr k x\r\n", "CLIENT_ERROR invalid numeric delta " .
		    "argument\r\n"],
		["touch k x\r\n", "CLIENT_ERROR invalid exptime argument\r\n"],
		["flush_all x\r\n", "CLIENT_ERROR invalid exptime argument\r\n"],
		["mg k z\r\n", "CLIENT_ERROR invalid flag\r\n"],
		["mg k v v\r\n", "CLIENT_ERROR duplicate flag\r\n"],
		["ms k x\r\n", $bad_line],
		["ms k 1 q\r\nabc", "CLIENT_ERROR bad data chunk\r\n"],
		["stats foo\r\n", $error],
		["slabs x\r\n", $error],
		["\xff\xfe\xfd\xfc\r\n", $error],
		$one_parser ? (
			["set k x 0 7\r\nversion\r\n", $bad_line],
			["ms k 7 z\r\nversion\r\n",
			    "CLIENT_ERROR invalid flag\r\n"],
			["cas k 0 0 7 x\r\nversion\r\n", $bad_line],
		) : (),
	);
	my $good = "set good 3 0 4\r\ngood\r\nget good\r\n";
	my $reply = "STORED\r\nVALUE good 3 4\r\ngood\r\nEND\r\n";

	for (@nonsense) {
		my ($request, $answer) = @$_;

		$c->ask($request . $good, $answer . $reply, 'in step after ' .
		    Leasecached::Client::quoted(substr $request, 0, 40));
	}
	my ($all, $answers) = ('', '');
	for my $first (@nonsense) {
		for my $second (@nonsense) {
			next if length "$first->[0]$second->[0]" > 3000;
			$all .= $first->[0] . $second->[0] . $good;
			$answers .= $first->[1] . $second->[1] . $reply;
		}
	}
	$c->ask($all, $answers, 'in step after any two of them');
}
{
	my ($bad, $lines) = (0, 3000);
	my @bytes = map { chr } 1 .. 9, 11, 12, 14 .. 31, 33 .. 96, 123 .. 255;

	srand 34;
	for my $n (1 .. $lines) {
		my $line = $bytes[rand @bytes];
		$line .= $_ % 9 ? $bytes[rand @bytes] : ' '
		    for 1 .. 3 + int rand 150;
		$c->put("$line\r\n") and next if $n % 50;
		$c->put("$line\r\n");
	}
	$c->put("version\r\n");
	my @replies = $c->until_line(qr/^VERSION/);
	is(@replies, $lines + 1, "$lines lines of noise have a reply each");
	is((grep { !/^(?:ERROR|CLIENT_ERROR bad command line format)$/ }
	    @replies[0 .. $lines - 1]), 0, 'an error');
	ok($c->silent, 'and nothing else');
}

# ---- the end of the stream --------------------------------------------------

{
	my $half = $srv->connect;

	$half->put("set e 0 0 1\r\na\r\nget e\r\nversion\r\n");
	$half->shut;
	is($half->drain, "STORED\r\nVALUE e 0 1\r\na\r\nEND\r\n$version",
	    'a client that has said all gets its replies');
	for my $part ("set e 0 0 3\r\nab", "set e 0 0 3\r\nabc",
	    "set e 0 0 3\r\nabc\r", 'set e 0 0 1', 'delete e', 'flush_all',
	    "set e 0 0 3\r\n", "incr e 1\r", 'ms e 1') {
		next if $srv->is_reference && $part =~ /\n/; # forgets
		$half = $srv->connect;
		$half->put("version\r\n$part");
		$half->shut;
		is($half->drain, $version, 'half a request is none: ' .
		    Leasecached::Client::quoted($part));
	}
	$c->ask("get e\r\n", "VALUE e 0 1\r\na\r\nEND\r\n",
	    'and does nothing');
}
for my $part ('', "\x80", 'get ', "set e 0 0 1000000\r\n" . 'x' x 5000) {
	my @gone = map { $srv->connect } 1 .. 20;

	$_->put($part) for @gone;
	$_->close for @gone;
}
is($srv->connect->stats->{pid}, $srv->pid, 'the server is still there');

done_testing;
