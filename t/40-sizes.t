#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 40-sizes.t - how large an item may be, and what happens when it is larger.
#
# An item counts with 48 bytes, 8 for its number (not with -C), the key and one
# byte, 4 bytes for client flags other than 0, the value and 2.

use Leasecached;
use Digest::MD5 ();

# The longest value that fits.
sub
longest
{
	my ($limit, $key, $flags, $no_cas) = @_;

	return $limit - 48 - ($no_cas ? 0 : 8) - length($key) - 1 -
	    ($flags ? 4 : 0) - 2;
}

# A text of n bytes in which no stretch looks like another.
my $pattern = join ',', map { $_ * 7919 % 999_983 } 1 .. 20_000;

sub
text
{
	my ($n) = @_;
	return substr $pattern x ($n / length($pattern) + 1), 0, $n;
}

my $too_large = "SERVER_ERROR object too large for cache\r\n";

# ---- the border ------------------------------------------------------------

# [options, limit in bytes, without numbers, not on older servers]
for (
	[['-m', '64'], 1 << 20, 0],
	[['-I', '512k'], 512 << 10, 0],
	[['-I', '8m', '-m', '256'], 8 << 20, 0],
	[['-C'], 1 << 20, 1],
	# Debian's 1.6.18 crashes with these
	[['-I', '1024'], 1024, 0, 'new'],
	[['-I', '2k'], 2048, 0, 'new'],
	[['-I', '100k', '-C'], 100 << 10, 1, 'new'],
) {
	my ($options, $limit, $no_cas, $newer) = @$_;

	next if $newer && !since('1.6.45');
	my $name = join ' ', @$options;
	my $srv = Leasecached->start(@$options);
	my $c = $srv->client;

	is($c->stats('settings')->{item_size_max}, $limit, "$name: settings");
	for my $key ('k', 'k' x 250) {
		for my $flags (0, 1, 4294967295) {
			my $n = longest($limit, $key, $flags, $no_cas);
			my $value = text($n);
			my $label = "$name, a key of @{[length $key]} bytes, " .
			    "client flags $flags: $n bytes";

			$c->ask("set $key $flags 0 $n\r\n$value\r\n" .
			    "get $key\r\n",
			    "STORED\r\nVALUE $key $flags $n\r\n$value\r\n" .
			    "END\r\n", "$label are stored");
			$c->ask("set $key $flags 0 @{[$n + 1]}\r\n${value}x\r\n" .
			    "get $key\r\n", "${too_large}END\r\n",
			    "$label and one are not");
			$c->ask("ms $key $n F$flags s\r\n$value\r\n" .
			    "mg $key v f s\r\n",
			    (since('1.6.20') ? "HD s$n" : 'HD') .
			    "\r\nVA $n f$flags s$n\r\n$value\r\n",
			    "$label are stored by ms");
			$c->ask("ms $key @{[$n + 1]} F$flags\r\n${value}x\r\n" .
			    "mg $key v f s\r\n", "${too_large}EN\r\n",
			    "$label and one are not, by ms");
		}
	}
}

# ---- what is left after a refusal ------------------------------------------

my $srv = Leasecached->start('-m', '64');
my $c = $srv->client;
my $huge = 2_000_000;
my $block = 'x' x $huge;
my $looks = "get L\r\nset L 0 0 1\r\nz\r\n";	# looks like commands
my $commands = substr $looks x ($huge / length($looks) + 1), 0, $huge;

# [request line without the length, words behind it, reply, what get L tells]
my $kept = "VALUE L 5 1\r\na\r\nEND\r\n";
my $gone = "END\r\n";
for (
	["set L 0 0", '', $too_large, $gone],
	["set L 7 100", '', $too_large, $gone],
	["set L 0 0", ' noreply', '', $gone],
	["add L 0 0", '', $too_large, $kept],
	["add L 0 0", ' noreply', '', $kept],
	["replace L 0 0", '', $too_large, $kept],
	["append L 0 0", '', $too_large, $kept],
	["prepend L 0 0", '', $too_large, $kept],
	["append L 0 0", ' noreply', '', $kept],
	["cas L 0 0", ' 1', $too_large, $kept],
	["cas L 0 0", ' 1 noreply', '', $kept],
	["ms L", '', $too_large, $gone],
	["ms L", ' MS', $too_large, $gone],
	["ms L", ' ME', $too_large, $gone],
	["ms L", ' MR', $too_large, $gone],
	["ms L", ' MA', $too_large, $gone],
	["ms L", ' MP', $too_large, $gone],
	["ms L", ' C1', $too_large, $gone],
	["ms L", ' C1 I', $too_large, $gone],
	["ms L", ' q', $too_large, $gone],
	["ms L", ' ME Oabc k q', $too_large, $gone],
) {
	my ($before, $after, $reply, $left) = @$_;

	for my $data ($block, $commands) {
		$c->ask("set L 5 0 1\r\na\r\n" .
		    "$before $huge$after\r\n$data\r\nget L\r\n",
		    "STORED\r\n$reply$left", "$before <too much>$after" .
		    ($data eq $block ? '' : ', of what looks like commands'));
	}
	$c->ask("delete L\r\n$before $huge$after\r\n$block\r\nget L\r\n",
	    ($left eq $gone ? "NOT_FOUND\r\n" : "DELETED\r\n") .
	    "$reply$gone", "$before <too much>$after, without an item");
}

# Joining: the sum counts, and an item that would be too large stays as it is.
{
	my $n = longest(1 << 20, 'J', 0, 0);
	my $most = text($n - 10);
	my $full = "${most}0123456789";

	$c->ask("set J 0 0 @{[$n - 10]}\r\n$most\r\n" .
	    "append J 0 0 10\r\n0123456789\r\nget J\r\n",
	    "STORED\r\nSTORED\r\nVALUE J 0 $n\r\n$full\r\nEND\r\n",
	    'an append up to the limit');
	for (
		["append J 0 0 1\r\nx\r\n", "NOT_STORED\r\n"],
		["prepend J 0 0 1\r\nx\r\n", "NOT_STORED\r\n"],
		["append J 0 0 600000\r\n@{[text(600_000)]}\r\n",
		 "NOT_STORED\r\n"],
		["ms J 1 MA k O1\r\nx\r\n", "NS kJ O1\r\n"],
		["ms J 1 MP q\r\nx\r\n", "NS\r\n"],
	) {
		my ($request, $reply) = @$_;
		my ($name) = $request =~ /^(.*?)\r/;

		$c->ask("${request}get J\r\n",
		    "${reply}VALUE J 0 $n\r\n$full\r\nEND\r\n",
		    "$name, and it would be too large");
	}
}

# What is refused can be stored a moment later when it is smaller.
$c->ask("set L 0 0 $huge\r\n$block\r\nset L 0 0 3\r\nabc\r\nget L\r\n",
    "${too_large}STORED\r\nVALUE L 0 3\r\nabc\r\nEND\r\n",
    'a smaller one behind a refused one');
$c->ask("set L 0 0 $huge\r\n${block}xxget L\r\n",
    "${too_large}END\r\n", 'a refused block need not end in CR LF');
$c->ask(join('', map { "set L 0 0 $huge\r\n$block\r\nget none\r\n" } 1 .. 5),
    "${too_large}END\r\n" x 5, 'five in a row');

# The refused block arrives in pieces, and nothing comes before its end but the
# error; then the connection is in step.
{
	my $own = $srv->connect;

	$own->put("set P 0 0 $huge\r\n");
	$own->put(substr $commands, $_ * 100_000, 100_000) for 0 .. 19;
	$own->put("\r");
	$own->put("\nget P\r\n");
	is($own->line . "\r\n", $too_large, 'in pieces: refused');
	is($own->line, 'END', 'in pieces: swallowed');
	ok($own->silent, 'in pieces: in step');
}

{
	my $before = $c->stats;
	$c->put("set L 0 0 $huge\r\n$block\r\nms L $huge\r\n$block\r\n");
	$c->line for 1 .. 2;
	my $after = $c->stats;
	is($after->{store_too_large} - $before->{store_too_large}, 2,
	    'two are counted in store_too_large');
	is($after->{cmd_set}, $before->{cmd_set}, 'and not in cmd_set');
}

# ---- small and middle ------------------------------------------------------

for my $n (0 .. 5, 31 .. 33, 127 .. 129, 1000, 1023 .. 1025, 2046 .. 2050,
	4095 .. 4097, 8191 .. 8193, 16_383 .. 16_385, 65_535 .. 65_537,
	100_000, 262_143 .. 262_145, 524_287 .. 524_289, 1_000_000) {
	my $value = text($n);

	$c->ask("set n $n 0 $n\r\n$value\r\nget n\r\nmg n v s\r\n",
	    "STORED\r\nVALUE n $n $n\r\n$value\r\nEND\r\n" .
	    "VA $n s$n\r\n$value\r\n", "a value of $n bytes");
}

# Exactly 1 MiB needs a little more than the default.
{
	my $srv = Leasecached->start('-I', '2m', '-m', '64');
	my $value = text(1 << 20);

	$srv->client->ask("set m 1 0 1048576\r\n$value\r\nget m\r\n",
	    "STORED\r\nVALUE m 1 1048576\r\n$value\r\nEND\r\n",
	    'a value of 1 MiB');
	$srv->client->ask("append m 0 0 3\r\nabc\r\nmg m v s\r\n",
	    "STORED\r\nVA 1048579 s1048579\r\n${value}abc\r\n",
	    'and 3 bytes more');
}

# Many large values at once, in turns.
{
	my $srv = Leasecached->start('-I', '4m', '-m', '128');
	my @clients = map { $srv->connect } 1 .. 12;
	my $value = text(2_000_000);

	for my $round (1 .. 3) {
		$clients[$_]->put("set k$_ $_ 0 2000000\r\n") for 0 .. 11;
		for (my $at = 0; $at < 2_000_000; $at += 250_000) {
			$_->put(substr $value, $at, 250_000) for @clients;
		}
		$_->put("\r\n") for @clients;
		is(join(' ', map { $_->line } @clients),
		    join(' ', ('STORED') x 12), "12 large stores, round $round");
		$_->put("get k$round\r\n") for @clients;
		my $reply = "VALUE k$round $round 2000000\r\n$value\r\nEND\r\n";
		is(scalar(grep { $_->take(length $reply) eq $reply } @clients),
		    12, "12 large reads, round $round");
	}
}

# Clients that leave in the middle of a large value hold up nobody.
{
	my $value = text(1_000_000);
	my $served = 0;

	for my $round (1 .. 60) {
		my @leaving = map { $srv->connect } 1 .. 2;

		$_->put("set gone 0 0 1000000\r\n" .
		    substr $value, 0, 300_000 + $round * 7) for @leaving;
		$_->close for @leaving;
		my @next = map { $srv->connect } 1 .. 4;
		$_->put("mn\r\n") for @next;
		last if grep { (eval { $_->line } // '') ne 'MN' } @next;
		$served++;
	}
	is($served, 60, 'others are served when a large value breaks off');
	$c->ask("get gone\r\n", "END\r\n", 'and it is not stored');
}

# ---- 512 MiB ---------------------------------------------------------------

# Written and read in pieces of 1 MiB, each different, and compared by digest.
{
	my $srv = Leasecached->start('-m', '2048', '-I', '1024m');
	my $c = $srv->client;
	my ($sent, $got) = (Digest::MD5->new, Digest::MD5->new);
	my $piece = text(1 << 20);

	is($c->stats('settings')->{item_size_max}, 1 << 30, '-I of 1 GiB');
	$c->put("set big 5 0 536870912\r\n");
	for my $i (1 .. 512) {
		substr $piece, $i * 1999, 8, sprintf '%08d', $i;
		$sent->add($piece);
		$c->put($piece);
	}
	$c->put("\r\n");
	is($c->line, 'STORED', '512 MiB are stored');

	$c->put("get big\r\n");
	is($c->line, 'VALUE big 5 536870912', 'and are there');
	$got->add($c->take(1 << 20)) for 1 .. 512;
	is($got->hexdigest, $sent->hexdigest, 'byte by byte');
	is($c->take(7), "\r\nEND\r\n", 'and no byte more');
	ok($c->silent, 'the connection is in step');
	$c->ask("mg big s f\r\ndelete big\r\nget big\r\n",
	    "HD s536870912 f5\r\nDELETED\r\nEND\r\n", 'and can be deleted');
}

done_testing;
