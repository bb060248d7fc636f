#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 45-dump.t - lists of all keys: lru_crawler metadump and mgdump, cachedump.

use Leasecached;
use File::Temp ();
use List::Util qw(sum0);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);

my $srv = Leasecached->start('-m', '256');
my $c = $srv->client;

# Since 1.6.43 a dump begins with OK; before, there were no flags in it, and
# before 1.6.19 no mgdump.
my $new = since('1.6.45');
my $ok = $new ? "OK\r\n" : '';
my $bad_class = "BADCLASS invalid class id\r\n";

# The lines of a dump, without its first and last.
sub
dumped
{
	my ($client, $what, $how) = @_;

	$client->put("lru_crawler $what " . ($how // 'all') . "\r\n");
	my @lines = $client->until_line($what eq 'mgdump' ? qr/^EN$/ :
	    qr/^END$/);
	shift @lines if $new && $lines[0] eq 'OK';
	pop @lines;
	return @lines;
}

# A dump as a hash: key => { exp => …, la => …, … }.
sub
metadump
{
	my %item;

	for (dumped(@_)) {
		my ($key, $rest) = /^key=(\S+) (.*)$/ or
		    die "a line of metadump is '$_'";
		$item{$key} = { $rest =~ /(\w+)=(\S+)/g };
		die "$key is there twice" if $item{$key}{seen}++;
	}
	return \%item;
}

# ---- the form ---------------------------------------------------------------

$c->ask("lru_crawler metadump $_\r\n", "${ok}END\r\n",
    "metadump $_ of nothing") for 'all', 'hash', '1', '1,2,3', '63';
if ($new) {
	$c->ask("lru_crawler mgdump $_\r\n", "OK\r\nEN\r\n",
	    "mgdump $_ of nothing") for 'all', 'hash', '1', '1,2,3', '63';
}

$c->ask("set dk%y 5 0 1\r\na\r\n", "STORED\r\n", 'an item');
{
	$c->put("gets dk%y\r\n");
	my ($cas) = $c->line =~ /(\d+)$/;
	$c->until_line(qr/^END$/);
	my $now = $c->stats->{time};
	my $line = 'key=dk%25y exp=-1 la=<la> cas=' . $cas .
	    ' fetch=yes cls=1 size=68' . ($new ? ' flags=5 ' : '') . "\n";

	for my $how ('all', 'hash', '1', '1,2') {
		$c->put("lru_crawler metadump $how\r\n");
		my $got = $new ? $c->raw_line : "OK\r\n";
		is($got, "OK\r\n", 'metadump begins with OK') if $new;
		$got = $c->raw_line;
		my ($la) = $got =~ s/la=(\d+)/la=<la>/ ? $1 : 0;
		is($got, $line, "the line of metadump $how");
		ok(abs($la - $now) <= 30, 'la is a time');
		is($c->raw_line, "END\r\n", 'END ends it');
		ok($c->silent, 'and nothing follows');
	}
	$c->ask("lru_crawler mgdump $_\r\n", "OK\r\nmg dk%y\r\nEN\r\n",
	    "mgdump $_") for $new ? ('all', 'hash', '1', '1,2') : ();
	$c->ask("lru_crawler metadump $_\r\n", "${ok}END\r\n",
	    "metadump $_ has other classes") for '2', '2,3', '63';
	if ($new) {
		$c->ask("lru_crawler mgdump $_\r\n", "OK\r\nEN\r\n",
		    "mgdump $_ has other classes") for '2', '2,3', '63';
	}
}

# ---- errors -----------------------------------------------------------------

for my $dump ('metadump', $new ? 'mgdump' : ()) {
	$c->ask("lru_crawler $dump\r\n", "ERROR\r\n", $dump);
	$c->ask("lru_crawler $dump $_\r\n", $bad_class, "$dump $_")
	    for '0', '64', '99', 'x', '1,99', '1,x', 'alll', 'hashh', '-1',
	    $new ? '4294967297' : ();
	next unless $new;
	$c->ask("version\r\nlru_crawler $dump all\r\nversion\r\n",
	    "VERSION 1.6.45\r\nERROR cannot pipeline other commands before " .
	    "$dump\r\nVERSION 1.6.45\r\n",
	    "$dump behind a reply in the same packet");
	$c->ask("lru_crawler $dump 2\r\nversion\r\nget none\r\n",
	    "OK\r\n" . ($dump eq 'mgdump' ? "EN\r\n" : "END\r\n") .
	    "VERSION 1.6.45\r\nEND\r\n",
	    "what follows a $dump is answered behind it");
}

# ---- keys of all kinds ------------------------------------------------------

{
	my (%encoded, $request);

	for my $byte (grep { $_ != 10 && $_ != 32 && ($new || $_) } 0 .. 255) {
		my $key = 'b' . chr($byte) . 'e';

		$request .= "set $key 0 0 1 noreply\r\na\r\n";
		$encoded{$key =~ s/([^A-Za-z0-9._~-])/
		    sprintf '%%%02X', ord $1/ger} = $key;
	}
	$c->put($request);
	ok($c->silent, 'keys with every byte');
	my $item = metadump($c, 'metadump');
	delete $item->{'dk%25y'};
	is(join("\n", sort keys %$item), join("\n", sort keys %encoded),
	    'metadump percent-encodes them');
	if ($new) {
		is(join("\n", sort(dumped($c, 'mgdump'))), join("\n", sort
		    map({ "mg $_" } values %encoded), 'mg dk%y'),
		    'mgdump has them as they are');
	}
	my $long = '%' x 250;
	$c->ask("set $long 0 0 1\r\na\r\n", "STORED\r\n", 'a long one');
	is((grep { $_ eq '%25' x 250 } keys %{ metadump($c, 'metadump') }), 1,
	    'is whole');
	$c->ask("ms AP8gCg== 2 b\r\nhi\r\n", "HD\r\n", 'a binary key');
	is((grep { $_ eq '%00%FF%20%0A' } keys %{ metadump($c, 'metadump') }),
	    1, 'is percent-encoded');
	is((grep { $_ eq 'mg AP8gCg== b' } dumped($c, 'mgdump')), 1,
	    'and base64 in mgdump') if $new;
	$c->ask("flush_all\r\n", "OK\r\n", 'flush_all');
	is(join(' ', dumped($c, 'metadump')), '', 'what is flushed is not listed');
	is(join(' ', dumped($c, 'mgdump')), '', 'neither in mgdump') if $new;
}

# ---- what is said of an item ------------------------------------------------

$c->put(join '', map { "$_\r\n" } 'set never 0 0 10 noreply', 'x' x 10,
    'set later 1 1000 10 noreply', 'x' x 10, 'set past 0 -1 1 noreply', 'x',
    'set fetched 4294967295 0 1 noreply', 'x',
    'set big 0 0 100000 noreply', 'x' x 100_000,
    'set ' . 'k' x 250 . ' 0 0 0 noreply', '');
$c->ask("get fetched\r\n", "VALUE fetched 4294967295 1\r\nx\r\nEND\r\n",
    'items of several kinds');
{
	my $now = $c->stats->{time};
	my $item = metadump($c, 'metadump');

	is(join(' ', sort keys %$item), join(' ', qw(big fetched), 'k' x 250,
	    qw(later never)), 'all but what has expired');
	is($item->{never}{exp}, -1, 'no exptime');
	ok(abs($item->{later}{exp} - $now - 1000) <= 30, 'an exptime');
	is($item->{$_}{fetch}, $_ eq 'fetched' ? 'yes' : 'no', "$_: fetch")
	    for qw(never later fetched big);
	is($item->{never}{size}, 48 + 8 + 5 + 1 + 10 + 2, 'a size');
	is($item->{later}{size}, 48 + 8 + 5 + 1 + 4 + 10 + 2,
	    'the size with flags');
	is($item->{'k' x 250}{size}, 48 + 8 + 250 + 1 + 2,
	    'the size with a long key');
	is($item->{never}{cls}, 1, 'a class');
	is($item->{later}{cls}, 1, 'the class with flags');
	is($item->{'k' x 250}{cls}, 7, 'the class with a long key');
	is($item->{big}{cls}, 32, 'the class of a large value');
	is(join(' ', map { $item->{$_}{flags} } qw(never later fetched)),
	    '0 1 4294967295', 'flags') if $new;
	for my $key (qw(never later)) {
		$c->put("gets $key\r\n");
		my ($cas) = $c->line =~ /(\d+)$/;
		$c->until_line(qr/^END$/);
		is($item->{$key}{cas}, $cas, "the number of $key");
	}
	my %count = %{ $c->stats };
	metadump($c, 'metadump') for 1 .. 3;
	is($c->stats->{$_}, $count{$_}, "a dump does not count as $_")
	    for qw(cmd_get get_hits cmd_touch cmd_meta);

	my @classes = map { [sort keys %{ metadump($c, 'metadump', $_) }] }
	    1, 7, 32, '1,32', '5,8,31', '1,7,32';
	is_deeply(\@classes, [
		[qw(fetched later never)], ['k' x 250], ['big'],
		[qw(big fetched later never)], [],
		[qw(big fetched), 'k' x 250, qw(later never)],
	], 'a dump of some classes');
}
SKIP: {
	skip 'the clock cannot be moved', 1 unless $srv->can_advance;

	$c->ask("debugtime p\r\n", "OK\r\n", 'the clock stands still');
	my $start = $c->stats->{time};
	$c->ask("set a 0 100 1\r\nx\r\nset b 0 100 1\r\nx\r\n", "STORED\r\n" x 2,
	    'two items');
	$srv->advance(50);
	$c->ask("get b\r\n", "VALUE b 0 1\r\nx\r\nEND\r\n", 'one is read');
	$srv->advance(49);
	my $item = metadump($c, 'metadump');
	is($item->{a}{exp}, $start + 100, 'exp');
	is($item->{a}{la}, $start, 'la of what was not read');
	is($item->{b}{la}, $start + 50, 'la of what was');
	$srv->advance(1);
	$item = metadump($c, 'metadump');
	is((grep { exists $item->{$_} } qw(a b)), 0,
	    'what has expired is not listed');
	ok(exists $item->{never}, 'other things are');
	$c->ask("debugtime r\r\n", "OK\r\n", 'the clock runs');
}

# ---- every item, once -------------------------------------------------------

# Puts many small items into a server.
sub
fill
{
	my ($client, $prefix, $n) = @_;

	$client->put(join '', map { "set $prefix$_ 0 0 " . $_ % 500 .
	    " noreply\r\n" . 'v' x ($_ % 500) . "\r\n" } 1 .. $n);
	return $client->silent;
}

# Lists keys that are missing (-), not wanted or there too often (+).
sub
differs
{
	my ($wanted, @got) = @_;
	my %count = map { $_ => 0 } @$wanted;

	$count{$_}++ for @got;
	my @wrong = map { ($count{$_} ? '+' : '-') . $_ } sort
	    grep { $count{$_} != 1 } keys %count;
	return join ' ', @wrong > 10 ? (@wrong[0 .. 9],
	    scalar @wrong) : @wrong;
}

{
	my $n = 40_000;
	my @all = map { "s$_" } 1 .. $n;

	$c->put("flush_all noreply\r\n");
	ok(fill($c, 's', $n), "$n items");
	my @counts = ($c->stats->{curr_items}, $c->stats->{cmd_get});
	for my $how (qw(all hash)) {
		is(differs(\@all, map { /^key=(\S+) / } dumped($c, 'metadump',
		    $how)), '', "metadump $how lists each, once");
		is(differs(\@all, map { /^mg (\S+)$/ } dumped($c, 'mgdump',
		    $how)), '', "mgdump $how lists each, once") if $new;
	}
	my @classes = map { dumped($c, 'metadump', $_) } '1,2,3', '4,5,6,7,8,9',
	    join ',', 10 .. 63;
	is(differs(\@all, map { /^key=(\S+) / } @classes), '',
	    'so do dumps of all classes in turn');
	ok($c->silent, 'and is in step');

	# What stays is listed, whatever comes and goes meanwhile, and others
	# are served.
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		my $own = $srv->connect;
		my $round = 0;

		for (;;) {
			fill($own, "new$round.", 1000) or POSIX::_exit(1);
			$own->put(join '', map { "delete new$round.$_ " .
			    "noreply\r\n" } 1 .. 500);
			$own->put(join '', map { "get s" . (1 + $_ * 7919 %
			    $n) . "\r\n" } 1 .. 200);
			$own->until_line(qr/^END$/) for 1 .. 200;
			$round = ($round + 1) % 5;
		}
	}
	# (In memcached, `all` misses some.)
	for my $how ($srv->is_reference ? qw(hash hash) : qw(all hash all)) {
		is(differs(\@all, grep { !/^new/ } map { /^key=(\S+) / }
		    dumped($c, 'metadump', $how)), '',
		    "metadump $how lists each item that stays, once");
	}
	is(differs(\@all, grep { !/^new/ } map { /^mg (\S+)$/ }
	    dumped($c, 'mgdump')), '', 'and so does mgdump') if $new;
	is(waitpid($pid, POSIX::WNOHANG()), 0, 'all the while others worked');
	kill KILL => $pid;
	waitpid $pid, 0;

	my $slow = $srv->connect(rcvbuf => 4096);

	# A reader that takes its time holds nobody up, and gets all.
	$slow->put("lru_crawler metadump all\r\n");
	my $first = $slow->raw_line;
	$first = $slow->raw_line if $first eq "OK\r\n";
	for (1 .. 5) {
		$c->ask("set s1 0 0 1\r\n1\r\nget s1\r\nstats foo\r\n",
		    "STORED\r\nVALUE s1 0 1\r\n1\r\nEND\r\nERROR\r\n",
		    'others are served');
		$first .= $slow->raw_line for 1 .. 100;
	}
	my @rest = $slow->until_line(qr/^END$/);
	is(differs(\@all, grep { !/^new/ } map { /^key=(\S+) / }
	    split(/\n/, $first), @rest), '', 'a slow reader gets all');
	ok($slow->silent, 'and is in step');

	# One that goes leaves nothing behind.
	for (1 .. 5) {
		my $gone = $srv->connect(rcvbuf => 4096);
		$gone->put("lru_crawler metadump all\r\n");
		$gone->line;
		$gone->close;
	}
	my ($tries, @again) = 0;
	do { # memcached is busy until it has seen that
		@again = ();
		$c->put("lru_crawler metadump all\r\n");
		my $line = $c->line;
		@again = $c->until_line(qr/^END$/) if $line !~ /^BUSY/;
		select undef, undef, undef, 0.05 if !@again;
	} until @again || ++$tries > 600;
	cmp_ok(scalar @again, '>=', $n, 'a dump after some that were left');
}
unless ($srv->is_reference) { # is locked while the reader is slow
	# Neighbours come and go while the dump stands still: its lines are
	# long, and a Unix socket buffers little, so it stands still often.
	my $dir = File::Temp->newdir;
	my $small = Leasecached->start(-unix => "$dir/socket");
	my ($s, $slow) = ($small->client, $small->connect);
	my ($n, $pad) = (8_000, '%' x 240);
	my @all = map { "k$_" } 1 .. $n;
	my $come = join '', map { "set go$_ 0 0 1 noreply\r\n1\r\n" }
	    1 .. $n;
	my $go = join '', map { "delete go$_ noreply\r\n" } 1 .. $n;

	$s->put(join '', map { "set k$_$pad 0 0 1 noreply\r\n1\r\n" } 1 .. $n);
	$s->put($come);
	ok($s->silent, 'long keys, and neighbours');
	$slow->put("lru_crawler metadump hash\r\n");
	my @lines = '';
	while ($lines[-1] ne 'END') {
		push @lines, $slow->line // die 'closed';
		next if @lines % 80;
		$s->put(@lines % 160 ? $go : $come);
		$s->silent or last;
	}
	is(differs(\@all, map { /^key=(k\d+)%/ } @lines), '',
	    'of neighbours that come and go, what stays is listed, once');
	ok($slow->silent, 'and the dump is in step');
}
{
	# A table that grows meanwhile loses and doubles nothing.
	my $small = Leasecached->start;
	my $s = $small->client;
	my @all = map { "g$_" } 1 .. 3000;

	ok(fill($s, 'g', 3000), 'a small table');
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		my $own = $small->connect;
		POSIX::_exit(fill($own, 'h', 100_000) ? 0 : 1);
	}
	my ($rounds, $wrong) = (0, '');
	while (waitpid($pid, POSIX::WNOHANG()) == 0 && $rounds < 200) {
		my $reply = '';
		$s->put("lru_crawler metadump hash\r\n");
		my @lines = $s->until_line(qr/^(?:END|ERROR.*)$/);
		next if $lines[-1] =~ /^ERROR locked/;
		$rounds++;
		$wrong ||= differs(\@all, grep { /^g/ } map { /^key=(\S+) / }
		    @lines);
	}
	waitpid $pid, 0;
	is($wrong, '', 'metadump hash while the table grows');
	is(differs(\@all, grep { /^g/ } map { /^key=(\S+) / }
	    dumped($s, 'metadump', 'hash')), '', 'and when it has');
}

# ---- cachedump --------------------------------------------------------------

{
	# memcached shows what is in the cold part of its list only.
	my $d = Leasecached->start($srv->is_reference ? ('-o', 'no_modern') :
	    ());
	my $p = $d->client;

	for (
		['', "CLIENT_ERROR bad command line\r\n"],
		[' 1', "CLIENT_ERROR bad command line\r\n"],
		[' x 1', "CLIENT_ERROR bad command line format\r\n"],
		[' 1 x', "CLIENT_ERROR bad command line format\r\n"],
		[' -1 1', "CLIENT_ERROR bad command line format\r\n"],
		[' 64 0', "CLIENT_ERROR Illegal slab id\r\n"],
		[' 1000 0', "CLIENT_ERROR Illegal slab id\r\n"],
		[' 0 0', "END\r\n"],
		[' 1 0', "END\r\n"],
		[' 63 0', "END\r\n"],
	) {
		my ($args, $reply) = @$_;
		$p->ask("stats cachedump$args\r\n", $reply,
		    "stats cachedump$args");
	}
	my $time = $p->stats->{time};
	$p->ask("set a 5 0 3\r\nabc\r\nstats cachedump 1 0\r\n",
	    "STORED\r\nITEM a [3 b; 0 s]\r\nEND\r\n", 'an item');
	$p->ask("set a 5 1000 7\r\nabcdefg\r\n", "STORED\r\n",
	    'one that expires');
	$p->put("stats cachedump 1 100\r\n");
	my ($expires) = $p->line =~ /^ITEM a \[7 b; (\d+) s\]$/;
	ok(abs($expires - $time - 1000) <= 30, 'has its time');
	is($p->line, 'END', 'and END');

	$p->put("flush_all noreply\r\n");
	ok(fill($p, 'p', 2000), 'two thousand items');
	my @items;
	my $class = 0;
	for (;;) { # as php's getAllKeys does
		$p->put("stats cachedump $class 0\r\n");
		my @lines = $p->until_line(qr/^(?:END|CLIENT_ERROR .*)$/);
		$class++;
		last if $lines[-1] eq 'CLIENT_ERROR Illegal slab id';
		push @items, @lines[0 .. $#lines - 1];
		last if $class > 100;
	}
	is($class, 65, 'there are classes 0 to 63');
	is(differs([map { "p$_" } 1 .. 2000], map { /^ITEM (\S+) / } @items),
	    '', 'all items are listed, once');
	is((grep { /^ITEM p(\d+) \[(\d+) b; 0 s\]$/ ? $1 % 500 != $2 : 1 }
	    @items), 0, 'in their form');
	for my $limit (1, 2, 50) {
		$p->put("stats cachedump 1 $limit\r\n");
		is(scalar(my @lines = $p->until_line(qr/^END$/)), $limit + 1,
		    "at most $limit");
	}
}

# ---- cachedump and sizes, in pieces -----------------------------------------

# The lines of a reply that end with this one, and how many bytes they have.
sub
bytes_to
{
	my ($client, $end) = @_;

	return sum0(map { 2 + length } $client->until_line($end));
}

# The number of items in sizes from `least` on.
sub
items_of_size
{
	my ($client, $least) = @_;

	$client->put("stats sizes\r\n");
	return sum0(map { /^STAT (\d+) (\d+)$/ && $1 >= $least ? $2 : () }
	    $client->until_line(qr/^END$/));
}

unless ($srv->is_reference) {
	# What is asked while the server stands still is there when it goes on:
	# with one worker and one request to a turn, all take turns then.
	my $d = Leasecached->start('-t', 1, '-R', 1, '-o', 'track_sizes');
	my ($walker, $other) = ($d->client, $d->connect);
	my @walks = ('stats sizes', 'stats cachedump 63 0');

	ok(fill($walker, 'w', 20_000), 'twenty thousand items');
	is(items_of_size($walker, 0), 20_000, 'stats sizes counts them');
	ok($other->silent, 'another client');
	for my $walk (@walks) {
		kill STOP => $d->pid;
		waitpid $d->pid, POSIX::WUNTRACED();
		$walker->put("$walk\r\nmn\r\n");
		$other->put("stats conns\r\n" x 20);
		kill CONT => $d->pid;
		my @seen = map { grep { / conn_mwrite$/ }
		    $other->until_line(qr/^END$/) } 1 .. 20;
		cmp_ok(scalar @seen, '>', 1, "$walk lets another have turns");
		ok((bytes_to($walker, qr/^END$/)), 'and goes on');
		is($walker->line, 'MN', 'to what was asked next');
	}

	# It ends also when nobody waits for it any more.
	for my $walk (@walks) {
		my @gone = map { $d->connect } 1 .. 5;
		is((grep { $_->silent } @gone), 5, 'five more clients');
		$_->put("$walk\r\n") for @gone;
		$gone[$_]->socket_handle->setsockopt(SOL_SOCKET, SO_LINGER,
		    pack 'ii', 1, 0) for 0, 2, 4; # a reset
		$_->close for @gone;
		my ($there, $deadline) = (0, time + 30);
		do {
			$there = $walker->stats->{curr_connections};
		} until $there == 2 || time > $deadline;
		is($there, 2, "who asked for $walk may go");
	}

	# The table grows.
	$walker->put("flush_all noreply\r\n");
	$walker->put(join '', map { "set g$_ 0 0 1000 noreply\r\n" .
	    'v' x 1000 . "\r\n" } 1 .. 3000);
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		my $own = $d->connect;
		POSIX::_exit(fill($own, 'h', 50_000) ? 0 : 1);
	}
	my ($wrong, $done) = 0;
	do {
		$done = waitpid($pid, POSIX::WNOHANG()) != 0;
		$wrong++ if items_of_size($walker, 1000) != 3000;
	} until $done;
	is($wrong, 0, 'stats sizes counts each once while the table grows');
}
unless ($srv->is_reference) {
	my $dir = File::Temp->newdir;
	my $d = Leasecached->start(-unix => "$dir/socket", '-t', 1);
	my ($s, $slow) = ($d->client, $d->connect);
	my $pad = '%' x 240;
	my $items = join '', map { "set k$_$pad 0 0 1 noreply\r\n1\r\n" }
	    10_001 .. 20_000;

	$s->put($items);
	my ($class) = map { /^items:(\d+):number$/ } keys %{ $s->stats('items') };
	my $request = "stats cachedump $class 0\r\n";
	$s->put($request);
	my $bytes = bytes_to($s, qr/^END$/);
	cmp_ok($bytes, '<=', 2 << 20, 'a cachedump has 2 MiB at most');
	cmp_ok($bytes, '>', (2 << 20) - 300, 'and nearly so many');

	# It is made while its client reads.
	$slow->put("${request}mn\r\n");
	$slow->line;
	is((grep { $_ eq 'conn_mwrite' } values %{ $s->stats('conns') }), 1,
	    'one that is not read stands still');
	$s->ask("flush_all\r\n", "OK\r\n", 'and holds nobody up');
	cmp_ok(bytes_to($slow, qr/^END$/), '<', 1 << 20,
	    'what is flushed meanwhile is not listed');
	is($slow->line, 'MN', 'and the next request is answered');

	# A server that ends gracefully lets it end.
	$s->put($items);
	ok($s->silent, 'items again');
	$slow->put($request);
	$slow->line;
	kill USR1 => $d->pid;
	ok($d->logged(qr/stopping/), 'a graceful end');
	cmp_ok(bytes_to($slow, qr/^END$/), '>', (2 << 20) - 700,
	    'comes after what was asked');
	ok($slow->closed, 'the client is closed');
	is($d->wait, 0, 'the server has ended');

	$d = Leasecached->start(-unix => "$dir/socket", '-t', 1);
	($s, $slow) = ($d->client, $d->connect);
	$s->put($items);
	ok($s->silent, 'another server');
	$slow->put($request);
	$slow->line;
	is($d->stop, 0, 'that is told to end at once, does');
}

# ---- not allowed ------------------------------------------------------------

{
	my $x = Leasecached->start('-X');

	for (
		['lru_crawler metadump all', 'ERROR metadump not allowed'],
		['lru_crawler metadump hash', 'ERROR metadump not allowed'],
		$new ? (
			['lru_crawler mgdump all', 'ERROR key dump not allowed'],
			['lru_crawler mgdump hash',
			    'ERROR key dump not allowed'],
			map { ["stats detail $_",
			    'CLIENT_ERROR stats detail not allowed'] }
			    qw(on off dump),
		) : (),
		['stats cachedump 1 1',
		    'CLIENT_ERROR stats cachedump not allowed'],
		['stats cachedump 0 0',
		    'CLIENT_ERROR stats cachedump not allowed'],
	) {
		my ($request, $reply) = @$_;
		$x->client->ask("$request\r\n", "$reply\r\n", "-X: $request");
	}
	is($x->client->stats('settings')->{dump_enabled}, 'no',
	    '-X is in the settings');
}

done_testing;
