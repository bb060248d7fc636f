#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 85-perl-fast.t - Cache::Memcached::Fast.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();
use POSIX ();

needs_perl('Cache::Memcached::Fast', 'libcache-memcached-fast-perl');

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start } 1 .. 3;
my $srv = $servers[0];
my $c = $srv->client;

sub
fast
{
	my (%how) = @_;

	return Cache::Memcached::Fast->new({
		servers => ['127.0.0.1:' . $srv->port],
		connect_timeout => 60, io_timeout => 60, %how,
	});
}

# A value of any bytes, always the same.
sub
noise
{
	my ($n, $seed) = @_;
	my ($x, $bytes) = (($seed // 1) * 2654435761 % 4294967296, '');

	while (length $bytes < $n) {
		$x = ($x * 1103515245 + 12345) % 2147483648;
		$bytes .= pack 'N', $x ^ $x << 9;
	}
	return substr $bytes, 0, $n;
}

my $m = fast();

# ---- one key ----------------------------------------------------------------

is($m->get('none'), undef, 'get of a missing key');
ok($m->set('k', 'value'), 'set');
is($m->get('k'), 'value', 'get');
ok($m->set('k', ''), 'set of nothing');
is($m->get('k'), '', 'get of nothing is not a miss');
is($m->add('k', 'x'), '', 'add of a key that is there');
ok($m->add('fresh', 'x'), 'add of a new one');
ok($m->replace('fresh', 'y'), 'replace');
is($m->replace('none', 'y'), '', 'replace of a missing key');
ok($m->append('fresh', '>'), 'append');
ok($m->prepend('fresh', '<'), 'prepend');
is($m->get('fresh'), '<y>', 'and their result');
is($m->append('none', 'y'), '', 'append to a missing key');
is($m->prepend('none', 'y'), '', 'prepend to a missing key');
ok($m->delete('fresh'), 'delete');
is($m->delete('fresh'), '', 'delete again');
is($m->get('fresh'), undef, 'it is gone');

$m->set('n', 10);
is($m->incr('n'), 11, 'incr');
is($m->incr('n', 9), 20, 'incr by 9');
is($m->decr('n', 11), 9, 'decr');
is($m->decr('n', 100), '0E0', 'decr stops at 0, which is true');
is($m->incr('none'), '', 'incr of a missing key');
is($m->decr('none'), '', 'decr of a missing key');
$m->set('n', '18446744073709551615');
is($m->incr('n'), '0E0', 'incr wraps at 2**64');
$m->set('n', 'text');
is($m->incr('n'), undef, 'incr of a text is an error');
is($m->get('n'), 'text', 'and leaves it');

# ---- many keys --------------------------------------------------------------

my %pairs = map { ("many$_" => "value $_") } 1 .. 1000;
my $set = $m->set_multi(map { [$_ => $pairs{$_}] } keys %pairs);
is(scalar(grep { $_ } values %$set), 1000, 'set_multi of 1000');
is_deeply($m->get_multi(keys %pairs), \%pairs, 'get_multi of 1000');
is_deeply($m->get_multi('many1', 'none', 'many2'),
    { many1 => 'value 1', many2 => 'value 2' }, 'get_multi, one missing');
is_deeply([$m->add_multi(['many1', 'x'], ['new1', 'x'])], ['', 1],
    'add_multi tells which');
is_deeply([$m->replace_multi(['new1', 'y'], ['none', 'y'])], [1, ''],
    'replace_multi');
is_deeply([$m->append_multi(['new1', '>'], ['none', '>'])], [1, ''],
    'append_multi');
is_deeply([$m->prepend_multi(['new1', '<'], ['none', '<'])], [1, ''],
    'prepend_multi');
is($m->get('new1'), '<y>', 'and their result');
$m->set_multi(['i1', 1], ['i2', 2]);
is_deeply([$m->incr_multi(['i1', 10], ['i2'], ['none'])], [11, 3, ''],
    'incr_multi');
is_deeply([$m->decr_multi(['i1'], ['i2', 2], ['none', 1])], [10, 1, ''],
    'decr_multi');
is_deeply([$m->touch_multi(['i1', 100], ['none', 100])], [1, ''],
    'touch_multi');
is_deeply([$m->delete_multi('i1', 'none', 'i2')], [1, '', 1],
    'delete_multi');
$m->delete_multi(keys %pairs);
is_deeply($m->get_multi(keys %pairs), {}, 'all are gone');

# ---- cas --------------------------------------------------------------------

{
	my $other = fast();

	$m->set('cas', 1);
	my $found = $m->gets('cas');
	is($found->[1], 1, 'gets');
	ok($m->cas('cas', $found->[0], 2), 'cas with the right number');
	is($m->cas('cas', $found->[0], 3), '', 'cas with an old one');
	is($m->get('cas'), 2, 'has not stored');
	is($m->cas('none', 1, 3), '', 'cas of a missing key');
	$found = $m->gets('cas');
	$other->set('cas', 'other');
	is($m->cas('cas', @$found), '', 'cas after somebody else');
	$found = $m->gats(100, 'cas');
	is($found->[1], 'other', 'gats');
	ok($m->cas('cas', $found->[0], 'mine'), 'cas with its number');
	$m->set_multi(map { ["c$_", $_] } 1 .. 5);
	my $all = $m->gets_multi('none', map { "c$_" } 1 .. 5);
	is(join(' ', sort keys %$all), 'c1 c2 c3 c4 c5', 'gets_multi');
	$m->set('c3', 'other');
	my @result = $m->cas_multi(map { ["c$_", $all->{"c$_"}[0], "new $_"] }
	    1 .. 5);
	is_deeply(\@result, [1, 1, '', 1, 1], 'cas_multi tells which');
	is($m->get('c3'), 'other', 'and leaves that one');
	is($m->gets('none'), undef, 'gets of a missing key');
}

# ---- values and limits ------------------------------------------------------

for (['every byte', join '', map { chr } 0 .. 255],
    ['zeros', "\0" x 5000],
    ['what looks like a reply', "x\r\nEND\r\nVALUE k 0 1\r\ny\r\n"],
    ['100,000 bytes', noise(100_000)],
    ['1,000,000 bytes', noise(1_000_000)]) {
	my ($name, $value) = @$_;
	ok($m->set('bytes', $value), "$name: set");
	ok($m->get('bytes') eq $value, "$name: get");
	ok($m->get_multi('none', 'bytes')->{bytes} eq $value,
	    "$name: get_multi");
}
$m->set('object', { list => [1, [2]], text => 'x' });
is_deeply($m->get('object'), { list => [1, [2]], text => 'x' }, 'an object');
SKIP: {
	skip 'no Compress::Zlib', 2 unless eval { require Compress::Zlib };
	my $z = fast(compress_threshold => 1000);
	my $text = 'compressible ' x 10_000;
	$z->set('packed', $text);
	$c->put("mg packed s\r\n");
	my ($size) = $c->line =~ / s(\d+)/;
	cmp_ok($size, '<', 10_000, 'a compressed value is small');
	is($z->get('packed'), $text, 'and comes back whole');
}
{
	my $u = fast(utf8 => 1);
	my $text = "\x{444}\x{443}\x{442} \x{9375}";
	ok($u->set("\x{43a}\x{43b}\x{44e}\x{447}", $text), 'utf8: set');
	is($u->get("\x{43a}\x{43b}\x{44e}\x{447}"), $text, 'utf8: get');
	is_deeply($u->get_multi("\x{43a}\x{43b}\x{44e}\x{447}"),
	    { "\x{43a}\x{43b}\x{44e}\x{447}" => $text }, 'utf8: get_multi');
}
{
	my $n = fast(namespace => 'name:');
	$n->set('k', 'in a namespace');
	is($m->get('name:k'), 'in a namespace', 'namespace: set');
	is_deeply($n->get_multi('k', 'none'), { k => 'in a namespace' },
	    'namespace: get_multi');
}
{
	my $big = fast(max_size => 8 << 20, close_on_error => 0);
	my $most = 1048576 - 48 - 8 - length('limit') - 1 - 2;
	my $value = noise($most);
	ok($big->set('limit', $value), 'the longest value');
	ok($big->get('limit') eq $value, 'read again');
	ok(!$big->set('limit', "${value}x"), 'a byte more');
	is($big->get('limit'), undef, 'took the old value with it');
	ok($big->set('limit', 'new'), 'and one goes on');
	ok(!$big->replace('limit', "${value}x"), 'replace by too much');
	is($big->get('limit'), 'new', 'keeps the old value');
	# What it returns here is wrong, with any server.
	my $result = $big->set_multi(['a', 1], ['limit', "${value}x"],
	    ['b', 2]);
	is_deeply($big->get_multi(qw(a b limit)), { a => 1, b => 2 },
	    'set_multi: a value in the middle is too large');
	ok($big->set('k' x 250, 'x'), 'a key of 250 bytes');
	is($big->get('k' x 250), 'x', 'read again');
}

# ---- expiry -----------------------------------------------------------------

is($m->touch('none', 10), '', 'touch of a missing key');
$m->set('t', 1);
ok($m->touch('t', 100), 'touch');
is($m->gat(100, 't'), 1, 'gat');
is($m->gat(100, 'none'), undef, 'gat of a missing key');
is_deeply($m->gat_multi(100, 't', 'none'), { t => 1 }, 'gat_multi');
is_deeply([keys %{ $m->gats_multi(100, 't', 'none') }], ['t'], 'gats_multi');
$m->set('t', 1, -1);
is($m->get('t'), undef, 'set with a negative time');
$m->set('t', 1, time - 10);
is($m->get('t'), undef, 'set with a time that has passed');
SKIP: {
	skip 'no clock to move', 5 unless $srv->can_advance;
	my $now = $c->stats->{time};
	my @keys = qw(date ever gat month ten touched);
	my $left = sub { join ' ', sort keys %{ $m->get_multi(@keys) } };

	$m->set('ten', 1, 10);
	$m->set('month', 1, 2592000);
	$m->set('date', 1, $now + 2592100);
	$m->set('touched', 1, 10);
	$m->touch('touched', 100);
	$m->set('gat', 1, 10);
	$m->gat(100, 'gat');
	$m->set('ever', 1);
	is($left->(), "@keys", 'nothing has expired');
	$srv->advance(11);
	is($left->(), 'date ever gat month touched', 'after 11 seconds');
	$srv->advance(100);
	is($left->(), 'date ever month', 'after 111');
	$srv->advance(2591950);
	is($left->(), 'date ever', 'after a month');
	$srv->advance(100);
	is($left->(), 'ever', 'after the date');
}

# ---- without answers --------------------------------------------------------

# In void context no answer is waited for: as noreply, or read later.
for my $nowait (0, 1) {
	my $q = fast(nowait => $nowait);
	my $name = "nowait $nowait";

	for my $i (0 .. 299) {
		$q->set('quiet' . $i % 30, $i);
	}
	$q->delete('quiet0');
	$q->delete('quiet0');
	$q->add('quiet1', 'x');
	$q->add('quiet0', 'new');
	$q->replace('nothing', 'x');
	$q->append('nothing', 'x');
	$q->incr('quiet2', 1000);
	$q->incr('nothing');
	$q->touch('quiet3', 1000);
	$q->set('huge', 'x' x 1_050_000);
	$q->nowait_push;
	is_deeply($q->get_multi(map { "quiet$_" } 0 .. 29), { map {
		("quiet$_" => $_ == 0 ? 'new' : 270 + $_ +
		    ($_ == 2 ? 1000 : 0))
	} 0 .. 29 }, "$name: all requests in order, and in step");
	is($q->get('huge'), undef, "$name: too large");
	$q->set_multi(map { ["row$_", $_] } 1 .. 500);
	$q->nowait_push;
	is(scalar keys %{ $q->get_multi(map { "row$_" } 1 .. 500) }, 500,
	    "$name: set_multi");
	$q->delete_multi(map { "row$_" } 1 .. 500);
	is_deeply($q->get_multi(map { "row$_" } 1 .. 500), {},
	    "$name: delete_multi");
	$q->flush_all;
	is($q->get('quiet0'), undef, "$name: flush_all");
}

# ---- servers ----------------------------------------------------------------

{
	my $versions = $m->server_versions;
	my ($version) = values %$versions;
	like($version, qr/^1\.6\.\d+$/, 'server_versions');

	my $unix = Leasecached->start(-unix => "$dir/socket");
	my $u = Cache::Memcached::Fast->new({ servers => ["$dir/socket"],
	    io_timeout => 60 });
	ok($u->set('k', noise(300_000)), 'set through a Unix socket');
	ok($u->get('k') eq noise(300_000), 'and get');
}
for my $points (0, 150) {
	my %how = (servers => [map { '127.0.0.1:' . $_->port } @servers],
	    ketama_points => $points);
	my $ring = fast(%how);
	my $name = $points ? 'ketama' : 'modulo';

	$ring->flush_all;
	my @set = $ring->set_multi(map { ["ring$_", $_] } 1 .. 600);
	is(scalar(grep { $_ } @set), 600, "$name: set_multi, three servers");
	my %all = map { ("ring$_" => $_) } 1 .. 600;
	is_deeply($ring->get_multi(keys %all), \%all, "$name: get_multi");
	my $again = fast(%how);
	is(scalar(grep { $again->get("ring$_") == $_ } 1 .. 600), 600,
	    "$name: found by another client");
	my @hits;
	for my $s (@servers) {
		my $one = fast(servers => ['127.0.0.1:' . $s->port]);
		push @hits, scalar keys %{ $one->get_multi(keys %all) };
	}
	cmp_ok((sort { $a <=> $b } @hits)[0], '>', 60,
	    "$name: each server has its share");
	is($hits[0] + $hits[1] + $hits[2], 600,
	    "$name: each key is on one");
	is(scalar keys %{ $ring->server_versions }, 3, "$name: versions");
	my $flushed = $ring->flush_all;
	is(scalar(grep { $_ } values %$flushed), 3, "$name: flush_all");
	is_deeply($ring->get_multi(keys %all), {}, "$name: all are gone");
}

# One of three goes: its keys are missed, the others found.
{
	my @three = map { Leasecached->start } 1 .. 3;
	my $ring = fast(servers => [map { '127.0.0.1:' . $_->port } @three],
	    ketama_points => 150, max_failures => 1, failure_timeout => 60);
	my @keys = map { "key$_" } 1 .. 300;

	$ring->set_multi(map { [$_, $_] } @keys);
	my $gone = pop @three;
	$gone->stop;
	my $found = $ring->get_multi(@keys);
	my $n = keys %$found;
	cmp_ok($n, '>', 100, 'a server has gone: the keys of the others');
	cmp_ok($n, '<', 300, 'are found, but not its own');
	is(scalar(grep { $found->{$_} ne $_ } keys %$found), 0,
	    'each with its value');
}

# ---- eight at once ----------------------------------------------------------

{
	$m->set_multi(['counter', 0], ['guarded', 0]);
	my @children;
	for my $number (1 .. 8) {
		my $pid = fork;
		if ($pid == 0) {
			my $mine = fast();
			my $wrong = 0;
			for my $i (1 .. 150) {
				my $key = "p$number-" . $i % 10;
				my $value = noise(10 + 13 * $i,
				    $number * 1000 + $i);
				$mine->set($key, $value) or $wrong++;
				my $got = $mine->get($key) // '';
				$wrong++ if $got ne $value;
				$mine->incr('counter');
			}
			for (my $i = 0; $i < 40; ) {
				my $found = $mine->gets('guarded');
				$i++ if $mine->cas('guarded', $found->[0],
				    $found->[1] + 1);
			}
			POSIX::_exit($wrong ? 1 : 0);
		}
		push @children, $pid;
	}
	my $good = 0;
	for my $pid (@children) {
		waitpid $pid, 0;
		$good++ if $? == 0;
	}
	is($good, 8, '8 processes, each sees its own');
	is($m->get('counter'), 1200, 'and all together counted right');
	is($m->get('guarded'), 320, 'cas on one key loses no update');
}

done_testing;
