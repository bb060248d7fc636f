#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 30-lease-options.t - options of leases, versions and tags.
#
# What they do has tests of its own; here is which values are good, and that
# each that is not stops the start with one line.

use Leasecached;
use Leasecached::Proc qw(as_user run);

plan skip_all => 'memcached has no such options'
    if $ENV{LEASECACHED_REFERENCE};

my $help = (run('-h'))[1];
my $is_debug = $help =~ /^  debug_fault=/m;

my @numbers = (
	# word                 least    most       out of range, besides
	['clock_slots',        1 << 16, 1 << 24,   65537, 131071],
	['tag_slots',          1 << 16, 1 << 24,   65537, 131071],
	['shards',             2,       256,       3, 255],
	['tombstones',         1024,    1 << 24],
	['tombstone_ttl',      1,       2592000],
	['tombstone_max',      1,       2592000],
	['lease_default',      1,       3600000],
	['lease_max',          1,       3600000],
	['token_max',          1,       86400],
	['leases',             1,       2147483647],
	['waiters',            0,       2147483647],
	['waiters_per_key',    0,       2147483647],
	['waiters_per_address', 0,      2147483647],
);
my @others = qw(coalesce lax_sets visible_stubs tag_prefix tag_key_prefix);

# ---- help -------------------------------------------------------------------

like($help, qr/^  \Q$_\E\b/m, "-h names $_")
    for map { ref ? $_->[0] : $_ } @numbers, @others;
like($help, qr/mode\[lease\]:/, '-h names the modes of -l');
is(scalar(grep { length > 80 } split /\n/, $help), 0, '-h fits 80 columns');

# ---- bad values -------------------------------------------------------------

# The start ends with this status and, on standard error, this line.
sub
ends
{
	my ($status, $line, @options) = @_;
	my ($how, $out, $err) = run(as_user(), '-p', 0, @options);

	is("$how: $err$out", "exit $status: leasecached: $line\n",
	    "@options: $line");
}

for (@numbers) {
	my ($word, $least, $most, @besides) = @$_;
	my $kind = @besides ? 'a power of two' : 'a number';

	ends(1, "option -o $word needs $kind from $least to $most, not '$_'",
	    '-o', "$word=$_")
	    for $least - 1, $most + 1, @besides, '', 'x', "${least}x",
	    '18446744073709551616';
}

my @bad = (
	['lease_default=60001',
		'option -o lease_default is more than lease_max, 60000'],
	['lease_default=600,lease_max=500',
		'option -o lease_default is more than lease_max, 500'],
	['tombstone_ttl=3601',
		'option -o tombstone_ttl is more than tombstone_max, 3600'],
	['token_max=59',
		'option -o token_max: 59 s are less than lease_max, 60000 ms'],
	['lax_sets=yes', 'option -o lax_sets takes no value'],
	['visible_stubs=0', 'option -o visible_stubs takes no value'],
	['tag_prefix=ab',
		"option -o tag_prefix needs one character, not 'ab'"],
	['tag_prefix= ', 'option -o tag_prefix needs a character that can be '
		. 'in a key'],
	['tag_key_prefix=', 'option -o tag_key_prefix needs 1 to 64 bytes '
		. 'that can be in a key'],
	['tag_key_prefix=a b', 'option -o tag_key_prefix needs 1 to 64 bytes '
		. 'that can be in a key'],
	['tag_key_prefix=' . 'x' x 65, 'option -o tag_key_prefix needs 1 to '
		. '64 bytes that can be in a key'],
	['coalesce=', 'option -o coalesce needs 1 to 250 bytes that can be in '
		. 'a key'],
	['coalesce=' . 'x' x 251, 'option -o coalesce needs 1 to 250 bytes '
		. 'that can be in a key'],
	['coalesce=a,wait=-1', 'option -o coalesce: wait needs a number from '
		. "0 to 2147483647, not '-1'"],
	['coalesce=a,lease=0', 'option -o coalesce: lease needs a number from '
		. "1 to 3600000, not '0'"],
	['coalesce=a,lease=60001', 'option -o coalesce=a: lease=60001 is more '
		. 'than lease_max, 60000'],
	['coalesce=a,stale=x', 'option -o coalesce: stale needs a number from '
		. "0 to 2592000, not 'x'"],
	['coalesce=a,guard=1', 'option -o coalesce: guard takes no value'],
	['coalesce=a,coalesce=b,coalesce=a', 'option -o coalesce=a: there are '
		. 'two rules for this prefix'],
	['coalesce=*,coalesce=*', 'option -o coalesce=*: there are two rules '
		. 'for this prefix'],
	$is_debug ? ['debug_fault=x',
		"option -o debug_fault: there is no fault 'x'"] : (),
);
ends(1, $_->[1], '-o', $_->[0]) for @bad;

# The words that memcached's own parser complains about have its lines.
my @words = (
	['coalesce', 'Missing coalesce argument'],
	['tag_prefix', 'Missing tag_prefix argument'],
	['tag_key_prefix', 'Missing tag_key_prefix argument'],
	['leases', 'Missing leases argument'],
	['wait=5', 'Illegal suboption "wait=5"'],
	['guard,coalesce=a', 'Illegal suboption "guard"'],
	['coalesce=a,waits=5', 'Illegal suboption "waits=5"'],
	['no_lax_sets', 'Illegal suboption "no_lax_sets"'],
	$is_debug ? () : ['debug_fault=no_floor',
		'Illegal suboption "debug_fault=no_floor"'],
);
for (@words) {
	my ($word, $line) = @$_;
	my ($how, $out, $err) = run(as_user(), qw(-p 0 -o), $word);

	is("$how: $err$out", "exit 1: $line\n", "-o $word: $line");
}

my @modes = (
	[64, 'mode[fast]:127.0.0.1', "option -l has an unknown mode: 'fast' "
		. '-- should be one of plain, lease, or proxy'],
	[64, 'mode[]:127.0.0.1', "option -l has an unknown mode: '' "
		. '-- should be one of plain, lease, or proxy'],
	[64, 'mode[proxy,wait=5]:127.0.0.1',
		"option -l mode[proxy] does not take 'wait=5'"],
	[64, 'mode[plain,wait=5]:127.0.0.1',
		"option -l mode[plain] does not take 'wait=5'"],
	[64, 'mode[lease,waits=5]:127.0.0.1',
		"option -l mode[lease] does not take 'waits=5'"],
	[64, 'mode[lease,wait=2147483648]:127.0.0.1',
		'option -l mode[lease,wait=] needs a number from 0 to '
		. "2147483647, not '2147483648'"],
	[64, '127.0.0.1,mode[lease]127.0.0.1',
		"option -l needs ']:' behind a mode: 'mode[lease]127.0.0.1'"],
	[71, 'mode[lease]:',
		'option -l needs an address in front of the port'],
);
ends($_->[0], $_->[2], '-l', $_->[1]) for @modes;

# ---- good values ------------------------------------------------------------

sub
serves
{
	my (@options) = @_;
	my $srv = Leasecached->start(@options);
	my $c = $srv->connect;

	$c->ask("set here 0 0 1\r\n1\r\nget here\r\n",
	    "STORED\r\nVALUE here 0 1\r\n1\r\nEND\r\n", "@options");
	return $srv;
}

serves('-o', 'clock_slots=65536,tag_slots=65536,tombstones=1024,'
    . 'tombstone_ttl=1,tombstone_max=1,lease_max=1,lease_default=1,'
    . 'token_max=1,leases=1,waiters=0,waiters_per_key=0,'
    . 'waiters_per_address=0');
serves('-o', 'clock_slots=131072,tag_slots=131072,tombstones=5000,'
    . 'tombstone_ttl=2592000,tombstone_max=2592000,lease_max=3600000,'
    . 'lease_default=3600000,token_max=86400,waiters_per_key=2147483647,'
    . 'waiters_per_address=2147483647');
serves('-o', 'lax_sets,visible_stubs,tag_prefix=:,tag_key_prefix=~tag~');
serves('-o', 'coalesce=user:,wait=0,lease=60000,stale=2592000,guard,'
    . 'coalesce=user:a:,track_sizes,wait=2147483647,coalesce=page:',
    '-o', 'coalesce=*,lease=1');
serves('-l', 'mode[plain]:127.0.0.1,mode[lease,wait=500]:127.0.0.1:0,'
    . 'notls:mode[proxy]:127.0.0.1:0;mode[lease]:127.0.0.1:0');
serves('-o', "debug_fault=$_")
    for $is_debug ? qw(skip_f2 skip_f3 skip_f4 skip_f5 skip_hand_over
    dead_tag keep_tokens no_floor) : ();

# ---- stats settings ---------------------------------------------------------

{
	my $srv = serves('-o', 'waiters=7,coalesce=a,tag_prefix=:', '-l',
	    'mode[lease]:127.0.0.1');
	my $got = $srv->connect->stats('settings');
	my @ours = map { ref ? $_->[0] : $_ } @numbers, @others, 'debug_fault';

	is(join(' ', grep { exists $got->{$_} } @ours), '',
	    'stats settings has memcached\'s names only');
	is($got->{inter}, 'mode[lease]:127.0.0.1', '... and what -l said');
}

done_testing;
