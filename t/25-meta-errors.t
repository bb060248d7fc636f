#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 25-meta-errors.t - every way to get a meta command wrong.
#
# Each case is one request and its whole reply.  ask() sends an mn behind it, so
# a reply too many, or a data block taken for a command, makes the case fail.
# The data block of ms is the word "version": what is not swallowed answers.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');	# Debian's 1.6.18 differs where this is used

$c->put("version\r\n");
my $version = $c->line . "\r\n";
like($version, qr/^VERSION \d+\.\d+\.\d+\r$/, 'version');

$c->ask("set k 0 0 4\r\n1234\r\n", "STORED\r\n", 'the item to spare');
my $items = $c->stats->{total_items};

my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $bad_token = "CLIENT_ERROR bad token in command line format\r\n";
my $invalid = "CLIENT_ERROR invalid flag\r\n";
my $duplicate = "CLIENT_ERROR duplicate flag\r\n";
my $too_many = "CLIENT_ERROR options flags are too long\r\n";
my $long_opaque = "CLIENT_ERROR opaque token too long\r\n";
my $undecodable = "CLIENT_ERROR error decoding key\r\n";
my $bad_initial = "CLIENT_ERROR invalid numeric initial value\r\n";
my $bad_delta = "CLIENT_ERROR invalid numeric delta value\r\n";
my $ma_error = "CLIENT_ERROR invalid or duplicate flag\r\n";

my %request = (
	mg => sub { "mg k $_[0]\r\n" },
	ms => sub { "ms k 7 $_[0]\r\nversion\r\n" },
	md => sub { "md k $_[0]\r\n" },
	ma => sub { "ma k $_[0]\r\n" },
);

# Checks one wrong list of flags on every command.
sub
refused
{
	my ($flags, $error, $name) = @_;

	for my $cmd (qw(mg ms md ma)) {
		my $expect = $cmd eq 'ma' || ($cmd eq 'md' && !$new)
		    ? $ma_error : $error;
		$c->ask($request{$cmd}->($flags), $expect, "$cmd: $name");
	}
}

# ---- duplicates ------------------------------------------------------------

my %token = (
	C => 1, D => 1, E => 1, F => 1, J => 1, M => 'I', N => 30, O => 'abc',
	P => 'x', L => 'x', R => 30, T => 30,
);
for my $flag (qw(k v f s t c h l u q O P L T N R C F I M J D),
	      $new ? qw(E x) : ()) {
	my $first = $flag . ($token{$flag} // '');
	refused("$first $first", $duplicate, "two $flag");
}
refused('v vfoo', $duplicate, 'two v, one with a token');
refused('O1 O2', $duplicate, 'two O with other tokens');
refused('v k v', $duplicate, 'two v, apart');

# ---- letters ---------------------------------------------------------------

# Letters of the extension, where they are known: t/31-lease-flags.t.
my %ours = $srv->is_reference ? () : (n => 'mg', w => 'mg', e => 'mg',
	V => 'mg ms md', A => 'ms md', H => 'ms', z => 'ms', U => 'md',
	d => 'md');

for my $letter (grep { !/[bkqvfsthlucOTNRCEFIMJDPLx]/ }
		'a' .. 'z', 'A' .. 'Z', '_', 0 .. 9) {
	for my $cmd (grep { ($ours{$letter} // '') !~ /$_/ } qw(mg ms md ma)) {
		$c->ask($request{$cmd}->($letter),
		    $cmd eq 'ma' || ($cmd eq 'md' && !$new) ? $ma_error :
		    $invalid, "$cmd: unknown flag '$letter'");
	}
}
refused('yy', $invalid, 'unknown flag with a token');
refused('k y', $invalid, 'unknown flag behind a known one');
$c->ask("mg k noreply\r\n", %ours ? $bad_token : $invalid,
    'mg: noreply is no flag, or not this one');
$c->ask($request{$_}->('noreply'), $_ eq 'ma' || ($_ eq 'md' && !$new) ?
    $ma_error : $invalid, "$_: noreply is no flag") for qw(ms md ma);

# ---- tokens ----------------------------------------------------------------

my $below = '-9223372036854775809';
my $above = '18446744073709551616';

for my $flag (qw(T N R)) {
	refused("$flag$_", $bad_token, "$flag with '$_'")
	    for '', 'x', 'abc', '5x', '-', '--1', '0x10', '1.5',
	    '9223372036854775808', $above, $below, '9' x 40,
	    $new ? ('+5') : ();
}
for my $flag ('C', $new ? 'E' : ()) {
	refused("$flag$_", $bad_token, "$flag with '$_'")
	    for '', 'x', '5x', '-', '-1', '0x10', '1.5', $above, '9' x 40,
	    $new ? ('+5') : ();
}
refused("F$_", $bad_line, "F with '$_'")
    for '', 'x', '5x', '-', '-1', '0x10', $above, '9' x 40,
    $new ? ('4294967296', '+5') : ();
refused("J$_", $bad_initial, "J with '$_'")
    for '', 'x', '5x', '-', '-1', '0x10', $above, '9' x 40,
    $new ? ('+5', '0' x 22 . '1') : ();
refused("D$_", $bad_delta, "D with '$_'")
    for '', 'x', '5x', '-', '-1', '0x10', $above, '9' x 40,
    $new ? ('+5', '0' x 22 . '1') : ();

refused('q v k Oabc Tx', $bad_token, 'no O, no k, and q hides nothing');
refused('T30 N', $bad_token, 'a good token before a bad one');
refused('N T30', $bad_token, 'a bad token before a good one');

for my $cmd (qw(mg ms md)) {
	$c->ask($request{$cmd}->('O' . 'x' x 32), $long_opaque,
	    "$cmd: O with 32 bytes");
	$c->ask($request{$cmd}->('q k O' . 'x' x 300), $long_opaque,
	    "$cmd: O with 300 bytes");
}

# Which one is told: a wrong letter or a duplicate ends the reading of the
# line; of several wrong tokens the last one counts.
refused('Tx v v', $duplicate, 'a bad token, then a duplicate');
refused('v v Tx', $duplicate, 'a duplicate, then a bad token');
refused('Tx y', $invalid, 'a bad token, then an unknown flag');
refused('y v v', $invalid, 'an unknown flag, then a duplicate');
refused('v v y', $duplicate, 'a duplicate, then an unknown flag');
refused('Tx Jx', $bad_initial, 'bad T, bad J');
refused('Jx Tx', $bad_token, 'bad J, bad T');

# ---- the number of tokens --------------------------------------------------

# 18 flags: with the command and the key 20 tokens, with a length 21
my @many = qw(k q v s f t c h l u O1 P1 L1 N1 T1 R1 F0 I);

if ($new) {
	refused("@many M", $too_many, 'one token too many');
	refused("@many v y Tx", $too_many, 'too many, and other errors');
	refused(join(' ', ('k') x 500), $too_many, '500 flags');
	$c->ask("ms k 7 @many\r\nversion\r\n", $too_many,
	    'ms: one token too many, the length is one');
	$c->ask("md none @many\r\n", "NF knone O1\r\n",
	    'md: 20 tokens are taken');
	$c->ask("ma none @many[0 .. 12, 14 .. 17] C0\r\n", "NF knone O1\r\n",
	    'ma: 20 tokens are taken');
	$c->ask("ms none 7 @many[0 .. 16]\r\nversion\r\nmd none\r\n",
	    "HD\r\n", 'ms: 20 tokens are taken');
	$c->ask("mg none @many[0 .. 12, 14 .. 17] C0\r\nmg none\r\n", "EN\r\n",
	    'mg: 20 tokens are taken');
}

# ---- bytes that start no flag ----------------------------------------------

# Not a CR: at the end of a line it is a part of the line's end.

if ($new) {
	for my $byte (map { chr } grep { chr() !~ /[\w \n\r[\\\]^`]/ } 1 .. 255) {
		my $shown = sprintf '0x%02x', ord $byte;

		for my $cmd (qw(mg md ma)) {
			$c->ask($request{$cmd}->($byte),
			    $cmd eq 'ma' ? $ma_error : $bad_line,
			    "$cmd: a flag that begins with $shown");
		}
		$c->ask($request{ms}->($byte), $bad_line . $version,
		    "ms: a flag that begins with $shown, " .
		    'the data is not swallowed');
	}
}

# ---- keys ------------------------------------------------------------------

my $long = 'x' x 251;

for my $key ($long, 'x' x 300, 'x' x 1800) {
	my $n = length $key;

	$c->ask("mg $key v k O1 q\r\n", $bad_line, "mg: a key of $n bytes");
	$c->ask("md $key k O1 q\r\n", $bad_line, "md: a key of $n bytes");
	$c->ask("ma $key N0 k O1 q\r\n", $new ? $ma_error : $bad_line,
	    "ma: a key of $n bytes");
	$c->ask("me $key\r\n", $bad_line, "me: a key of $n bytes");
	$c->ask("mg $key y v v\r\n", $bad_line,
	    "mg: a key of $n bytes, and wrong flags");
	$c->ask("ms $key 7 k O1 q\r\nversion\r\n",
	    $new ? $bad_line : $bad_line . $version,
	    "ms: a key of $n bytes, the data is swallowed");
}
refused('b', $undecodable, 'k is not base64');
refused('b k O1 q', $undecodable, 'not base64, no O, no k, not quiet');
refused('b v v', $duplicate, 'not base64, and a duplicate');
refused('b Tx', $bad_token, 'not base64, and a bad token');
refused('Tx b', $undecodable, 'a bad token, and not base64');

# ---- too few words ---------------------------------------------------------

if ($new) {
	for my $line (qw(mg ms md ma me), 'mg ', 'ms  ', 'ms k', 'ms k ') {
		$c->ask("$line\r\n", $bad_line, "'$line'");
		$c->ask("$line\n", $bad_line, "'$line' and a bare LF")
		    if length $line > 2;
	}
}

# ---- the length of ms ------------------------------------------------------

# The data of these is not swallowed: it is the next command.
for my $length (qw(abc -1 0x3 3x S3 1.5 2147483646 2147483648),
		'99999999999999999999', $new ? ('+3', '-0', '4294967296') : ()) {
	$c->ask("ms k $length\r\nversion\r\n", $bad_line . $version,
	    "ms: a length of $length");
	$c->ask("ms k $length q k O1\r\nversion\r\n", $bad_line . $version,
	    "ms: a length of $length, and q");
}
$c->ask("ms k b 3\r\nversion\r\n", $bad_line . $version,
    'ms: a flag in the place of the length');

# ---- modes -----------------------------------------------------------------

for my $mode (qw(X e a 0 + -), $new ? ('', 'set', 'add', 'Sx', 'SS') : ()) {
	$c->ask("ms k 7 M$mode\r\nversion\r\n",
	    "CLIENT_ERROR invalid mode for ms M token\r\n",
	    "ms: mode '$mode', the data is swallowed");
	$c->ask("ms k 7 q O1 k M$mode\r\nversion\r\n",
	    "CLIENT_ERROR invalid mode for ms M token\r\n",
	    "ms: mode '$mode', and q");
}

# ---- verbs -----------------------------------------------------------------

for my $line ('mx k', 'm k', 'mgg k', 'MG k', 'Mg k v', 'mG k', 'meta k',
	      'ms2 k 7', 'mgk') {
	$c->ask("$line\r\n", "ERROR\r\n", "'$line' is no command");
}
$c->ask("mg\tk v\r\n", "ERROR\r\n", 'a TAB separates nothing');
$c->ask(" mg k v\r\n", "ERROR\r\n", 'no space before the verb') if $new;

# ---- data blocks of refused ms ---------------------------------------------

$c->ask("ms k 0 y\r\n\r\n", $invalid, 'an empty block is swallowed');
$c->ask("ms k 500000 y\r\n" . "mn\r\n" x 125_000 . "\r\n", $invalid,
    'a block of 500,000 bytes that looks like commands is swallowed');
$c->ask(join('', map { "ms k 7 y O$_\r\nversion\r\nmg k v O$_\r\n" } 1 .. 500),
    join('', map { "${invalid}VA 4 O$_\r\n1234\r\n" } 1 .. 500),
    'every second request of one write refused');

for my $flags ('y', 'v v', 'Tx', 'MX', 'b', 'F-1') {
	my $own = $srv->connect;

	# what has arrived is only a part of the block
	$own->put("ms k 20 $flags\r\nversion\r\n");
	$own->put($_) for split //, "version\r\nxx\r\nmn\r\n";
	my $error = $own->line;
	like($error, qr/^CLIENT_ERROR \w+/, "a split block, $flags: refused");
	is($own->line, 'MN', "a split block, $flags: in step");
}

# ---- and nothing happened --------------------------------------------------

$c->ask("get k\r\n", "VALUE k 0 4\r\n1234\r\nEND\r\n",
    'the item is as it was');
$c->ask("mg k v t f\r\n", "VA 4 t-1 f0\r\n1234\r\n",
    'and neither won nor stale');

done_testing;
