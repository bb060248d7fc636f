#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 24-meta-debug-noop.t - me, which describes an item, and mn, the barrier.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still')
    if $srv->can_advance;

dialogue $c, 'mn answers MN, whatever follows it', <<'END';
> mn
< MN
> mn foo Oabc
< MN
> mn noreply
< MN
> mn q
< MN
> mn v v zz !
< MN
> mn
< MN
END

for (
	['a bare LF', "mn x\n", "MN\r\n"],
	['1000 of them', "mn\r\n" x 1000, "MN\r\n" x 1000],
	['an argument of 300 bytes', "mn " . 'x' x 300 . "\r\n", "MN\r\n"],
	['behind classic commands that say nothing',
	 "set a 0 0 1 noreply\r\nx\r\ndelete b noreply\r\nmn\r\nget a\r\n",
	 "MN\r\nVALUE a 0 1\r\nx\r\nEND\r\n"],
	['mnn is no command', "mnn\r\n", "ERROR\r\n"],
	since('1.6.45') ? ['a line of 3 bytes is too short', "mn\n",
	 "CLIENT_ERROR bad command line format\r\n"] : (),
	['MN is no command', "MN x\r\n", "ERROR\r\n"],
) {
	my ($name, $request, $reply) = @$_;
	$c->ask($request, $reply, "mn: $name");
}

my $more = $srv->is_reference ? '' : ' birth=\d+ stored=\d+';
my $me = qr/^ME (\S+) exp=(-?\d+) la=(\d+) cas=(\d+) fetch=(yes|no) (?#
	    )cls=(\d+) size=(\d+)$more$/;

# me: what it says, as a list of key, exp, la, fetch.
sub
described
{
	my ($request) = @_;

	$c->put("$request\r\n");
	my $line = $c->line;
	return "'$line'" unless $line =~ $me;
	return "$1 exp=$2 la=$3 fetch=$5";
}

$c->ask("me none\r\n", "EN\r\n", 'me of a missing key');
$c->ask("set m 0 0 2\r\nhi\r\n", "STORED\r\n", 'an item');
is(described('me m'), 'm exp=-1 la=0 fetch=no', 'a new item');
is(described('me  m '), 'm exp=-1 la=0 fetch=no', 'me is no access');
$c->ask("mg m u\r\n", "HD\r\n", 'read with u');
is(described('me m'), 'm exp=-1 la=0 fetch=no', 'u is no access');
$c->ask("get m\r\n", "VALUE m 0 2\r\nhi\r\nEND\r\n", 'read');
is(described('me m'), 'm exp=-1 la=0 fetch=yes', 'it was fetched');
$c->ask("delete m\r\nme m\r\n", "DELETED\r\nEN\r\n", 'deleted');

# The number is that of gets; class and size are plausible.
{
	my $value = 'x' x 1000;

	$c->ask("ms v 1000 T100\r\n$value\r\n", "HD\r\n", 'a value of 1000');
	$c->put("mg v u c\r\n");
	my ($cas) = $c->line =~ /^HD c(\d+)$/;
	$c->put("me v\r\n");
	my $line = $c->line;
	my ($key, $exp, $la, $shown, $fetch, $class, $size) = $line =~ $me;
	is($shown, $cas, 'cas is the number that mg and gets show');
	cmp_ok($class, '>', 0, 'there is a class');
	cmp_ok($class, '<', 64, 'of less than 64');
	cmp_ok($size, '>', 1000, 'size is more than the value');
	cmp_ok($size, '<', 1200, 'and not much more');
}

# Debian's 1.6.18 prints exp with the wrong sign.
SKIP: {
	skip 'exp of 1.6.18, and the clock', 3
	    unless since('1.6.45') && $srv->can_advance;

	$c->ask("ms t 1 T100\r\na\r\n", "HD\r\n", 'an item with a TTL');
	$srv->advance(30);
	is(described('me t'), 't exp=70 la=30 fetch=no', '30 s later');
	$srv->advance(70);
	$c->ask("me t\r\n", "EN\r\n", 'expired');
}

# A binary key is shown as base64, with and without a word behind the b.
$c->ask("ms bWUx 1 b\r\nz\r\n", "HD\r\n", 'a binary key');
is(described('me me1'), 'bWUx exp=-1 la=0 fetch=no', 'by its bytes');
is(described('me bWUx b'), 'bWUx exp=-1 la=0 fetch=no', 'by base64');
is(described('me bWUx b x'), 'bWUx exp=-1 la=0 fetch=no', 'and a word');
$c->ask("me bm9uZQ== b\r\n", "EN\r\n", 'a binary key that is missing');

# Counters: only me counts as a meta command, and it is no get.
for (
	['a hit of me', 'me me1', $me, 'cmd_meta'],
	['a miss of me', 'me none', qr/^EN$/, 'cmd_meta'],
	['mn', 'mn', qr/^MN$/, ''],
) {
	my ($name, $request, $reply, $counted) = @$_;
	my %before = %{ $c->stats };
	$c->put("$request\r\n");
	like($c->line, $reply, $name);
	my %after = %{ $c->stats };
	my @rose = grep { $after{$_} != $before{$_} }
	    qw(cmd_get cmd_set cmd_touch cmd_meta get_hits get_misses
	       total_items);
	is("@rose", $counted, "$name counts as " . ($counted || 'nothing'));
}

done_testing;
