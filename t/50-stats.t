#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 50-stats.t - stats and its sub-commands: names, order, form, and that the
# numbers are true.
#
# Programs parse these replies that nobody will ever adapt to us, so names and
# order are memcached 1.6.45's, and every line is three words.

use Leasecached;
use List::Util qw(max sum0);
use Time::HiRes qw(sleep time);

use constant LONG => 30;

# ---- the names --------------------------------------------------------------

my @GENERAL = qw(pid uptime time version libevent pointer_size rusage_user
    rusage_system max_connections curr_connections total_connections
    rejected_connections connection_structures response_obj_oom
    response_obj_count response_obj_bytes read_buf_count read_buf_bytes
    read_buf_bytes_free read_buf_oom reserved_fds cmd_get cmd_set cmd_flush
    cmd_touch cmd_meta get_hits get_misses get_expired get_flushed
    delete_misses delete_hits incr_misses incr_hits decr_misses decr_hits
    cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large
    store_no_memory auth_cmds auth_errors bytes_read bytes_written
    limit_maxbytes accepting_conns listen_disabled_num
    time_in_listen_disabled_us threads conn_yields hash_power_level
    hash_bytes hash_is_expanding slab_reassign_rescues
    slab_reassign_chunk_rescues slab_reassign_inline_reclaim
    slab_reassign_busy_items slab_reassign_busy_deletes
    slab_reassign_busy_nomem slab_reassign_last_busy_status
    slab_reassign_running slabs_moved lru_crawler_running lru_crawler_starts
    lru_maintainer_juggles malloc_fails log_worker_dropped log_worker_written
    log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids
    round_robin_fallback bytes curr_items total_items slab_global_page_pool
    expired_unfetched evicted_unfetched evicted_active evictions reclaimed
    crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold
    moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped);

my @SETTINGS = qw(maxbytes maxconns tcpport udpport inter verbosity oldest
    evictions domain_socket umask shutdown_command growth_factor chunk_size
    num_threads num_threads_per_udp stat_key_prefix detail_enabled
    reqs_per_event cas_enabled tcp_backlog binding_protocol auth_enabled_sasl
    auth_enabled_ascii item_size_max maxconns_fast hashpower_init
    slab_reassign slab_automove slab_automove_ratio slab_automove_window
    slab_chunk_max lru_crawler lru_crawler_sleep lru_crawler_tocrawl
    tail_repair_time flush_enabled dump_enabled hash_algorithm
    lru_maintainer_thread lru_segmented hot_lru_pct warm_lru_pct
    hot_max_factor warm_max_factor temp_lru temporary_ttl idle_timeout
    watcher_logbuf_size worker_logbuf_size read_buf_mem_limit track_sizes
    inline_ascii_response ext_item_size ext_item_age ext_low_ttl
    ext_recache_rate ext_wbuf_size ext_compact_under ext_drop_under
    ext_max_sleep ext_max_frag slab_automove_freeratio ext_drop_unread
    ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode ssl_keyformat
    ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls
    ssl_min_version num_napi_ids memory_file client_flags_size);

my @ITEMS = qw(number number_hot number_warm number_cold age_hot age_warm age
    mem_requested evicted evicted_nonzero evicted_time outofmemory
    tailrepairs reclaimed expired_unfetched evicted_unfetched evicted_active
    crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold
    moves_to_warm moves_within_lru direct_reclaims hits_to_hot hits_to_warm
    hits_to_cold hits_to_temp);

my @SLABS = qw(chunk_size chunks_per_page total_pages total_chunks
    used_chunks free_chunks free_chunks_end get_hits cmd_set delete_hits
    incr_hits decr_hits cas_hits cas_badval touch_hits);

# memcached's own ladder of item sizes.
my @LADDER = (undef, qw(96 120 152 192 240 304 384 480 600 752 944 1184 1480
    1856 2320 2904 3632 4544 5680 7104 8880 11104 13880 17352 21696 27120
    33904 42384 52984 66232 82792 103496 129376 161720 202152 252696 315872
    394840 524288));

# Counts of what clients asked for; each request adds to them exactly.
my @COUNTED = qw(cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits
    get_misses get_expired get_flushed delete_misses delete_hits incr_misses
    incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits
    touch_misses store_too_large store_no_memory auth_cmds auth_errors
    total_items evictions);

# ---- helpers ----------------------------------------------------------------

# The reply to `stats sub` as it came.
sub
raw
{
	my ($c, $sub) = @_;
	my $reply = '';

	$c->put('stats' . (defined $sub ? " $sub" : '') . "\r\n");
	for (;;) {
		my $line = $c->raw_line;
		return $reply unless defined $line;
		$reply .= $line;
		return $reply if $line !~ /^(?:STAT|ITEM|PREFIX) /;
	}
}

sub
names
{
	return [ $_[0] =~ /^STAT (\S+) /mg ];
}

sub
pairs
{
	return { $_[0] =~ /^STAT (\S+) (.*?)\r$/mg };
}

# Lines of three words, CR LF, and END.
sub
well_formed
{
	my ($reply, $name) = @_;
	my @wrong = grep { !/\ASTAT [^\s]+ [^\s]+\r\z/ } split /\n/,
	    $reply =~ s/END\r\n\z//r;

	my $good = !@wrong && $reply =~ /END\r\n\z/;
	ok($good, "$name: every line is STAT, a name and one word; END");
	diag(map { Leasecached::Client::quoted($_) . "\n" } @wrong) if @wrong;
	return $good;
}

# What grew between two answers, as text.
sub
growth
{
	my ($before, $after, @names) = @_;

	return join ' ', map {
		my $d = ($after->{$_} // 0) - ($before->{$_} // 0);
		$d == 0 ? () : sprintf '%s%+d', $_, $d;
	} @names;
}

# Asks until it is true: for what happens soon, but not at once.
sub
soon
{
	my ($true) = @_;
	my $end = time + LONG;

	until ($true->()) {
		return 0 if time > $end;
		sleep 0.005;
	}
	return 1;
}

# By class: { 1 => { number => 3, ... }, ... }
sub
by_class
{
	my ($c, $sub) = @_;
	my %class;

	for ([$c->stats($sub)]) {
		my $stats = $_->[0];
		for my $name (keys %$stats) {
			$class{$1}{$2} = $stats->{$name}
			    if $name =~ /^(?:items:)?(\d+):(\w+)$/;
		}
	}
	return \%class;
}

# The size that counts for a class; an option changes nothing here.
sub
item_size
{
	my ($key, $length, $flags) = @_;

	return 48 + 8 + length($key) + 1 + ($flags ? 4 : 0) + $length + 2;
}

# Stores n bytes.
sub
store
{
	my ($c, $key, $n, $flags) = @_;
	my $value = 'v' x $n;

	$c->put(sprintf "set %s %d 0 %d\r\n%s\r\n", $key, $flags // 0, $n,
	    $value);
	my $reply = $c->line;
	die "set $key of $n bytes: $reply\n" unless $reply eq 'STORED';
}

# ---- stats ------------------------------------------------------------------

{
	my $srv = Leasecached->start('-t', '3', '-c', '200', '-m', '100');
	my $c = $srv->client;
	my $reply = raw($c);
	my %type = (
		version => qr/^1\.\d{1,3}\.\d{1,3}$/,
		libevent => qr/^\S+$/,
		rusage_user => qr/^\d+\.\d{6}$/,
		rusage_system => qr/^\d+\.\d{6}$/,
		accepting_conns => qr/^[01]$/,
		hash_is_expanding => qr/^[01]$/,
		slab_reassign_running => qr/^[01]$/,
		lru_crawler_running => qr/^[01]$/,
		slab_reassign_last_busy_status => qr/^[a-z_]+$/,
	);
	my $s = pairs($reply);

	well_formed($reply, 'stats');
	SKIP: {
		skip 'other names in this version', 1 unless since('1.6.45');
		is_deeply(names($reply), \@GENERAL,
		    "stats: the names of memcached, in order");
	}
	my @untyped = grep {
		$s->{$_} !~ ($type{$_} // qr/^\d+$/)
	} sort keys %$s;
	is("@untyped", '', 'stats: each value is of its type');
	cmp_ok(length $reply, '<', 4096, 'stats: a buffer of 4096 bytes does');

	is($s->{pid}, $srv->pid, 'pid');
	is($s->{pointer_size}, length(pack 'J', 0) * 8, 'pointer_size');
	is($s->{threads}, 3, 'threads');
	is($s->{max_connections}, 200, 'max_connections');
	is($s->{limit_maxbytes}, 100 << 20, 'limit_maxbytes');
	is($s->{accepting_conns}, 1, 'accepting_conns');
	cmp_ok(abs($s->{time} - time), '<=', LONG, 'time is unix time');
	# Pages of graphs divide by it.
	cmp_ok($s->{uptime}, '>=', 1, 'uptime is not 0, not even at the start');
	cmp_ok($s->{uptime}, '<=', LONG, 'and not much more');
	is_deeply([@$s{@COUNTED}, @$s{qw(bytes curr_items reclaimed
	    expired_unfetched evicted_unfetched)}], [(0) x (@COUNTED + 5)],
	    'all counters are 0 at the start') if since('1.6.45');

	$c->put("version\r\n");
	is("VERSION $s->{version}", $c->line, 'version as the command says');

	my %seen;
	for my $form ('stats ', 'stats  ', 'stats      ') {
		$c->put("$form\r\n");
		my $got = join '', map { "$_\r\n" } $c->until_line(qr/^END$/);
		is_deeply(names($got), names($reply), "'$form' is stats");
	}
	$c->put("stats\n");
	is_deeply(names(join '', map { "$_\r\n" } $c->until_line(qr/^END$/)),
	    names($reply), 'stats ended by LF alone');

	SKIP: {
		skip 'no clock to move', 2 unless $srv->can_advance;
		my $before = $c->stats;
		$srv->advance(1000);
		my $after = $c->stats;
		cmp_ok($after->{uptime} - $before->{uptime}, '>=', 1000,
		    'uptime grows');
		cmp_ok($after->{uptime} - $before->{uptime}, '<=',
		    1000 + LONG, 'at the speed of time');
	}
}

{
	my $srv = Leasecached->start('-o', 'idle_timeout=3600');
	my @names = @GENERAL;

	splice @names, (grep { $names[$_] eq 'auth_errors' } 0 .. $#names)[0]
	    + 1, 0, 'idle_kicks';
	my $reply = raw($srv->client);
	well_formed($reply, 'stats with idle_timeout');
	SKIP: {
		skip 'other names in this version', 1 unless since('1.6.45');
		is_deeply(names($reply), \@names, 'idle_kicks comes with ' .
		    '-o idle_timeout, behind auth_errors');
	}
	is(pairs($reply)->{idle_kicks}, 0, 'idle_kicks starts at 0');
	cmp_ok(length $reply, '<', 4096, 'and all that in 4096 bytes');

	SKIP: {
		skip 'no clock to move', 2 unless $srv->can_advance;
		my @idle = map { $srv->connect } 1 .. 5;
		$_->put("mn\r\n"), $_->line for @idle;
		$srv->advance(3601);
		# Who asks is not idle.
		my $closed = grep { $_->closed } @idle;
		is($closed, 5, 'idle connections are closed');
		my $kicks = $srv->connect->stats->{idle_kicks};
		cmp_ok($kicks, '>=', 5, 'idle_kicks counts them');
	}
}

# ---- counters ---------------------------------------------------------------

# Which request counts as what: see 51-counters.t.
{
	my $srv = Leasecached->start;
	my $c = $srv->client;

	# Bytes to the last one: a request and a reply between two answers.
	for my $request ("set k 0 0 3\r\nabc\r\n", "get k\r\n", "get none\r\n",
	    "mg k v\r\nmg none v\r\nmn\r\n", "set k 0 0 3 noreply\r\nabc\r\n",
	    "version\r\nstats reset2\r\nset l 0 0 100000\r\n" .
	    'y' x 100_000 . "\r\nget l\r\n", "foo\r\n") {
		my $before = raw($c);
		$c->put($request . "stats\r\n");
		my ($between, $after) = ('', '');
		for (my $in = 0; $after !~ /END\r\n\z/; ) {
			my $line = $c->raw_line;
			$in = 1 if $line =~ /^STAT pid /;
			$in ? ($after .= $line) : ($between .= $line);
		}
		my ($b, $a) = (pairs($before), pairs($after));
		my ($name) = $request =~ /^(.{1,30})/;
		is($a->{bytes_read} - $b->{bytes_read},
		    length($request) + length("stats\r\n"),
		    "bytes_read counts each byte of $name");
		# Replies are counted when they leave.
		my $end = pairs(raw($c));
		is($end->{bytes_written} - $b->{bytes_written},
		    length($before) + length($between) + length($after),
		    "bytes_written counts each byte for $name");
	}
}

# Many connections, on all threads: sums lose nothing.
{
	my $srv = Leasecached->start('-t', '4');
	my $c = $srv->client;
	my $start = $c->stats;
	my @many = map { $srv->connect } 1 .. 24;

	$_->put(("set k 0 0 1\r\n1\r\nget k none\r\n" x 50) . "mn\r\n")
	    for @many;
	$_->until_line(qr/^MN$/) for @many;
	my $now = $c->stats;
	is(growth($start, $now, 'curr_connections', 'total_connections',
	    @COUNTED), 'curr_connections+24 total_connections+24 ' .
	    'cmd_get+2400 cmd_set+1200 get_hits+1200 get_misses+1200 ' .
	    'total_items+1200', 'counters are the sum of all threads');
	cmp_ok($now->{connection_structures}, '>=', $now->{curr_connections} -
	    2, 'connection_structures');
	is($now->{curr_items}, 1, 'curr_items');

	$_->close for @many;
	ok(soon(sub { $c->stats->{curr_connections} ==
	    $start->{curr_connections} }), 'curr_connections falls again');
	my $end = $c->stats;
	is(growth($now, $end, 'total_connections', @COUNTED), '',
	    'and the counters keep what the closed ones did');
}

# A turn that ends because of -R is counted, whoever else waits.
{
	my $srv = Leasecached->start('-R', '5');
	my $c = $srv->client;

	$c->ask("mn\r\n" x 4, "MN\r\n" x 4, '4 requests of 5');
	is($c->stats->{conn_yields}, 0, 'are no conn_yields');
	$c->ask("mn\r\n" x 100, "MN\r\n" x 100, '100 requests at once');
	my $yields = $c->stats->{conn_yields};
	cmp_ok($yields, '>=', 10, 'are conn_yields with -R 5');
	cmp_ok($yields, '<=', 25, 'and not more than turns');
}

SKIP: {
	skip 'counts descriptors, not clients', 4 if Leasecached::is_reference;
	my $srv = Leasecached->start('-c', '4');
	my $c = $srv->client;
	my @others = map { $srv->connect } 2 .. 4;
	$_->put("mn\r\n"), $_->line for @others;
	for (1 .. 3) {
		my $over = $srv->connect;
		is($over->drain, "ERROR Too many open connections\r\n",
		    'one connection too many');
	}
	is($c->stats->{rejected_connections}, 3, 'rejected_connections');
}

# ---- what the store holds ---------------------------------------------------

{
	my $srv = Leasecached->start;
	my $c = $srv->client;

	store($c, "k$_", 100 * $_) for 1 .. 100;
	my $s = $c->stats;
	is($s->{curr_items}, 100, 'curr_items after 100 sets');
	cmp_ok($s->{bytes}, '>=', sum0(map { 100 * $_ } 1 .. 100),
	    'bytes is at least that of the values');
	cmp_ok($s->{bytes}, '<=', sum0(map { 100 * $_ * 1.25 + 200 }
	    1 .. 100), 'and not far from it');
	store($c, "k$_", 10) for 1 .. 100;
	my $t = $c->stats;
	is($t->{curr_items}, 100, 'curr_items after setting the same again');
	is($t->{total_items}, 200, 'total_items counts both');
	cmp_ok($t->{bytes}, '<', $s->{bytes}, 'bytes follows');
	$c->put("delete k$_ noreply\r\n") for 1 .. 99;
	is($c->stats->{curr_items}, 1, 'curr_items after deletes');
	$c->put("delete k100 noreply\r\n");
	my $u = $c->stats;
	is("$u->{curr_items} $u->{bytes}", '0 0', 'nothing left: no bytes');
	is($u->{total_items}, 200, 'total_items stays');
}

# ---- stats settings ---------------------------------------------------------

{
	my $srv = Leasecached->start;
	my $reply = raw($srv->client, 'settings');

	well_formed($reply, 'stats settings');
	my @names = @SETTINGS;
	pop @names unless since('1.6.22');
	is_deeply(names($reply), \@names,
	    'stats settings: the names of memcached, in order');
	cmp_ok(length $reply, '<', 4096, 'stats settings is short');
	my $s = pairs($reply);
	my %is = (maxbytes => 64 << 20, maxconns => 1024, udpport => 0,
	    verbosity => 0, oldest => 0, evictions => 'on',
	    domain_socket => 'NULL', umask => '700', shutdown_command => 'no',
	    growth_factor => '1.25', chunk_size => 48, num_threads => 4,
	    stat_key_prefix => ':', detail_enabled => 'no',
	    reqs_per_event => 20, cas_enabled => 'yes', tcp_backlog => 1024,
	    binding_protocol => 'auto-negotiate', auth_enabled_sasl => 'no',
	    auth_enabled_ascii => 'no', item_size_max => 1 << 20,
	    maxconns_fast => 'yes', flush_enabled => 'yes',
	    dump_enabled => 'yes', idle_timeout => 0, track_sizes => 'no',
	    slab_chunk_max => 512 << 10, temp_lru => 'no',
	    ssl_enabled => 'no', inter => '127.0.0.1');
	$is{client_flags_size} = 4 if since('1.6.22');
	is_deeply({ map { $_ => $s->{$_} } keys %is }, \%is,
	    'stats settings: the defaults');

	my $c = $srv->client;
	$c->ask("verbosity 1\r\n", "OK\r\n", 'verbosity 1');
	is($c->stats('settings')->{verbosity}, 1, 'settings shows it');
	$c->ask("verbosity 0\r\ncache_memlimit 100\r\n", "OK\r\nOK\r\n",
	    'cache_memlimit 100');
	is($c->stats('settings')->{maxbytes}, 100 << 20, 'settings shows it');
	is($c->stats->{limit_maxbytes}, 100 << 20, 'and stats');
}

for (
	[[qw(-m 100)], maxbytes => 100 << 20],
	[[qw(-c 77)], maxconns => 77],
	[[qw(-M)], evictions => 'off'],
	[[qw(-A)], shutdown_command => 'yes'],
	[[qw(-t 2)], num_threads => 2],
	[[qw(-R 5)], reqs_per_event => 5],
	[[qw(-b 8675)], tcp_backlog => 8675],
	[[qw(-C)], cas_enabled => 'no'],
	[[qw(-I 2m)], item_size_max => 2 << 20],
	[[qw(-F)], flush_enabled => 'no'],
	[[qw(-X)], dump_enabled => 'no'],
	[[qw(-B ascii)], binding_protocol => 'ascii'],
	[[qw(-f 1.5)], growth_factor => '1.50'],
	[[qw(-n 64)], chunk_size => 64],
	[['-D', '#'], stat_key_prefix => '#', detail_enabled => 'yes'],
	[[qw(-o idle_timeout=700)], idle_timeout => 700],
	[[qw(-o track_sizes)], track_sizes => 'yes'],
	[[qw(-o no_maxconns_fast)], maxconns_fast => 'no'],
	[['-o', 'watcher_logbuf_size=512,worker_logbuf_size=128'],
	    watcher_logbuf_size => 512 << 10, worker_logbuf_size => 128 << 10],
) {
	my ($options, @is) = @$_;
	my $srv = Leasecached->start(@$options);
	my $reply = raw($srv->client, 'settings');
	my $s = pairs($reply);

	while (my ($name, $value) = splice @is, 0, 2) {
		is($s->{$name}, $value, "@$options: $name is $value");
	}
}

{
	my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
	my $srv = Leasecached->start(-unix => "$dir/a socket", qw(-a 0755));
	my $c = $srv->client;
	my $s = pairs(raw($c, 'settings'));

	is($s->{umask}, '755', '-a: umask');
	SKIP: {
		skip 'prints blanks', 1 if Leasecached::is_reference;
		well_formed(raw($c, 'settings'),
		    'stats settings, a blank in a path');
	}
	undef $srv;
	$srv = Leasecached->start(-unix => "$dir/socket");
	is($srv->client->stats('settings')->{domain_socket}, "$dir/socket",
	    '-s: domain_socket');
}

# ---- stats items, stats slabs -----------------------------------------------

{
	my $srv = Leasecached->start;
	my $c = $srv->client;

	is(raw($c, 'items'), "END\r\n", 'stats items of an empty server');
	my $reply = raw($c, 'slabs');
	is_deeply(names($reply), [qw(active_slabs total_malloced)],
	    'stats slabs of an empty server');
	is(pairs($reply)->{active_slabs}, 0, 'no active slabs');

	# Exactly as large as a class holds, and a byte more.
	my (%number, %memory);
	for my $class (1 .. $#LADDER - 1) {
		for my $more (0, 1) {
			my $key = "c$class.$more";
			my $size = $LADDER[$class] + $more;
			my $n = $size - item_size($key, 0, 0);
			store($c, $key, $n);
			$number{$class + $more}++;
			$memory{$class + $more} += $size;
		}
	}
	# Client flags take four bytes.
	store($c, 'flags', 96 - item_size('flags', 0, 7), 7);
	store($c, 'Flags', 97 - item_size('Flags', 0, 7), 7);
	$number{1}++, $number{2}++;
	$memory{1} += 96, $memory{2} += 97;

	my $raw_items = raw($c, 'items');
	my $raw_slabs = raw($c, 'slabs');
	my ($items, $slabs) = (by_class($c, 'items'), by_class($c, 'slabs'));
	my $s = $c->stats('slabs');
	well_formed($raw_items, 'stats items');
	well_formed($raw_slabs, 'stats slabs');
	is_deeply(names($raw_items), [map {
		my $class = $_;
		map { "items:$class:$_" } @ITEMS;
	} 1 .. $#LADDER], 'stats items: names and order, class by class');
	is_deeply(names($raw_slabs), [(map {
		my $class = $_;
		map { "$class:$_" } @SLABS;
	} 1 .. $#LADDER), 'active_slabs', 'total_malloced'],
	    'stats slabs: names and order, class by class');
	my @odd = ("$raw_items$raw_slabs" =~ /^(STAT \S+ \d*[^\d\r].*)\r$/mg);
	is_deeply(\@odd, [], 'all values are whole numbers');

	is_deeply({ map { $_ => $slabs->{$_}{chunk_size} } keys %$slabs },
	    { map { $_ => $LADDER[$_] } 1 .. $#LADDER },
	    "chunk_size is memcached's ladder");
	is_deeply({ map { $_ => $items->{$_}{number} } keys %$items },
	    \%number, 'number: each item in the class of its size');
	is_deeply({ map { $_ => $items->{$_}{mem_requested} } keys %$items },
	    \%memory, 'mem_requested: the sum of the sizes');
	is_deeply({ map { $_ => $slabs->{$_}{used_chunks} } keys %$slabs },
	    \%number, 'used_chunks: one for each item');
	is_deeply({ map { $_ => $slabs->{$_}{cmd_set} } keys %$slabs },
	    \%number, 'cmd_set: by class');
	is(sum0(map { $_->{number} } values %$items),
	    $c->stats->{curr_items}, 'all numbers together are curr_items');
	my @wrong = grep {
		my $i = $items->{$_};
		$i->{number} != $i->{number_hot} + $i->{number_warm} +
		    $i->{number_cold} + ($i->{number_temp} // 0);
	} sort { $a <=> $b } keys %$items;
	is("@wrong", '', 'number is the sum of its parts');
	@wrong = grep {
		my $l = $slabs->{$_};
		$l->{chunks_per_page} != int((1 << 20) / $l->{chunk_size}) ||
		    $l->{total_chunks} != $l->{total_pages} *
			$l->{chunks_per_page} ||
		    $l->{total_pages} < 1 ||
		    $l->{free_chunks} + $l->{free_chunks_end} !=
			$l->{total_chunks} - $l->{used_chunks};
	} sort { $a <=> $b } keys %$slabs;
	is("@wrong", '', 'pages and chunks of each class agree');
	is($s->{active_slabs}, scalar keys %$slabs, 'active_slabs');
	# Tools take what items ask for from it and call the rest waste.
	cmp_ok($s->{total_malloced}, '>=', sum0(map { $_->{total_chunks} *
	    $_->{chunk_size} } values %$slabs),
	    'total_malloced holds the chunks of all classes');

	# The largest ones share the last class.
	store($c, 'largest', 1_000_000);
	is(by_class($c, 'items')->{$#LADDER}{number},
	    $number{$#LADDER} + 1, 'a value of 1,000,000 bytes is in the last');
}

# What happens to items of a class is counted there.
{
	my $srv = Leasecached->start;
	my $c = $srv->client;

	store($c, 'small', 1);
	store($c, 'medium', 500);
	$c->put("set n 0 0 1\r\n1\r\nget small\r\nget medium medium\r\n" .
	    "get none\r\nincr n 1\r\nincr n 1\r\ndecr n 1\r\n" .
	    "touch small 0\r\ncas small 0 0 1 9999999\r\nx\r\n" .
	    "gets small\r\nmg medium v\r\nmn\r\n");
	my ($unique) = map { /^VALUE small 0 1 (\d+)/ ? $1 : () }
	    $c->until_line(qr/^MN$/);
	$c->put("cas small 0 0 1 $unique\r\ny\r\ndelete n\r\nmn\r\n");
	$c->until_line(qr/^MN$/);

	my $slabs = by_class($c, 'slabs');
	# 'medium' is 48 + 8 + 6 + 1 + 500 + 2 = 565 bytes: class 9.
	is_deeply([sort { $a <=> $b } keys %$slabs], [1, 9], 'two classes');
	my %one = %{ $slabs->{1} };
	my %nine = %{ $slabs->{9} };
	is("@one{qw(get_hits incr_hits decr_hits touch_hits cas_hits
	    cas_badval delete_hits)}", '2 2 1 1 1 1 1',
	    'hits on small items count for their class');
	is("@nine{qw(get_hits cmd_set incr_hits decr_hits touch_hits
	    cas_hits cas_badval delete_hits)}", '3 1 0 0 0 0 0 0',
	    'hits on a larger item for its own');
	my $all = $c->stats;
	# The cas that failed is a cmd_set of its class as well: exporters take
	# one from the other.
	for my $name (qw(get_hits cmd_set delete_hits incr_hits decr_hits
	    cas_hits cas_badval touch_hits)) {
		is(sum0(map { $_->{$name} } values %$slabs), $all->{$name},
		    "$name: the classes add up to stats");
	}
	is(sum0(map { @$_{qw(hits_to_hot hits_to_warm hits_to_cold
	    hits_to_temp)} } values %{ by_class($c, 'items') }),
	    $all->{get_hits}, 'so do hits_to_*');

	# Counters must not fall because the last item has gone.
	$c->put("delete medium noreply\r\n");
	my $left = by_class($c, 'slabs');
	is($left->{9}{get_hits}, 3,
	    'the counts of a class outlive its last item');
	is($left->{9}{delete_hits}, 1, 'and it counts the delete of that');
	is($left->{9}{used_chunks}, 0, 'with no chunk in use');
	ok(!exists by_class($c, 'items')->{9},
	    'stats items leaves out a class without items');
	well_formed(raw($c, 'slabs'), 'stats slabs with an empty class');
}

# A full server: the classes tell the same story as the totals.
{
	my $srv = Leasecached->start('-m', '8');
	my $c = $srv->client;

	for my $block (0 .. 29) {
		$c->put(join '', map {
			my $n = 500 + 900 * ($_ % 3);
			my $exptime = $_ % 2 ? 1000 : 0;
			sprintf "set k%d-%d 0 %d %d noreply\r\n%s\r\n",
			    $block, $_, $exptime, $n, 'z' x $n;
		} 1 .. 500);
	}
	my $s = $c->stats;
	my $items = by_class($c, 'items');
	my %sum;
	for my $class (values %$items) {
		$sum{$_} += $class->{$_} for keys %$class;
	}
	cmp_ok($s->{evictions}, '>', 1000, '22 MB into 8 MB: evictions');
	is($sum{evicted}, $s->{evictions}, 'evicted of the classes: the same');
	is($sum{evicted_unfetched}, $s->{evicted_unfetched},
	    'evicted_unfetched: the same');
	is($s->{evicted_unfetched}, $s->{evictions}, 'as nothing was read');
	is($sum{number}, $s->{curr_items}, 'number: curr_items');
	is($s->{curr_items} + $s->{evictions}, 15000,
	    'what is not there was evicted');
	is($s->{total_items}, 15000, 'total_items') unless
	    Leasecached::is_reference;
	cmp_ok($sum{evicted_nonzero}, '>', 0, 'evicted_nonzero: some');
	cmp_ok($sum{evicted_nonzero}, '<', $sum{evicted}, 'but not all');
	cmp_ok($s->{bytes}, '<=', $s->{limit_maxbytes},
	    'bytes is within limit_maxbytes');
	well_formed(raw($c, 'items'), 'stats items of a full server');
	well_formed(raw($c), 'stats of a full server');
}

{
	my $srv = Leasecached->start('-m', '8', '-M');
	my $c = $srv->client;
	my $value = 'z' x 100_000;
	my $refused = 0;

	for my $i (1 .. 150) {
		$c->put("set k$i 0 0 100000\r\n$value\r\n");
		my $line = $c->line;
		$refused++ if $line eq
		    'SERVER_ERROR out of memory storing object';
	}
	my $s = $c->stats;
	cmp_ok($refused, '>', 50, '-M: 15 MB do not fit into 8 MB');
	is($s->{store_no_memory}, $refused, 'store_no_memory counts them');
	is($s->{curr_items}, 150 - $refused, 'curr_items the others');
	is($s->{evictions}, 0, 'no evictions');
	is(sum0(map { $_->{outofmemory} } values %{ by_class($c, 'items') }),
	    $refused, 'outofmemory of the classes');
}

# ---- stats sizes ------------------------------------------------------------

{
	my $srv = Leasecached->start;
	is(raw($srv->client, 'sizes'),
	    "STAT sizes_status disabled\r\nEND\r\n", 'stats sizes is off');

	$srv = Leasecached->start('-o', 'track_sizes');
	my $c = $srv->client;
	is(raw($c, 'sizes'), "END\r\n", 'stats sizes with -o track_sizes');
	my %count;
	for my $n (1, 2, 35, 36, 37, 500, 5000, 5000, 5001) {
		my $key = 'n' . keys(%count) . '.' . sum0(values %count);
		store($c, $key, $n);
		my $size = item_size($key, $n, 0);
		$count{32 * int(($size + 31) / 32)}++;
	}
	my $reply = raw($c, 'sizes');
	well_formed($reply, 'stats sizes');
	is_deeply(pairs($reply), \%count, 'items by size, in steps of 32');
	my @order = @{ names($reply) };
	is_deeply(\@order, [sort { $a <=> $b } @order], 'rising');

	# Exactly on the step: 64 is in 64, 65 in 96.
	$c->put("flush_all\r\n"), $c->line;
	$srv = Leasecached->start('-o', 'track_sizes');
	$c = $srv->client;
	store($c, 'a', 64 - item_size('a', 0, 0));
	store($c, 'b', 65 - item_size('b', 0, 0));
	is_deeply(pairs(raw($c, 'sizes')), { 64 => 1, 96 => 1 }, '64 and 65');
	store($c, 'a', 600 - item_size('a', 0, 0));
	is_deeply(pairs(raw($c, 'sizes')), { 96 => 1, 608 => 1 },
	    'an item replaced by a larger one');
	$c->put("delete b\r\n"), $c->line;
	is_deeply(pairs(raw($c, 'sizes')), { 608 => 1 }, 'and one deleted');
}

# ---- stats conns ------------------------------------------------------------

{
	my $srv = Leasecached->start;
	my $c = $srv->client;
	my @others = map { $srv->connect } 1 .. 3;
	$_->put("mn\r\n"), $_->line for @others;

	my $reply = raw($c, 'conns');
	well_formed($reply, 'stats conns');
	my (%conn, %order);
	for ($reply =~ /^(STAT .*?)\r$/mg) {
		my ($fd, $name, $value) = /^STAT (\d+):(\w+) (\S+)$/ or next;
		$conn{$fd}{$name} = $value;
		push @{ $order{$fd} }, $name;
	}
	my @listening = grep { $_->{state} eq 'conn_listening' } values %conn;
	is(scalar @listening, 1, 'one listens');
	is($listening[0]{addr}, 'tcp:127.0.0.1:' . $srv->port, 'and where');
	my %by_addr = map { $conn{$_}{addr} => $_ } keys %conn;
	for my $client ($c, @others) {
		my $addr = 'tcp:127.0.0.1:' . $client->socket_handle->sockport;
		my $fd = $by_addr{$addr};
		ok(defined $fd, "the connection of $addr is there") or next;
		is($conn{$fd}{listen_addr}, 'tcp:127.0.0.1:' . $srv->port,
		    'with the address it came to');
		like($conn{$fd}{state}, qr/^conn_[a-z_]+$/, 'its state');
		cmp_ok($conn{$fd}{secs_since_last_cmd}, '<=', LONG,
		    'and its idle time');
		my @known = grep { /^(?:addr|listen_addr|state|secs.*)$/ }
		    @{ $order{$fd} };
		is("@known", 'addr listen_addr state secs_since_last_cmd',
		    "in memcached's order");
	}
	is(scalar keys %conn, 5, 'and no others');

	my $gone = 'tcp:127.0.0.1:' . $others[0]->socket_handle->sockport;
	$others[0]->close;
	ok(soon(sub { raw($c, 'conns') !~ /\Q$gone\E\r/ }),
	    'a closed connection is not listed');

	SKIP: {
		skip 'no clock to move', 2 unless $srv->can_advance;
		$srv->advance(500);
		$reply = raw($c, 'conns');
		my %addr = reverse $reply =~ /^STAT (\d+):addr (\S+)\r$/mg;
		my %secs = $reply =~
		    /^STAT (\d+):secs_since_last_cmd (\d+)\r$/mg;
		my $idle = $secs{$addr{'tcp:127.0.0.1:' .
		    $others[1]->socket_handle->sockport}};
		my $busy = $secs{$addr{'tcp:127.0.0.1:' .
		    $c->socket_handle->sockport}};
		cmp_ok($idle, '>=', 500, 'secs_since_last_cmd of an idle one');
		cmp_ok($busy, '<=', LONG, 'and of the one that asks');
	}
}

{
	my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
	my $srv = Leasecached->start(-unix => "$dir/s");
	my $reply = raw($srv->client, 'conns');

	like($reply, qr/^STAT \d+:addr unix:\Q$dir\E\/s\r$/m,
	    'stats conns names a Unix socket');
	like($reply, qr/^STAT \d+:listen_addr unix:\Q$dir\E\/s\r$/m,
	    'and by which one a client came');
	well_formed($reply, 'stats conns of a Unix socket') unless
	    Leasecached::is_reference;
}

# ---- stats detail -----------------------------------------------------------

sub
dump_of
{
	my ($c) = @_;
	my $reply = raw($c, 'detail dump');

	return join "\n", (sort $reply =~ /^(PREFIX .*?)\r$/mg),
	    $reply =~ /END\r\n\z/ ? 'END' : $reply;
}

{
	my $srv = Leasecached->start;
	my $c = $srv->client;
	my $commands = "set a:1 0 0 1\r\n1\r\nadd a:1 0 0 1\r\n1\r\n" .
	    "get a:1 a:2 x\r\ngets a:1\r\ndelete a:1\r\ndelete a:1\r\n" .
	    "set :z 0 0 1\r\n1\r\nset a: 0 0 1\r\n1\r\n" .
	    "set none 0 0 1\r\n1\r\nget none\r\nreplace r:q 0 0 1\r\n1\r\n" .
	    "cas c:q 0 0 1 1\r\n1\r\nset l:q 0 0 1 noreply\r\n1\r\n" .
	    "append l:q 0 0 1\r\n1\r\nincr l:q 1\r\nincr l:q:r 1\r\n" .
	    "touch l:q 0\r\ngat 0 l:q\r\nget a:b:c\r\n" .
	    "ms m:k 1\r\n1\r\nmg m:k v\r\nma m:k\r\nmd m:k\r\nmn\r\n";

	dialogue $c, 'stats detail: switching', <<'END';
> stats detail
< CLIENT_ERROR usage: stats detail on|off|dump
> stats detail ON
< CLIENT_ERROR usage: stats detail on|off|dump
> stats detail onward
< CLIENT_ERROR usage: stats detail on|off|dump
> stats detail dump
< END
> stats detail on
< OK
> stats detail on
< OK
> stats detail off
< OK
> stats detail off
< OK
END
	is($c->stats('settings')->{detail_enabled}, 'no', 'it is off');
	$c->put($commands);
	$c->until_line(qr/^MN$/);
	is(dump_of($c), 'END', 'off: nothing is counted');
	$c->ask("stats detail on\r\n", "OK\r\n", 'stats detail on');
	is($c->stats('settings')->{detail_enabled}, 'yes', 'it is on');
	$c->put($commands);
	$c->until_line(qr/^MN$/);
	my $counted = join "\n", 'PREFIX  get 0 hit 0 set 1 del 0',
	    'PREFIX a get 4 hit 2 set 3 del 2',
	    'PREFIX c get 0 hit 0 set 1 del 0',
	    'PREFIX l get 1 hit 1 set 2 del 0',
	    'PREFIX r get 0 hit 0 set 1 del 0', 'END';
	# gat counts as a get.
	is(dump_of($c), $counted, 'on: by prefix, meta commands left out');
	$c->ask("stats detail off\r\n", "OK\r\n", 'stats detail off');
	$c->put($commands);
	$c->until_line(qr/^MN$/);
	is(dump_of($c), $counted, 'off again: what was counted is kept');
	is(raw($c, 'reset'), "RESET\r\n", 'stats reset');
	is(dump_of($c), 'END', 'forgets the prefixes');
}

{
	my $srv = Leasecached->start('-D', '/');
	my $c = $srv->client;
	$c->put("set a/b/c 0 0 1\r\n1\r\nset a:b 0 0 1\r\n1\r\n" .
	    "get a/x /y\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	is(dump_of($c), "PREFIX  get 1 hit 0 set 0 del 0\n" .
	    "PREFIX a get 1 hit 0 set 1 del 0\nEND",
	    '-D: another delimiter, and on from the start');
	# More prefixes than anybody has.
	$c->put(join '', map { "set p$_/k 0 0 1 noreply\r\n1\r\n" } 1 .. 900);
	my @prefixes = dump_of($c) =~ /^PREFIX (p\d+) get 0 hit 0 set 1 del 0/mg;
	is(scalar @prefixes, 900, '900 prefixes');
}

{
	my $srv = Leasecached->start('-X');
	dialogue $srv, '-X: no dumps', <<'END';
> stats cachedump 1 0
< CLIENT_ERROR stats cachedump not allowed
> stats sizes
< STAT sizes_status disabled
< END
END
	newer $srv, '-X: no detail either', <<'END';
> stats detail on
< CLIENT_ERROR stats detail not allowed
> stats detail dump
< CLIENT_ERROR stats detail not allowed
> stats detail
< CLIENT_ERROR stats detail not allowed
END
}

# ---- stats cachedump --------------------------------------------------------

{
	# memcached lists one of its queues, with this option the only one.
	my $srv = Leasecached->start('-o', 'no_lru_maintainer');
	my $c = $srv->client;
	my $now = $c->stats->{time};

	dialogue $c, 'stats cachedump: errors', <<'END';
> stats cachedump
< CLIENT_ERROR bad command line
> stats cachedump 1
< CLIENT_ERROR bad command line
> stats cachedump x 1
< CLIENT_ERROR bad command line format
> stats cachedump 1 x
< CLIENT_ERROR bad command line format
> stats cachedump -1 1
< CLIENT_ERROR bad command line format
> stats cachedump 64 0
< CLIENT_ERROR Illegal slab id
> stats cachedump 1000 0
< CLIENT_ERROR Illegal slab id
> stats cachedump 0 0
< END
> stats cachedump 1 0
< END
> stats cachedump 63 100
< END
END
	$c->put("set forever 0 0 3\r\nabc\r\nset hour 0 3600 0\r\n\r\n" .
	    "set big 9 0 700\r\n" . 'b' x 700 . "\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	my @lines = sort split /\r\n/, raw($c, 'cachedump 1 0');
	is($lines[0], 'END', 'stats cachedump ends with END');
	like($lines[1], qr/^ITEM forever \[3 b; 0 s\]$/,
	    'an item without expiry: 0 s');
	like($lines[2], qr/^ITEM hour \[0 b; \d+ s\]$/, 'an item with one');
	my ($at) = ($lines[2] // '') =~ /; (\d+) s/;
	cmp_ok(abs(($at // 0) - $now - 3600), '<=', LONG,
	    'as unix time');
	is(scalar @lines, 3, 'and no others');
	is(raw($c, 'cachedump 10 0'), "END\r\n", 'nothing in class 10');
	is(raw($c, 'cachedump 11 0'), "ITEM big [700 b; 0 s]\r\nEND\r\n",
	    'the larger one is in class 11');
	store($c, "many$_", 3) for 1 .. 300;
	my @limited = raw($c, 'cachedump 1 100') =~ /^ITEM /mg;
	is(scalar @limited, 100, 'limit 100: so many');
	@limited = raw($c, 'cachedump 1 1') =~ /^ITEM /mg;
	is(scalar @limited, 1, 'limit 1');
	my %all = map { $_ => 1 } raw($c, 'cachedump 1 0') =~ /^ITEM (\S+)/mg;
	is(scalar keys %all, 302, 'limit 0: all');
}

# ---- stats reset ------------------------------------------------------------

{
	my $srv = Leasecached->start('-D', ':');
	my $c = $srv->client;
	my @kept = qw(pid version libevent pointer_size max_connections
	    curr_connections limit_maxbytes accepting_conns threads bytes
	    curr_items hash_bytes hash_power_level);

	my @others = map { $srv->connect } 1 .. 3;
	$_->put("mn\r\n"), $_->line for @others;
	store($c, "a:$_", 100) for 1 .. 20;
	$c->put("get a:1 a:2 none\r\ndelete a:3\r\ndelete a:3\r\n" .
	    "incr a:1 1\r\nset n 0 0 1\r\n1\r\nincr n 1\r\nincr x 1\r\n" .
	    "decr n 1\r\ndecr x 1\r\ntouch n 0\r\ntouch x 0\r\n" .
	    "cas n 0 0 1 1\r\n1\r\ncas x 0 0 1 1\r\n1\r\nme n\r\n" .
	    "set big 0 0 2000000\r\n" . 'b' x 2_000_000 . "\r\n" .
	    "flush_all 10000\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	my $before = $c->stats;
	my @not_yet = grep { !$before->{$_} } qw(cmd_get cmd_set cmd_flush
	    cmd_touch get_hits get_misses delete_misses delete_hits
	    incr_misses incr_hits decr_misses decr_hits cas_misses cas_badval
	    touch_hits touch_misses store_too_large total_items bytes_read
	    bytes_written total_connections);
	is("@not_yet", '', 'before stats reset something is counted');

	is(raw($c, 'reset'), "RESET\r\n", 'stats reset');
	my $after = $c->stats;
	my @left = grep { $after->{$_} != 0 } @COUNTED, qw(total_connections
	    rejected_connections evictions reclaimed expired_unfetched
	    evicted_unfetched crawler_reclaimed conn_yields
	    listen_disabled_num time_in_listen_disabled_us);
	is("@left", '', 'counters are 0');
	is(join(' ', map { $after->{$_} } @kept),
	    join(' ', map { $before->{$_} } @kept), "kept: @kept");
	cmp_ok($after->{uptime}, '>=', $before->{uptime}, 'uptime is kept');
	is($after->{bytes_read}, length "stats\r\n",
	    'bytes_read counts from here');
	is($after->{bytes_written}, length "RESET\r\n",
	    'bytes_written counts from here');
	is(dump_of($c), 'END', 'prefixes are forgotten');
	my $slabs = by_class($c, 'slabs');
	is(sum0(map { @$_{qw(get_hits cmd_set delete_hits incr_hits
	    decr_hits cas_hits cas_badval touch_hits)} } values %$slabs), 0,
	    'the counters of classes are 0');
	is(sum0(map { $_->{used_chunks} } values %$slabs),
	    $before->{curr_items}, 'but their items are there');
	is(sum0(map { $_->{number} } values %{ by_class($c, 'items') }),
	    $before->{curr_items}, 'in stats items, too');

	$c->put("get a:1 none\r\nmn\r\n");
	$c->until_line(qr/^MN$/);
	is(growth($after, $c->stats, @COUNTED),
	    'cmd_get+2 get_hits+1 get_misses+1', 'and counting goes on');
}

# ---- words ------------------------------------------------------------------

{
	my $srv = Leasecached->start;
	my $c = $srv->client;

	store($c, 'k', 1);
	$c->put("get k\r\n"), $c->until_line(qr/^END$/);
	for my $word (qw(foo malloc noreply SETTINGS Settings settingsx slab
	    slabsx item itemsx size sizesx conn connsx Reset resetx
	    detailx cachedumpx extstorex proxy aggregate topkeys 1)) {
		next if Leasecached::is_reference && $word !~
		    /^(?:foo|malloc|noreply|SETTINGS|Settings|Reset|1)$/;
		$c->ask("stats $word\r\n", "ERROR\r\n", "stats $word: ERROR");
	}
	# memcached takes these for the word they begin.
	for my $word (qw(s se setting r re rese d detai c cachedum i ite si
	    sl e extstor)) {
		next if Leasecached::is_reference;
		$c->ask("stats $word\r\n", "ERROR\r\n",
		    "stats $word: an abbreviation is none of our words");
	}
	is($c->stats->{get_hits}, 1, 'none of these reset anything');
	$c->ask("stats extstore\r\n", "END\r\n", 'stats extstore');
	$c->ask("STATS\r\n", "ERROR\r\n", 'STATS');
	$c->ask("statsx\r\n", "ERROR\r\n", 'statsx');
	$c->ask("stat\r\n", "ERROR\r\n", 'stat');

	for my $form ('stats  settings', 'stats settings ',
	    'stats   settings   ') {
		$c->put("$form\r\n");
		my $got = join '', map { "$_\r\n" } $c->until_line(qr/^END$/);
		is_deeply(names($got), names(raw($c, 'settings')),
		    "'$form' is stats settings");
	}
	my $was = $c->stats->{cmd_get};
	$c->put("get k\r\nstats reset \r\n");
	$c->until_line(qr/^RESET$/);
	is($c->stats->{cmd_get}, 0, "'stats reset ' resets");

	SKIP: {
		skip 'ours alone', 2 if Leasecached::is_reference;
		my $reply = raw($c, 'server');
		well_formed($reply, 'stats server');
		my @both = grep { exists pairs(raw($c))->{$_} }
		    @{ names($reply) };
		is("@both", '', 'stats server repeats nothing of stats');
	}
}

# ---- in a stream ------------------------------------------------------------

{
	my $srv = Leasecached->start;
	my $c = $srv->client;
	my $names = names(raw($c));

	# Behind one another in one packet, with other commands between them.
	$c->put("stats\r\nget none\r\nstats settings\r\nstats items\r\n" x 40 .
	    "mn\r\n");
	my $all = join '', map { "$_\r\n" } $c->until_line(qr/^MN$/);
	my @whole = $all =~ /^STAT pid /mg;
	is(scalar @whole, 40, '40 times stats in one packet');
	my @ends = $all =~ /^END\r$/mg;
	is(scalar @ends, 160, 'and all that came between');
	my @numbers = $all =~ /^STAT get_misses (\d+)\r$/mg;
	is_deeply(\@numbers, [0 .. 39], 'each sees what came before it');

	# Byte by byte.
	for my $word ('', ' settings', ' reset') {
		$c->put($_), sleep 0.001 for split //, "stats$word\r\n";
		my @lines = $c->until_line($word eq ' reset' ? qr/^RESET$/ :
		    qr/^END$/);
		cmp_ok(scalar @lines, '>=', 1, "stats$word byte by byte");
	}
	ok($c->silent, 'and nothing more');

	# A reader that reads nothing for a while gets it all in the end.
	my $slow = $srv->connect(rcvbuf => 4096);
	$slow->put("stats\r\n" x 400 . "mn\r\n");
	my @got = grep { /^STAT pid / } $slow->until_line(qr/^MN$/);
	is(scalar @got, 400, '400 times, for a reader with a small window');
}

done_testing;
