#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 14-delete-touch.t - delete and touch.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

my $one_parser = since('1.6.40');
my $bad_line = "CLIENT_ERROR bad command line format\r\n";
my $short_line = $one_parser ? $bad_line : "ERROR\r\n";
my $bad_exptime = "CLIENT_ERROR invalid exptime argument\r\n";
my $k251 = 'k' x 251;

# ---- delete -----------------------------------------------------------------

dialogue $c, 'delete', <<'END';
> delete d
< NOT_FOUND
> set d 5 0 1
> a
< STORED
> delete d
< DELETED
> get d
< END
> delete d
< NOT_FOUND
> add d 0 0 1
> b
< STORED
> delete  d 0
< DELETED
> delete d noreply
> set d 0 0 1
> c
< STORED
> delete d noreply
> get d
< END
> set d 0 0 1
> c
< STORED
> delete d 0 noreply
> get d
< END
> delete d 0 noreply
END

dialogue $c, 'what a deleted key answers', <<'END';
> set d 0 0 1
> 1
< STORED
> gets d
< VALUE d 0 1 *
< 1
< END
> delete d
< DELETED
> replace d 0 0 1
> 2
< NOT_STORED
> append d 0 0 1
> 2
< NOT_STORED
> cas d 0 0 1 1
> 2
< NOT_FOUND
> incr d 1
< NOT_FOUND
> touch d 0
< NOT_FOUND
> gat 0 d
< END
> mg d
< EN
> md d
< NF
> add d 0 0 1
> 3
< STORED
> get d
< VALUE d 0 1
< 3
< END
END

# 1.6.40 and later ignore further words.
newer $c, 'further words', <<'END';
> set q 0 0 1
> 1
< STORED
> delete q 10
< DELETED
> set q 0 0 1
> 1
< STORED
> delete q foo bar
< DELETED
> set q 0 0 1
> 1
< STORED
> delete q foo noreply
> delete q
< NOT_FOUND
> set q 0 0 1
> 1
< STORED
> delete q noreply foo
< DELETED
> set q 0 0 1
> 1
< STORED
> delete q -1
< DELETED
END

$c->ask("delete\r\n", $short_line, 'delete without a key');
$c->ask("delete $k251\r\n", $bad_line, 'delete of a key that is too long');
$c->ask("delete $k251 noreply\r\n", '', 'and with noreply');
$c->ask("delete noreply\r\n", '', 'delete noreply is silent') if $one_parser;

# ---- touch ------------------------------------------------------------------

dialogue $c, 'touch', <<'END';
> touch t 0
< NOT_FOUND
> set t 5 100 1
> a
< STORED
> touch t 0
< TOUCHED
> mg t t v
< VA 1 t-1
< a
> touch t 2592000
< TOUCHED
> mg t f
< HD f5
> touch t 0 foo
< TOUCHED
> mg t t
< HD t-1
> touch t 0 noreply
> touch t -1 noreply
> get t
< END
> touch t 0 noreply
> set t 5 0 1
> a
< STORED
> touch t -1
< TOUCHED
> touch t 0
< NOT_FOUND
> get t
< END
END

for ([1000, '1000|999|998'], [2592000, '2592000|25919\d\d'],
    [2147483647, '\d+']) {
	my ($exptime, $left) = @$_;

	$c->ask("set t 0 0 1\r\na\r\ntouch t $exptime\r\n",
	    "STORED\r\nTOUCHED\r\n", "touch t $exptime");
	$c->put("mg t t\r\n");
	like($c->line, qr/^HD t(?:$left)$/, 'sets the time to live');
}

$c->ask("touch\r\n", $short_line, 'touch without a key');
$c->ask("touch t\r\n", $short_line, 'touch without an exptime');
$c->ask("touch $k251 0\r\n", $bad_line, 'touch of a key that is too long');
$c->ask("set t 0 0 1\r\na\r\n", "STORED\r\n", 'an item to touch');
for my $exptime (qw(abc 1x 0x1 - 9223372036854775808
    99999999999999999999)) {
	$c->ask("touch t $exptime\r\n", $bad_exptime, "touch t $exptime");
	$c->ask("touch t $exptime noreply\r\n", '',
	    "touch t $exptime noreply");
	$c->ask("touch none $exptime\r\n", $bad_exptime,
	    "touch none $exptime: the exptime comes first");
}
$c->ask("touch t noreply\r\n", '', 'touch t noreply is short, and silent')
    if $one_parser;
$c->ask("get t\r\n", "VALUE t 0 1\r\na\r\nEND\r\n",
    'none of these touched the item');

# What set takes, touch takes: cut to 32 bits, negative is past.
for my $exptime (qw(4294967295 2147483648 -1 -2147483648)) {
	$c->ask("set t 0 0 1\r\na\r\ntouch t $exptime\r\nget t\r\n",
	    "STORED\r\nTOUCHED\r\nEND\r\n", "touch t $exptime is past");
}

# ---- an exptime for what was stored without one ------------------------------

for my $value ('', 'v', 'v' x 100, 'v' x 5000, 'v' x 300_000) {
	my $n = length $value;
	my %way = (
	    touch => ["touch t 4\r\n", "TOUCHED\r\n"],
	    gat => ["gat 4 t\r\n", "VALUE t 7 $n\r\n$value\r\nEND\r\n"],
	    'mg T' => ["mg t T4 v f\r\n", "VA $n f7\r\n$value\r\n"],
	);

	for my $way (sort keys %way) {
		$c->put("delete t\r\n");
		$c->line;
		$c->ask("set t 7 0 $n\r\n$value\r\n", "STORED\r\n",
		    "$n bytes, without an exptime");
		$c->put("mg t c t\r\n");
		my ($cas) = $c->line =~ /^HD c(\d+) t-1/;

		$c->ask(@{ $way{$way} }, "$n bytes: $way");
		$c->put("mg t c t\r\n");
		like($c->line, qr/^HD c$cas t[34]\r?$/,
		    'it has the exptime, and its number');
		$c->ask("get t\r\n", "VALUE t 7 $n\r\n$value\r\nEND\r\n",
		    'and its value');
		$c->ask("touch t 0\r\n", "TOUCHED\r\n", 'and back');
		$c->put("mg t c t\r\n");
		like($c->line, qr/^HD c$cas t-1\r?$/, 'it is there for ever');
	}
}

# ---- many -------------------------------------------------------------------

{
	my $n = 3000;

	$c->put(join '', map { "set m$_ 0 0 1 noreply\r\n1\r\n" } 1 .. $n);
	$c->ask(join('', map { "touch m$_ 0\r\ndelete m$_\r\ntouch m$_ 0\r\n" .
	    "delete m$_\r\n" } 1 .. $n),
	    "TOUCHED\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\n" x $n,
	    "$n keys are touched and deleted");
}

done_testing;
