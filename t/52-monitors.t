#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 52-monitors.t - monitoring programs read our statistics as memcached's.
#
# What can be run is run (memcached-tool, memcstat); of the others this is what
# they send, how they take a reply apart, which names they look for, and what
# they then divide and subtract.

use Leasecached;
use Leasecached::Suite;
use List::Util qw(sum0);

use constant LONG => 30;

# A server with something of everything in it.
sub
used_server
{
	my (@options) = @_;
	my $srv = Leasecached->start(@options);
	my $c = $srv->client;

	for my $i (1 .. 40) {
		my $n = $i * 37;
		$c->put("set key$i $i " . ($i % 3 ? 0 : 1000) . " $n\r\n" .
		    chr(97 + $i % 26) x $n . "\r\n");
		$c->line;
	}
	$c->put("get key1 key2 none\r\ngets key3\r\ndelete key40\r\n" .
	    "delete none\r\nset n 0 0 1\r\n5\r\nincr n 3\r\ndecr n 1\r\n" .
	    "incr none 1\r\ndecr none 1\r\ntouch key4 1000\r\n" .
	    "touch none 0\r\ncas key5 0 0 1 99999999\r\nx\r\n" .
	    "cas none 0 0 1 1\r\nx\r\nflush_all 10000\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	return $srv;
}

# ---- prometheus/memcached_exporter ------------------------------------------

# One connection for four requests; a line is cut at each blank, and only what
# falls into three parts counts.  The name is cut at colons: one part is
# general, two (class:name) is of slabs, three (items:class:name) of items.
sub
exporter_ask
{
	my ($c, $request, $into) = @_;

	$c->put("$request\r\n");
	for (;;) {
		my $line = $c->raw_line;
		die "closed in the middle of $request\n" unless defined $line;
		return if $line eq "END\r\n";
		die "$request: $line" if $line =~ /^(?:CLIENT_)?ERROR/;
		die "$request: longer than its buffer\n"
		    if length $line > 4096;
		my @word = split / /, $line, -1;
		die "$request: unexpected format: $line"
		    if $request eq 'stats settings' && @word != 3;
		next unless @word == 3 && $word[0] =~ /^STAT/;
		my ($name, $value) = ($word[1], $word[2] =~ s/\s+\z//r);
		my @part = split /:/, $name, -1;
		if (@part == 1) {
			$into->{general}{$name} = $value;
		} elsif (@part == 2) {
			die "$request: no number: $line"
			    unless $part[0] =~ /^\d+\z/;
			$into->{slabs}{$part[0]}{$part[1]} = $value;
		} elsif (@part == 3) {
			die "$request: no number: $line"
			    unless $part[1] =~ /^\d+\z/;
			$into->{items}{$part[1]}{$part[2]} = $value;
		}
	}
}

sub
exporter_scrape
{
	my ($c) = @_;
	my (%all, %settings);

	eval {
		exporter_ask($c, $_, \%all)
		    for 'stats', 'stats slabs', 'stats items';
		exporter_ask($c, 'stats settings', \%settings);
		1;
	} or return (undef, undef, $@);
	return (\%all, $settings{general}, undef);
}

sub
is_float
{
	return defined $_[0] && $_[0] =~ /^[+-]?(?:\d+\.?\d*|\.\d+)\z/;
}

for my $case (['an empty server', sub { Leasecached->start }],
    ['a used one', \&used_server],
    ['one whose items are gone', sub {
	my $srv = used_server();
	$srv->client->put("flush_all\r\n");
	$srv->client->line;
	return $srv;
    }]) {
	my ($name, $start) = @$case;
	my $srv = $start->();
	my ($all, $settings, $error) = exporter_scrape($srv->client);
	my $s = $all->{general};

	is($error, undef, "exporter, $name: the scrape goes through");
	my @missing = grep { !is_float($s->{$_}) } (map { ("${_}_hits",
	    "${_}_misses") } qw(get delete incr decr cas touch)), qw(uptime
	    time cas_badval cmd_flush cmd_set bytes limit_maxbytes
	    curr_items total_items bytes_read bytes_written
	    curr_connections total_connections rejected_connections
	    conn_yields listen_disabled_num evictions reclaimed
	    store_too_large store_no_memory lru_crawler_starts
	    direct_reclaims crawler_items_checked crawler_reclaimed
	    moves_to_cold moves_to_warm moves_within_lru total_malloced
	    accepting_conns);
	is("@missing", '', 'all its general metrics are there');
	for (qw(rusage_user rusage_system)) {
		like($s->{$_}, qr/^\d+\.\d+$/, "$_ has two parts");
	}
	ok(is_float($settings->{maxconns}), 'maxconns is there');
	@missing = $settings->{lru_crawler} ne 'yes' ? () : grep {
		!defined $settings->{$_} ||
		    $settings->{$_} !~ /^(?:yes|no|[\d.]+)$/
	} qw(lru_crawler_sleep lru_crawler_tocrawl lru_maintainer_thread
	    hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor);
	is("@missing", '', 'so are those of the settings');
	cmp_ok($s->{cmd_set} - sum0(@$s{qw(cas_misses cas_hits
	    cas_badval)}), '>=', 0, 'sets without cas are not negative');

	for my $class (sort { $a <=> $b } keys %{ $all->{slabs} }) {
		my $v = $all->{slabs}{$class};
		my @wrong = grep { !is_float($v->{$_}) } qw(get_hits
		    delete_hits incr_hits decr_hits cas_hits touch_hits
		    cas_badval cmd_set chunk_size chunks_per_page
		    total_pages total_chunks used_chunks free_chunks
		    free_chunks_end);
		push @wrong, 'cmd_set - cas' if $v->{cmd_set} <
		    $v->{cas_hits} + $v->{cas_badval};
		is("@wrong", '', "class $class of stats slabs");
	}
	for my $class (sort { $a <=> $b } keys %{ $all->{items} }) {
		my $u = $all->{items}{$class};
		my @wrong = grep { !is_float($u->{$_}) } qw(number age
		    hits_to_hot hits_to_warm hits_to_cold hits_to_temp
		    crawler_reclaimed evicted evicted_nonzero evicted_time
		    evicted_unfetched expired_unfetched outofmemory
		    reclaimed tailrepairs mem_requested moves_to_cold
		    moves_to_warm moves_within_lru number_hot number_warm
		    number_cold age_hot age_warm);
		is("@wrong", '', "class $class of stats items");
		ok(exists $all->{slabs}{$class},
		    'and stats slabs knows that class, too');
	}
	my $other = $srv->connect;
	ok(defined((exporter_scrape($other))[0]), 'and again') for 1 .. 3;
}

# ---- telegraf ---------------------------------------------------------------

{
	my $srv = used_server();
	my $c = $srv->connect;
	my (%value, $error);

	$c->put("stats\r\n");
	for (;;) {
		my $line = $c->raw_line;
		$line =~ s/\r?\n\z//;
		last if $line eq 'END';
		my @part = split / /, $line, 3;
		$error //= "unexpected line: $line"
		    if @part != 3 || $part[0] ne 'STAT';
		$value{$part[1]} = $part[2];
	}
	is($error, undef, 'telegraf: each line is as it expects it');
	my @wrong = grep { ($value{$_} // '') !~ /^\d{1,19}\z/ } qw(
	    accepting_conns auth_cmds auth_errors bytes bytes_read
	    bytes_written cas_badval cas_hits cas_misses cmd_flush cmd_get
	    cmd_set cmd_touch conn_yields connection_structures
	    curr_connections curr_items decr_hits decr_misses delete_hits
	    delete_misses evicted_active evicted_unfetched evictions
	    expired_unfetched get_expired get_flushed get_hits get_misses
	    hash_bytes hash_is_expanding hash_power_level incr_hits
	    incr_misses limit_maxbytes listen_disabled_num max_connections
	    reclaimed rejected_connections store_no_memory store_too_large
	    threads total_connections total_items touch_hits touch_misses
	    uptime);
	is("@wrong", '', 'telegraf: all its fields are there and whole');
}

# ---- collectd ---------------------------------------------------------------

# It reads into a buffer of 4096 bytes until that ends with END, cuts lines at
# any blank, and takes those of three words.
{
	my $srv = used_server('-o', 'idle_timeout=1000');
	my $c = $srv->connect;

	$c->put("stats\r\n");
	my $buffer = join '', map { "$_\r\n" } $c->until_line(qr/^END$/);
	cmp_ok(length $buffer, '<', 4096, 'collectd: the reply fits');
	my %value;
	my $others = 0;
	for my $line (grep { length } split /[\r\n]+/, $buffer) {
		my @field = split ' ', $line;
		$value{$field[1]} = $field[2] if @field == 3;
		$others++ if @field != 3;
	}
	is($others, 1, 'collectd: only END is not of three words');
	my @wrong = grep { ($value{$_} // '') !~ /^[\d.]+\z/ } qw(
	    rusage_user rusage_system threads curr_items bytes
	    limit_maxbytes curr_connections listen_disabled_num cmd_get
	    cmd_set cmd_flush cmd_touch incr_misses incr_hits decr_misses
	    decr_hits get_hits get_misses evictions delete_hits
	    delete_misses bytes_read bytes_written);
	is("@wrong", '', 'collectd: all it looks for is there');
	cmp_ok($value{bytes}, '<=', $value{limit_maxbytes},
	    'collectd: memory in use is not more than there is');
	is(join(' ', @value{qw(cmd_get get_hits get_misses)}), '4 3 1',
	    'collectd: the hit ratio is 75 %');
}

# ---- munin ------------------------------------------------------------------

# One plugin asks through a client library, another on a socket of its own and
# ends its lines with LF alone.
for my $end ("\r\n", "\n") {
	my $srv = used_server();
	my $c = $srv->connect;
	my %value;

	$c->put("stats$end");
	for ($c->until_line(qr/^END/)) {
		$value{$1} = $2 if /^STAT\s+(\S+)\s+(.*)$/;
	}
	my @unknown = grep { ($value{$_} // 'U') !~ /^\d+$/ } qw(get_hits
	    get_misses cmd_get cmd_set total_items total_connections
	    bytes_read bytes_written curr_items curr_connections bytes
	    limit_maxbytes evictions uptime threads cmd_flush cmd_touch
	    delete_hits delete_misses incr_hits incr_misses decr_hits
	    decr_misses cas_hits cas_misses cas_badval touch_hits
	    touch_misses reclaimed expired_unfetched evicted_unfetched);
	is("@unknown", '', 'munin: no value of a graph is unknown (' .
	    Leasecached::Client::quoted($end) . ')');
	is($value{curr_items}, 40, 'munin: and it is the right one');
}

# ---- phpMemcachedAdmin ------------------------------------------------------

# A connection for each command.  It reads the first line and is done if that
# is a last one; else it reads lines until one is.
my $last = qr/^(?:END|DELETED|OK|ERROR|SERVER_ERROR|CLIENT_ERROR|NOT_FOUND|
    STORED|RESET|TOUCHED)/x;
my $last_number = qr/^(?:END|ERROR|SERVER_ERROR|CLIENT_ERROR|NOT_FOUND|
    [0-9]+)/x;

sub
admin
{
	my ($srv, $command) = @_;
	my $c = $srv->connect;
	my $end = $command =~ /^(?:incr|decr)/ ? $last_number : $last;

	$c->put("$command\r\n");
	my $all = '';
	for (;;) {
		my $line = $c->raw_line;
		die "$command: closed after $all\n" unless defined $line;
		$all .= $line;
		last if $line =~ $end;
	}
	diag("$command: and then " . $c->within(0.1)) unless $c->silent;
	return $all;
}

sub
admin_stats
{
	my ($reply) = @_;
	my %value;

	for (split /\r\n/, $reply) {
		my @part = split / /;
		$value{$part[1]} = $part[2] if defined $part[2];
	}
	return \%value;
}

{
	my $srv = used_server();
	my $s = admin_stats(admin($srv, 'stats'));
	my $settings = admin_stats(admin($srv, 'stats settings'));
	my @missing = grep { !defined $s->{$_} } qw(uptime cmd_set cmd_get
	    get_hits get_misses delete_hits delete_misses cas_hits
	    cas_misses cas_badval incr_hits incr_misses decr_hits
	    decr_misses touch_hits touch_misses cmd_flush limit_maxbytes
	    bytes evictions reclaimed curr_connections total_connections
	    listen_disabled_num accepting_conns curr_items total_items
	    bytes_read bytes_written threads conn_yields version time
	    hash_power_level hash_bytes hash_is_expanding
	    expired_unfetched evicted_unfetched connection_structures
	    rusage_user rusage_system pointer_size libevent pid auth_cmds
	    auth_errors slab_reassign_running slabs_moved cmd_touch);
	is("@missing", '', 'phpMemcachedAdmin: the stats of its pages');
	# All its rates are per second of uptime.
	cmp_ok($s->{uptime}, '>', 0, 'phpMemcachedAdmin divides by uptime');
	cmp_ok($s->{limit_maxbytes}, '>', 0, 'and by limit_maxbytes');
	@missing = grep { !defined $settings->{$_} } qw(maxbytes maxconns
	    tcpport udpport inter verbosity oldest evictions domain_socket
	    umask growth_factor chunk_size num_threads stat_key_prefix
	    detail_enabled reqs_per_event cas_enabled tcp_backlog
	    binding_protocol item_size_max hashpower_init slab_reassign
	    slab_automove auth_enabled_sasl);
	is("@missing", '', 'phpMemcachedAdmin: the settings');

	# Slabs and items in one table.
	my $slabs = admin_stats(admin($srv, 'stats slabs'));
	my $malloced = delete $slabs->{total_malloced};
	my $active = delete $slabs->{active_slabs};
	my %class;
	for (keys %$slabs) {
		my ($id, $name) = split /:/;
		$class{$id}{$name} = $slabs->{$_};
	}
	my $items = admin_stats(admin($srv, 'stats items'));
	for (keys %$items) {
		my (undef, $id, $name) = split /:/;
		$class{$id}{"items:$name"} = $items->{$_};
	}
	is(scalar keys %class, $active, 'phpMemcachedAdmin: its slabs');
	@missing = grep {
		my $slab = $class{$_};
		grep { !defined $slab->{$_} } qw(chunk_size chunks_per_page
		    total_pages total_chunks used_chunks free_chunks
		    get_hits cmd_set delete_hits cas_hits cas_badval
		    incr_hits decr_hits items:number items:age
		    items:evicted items:evicted_nonzero items:evicted_time
		    items:outofmemory items:tailrepairs items:mem_requested);
	} sort keys %class;
	is("@missing", '', 'each with what its page shows');
	my $wasted = sum0(map {
		my $all = $_->{total_chunks} * $_->{chunk_size};
		$all < $_->{'items:mem_requested'} ?
		    ($_->{total_chunks} - $_->{used_chunks}) *
		    $_->{chunk_size} : $all - $_->{'items:mem_requested'};
	} values %class);
	cmp_ok($wasted, '>=', 0, 'memory wasted is not negative');
	cmp_ok($malloced - $wasted, '>=', 0, 'nor is what is left of all');

	# The keys of a slab, and one of them.
	my %found;
	unless (Leasecached::is_reference) {
		for my $id (sort keys %class) {
			my $dump = admin($srv, "stats cachedump $id 100");
			$found{$1} = [$2, $3] while $dump =~
			    /^ITEM (.*) \[([0-9]*) b; ([0-9]*) s\]\r$/mg;
		}
		is(scalar keys %found, $s->{curr_items},
		    'phpMemcachedAdmin finds all keys');
		is($found{key7}[0], 7 * 37, 'with their sizes');
		is($found{key7}[1], 0, 'and that they stay');
		cmp_ok(abs($found{key3}[1] - $s->{time} - 1000), '<=', LONG,
		    'or until when');
	}
	is(admin($srv, 'get key1'), "VALUE key1 1 37\r\n" . 'b' x 37 .
	    "\r\nEND\r\n", 'phpMemcachedAdmin: get');
	is(admin($srv, 'get none'), "END\r\n", 'get, missing');
	is(admin($srv, "set new 0 100 5\r\nvalue"), "STORED\r\n", 'set');
	is(admin($srv, 'incr n 5'), "12\r\n", 'incr');
	is(admin($srv, 'decr n 2'), "10\r\n", 'decr');
	is(admin($srv, 'incr none 5'), "NOT_FOUND\r\n", 'incr, missing');
	is(admin($srv, 'incr key1 5'), 'CLIENT_ERROR cannot increment or ' .
	    "decrement non-numeric value\r\n", 'incr of a text');
	is(admin($srv, 'delete new'), "DELETED\r\n", 'delete');
	is(admin($srv, 'delete new'), "NOT_FOUND\r\n", 'delete, missing');
	is(admin($srv, 'touch n 0'), "TOUCHED\r\n", 'touch');
	is(admin($srv, 'stats reset'), "RESET\r\n", 'stats reset');
	is(admin($srv, 'flush_all '), "OK\r\n", 'flush_all and a blank');
	is(admin($srv, 'get key1'), "END\r\n", 'and all is gone');
}

# memcache.php walks the classes that stats items names, by cachedump.
{
	my $srv = used_server('-o', 'no_lru_maintainer');
	my $c = $srv->client;
	my %keys;

	my %number;
	my $items = $c->stats('items');
	for (keys %$items) {
		$number{$1} = $items->{$_} if /^items:(\d+):number$/;
	}
	for my $id (sort { $a <=> $b } keys %number) {
		$c->put("stats cachedump $id $number{$id}\r\n");
		for ($c->until_line(qr/^END$/)) {
			$keys{$1}++ if /^ITEM (\S+) \[\d+ b; \d+ s\]$/;
		}
	}
	is(scalar keys %keys, 40, 'memcache.php: lists each key');
	is(sum0(values %keys), 40, 'once');
}

# Django's panels and php's getAllKeys walk all classes until they hear that
# there is no such one.
{
	my $srv = used_server('-o', 'no_lru_maintainer');
	my $c = $srv->client;
	my ($keys, $id) = (0, 0);

	for (; $id < 1000; $id++) {
		$c->put("stats cachedump $id 0\r\n");
		my @lines = $c->until_line(qr/^(?:END$|CLIENT_ERROR )/);
		$keys += grep { /^ITEM / } @lines;
		last if $lines[-1] eq 'CLIENT_ERROR Illegal slab id';
	}
	is("$id $keys", '64 40', 'getAllKeys: 40 keys until class 64');
}

# ---- memcached-tool, from Debian's memcached --------------------------------

my $tool = '/usr/share/memcached/scripts/memcached-tool';

SKIP: {
	if (!-e $tool && !$ENV{LEASECACHED_REQUIRE_CLIENTS}) {
		skip 'no memcached-tool', 1;
	}
	ok(-e $tool, 'memcached-tool is installed') or skip 'no tool', 1;
	my $srv = used_server('-o', 'track_sizes');
	my $to = '127.0.0.1:' . $srv->port;
	my $run = sub { output_of($^X, $tool, $to, @_) };
	my $c = $srv->client;

	my ($text, $status) = $run->('display');
	my @lines = split /\n/, $text;
	is($status, 0, 'memcached-tool display');
	like(shift @lines, qr/^\s+\#\s+Item_Size\s+Max_age\s+Pages\s+Count
	    \s+Full\?\s+Evicted\s+Evict_Time\s+OOM$/x, 'its heading');
	my $items = $c->stats('items');
	my $slabs = $c->stats('slabs');
	my @shown = map {
		/^\s*(\d+)\s+([\d.]+[BK])\s+(\d+)s\s+(\d+)\s+(\d+)\s+
		    (yes|no)\s+(\d+)\s+(\d+)\s+(\d+)$/x ?
		    [$1, $2, $4, $5, $6] : "? $_"
	} @lines;
	my @expected = map {
		my $chunk = $slabs->{"$_:chunk_size"};
		[$_, $chunk < 1024 ? "${chunk}B" :
		    sprintf('%.1fK', $chunk / 1024),
		    $slabs->{"$_:total_pages"}, $items->{"items:$_:number"},
		    $slabs->{"$_:used_chunks"} ==
		    $slabs->{"$_:total_chunks"} ? 'yes' : 'no'];
	} sort { $a <=> $b } map { /^(\d+):chunk_size$/ ? $1 : () }
	    keys %$slabs;
	is_deeply(\@shown, \@expected, 'it shows each class');
	cmp_ok(scalar @shown, '>', 5, 'and there are some');
	unlike($text, qr/uninitialized/, 'and misses nothing');

	for (['stats', undef, 'Value'], ['settings', 'settings', 'Value'],
	    ['sizes', 'sizes', 'Count']) {
		my ($mode, $sub, $head) = @$_;
		($text, $status) = $run->($mode);
		my ($first, @rest) = split /\n/, $text;
		is($status, 0, "memcached-tool $mode");
		like($first, qr/^#\Q$to\E\s+\w+\s+$head$/, 'its heading');
		my %got = map { /^\s*(\S+)\s+(\S+)\s*$/ } @rest;
		my $stats = $c->stats($sub);
		is_deeply([sort keys %got], [sort keys %$stats],
		    'all that the server says');
		next if $mode eq 'stats';
		is_deeply(\%got, { map { $_ => $stats->{$_} } keys %got },
		    'as it says it');
	}

	# Keys with bytes that a dump must protect.
	$c->put("set per%25cent 1 0 2\r\nab\r\nset q=u&o?te 2 1000 4\r\n" .
	    "\r\n\r\n\r\nset \xc3\xa4\xff 3 0 0\r\n\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	($text, $status) = $run->('keys');
	is($status, 0, 'memcached-tool keys');
	my @keys = $text =~ /^key=(\S+)\ exp=-?\d+\ la=\d+\ cas=\d+
	    \ fetch=(?:yes|no)\ cls=\d+\ size=\d+/mgx;
	is(scalar @keys, 43, 'it lists all');
	($text, $status) = $run->('keys', 5);
	@keys = $text =~ /^key=/mg;
	cmp_ok(scalar @keys, '<=', 5, 'or not more than it is told');

	# What one server dumps, another one takes in.
	($text, $status) = output_of({ no_errors => 1 }, $^X, $tool, $to,
	    'dump');
	is($status, 0, 'memcached-tool dump');
	my @adds = $text =~ /^add \S+ \d+ \d+ \d+\r$/mg;
	is(scalar @adds, 43, 'it dumps all');
	my $second = Leasecached->start;
	my $d = $second->client;
	$d->put($text . "mn\r\n");
	my @stored = grep { $_ eq 'STORED' } $d->until_line(qr/^MN$/);
	is(scalar @stored, 43, 'and another server takes it in');
	my @differ = grep {
		my $key = $_;
		my @replies = map {
			$_->put("get $key\r\n");
			my $reply = '';
			my $line = $_->raw_line;
			if ($line =~ /^VALUE \S+ \d+ (\d+)\r/) {
				$reply = $line . $_->take($1 + 2);
				$line = $_->raw_line;
			}
			$reply . $line;
		} $c, $d;
		$replies[0] ne $replies[1] || $replies[0] eq "END\r\n";
	} (map { "key$_" } 1 .. 39), 'n', 'per%25cent', 'q=u&o?te',
	    "\xc3\xa4\xff";
	is("@differ", '', 'with the same flags and values');
	SKIP: {
		skip 'no clock to move', 2 unless $second->can_advance;
		$second->advance(1100);
		$d->ask("get key3 q=u&o?te\r\n", "END\r\n",
		    'and the same end');
		$d->ask("mg key1\r\n", "HD\r\n", 'or none');
	}

	my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
	my $unix = Leasecached->start(-unix => "$dir/s");
	($text, $status) = output_of($^X, $tool, "$dir/s", 'stats');
	like($text, qr/^\s+curr_items\s+0\s*$/m,
	    'memcached-tool on a Unix socket');
}

# ---- memcstat, from Debian's libmemcached-tools -----------------------------

SKIP: {
	my $memcstat = program('memcstat');
	if (!defined $memcstat && !$ENV{LEASECACHED_REQUIRE_CLIENTS}) {
		skip 'no memcstat', 1;
	}
	ok(defined $memcstat, 'memcstat is installed') or skip 'no tool', 1;
	my $srv = used_server();
	my $to = '127.0.0.1:' . $srv->port;
	my $c = $srv->client;

	for my $sub ('', 'settings', 'items', 'slabs') {
		my ($text, $status) = output_of($memcstat, '-s', $to,
		    length $sub ? $sub : ());
		my @lines = split /\n/, $text;
		is($status, 0, "memcstat $sub");
		like(shift @lines, qr/^Server: 127\.0\.0\.1 \(\d+\)$/,
		    'its heading');
		my @names = map { /^\s+(\S+): \S+$/ ? $1 : () } @lines;
		$c->put("stats $sub\r\n");
		my @ours = map { /^STAT (\S+)/ ? $1 : () }
		    $c->until_line(qr/^END$/);
		is_deeply(\@names, \@ours, 'all names, in order');
	}
	my ($text, $status) = output_of($memcstat, '-s', $to, '-S');
	my $version = $c->stats->{version};
	is("$status $text", "0 $to $version\n", 'memcstat -S: the version');
	($text, $status) = output_of($memcstat, '-s', $to, '-a');
	is($status, 0, 'memcstat -a');
	like($text, qr/Number of Servers Analyzed\s+: 1\n/, 'it has an idea');
	my ($average) = $text =~ /Average Item Size.*: (\d+) bytes/;
	my $s = $c->stats;
	is($average, int($s->{bytes} / $s->{curr_items}),
	    'of the size of an item');
}

done_testing;
