#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 46-watch.t - watch: what happens in the server, as a stream of lines.

use Leasecached;
use File::Temp ();
use Time::HiRes qw(sleep time);

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');

$c->put("version\r\n");
my $version = $c->line;

# A new watcher.
sub
watcher
{
	my ($of, $words, @how) = @_;
	my $w = $of->connect(@how);

	$w->put("watch $words\r\n");
	my $reply = $w->line;
	is($reply, 'OK', "watch $words");
	return $w;
}

# The rest of the watcher's next line, after its common beginning.
my $gid = 0;
sub
event
{
	my ($w) = @_;
	my $line = $w->raw_line // return 'nothing: closed';

	return "a line without the common beginning: $line" unless $line =~
	    /\Ats=\d+\.\d{1,6} gid=(\d+) (type=.*)\n\z/ && $2 !~ /\r/;
	return $2;
}

# Makes requests, each with its reply and the events it should make (# stands for
# a number); then checks that these came, and no others.  The last request is
# there for its event, which ends the list.
sub
events
{
	my ($w, $last, @steps) = @_;
	my (@got, @expected);

	for (@steps) {
		my ($request, $reply, @events) = @$_;

		$c->ask("$request\r\n", $reply eq '' ? '' : "$reply\r\n",
		    Leasecached::Client::quoted(substr $request, 0, 50));
		push @expected, map { "type=$_" } @events;
	}
	$c->ask(@$last[0, 1], 'the last request');
	do {
		push @got, event($w);
	} until $got[-1] =~ $last->[2] || $got[-1] =~ /^nothing/;
	pop @got;
	for my $n (0 .. $#got) {
		my $regex = join '\d+', map { quotemeta }
		    split /#/, $expected[$n] // '', -1;
		$got[$n] = $expected[$n] if $got[$n] =~ /\A$regex\z/;
	}
	is_deeply(\@got, \@expected, 'the events of these requests');
}

# ---- words and errors -------------------------------------------------------

for my $words ('foo', 'fetchers foo', 'foo fetchers', 'fetcher', 'FETCHERS',
    'fetcherss') {
	my $w = $srv->connect;

	$w->ask("watch $words\r\nversion\r\n", "ERROR\r\n$version\r\n",
	    "watch $words");
}
{
	my $w = $srv->connect;

	$w->ask("version\r\nwatch fetchers\r\nversion\r\n", "$version\r\n" .
	    "ERROR cannot pipeline other commands before watch\r\n" .
	    "$version\r\n", 'watch behind a reply in the same packet');

	my $never = Leasecached->start('-W');
	my $refused = "CLIENT_ERROR watch commands not allowed\r\n";
	$never->client->ask("watch$_\r\n", $refused, "-W: watch$_")
	    for '', ' fetchers', ' foo';
	is($never->client->stats->{log_watchers}, 0, '-W: nobody watches');
}
for my $words ('fetchers', 'mutations', 'evictions', 'connevents', 'sysevents',
    'rawcmds', 'fetchers mutations', 'fetchers fetchers',
    'fetchers mutations evictions connevents',
    $new ? ('deletions', 'proxyreqs', 'proxyevents', 'proxyuser') : ()) {
	watcher($srv, $words)->close;
}

# Twenty at once, and no more.
{
	my $deadline = time + 30;
	sleep 0.01 until $c->stats->{log_watchers} == 0 || time > $deadline;
	is($c->stats->{log_watchers}, 0, 'watchers that have gone are none');

	my @w = map { watcher($srv, 'fetchers') } 1 .. 20;
	is($c->stats->{log_watchers}, 20, 'there are twenty');
	my $one = $srv->connect;
	$one->put("watch fetchers\r\n");
	is($one->line, 'WATCHER_TOO_MANY log watcher limit reached',
	    'one more is too many');
	$one->ask("version\r\n", "$version\r\n", 'but may go on');
	(shift @w)->close;
	my $reply;
	$deadline = time + 30;
	do {
		$one->put("watch fetchers\r\n");
		$reply = $one->line;
	} while $reply ne 'OK' && time < $deadline;
	is($reply, 'OK', 'and watch when another has gone');

	# All see the same.
	$c->ask("get twenty\r\n", "END\r\n", 'an event');
	is((grep { event($_) =~ /^type=item_get key=twenty / } @w, $one), 20,
	    'is seen by all');
	$_->close for @w, $one;
	$deadline = time + 30;
	sleep 0.01 until $c->stats->{log_watchers} == 0 || time > $deadline;
}

# ---- fetchers ---------------------------------------------------------------

$c->ask("set a 5 100 3\r\nabc\r\nset k%\tx\x80 0 0 1\r\na\r\nset big 0 0 " .
    "100000\r\n" . 'x' x 100_000 . "\r\nset $_ 0 100 1\r\na\r\n",
    "STORED\r\n" x 4, "items to get ($_)") for 'x' x 250;
my $value = "VALUE a 5 3\r\nabc\r\nEND";
my $found = 'item_get key=a status=found clsid=1 cfd=# size=3';
my $missed = 'item_get key=none status=not_found clsid=0 cfd=# size=0';
for my $words ('fetchers', '') {
	my $w = watcher($srv, $words);

	# It takes no more commands.
	$w->put("version\r\nget a\r\nquit\r\n");
	events($w, ["get last\r\n", "END\r\n", qr/^type=item_get key=last /],
	    ['get none', 'END', $missed],
	    ['get a', $value, $found],
	    ['get a none a', "VALUE a 5 3\r\nabc\r\n$value", $found, $missed,
		$found],
	    ['gat 100 a', $value, $found],
	    ['gat 0 none', 'END', $missed],
	    ['mg a v', "VA 3\r\nabc", $found],
	    ['mg a', 'HD', $found],
	    ['mg none v', 'EN', $missed],
	    ['mg none q', '', $missed],
	    ["get k%\tx\x80", "VALUE k%\tx\x80 0 1\r\na\r\nEND",
		'item_get key=k%25%09x%80 status=found clsid=1 cfd=# size=1'],
	    ['get ' . 'x' x 250, 'VALUE ' . 'x' x 250 . " 0 1\r\na\r\nEND",
		'item_get key=' . 'x' x 250 . ' status=found clsid=7 cfd=# ' .
		'size=1'],
	    ['mg big s', 'HD s100000',
		'item_get key=big status=found clsid=32 cfd=# size=100000'],
	    ['version', $version],
	    ['foo', 'ERROR'],
	);
	$w->close;
}
{
	my $w = watcher($srv, 'fetchers');
	my ($one, $other) = ($srv->connect, $srv->connect);

	$one->ask("get a\r\nget a\r\n", "$value\r\n" x 2, 'one client');
	$other->ask("get a\r\n", "$value\r\n", 'and another');
	# (In memcached they come as the threads please.)
	my @cfd = sort map { event($w) =~ /cfd=(\d+)/ ? $1 : 'none' } 1 .. 3;
	is($cfd[1], $cfd[$cfd[0] eq $cfd[1] ? 0 : 2],
	    'cfd is the same for a client');
	isnt($cfd[0], $cfd[2], 'and different for another');

	$one->ask("get none none none\r\n", "END\r\n", 'three events');
	my @gid = map { $w->line =~ / gid=(\d+) / ? $1 : 0 } 1 .. 3;
	ok($gid[0] < $gid[1] && $gid[1] < $gid[2], 'gid grows');

	# What is stored expired never stands here; and the sweep may come
	# before the reader.
	my ($event, $tries) = ('', 0);
	do {
		$one->ask($srv->is_reference ?
		    ("set gone 0 -1 1\r\na\r\nget gone\r\n",
			"STORED\r\nEND\r\n") :
		    ("set gone 0 1 1\r\na\r\ndebugtime +2\r\nget gone\r\n",
			"STORED\r\nOK\r\nEND\r\n"),
		    'what has expired is not there');
		do { # memcached has one for the set, too
			$event = event($w);
		} while $srv->is_reference && $event =~ /not_found/;
	} while $event !~ /status=expired/ && $tries++ < 20;
	like($event, qr/^type=item_get\ key=gone\ status=expired\ clsid=\d+
	    \ cfd=\d+\ size=\d+$/x, 'and the event says so');
	$one->put("set gone 0 0 1\r\na\r\nflush_all\r\nget gone\r\n");
	is($one->line, $_, 'what was flushed') for qw(STORED OK END);
	do {
		$event = event($w);
	} while $srv->is_reference && $event =~ /not_found/;
	like($event, qr/^type=item_get\ key=gone\ status=flushed\ clsid=\d+
	    \ cfd=\d+\ size=\d+$/x, 'and the event says so');
	$w->close;
}

# ---- mutations --------------------------------------------------------------

{
	my $w = watcher($srv, 'mutations');
	my $big = 'x' x 2_000_000;
	my $store = sub {
		my ($key, $status, $cmd, $ttl, $size) = @_;
		return "item_store key=$key status=$status cmd=$cmd " .
		    "ttl=$ttl clsid=1 cfd=# size=$size";
	};

	events($w, ["set last 0 0 1\r\na\r\n", "STORED\r\n",
	    qr/^type=item_store key=last /],
	    ["set m 5 0 3\r\nabc", 'STORED', $store->(qw(m stored set 0 3))],
	    ["set m 5 1000 2\r\nab", 'STORED',
		$store->(qw(m stored set 1000 2))],
	    ["add m 0 0 1\r\na", 'NOT_STORED',
		$store->(qw(m not_stored add 0 1))],
	    ["add n 0 0 1\r\n1", 'STORED', $store->(qw(n stored add 0 1))],
	    ["replace none 0 0 1\r\na", 'NOT_STORED',
		$store->(qw(none not_stored replace 0 1))],
	    ["replace m 0 0 4\r\nabcd", 'STORED',
		$store->(qw(m stored replace 0 4))],
	    ["append m 0 0 1\r\ne", 'STORED',
		$store->(qw(m stored append 0 5))],
	    ["prepend m 0 0 2\r\nyz", 'STORED',
		$store->(qw(m stored prepend 0 7))],
	    ["append none 0 0 1\r\na", 'NOT_STORED',
		$store->(qw(none not_stored append 0 1))],
	    ["cas m 0 0 1 0\r\na", 'EXISTS',
		$store->(qw(m exists cas 0 1))],
	    ["cas none 0 0 1 1\r\na", 'NOT_FOUND',
		$store->(qw(none not_found cas 0 1))],
	    ["ms m 3 T1000\r\nabc", 'HD', $store->(qw(m stored set 1000 3))],
	    ["ms m 3 ME\r\nabc", 'NS', $store->(qw(m not_stored add 0 3))],
	    ["ms m 3 C1\r\nabc", 'EX', $store->(qw(m exists cas 0 3))],
	    ["set m 0 0 1 noreply\r\na", '', $store->(qw(m stored set 0 1))],
	    ["set k%\x80 0 0 1\r\na", 'STORED',
		$store->(qw(k%25%80 stored set 0 1))],
	    ["set m 0 0 100000\r\n" . 'x' x 100_000, 'STORED', 'item_store ' .
		'key=m status=stored cmd=set ttl=0 clsid=32 cfd=# size=100000'],
	    ["set m 0 0 2000000\r\n$big", 'SERVER_ERROR object too large for ' .
		'cache', 'item_store key=m status=too_large cmd=set ttl=0 ' .
		'clsid=# cfd=# size=#'],
	    ["set m 0 0 1\r\nab\n", "CLIENT_ERROR bad data chunk\r\n" .
		($new ? 'CLIENT_ERROR bad command line format' : 'ERROR')],
	    ['get m', 'END'],
	    ["incr n 1\r\ndecr n 1", "2\r\n1"],
	    ["delete n", 'DELETED'],
	);
	my $cas = $c->put("gets last\r\n") && $c->line =~ /(\d+)$/ && $1;
	$c->until_line(qr/^END$/);
	$c->ask("cas last 0 0 1 $cas\r\nb\r\n", "STORED\r\n", 'cas');
	like(event($w), qr/^type=item_store\ key=last\ status=stored\ cmd=cas
	    \ ttl=0\ clsid=1\ cfd=\d+\ size=1$/x, 'cas: an event');
	$w->close;
}

# ---- deletions --------------------------------------------------------------

SKIP: {
	skip 'since 1.6.20', 1 unless $new;
	my $w = watcher($srv, 'deletions');

	$c->ask("set d 0 0 3\r\nabc\r\nset e 0 0 5\r\nabcde\r\nset f 0 0 1\r\n" .
	    "a\r\nset l 0 0 1\r\na\r\nset n 0 0 1\r\n1\r\nset %\t 0 0 1\r\n1\r\n",
	    "STORED\r\n" x 6, 'items to delete');
	events($w, ["delete l\r\n", "DELETED\r\n",
	    qr/^type=deleted key=l /],
	    ['delete d', 'DELETED', 'deleted key=d cmd=delete clsid=1 size=3'],
	    ['delete d', 'NOT_FOUND'],
	    ['md e', 'HD', 'deleted key=e cmd=md clsid=1 size=5'],
	    ['md e q', 'NF'],
	    ['delete f noreply', '', 'deleted key=f cmd=delete clsid=1 size=1'],
	    ["delete %\t", 'DELETED',
		'deleted key=%25%09 cmd=delete clsid=1 size=1'],
	    ['md n C1', 'EX'],
	    ['md n I', 'HD'],
	    ["set n 0 0 1\r\n2", 'STORED'],
	    ['get n', "VALUE n 0 1\r\n2\r\nEND"],
	);
	$w->close;
}

# ---- evictions --------------------------------------------------------------

{
	my $full = Leasecached->start('-m', '8');
	my $w = watcher($full, 'evictions');
	my $f = $full->client;

	$f->put(join '', map { "set e$_ 0 " . ($_ % 2 ? 0 : 1000) .
	    " 5000 noreply\r\n" . 'x' x 5000 . "\r\n" } 1 .. 4000);
	ok($f->silent, '20 MB into a server of 8 MB');
	my $evictions = $f->stats->{evictions};
	cmp_ok($evictions, '>', 500, "evict $evictions items");
	my ($bad, %seen);
	for (1 .. 200) {
		my $event = event($w);
		my ($key, $ttl) = $event =~ /^type=eviction\ key=e(\d+)
		    \ fetch=no\ ttl=(-?\d+)\ la=\d+\ clsid=19\ size=5000$/x;
		if (!defined $key || $seen{$key}++ || ($key % 2 ? $ttl > 0 :
		    $ttl <= 0 || $ttl > 1000)) {
			$bad = $event;
			last;
		}
	}
	is($bad, undef, 'each is an event');
	my @gone = grep { $f->put("mg e$_\r\n") && $f->line ne 'EN' }
	    keys %seen;
	is("@gone", '', 'and is true');

	my $w2 = watcher($full, 'evictions');
	$f->put(join '', map { "get e$_\r\n" } 3500 .. 4000);
	$f->until_line(qr/^END$/) for 3500 .. 4000;
	$f->put(join '', map { "set g$_ 0 0 5000 noreply\r\n" . 'x' x 5000 .
	    "\r\nget g$_\r\nget g$_\r\n" } 1 .. 4000);
	$f->until_line(qr/^END$/) for 1 .. 8000;
	my $fetched = 0;
	for (1 .. 2000) {
		$fetched = event($w2) =~ / fetch=yes / and last;
	}
	ok($fetched, 'some had been fetched');
}

# ---- connections ------------------------------------------------------------

{
	my $w = watcher($srv, 'connevents');
	my $rest = qr/rip=127\.0\.0\.1 rport=(\d+) transport=tcp/;

	# A client that says what it is, and the lines that are about it.
	my $about = sub {
		my ($port) = @_;
		my $line;
		do {
			$line = event($w);
		} until $line =~ / rport=$port / || $line =~ /nothing/;
		return $line;
	};
	for my $how ('quit', 'close') {
		my $client = $srv->connect;
		my $port = $client->socket_handle->sockport;
		$client->ask("version\r\n", "$version\r\n", $how);
		my $opened = $about->($port);
		like($opened, qr/^type=conn_new $rest cfd=\d+$/,
		    "$how: conn_new");
		my ($cfd) = $opened =~ /cfd=(\d+)/;
		$client->put("quit\r\n") if $how eq 'quit';
		$client->close;
		like($about->($port),
		    qr/^type=conn_close $rest reason=normal cfd=$cfd$/,
		    "$how: conn_close");
	}

	# A client that fails.
	my $client = $srv->connect;
	my $port = $client->socket_handle->sockport;
	$client->put('touch ' . 'x' x 3000);
	ok($client->closed, 'a client that is thrown out');
	like($about->($port), qr/^type=conn_new $rest cfd=\d+$/, 'conn_new');
	like($about->($port), qr/^type=conn_close\ $rest\ reason=\w+
	    \ cfd=\d+$/x, 'conn_close');
	$w->close;
}
{
	my $idle = Leasecached->start('-o', 'idle_timeout=1');
	my $w = watcher($idle, 'connevents');
	my $client = $idle->connect;
	my $port = $client->socket_handle->sockport;
	$client->ask("version\r\n", "$version\r\n", 'a client that falls asleep');
	unless ($idle->is_reference) { # sleeps, too
		$idle->advance(20);
		ok($client->closed, 'is closed');
		my $line;
		do {
			$line = event($w);
		} until $line =~ /conn_close.* rport=$port |nothing/;
		like($line, qr/^type=conn_close .* reason=idle_timeout cfd=\d+$/,
		    'and the event says why');
	}
}
{
	my $dir = File::Temp->newdir;
	my $local = Leasecached->start(-unix => "$dir/socket");
	my $w = watcher($local, 'connevents');
	my $client = $local->connect;
	$client->ask("version\r\n", "$version\r\n", 'a client of a Unix socket');
	my $line;
	do {
		$line = event($w);
	} until $line =~ /conn_new.* transport=/;
	like($line, qr/^type=conn_new\ rip=\S+\ rport=0\ transport=local
	    \ cfd=\d+$/x, 'has no address');
}

# ---- several kinds, and counts ----------------------------------------------

{
	my $all = Leasecached->start;
	my $w = watcher($all, 'fetchers mutations' .
	    ($new ? ' deletions' : ''));
	my $f = watcher($all, 'fetchers');
	my $a = $all->client;

	$a->ask("set a 0 0 1\r\n1\r\nget a\r\ndelete a\r\n", "STORED\r\n" .
	    "VALUE a 0 1\r\n1\r\nEND\r\nDELETED\r\n", 'three kinds');
	my ($type, @types) = '';
	while ($type !~ ($new ? qr/^deleted/ : qr/^item_get found/)) {
		$type = event($w) =~ /^type=(\S+).*?(?: status=(\S+))?/ ?
		    $1 : last;
		$type = 'item_get found' if !$new && @types;
		push @types, $type;
	}
	is("@types", 'item_store item_get deleted', 'come in their order')
	    if $new;
	my $event = event($f);
	$event = event($f) if $srv->is_reference; # of the set
	like($event, qr/^type=item_get key=a status=found /,
	    'another has one of them');

	my $before = $a->stats;
	$a->put("get a\r\n" x 1000);
	is(join('', map { $a->line } 1 .. 1000), 'END' x 1000,
	    'a thousand events');
	event($w) for 1 .. 1000;
	my $after = $a->stats;
	cmp_ok($after->{log_worker_written} - $before->{log_worker_written},
	    '>=', 1000, 'log_worker_written');
	cmp_ok($after->{log_watcher_sent} - $before->{log_watcher_sent}, '>=',
	    1000, 'log_watcher_sent');
	is($after->{log_watchers}, 2, 'log_watchers');
	is($after->{log_watcher_skipped}, 0, 'log_watcher_skipped');
}

# ---- one that does not read -------------------------------------------------

{
	my $dir = File::Temp->newdir;
	my $loud = Leasecached->start(-unix => "$dir/socket");
	my $slow = watcher($loud, 'fetchers');
	my ($l, $n) = ($loud->client, 0);

	# Others are served, until something was skipped.
	my $stats;
	do {
		$l->put("get none\r\n" x 10_000);
		$l->take(5 * 10_000);
		$n += 10_000;
		$stats = $l->stats;
	} until $stats->{log_watcher_skipped} + $stats->{log_worker_dropped} ||
	    $n >= 1_000_000;
	cmp_ok($stats->{log_watcher_skipped} + $stats->{log_worker_dropped},
	    '>', 0, "of $n events some are skipped");

	# It is told how many when there is room again, and gets what comes then.
	unless ($loud->is_reference) {
		my ($text, $lasts) = ('', 0);
		until ($text =~ /skipped=.* key=last .*\n\z/s || $lasts > 100) {
			my $more;
			$text .= $more while ($more = $slow->within(0.1)) ne '';
			$l->put("get last\r\n");
			$l->take(5);
			$lasts++;
			$text .= $slow->within(0.1);
		}
		my ($got, $skipped, $bad) = (0, 0);
		for (split /(?<=\n)/, $text) {
			if (/^ts=\d+\.\d+\ gid=\d+\ type=item_get
			    \ key=(?:none|last)\ status=not_found\ clsid=0
			    \ cfd=\d+\ size=0\n\z/x) {
				$got++;
			} elsif (/^(?:ts=\S+ gid=\d+ )?skipped=(\d+)\n\z/) {
				$skipped += $1;
			} else {
				$bad = $_;
			}
		}
		is($bad, undef, 'lines stay whole');
		cmp_ok($skipped, '>', 0, 'it is told how many');
		is($got + $skipped, $n + $lasts,
		    'every event was sent, or said to be skipped');
		is($l->stats->{log_watcher_skipped}, $skipped, 'and counted');
	}
	$slow->close;
	my $deadline = time + 30;
	sleep 0.01 until $l->stats->{log_watchers} == 0 || time > $deadline;
	is($l->stats->{log_watchers}, 0, 'then it goes');
	$l->ask("get none\r\n", "END\r\n", 'and all is well');
}

done_testing;
