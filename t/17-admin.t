#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 17-admin.t - the commands of operators and of clients' housekeeping.

use Leasecached;
use Time::HiRes qw(sleep time);

my $srv = Leasecached->start;
my $c = $srv->client;

my $bad_line = "CLIENT_ERROR bad command line format";
my $short_line = since('1.6.40') ? $bad_line : 'ERROR';
my $version = since('1.6.45') ? 'VERSION 1.6.45' : 'VERSION 1.6.18';

# Request lines with their reply lines, one result each.
sub
answers
{
	my ($client, @pairs) = @_;

	while (my ($request, $reply) = splice @pairs, 0, 2) {
		$client->ask("$request\r\n",
		    $reply eq '' ? '' : "$reply\r\n",
		    "'" . $request =~ s/([\x00-\x1f])/
		    sprintf '\x%02x', ord $1/gexr . "'");
	}
}

# ---- version, unknown words -------------------------------------------------

answers($c,
	'version' => $version,
	'version ' => $version,
	'version foo bar' => $version,
	'version noreply' => $version,
);
{
	# libmemcached reads three numbers up to 255, the first of them not 0.
	$c->put("version\r\n");
	my @number = $c->line =~ /^VERSION ([1-9]\d*)\.(\d+)\.(\d+)$/;
	is(@number, 3, 'a version has three numbers');
	is((grep { $_ > 255 } @number), 0, 'each of them a byte');
}

answers($c, map { $_ => 'ERROR' } qw(VERSION Version versio versions foob
    foobar Get GET gett setx config pid proxy STATS flush flush_al
    flush_alll quitt mgx slab lru_crawle unset casx incrx), 'foo bar baz',
    "get\ta", 'config get cluster', 'extstore x 1', 'extstore',
    'stats noreply', '0123', '....', 'version,', "\x01\x02\x03\x04",
    'foobar noreplyx', 'foobar noreply x');
# What a last noreply hides since there is one parser for all commands.
answers($c, map { $_ => '' } 'foo noreply', 'foobar 1 2 3 noreply',
    'GET noreply', 'slabs foo noreply', 'slabs reassign 1 1 noreply',
    'lru foo noreply', 'lru_crawler foo noreply',
    'lru_crawler sleep 100 noreply', 'lru_crawler sleep x noreply',
    'lru_crawler tocrawl 0 noreply', 'lru_crawler crawl 99 noreply',
    'lru_crawler enable noreply', 'shutdown noreply',
    'shutdown graceful noreply', 'shutdown foo noreply')
    if since('1.6.40');
answers($c, 'misbehave' => 'ERROR', 'debugtime' => 'ERROR');

# ---- verbosity --------------------------------------------------------------

answers($c,
	'verbosity' => $short_line,
	'verbosity 1' => 'OK',
	'verbosity foo' => $bad_line,
	'verbosity foo bar' => $bad_line,
	'verbosity -1' => $bad_line,
	'verbosity 1x' => $bad_line,
	'verbosity noreply' => '',
	'verbosity 0 noreply' => '',
	'verbosity -1 noreply' => '',
);
for my $level (0, 1, 2, 99, 1) {
	my $kept = $level > 2 ? 2 : $level;

	$c->ask("verbosity $level\r\n", "OK\r\n", "verbosity $level");
	is($c->stats('settings')->{verbosity}, $kept, "is $kept");
}
$c->ask("verbosity 0\r\n", "OK\r\n", 'verbosity 0');

# ---- quit -------------------------------------------------------------------

for my $quit ('quit', 'quit foo', 'quit noreply') {
	my $q = $srv->connect;

	$q->put("version\r\n$quit\r\nversion\r\nset late 0 0 1\r\na\r\n");
	is($q->line, $version, "$quit: what came before is answered");
	ok($q->closed, "$quit: then the connection is closed");
	$c->ask("get late\r\n", "END\r\n", "$quit: what came after is not done");
}
{
	my $q = $srv->connect(rcvbuf => 4096);

	$c->put(join '', map { "set q$_ 0 0 1000000\r\n" . 'x' x 1_000_000 .
	    "\r\n" } 1 .. 3);
	$c->ask('', "STORED\r\n" x 3, 'three large values');
	$q->put("get q1 q2 q3\r\nquit\r\n");
	my $expected = join('', map { "VALUE q$_ 0 1000000\r\n" .
	    'x' x 1_000_000 . "\r\n" } 1 .. 3) . "END\r\n";
	ok($q->take(length $expected) eq $expected,
	    'quit waits for a reply of 3 MB');
	ok($q->closed, 'then closes');
}

# ---- cache_memlimit ---------------------------------------------------------

my $too_small = 'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m';
answers($c,
	'cache_memlimit' => 'ERROR',
	'cache_memlimit x' => 'ERROR',
	'cache_memlimit 8x' => 'ERROR',
	'cache_memlimit -1' => 'ERROR',
	'cache_memlimit 0' => $too_small,
	'cache_memlimit 7' => $too_small,
	'cache_memlimit 8' => 'OK',
	'cache_memlimit 1000000001' =>
	    'MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes',
	'cache_memlimit 100' => 'OK',
	'cache_memlimit 1 noreply' => '',
	'cache_memlimit x noreply' => '',
);
is($c->stats->{limit_maxbytes}, 100 << 20, 'limit_maxbytes follows');
is($c->stats('settings')->{maxbytes}, 100 << 20, 'and so does maxbytes');
$c->ask("cache_memlimit 64 noreply\r\n", '', 'cache_memlimit 64 noreply');
is($c->stats->{limit_maxbytes}, 64 << 20, 'does it');

{
	my $full = Leasecached->start('-m', '40');
	my $f = $full->client;
	my $fill = sub {
		$f->put(join '', map { "set k$_ 0 0 10000 noreply\r\n" .
		    'x' x 10000 . "\r\n" } 1 .. 3000);
		return $f->silent;
	};

	ok($fill->(), '30 MB in a server of 40 MB');
	my $before = $f->stats;
	cmp_ok($before->{bytes}, '>', 25 << 20, 'are there');
	$f->ask("cache_memlimit 80\r\nget k3000\r\n", "OK\r\n" .
	    "VALUE k3000 0 10000\r\n" . 'x' x 10000 . "\r\nEND\r\n",
	    'more room');
	$f->ask("cache_memlimit 10\r\nset k 0 0 1\r\na\r\nget k\r\n",
	    "OK\r\nSTORED\r\nVALUE k 0 1\r\na\r\nEND\r\n", 'less room');
	ok($fill->(), '30 MB again');
	unless ($full->is_reference) { # gives up only whole free pages
		my $deadline = time + 30;
		sleep 0.01 until $f->stats->{bytes} <= 10 << 20 ||
		    time > $deadline;
		my $after = $f->stats;
		cmp_ok($after->{bytes}, '<=', 10 << 20,
		    'the server keeps to the new limit');
		cmp_ok($after->{evictions}, '>', $before->{evictions},
		    'by evicting');
	}
}

# ---- what tunes memcached's own parts ---------------------------------------

answers($c,
	'slabs' => 'ERROR',
	'slabs foo' => 'ERROR',
	'slabs reassign' => 'ERROR',
	'slabs reassign 1' => 'ERROR',
	'slabs reassign 1 1' => 'SAME src and dst class are identical',
	'slabs reassign 100 2' => 'BADCLASS invalid src or dst class id',
	'slabs reassign 2 100' => 'BADCLASS invalid src or dst class id',
	'slabs reassign x 2' => $bad_line,
	'slabs reassign 1 x' => $bad_line,
	'slabs reassign 30 32' => 'NOSPARE source class has no spare pages',
	'slabs automove' => 'ERROR',
	'slabs automove 0' => 'OK',
	'slabs automove 1' => 'OK',
	'slabs automove 2' => 'OK',
	'slabs automove 3' => 'ERROR',
	'slabs automove x' => $bad_line,
	'slabs automove ratio 0.5' => 'OK',
	'slabs automove 1 noreply' => '',
);
answers($c,
	'slabs automove ratio x' => $bad_line,
	'slabs automove freeratio 0.1' => 'OK',
	'slabs automove freeratio x' => $bad_line,
	'slabs automove window 3' => 'OK',
	'slabs automove window 1800' => 'OK',
	'slabs automove window 2' =>
	    'CLIENT_ERROR automove window too low or too high',
	'slabs automove window 1801' =>
	    'CLIENT_ERROR automove window too low or too high',
	'slabs automove window x' => $bad_line,
) if since('1.6.45');

my $percents = 'ERROR hot and warm pcts must not exceed 80';
my $factors = 'ERROR hot/warm age factors must be greater than 0';
answers($c,
	'lru' => 'ERROR',
	'lru foo' => 'ERROR',
	'lru tune' => 'ERROR',
	'lru tune 10 20 0.1' => 'ERROR',
	'lru tune 10 20 0.1 2.0' => 'OK',
	'lru tune 20 60 1 2' => 'OK',
	'lru tune 20 61 1 2' => $percents,
	'lru tune 81 1 0.1 2.0' => $percents,
	'lru tune 1 81 0.1 2.0' => $percents,
	'lru tune 10 20 0 2' => $factors,
	'lru tune 10 20 2 0' => $factors,
	'lru tune x 20 0.1 2' => 'ERROR',
	'lru tune 10 x 0.1 2' => 'ERROR',
	'lru tune 10 20 x 2' => 'ERROR',
	'lru tune 10 20 0.1 x' => 'ERROR',
	'lru mode' => 'ERROR',
	'lru mode x' => 'ERROR',
	'lru mode flat' => 'OK',
	'lru mode segmented' => 'OK',
	'lru temp_ttl' => 'ERROR',
	'lru temp_ttl x' => 'ERROR',
	'lru temp_ttl 60' => 'OK',
	'lru temp_ttl -1' => 'OK',
	'lru temp_ttl -1 noreply' => '',
);

my $disabled = 'CLIENT_ERROR lru crawler disabled';
my $bad_class = 'BADCLASS invalid class id';
# The maintainer of memcached's lists sends the crawler out, too.
my $crawled = Leasecached->start('-o', 'no_lru_maintainer');
answers($crawled->client,
	'lru_crawler' => 'ERROR',
	'lru_crawler foo' => 'ERROR',
	'lru_crawler sleep' => 'ERROR',
	'lru_crawler sleep 100' => 'OK',
	'lru_crawler sleep 1000000' => 'OK',
	'lru_crawler sleep 1000001' =>
	    'CLIENT_ERROR sleep must be one second or less',
	'lru_crawler sleep x' => $bad_line,
	'lru_crawler tocrawl' => 'ERROR',
	'lru_crawler tocrawl 0' => 'OK',
	'lru_crawler tocrawl x' => $bad_line,
	'lru_crawler crawl' => 'ERROR',
	'lru_crawler crawl 99' => $bad_class,
	'lru_crawler crawl 0' => $bad_class,
	'lru_crawler crawl 64' => $bad_class,
	'lru_crawler crawl x' => $bad_class,
	'lru_crawler crawl 1,x' => $bad_class,
	'lru_crawler metadump' => 'ERROR',
	'lru_crawler metadump 99' => $bad_class,
	'lru_crawler metadump 0' => $bad_class,
	'lru_crawler metadump x' => $bad_class,
	'lru_crawler enable' => 'ERROR failed to start lru crawler thread',
	'lru_crawler disable' => 'OK',
	'lru_crawler crawl all' => $disabled,
	'lru_crawler metadump all' => $disabled,
	'lru_crawler enable' => 'OK',
	'lru_crawler enable' => 'ERROR failed to start lru crawler thread',
);
for my $classes ('1', '1,2', 'all') {
	my $reply = '';
	my $deadline = time + 30;

	# A crawl that is under way answers BUSY.
	do {
		$crawled->client->put("lru_crawler crawl $classes\r\n");
		$reply = $crawled->client->line;
	} while $reply =~ /^BUSY/ && time < $deadline;
	is($reply, 'OK', "lru_crawler crawl $classes");
}

answers($c,
	'refresh_certs' => 'Error TLS not enabled',
	'refresh_certs foo' => 'Error TLS not enabled',
);

# ---- shutdown ---------------------------------------------------------------

{
	my $not_enabled = since('1.6.40') ?
	    'SERVER_ERROR: shutdown not enabled' :
	    'ERROR: shutdown not enabled';
	answers($c,
		'shutdown' => $not_enabled,
		'shutdown graceful' => $not_enabled,
		'shutdown foo' => $not_enabled,
	);
	is($srv->client->stats('settings')->{shutdown_command}, 'no',
	    'shutdown is off in the settings');
}
for my $shutdown ('shutdown', 'shutdown graceful') {
	my $ends = Leasecached->start('-A');
	my ($e, $other) = ($ends->client, $ends->connect);

	is($e->stats('settings')->{shutdown_command}, 'yes',
	    "$shutdown: -A is in the settings");
	answers($e,
		'shutdown foo' => 'CLIENT_ERROR invalid shutdown mode',
		'shutdown gracefu' => 'CLIENT_ERROR invalid shutdown mode',
		'shutdown Graceful' => 'CLIENT_ERROR invalid shutdown mode',
	);
	answers($e, 'shutdown foo noreply' => '') if since('1.6.40');
	$e->ask("set a 0 0 1\r\nb\r\n", "STORED\r\n",
	    "$shutdown: the server is alive");
	$other->put("get a\r\n");
	is($other->line, 'VALUE a 0 1', 'for another, too');
	$other->until_line(qr/^END$/);
	if ($ends->is_reference) { # forgets what it has to say
		$e->put("$shutdown\r\n");
	} else {
		$e->put("version\r\n$shutdown\r\n");
		is($e->line, $version, 'what came before is answered');
	}
	ok($e->closed, "$shutdown: the connection is closed");
	is($ends->wait, 0, "$shutdown: the server ends with 0");
	ok($other->closed, "$shutdown: all connections are closed");
}

done_testing;
