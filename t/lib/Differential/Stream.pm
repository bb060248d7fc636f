# SPDX-License-Identifier: BSD-3-Clause
# Differential/Stream.pm - seeded random requests, valid and invalid.
#
# A stream is a list of batches; a batch is what is sent at once on one
# connection; it is a list of steps, with a barrier after each.  A step has
# requests on which both servers agree, or one request that a rule of the
# table of known differences is about.
#
# Two things are written symbolically, since they are known only when a
# request is sent: <<cas:KEY:ADD>>, the CAS number that this server last
# answered for KEY, and <<now:ADD>>, the time.
#
# Left out, because Debian's memcached 1.6.18 doesn't answer them reliably:
# - a meta flag that begins with a byte >= 0x80 (it indexes a table with it);
# - a delayed flush_all that isn't made immediate at once (it brings back what
#   an earlier flush_all had removed);
# - a get with an overlong key behind other requests: their answers get lost;
#   here it comes first;
# - incr, decr and ma of a key whose value is asked for earlier in the batch:
#   the item that is in use isn't padded then;
# - incr, decr and ma of white space alone: it looks for digits in what lies
#   behind the item in memory;
# - a '-' in a value: for numbers from 2^63 on it looks for one, too, and finds
#   it in what lies behind the item in memory;
# - lifetimes between 1 second and a day, which could end on one side first.
#
# And because what we do is not what memcached does (the rules have each of
# these):
# - N on a missing key, which makes an item there and is a lease here, but where
#   nothing else is asked of it;
# - md I, ms with C and I, and R that wins, but on keys that are for that: there
#   nothing is appended, the number of who has won is not asked for, and nobody
#   looks with u.

#	my $stream = Differential::Stream->new(known => $known);
#	my $batches = $stream->batches($seed, $n);
#
# With plain => 1 there are no requests that a rule is about.

package Differential::Stream;

use strict;
use warnings;

use Differential::Known;

my @KEYS = ('a' .. 'h', qw(key:1 key:2 Zm9v foo %41), "t\tab", "c\x01\x7f",
	"u\xc3\xa9\xff", 'L' x 250, 'M' x 249);
# For arithmetic: never empty.
my @NUMBER_KEYS = qw(n0 n1 n2 n3 n4);
# Touched by rules alone.
my @RULE_KEYS = qw(r0 r1 r2 r3 r4 r5);
# May be stale, or won.
my @STALE_KEYS = qw(w0 w1 w2 w3);

# As the meta commands write them with b: some are @KEYS, some can't be
# written otherwise.
my @BASE64_KEYS = qw(Zm9v YQ== Yg== bjA= AAEC/w== YSBi Cg== /////w==);
# Marked as binary by ms with b: not appended to, since 1.6.18 takes the mark
# away then.
my $MARKED = 'foo';
my %BASE64_OF = ('Zm9v' => 'foo', 'YQ==' => 'a', 'Yg==' => 'b',
	'bjA=' => 'n0');

my @NUMBERS = (0 .. 12, qw(99 100 101 255 999 1000 65535 65536 4294967295
	4294967296 9999999999 9223372036854775807 9223372036854775808
	18446744073709551614 18446744073709551615));
my @ALMOST_NUMBERS = ('abc', '+5', ' 12', '12 b', "1\t2", '1x2',
	'007', '1.5', '18446744073709551616', '99999999999999999999',
	'000000000000000000005', '5' . ' ' x 30, '0x10', "7\r\n", '+', "\t5",
	'1e3');

# A lifetime: never, already over, far away.
my @FOREVER = ('0') x 8;
my @FAR = ('100000', '200000', '2592000', '<<now:300000>>', '2147483647');
my @OVER = ('-1', '-2147483648', '2592001', '<<now:-1000>>', '4294967295',
	'2147483648');
my @WRAPPED = ('10000000000', '9223372036854775807', '00', '00720000');

sub
new
{
	my ($class, %is) = @_;
	my $self = bless { try_share => 0.03, %is, put_off => [] }, $class;
	my $version = $self->{version} = $self->{known}{version};
	my %since = (E => '1.6.27', x => '1.6.27', 'mg C' => '1.6.40',
		'ms s' => '1.6.20', 'append N' => '1.6.20',
		'strict lifetimes' => '1.6.40');

	$self->{has}{$_} = Differential::Known::at_least($version, $since{$_})
	    for keys %since;
	return $self;
}

sub pick { return $_[rand @_] }
sub chance { return rand() < $_[0] }

sub
word
{
	my ($n) = @_;

	return join '', map { chr(65 + rand 26) } 1 .. $n;
}

# ---- the stream -------------------------------------------------------------

# The batches of about `n` requests, the same for the same seed.
sub
batches
{
	my ($self, $seed, $n) = @_;
	my @batches;
	my $count = 0;

	srand $seed;
	$self->{turn} = $seed * 7;
	$self->{new_key} = 0;
	# What comes first decides which protocol a connection speaks.
	push @batches, { conn => 0, steps => [ step("flush_all\r\n") ] },
	    map { { conn => $_, steps => [ step("mn\r\n") ] } } 1, 2;
	while ($count < $n) {
		my $size = pick(1, 3, 10, 30, 100, 200, 300);
		my $batch = chance(0.02) ? _closing() :
		    chance(0.03) ? $self->_alone :
		    $self->_batch($size < $n - $count ? $size :
			$n - $count);
		for my $b ($batch, splice @{ $self->{put_off} }) {
			push @batches, $b;
			$count += @{ $_->{cmds} } for @{ $b->{steps} };
		}
	}
	push @batches, { conn => 0, steps => [
	    (map { step("mg $_ k v f s t c h\r\n") } @KEYS),
	    (map { step("mg $_ k v f s t c\r\n") } @NUMBER_KEYS,
		@RULE_KEYS),
	    map { step("mg $_ k v f s t\r\n") } @STALE_KEYS ] };
	return \@batches;
}

sub
step
{
	my (@requests) = @_;

	return { cmds => [ @requests ] };
}

sub
_batch
{
	my ($self, $size) = @_;
	my (@steps, @group);
	my $batch = { conn => int rand 3, steps => \@steps,
		split => pick(qw(whole whole pieces crumbs)) };
	my $known = $self->{known};
	my $finish = sub {
		push @steps, step(splice @group) if @group;
	};

	# CAS numbers learned from the batch before are the freshest now.
	push @group, map { $self->_cas_user } 1 .. rand 4;
	my $busy = '';
	for (1 .. $size) {
		my $is_try = !$self->{plain} && $known->rules &&
		    chance($self->{try_share});
		my $request = $is_try ? $self->_try : $self->request;
		my @rules = $known->rules_for($request);

		last if $request =~ /\A(?:incr|decr|ma) +([^ \r\n]+)/ &&
		    index($busy, ' ' . _plain($1, $request) . ' ') >= 0;
		$busy .= " $1 " if $request =~ /\Aga?ts? +(.*)\r\n\z/ ||
		    $request =~ /\A *gets? +(.*)\r\n\z/;
		$busy .= ' ' . _plain($1, $request) . ' '
		    if $request =~ /\A *mg +([^ \r\n]+)/;

		next if @rules && $self->{plain};
		if ($request =~ /^ga?ts? .*[^ ]{251}/m) {
			push @{ $self->{put_off} }, { conn => int rand 3,
				steps => [ $self->_steps($request) ] };
			next;
		}
		if (@rules) {
			$finish->();
			push @steps, $self->_steps($request);
			next;
		}
		die "a rule doesn't know its own try: " . $request if $is_try;
		push @group, decorated($request);
		$finish->() if @group > 12 || chance(0.2);
	}
	push @group, map { pick("gets $_\r\n", "mg $_ k c\r\n") }
	    map { pick(@KEYS[0 .. 7], @NUMBER_KEYS) } 1 .. rand 4;
	$finish->();
	return $batch;
}

# A request as a step of its own, and what is to follow it.
sub
_steps
{
	my ($self, $request) = @_;
	my $known = $self->{known};
	my @rules = $known->rules_for($request) or return step($request);
	my %after = map { $_ => 1 } grep { defined }
	    map { $known->afterwards($request, $_) } @rules;

	return ({ cmds => [ $request ], rules => \@rules },
	    %after ? step(sort keys %after) : ());
}

# The key of a meta request, decoded when it is a key of others, too.
sub
_plain
{
	my ($key, $request) = @_;

	return $request =~ / b(?: .*)?\r\n/ ? $BASE64_OF{$key} // $key : $key;
}

# What depends on whether there are answers that aren't sent yet.
sub
_alone
{
	my ($self) = @_;
	my @keys = map { key() } 1 .. rand 4;

	my $long = word(251 + rand 20);
	my @long = @keys;
	# memcached counts the keys before it, and marks them as fetched: so that
	# they are, here as there.
	my $at = $self->{plain} ? 0 : int rand(@keys + 1);
	splice @long, $at, 0, $long;
	push @{ $self->{put_off} }, { conn => int rand 3,
		steps => [ step("get @keys\r\n") ] } if $at > 0;
	return { conn => int rand 3, steps => [ $self->_steps(
	    pick("get @long", "gets @long", "gat 0 $long @keys",
		"gats 100000 $long @keys", 'watch foo') . "\r\n") ] };
}

# A request that ends its connection, on a connection of its own.
sub
_closing
{
	my $long = pick(2049, 2050, 5000);
	my $request = pick(
		"quit\r\n", "quit now\r\n", "version \r\nquit\r\nversion\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /x HTTP/1.0\r\n\r\n",
		"set quit 0 0 4\r\nquit\r\nget quit\r\nquit\r\n",
		'touch ' . 'x' x ($long - 6), 'x' x $long,
		'ms ' . 'k' x ($long - 3));

	# The version is told elsewhere; here it would need a rule.
	$request =~ s/version/mn/g;
	return { close => 1, conn => 0, steps => [ step($request) ] };
}

# More spaces than needed, or a bare line feed; of a line that doesn't depend
# on it.
sub
decorated
{
	my ($request) = @_;

	return $request unless chance(0.06);
	my ($line, $rest) = $request =~ /\A([^\n]*\n)(.*)\z/s
	    or return $request;
	return $request if $line =~ /\r\r\n/ || length $line < 6;
	if (chance(0.5)) {
		$line =~ s/(?<=[^ <]) (?=[^ ])/'  '/e
		    if $line !~ /<</;
	} elsif (chance(0.5)) {
		$line =~ s/\r\n/ \r\n/;
	} else {
		$line =~ s/\r\n/\n/;
	}
	return $line . $rest;
}

# A request of the table of known differences.
sub
_try
{
	my ($self) = @_;

	# In turn, so that each is tried.
	my @rules = $self->{known}->rules;
	my $rule = $rules[$self->{turn}++ % @rules];
	return $self->try_of($rule, pick(@{ $rule->{try} }));
}

sub
try_of
{
	my ($self, $rule, $text) = @_;
	my %is;

	return Differential::Known::expand($text, sub {
		my ($name) = @_;
		return $is{$name} //= $self->_blank($name, $rule);
	});
}

# What {name} stands for in a try; with a number behind it another one.
sub
_blank
{
	my ($self, $name, $rule) = @_;

	return pick(split /\|/, $1, -1) if $name =~ /^one of (.*)/;
	return ($1 x $2) if $name =~ /^(.)\*(\d+)$/;
	return int($1 + rand($2 + 1 - $1)) if $name =~ /^(\d+)\.\.(\d+)$/;
	$name =~ s/\d+\z//;
	return pick(@RULE_KEYS) if $name eq 'key';
	return 'new' . ++$self->{new_key} if $name eq 'new';
	return word(251 + rand 20) if $name eq 'long';
	return word(2 + rand 8) if $name eq 'word';
	die "$rule->{where}: what is {$name} of $rule->{id}?\n";
}

# ---- requests ---------------------------------------------------------------

my @MIX;
{
	my %share = (
		_store => 24, _cas_user => 5, _get => 18, _gat => 4,
		_touch => 4, _delete => 4, _arith => 10, _bad_chunk => 2,
		_mg => 14, _ms => 12, _md => 5, _ma => 8, _me => 2, _mn => 1,
		_meta_error => 3, _junk => 3, _admin => 2, _flush => 0.4,
		_other => 1, _dialogue => 1, _large => 0.02, _stale => 5,
	);
	for my $name (sort keys %share) {
		push @MIX, ($name) x ($share{$name} * 50);
	}
}

# One request, with its data block.
sub
request
{
	my ($self) = @_;
	my $method = pick(@MIX);

	return $self->$method;
}

sub
key
{
	return chance(0.25) ? pick(@NUMBER_KEYS) :
	    chance(0.8) ? pick(@KEYS[0 .. 7]) : pick(@KEYS);
}

sub
lifetime
{
	my ($strict) = @_;
	my $p = rand;

	return pick(@FOREVER, @FAR, '-1', '-2147483648', '<<now:-1000>>')
	    if $strict;

	return $p < 0.85 ? pick(@FOREVER, @FAR) : $p < 0.97 ? pick(@OVER) :
	    pick(@WRAPPED);
}

sub
value
{
	my ($key) = @_;
	my $p = rand;

	return pick($p < 0.85 ? @NUMBERS : @ALMOST_NUMBERS)
	    if $key =~ /^n\d$/;
	return pick(@NUMBERS) if $p < 0.25;
	return word(rand 12) if $p < 0.6;
	return pick("END\r\n", "\r\n", "\r", "\n", "\0", "a\r\nb", "EN\r\n",
		"VALUE a 0 1\r\nb\r\nEND\r\n", "\r\n\r\n", ' ', "\x80\xff",
		"mn\r\n", "STORED") if $p < 0.75;
	return join '', map { chr pick(0 .. 44, 46 .. 255) } 1 .. rand 40
	    if $p < 0.93;
	return pick('x', 'y', 'z') x (rand 2 ** pick(7 .. 14));
}

sub
noreply
{
	return chance(0.12) ? ' noreply' : chance(0.02) ? ' noreplyx' : '';
}

sub
_store
{
	my ($self) = @_;
	my $verb = pick(qw(set set set add replace append append prepend));
	my $key = key();
	my $value = value($key);
	$verb = 'set' if $key eq $MARKED && $verb =~ /pend/;
	my $flags = chance(0.5) ? 0 : pick(1, 5, 4294967295, 4294967296, '+5',
		'18446744073709551615', '010', 65536);

	return "$verb $key $flags " . lifetime() . ' ' .
	    (chance(0.03) ? '00' : '') . length($value) . noreply() .
	    "\r\n$value\r\n";
}

# A number to compare with: mostly what the server answered last.
sub
cas_number
{
	my ($key) = @_;

	return '' . pick(0, 1, 999999999999, '18446744073709551615')
	    if chance(0.3) || $key =~ /[^\w%]/;
	return "<<cas:$key:" . pick(0, 0, 0, -1) . '>>';
}

sub
_cas_user
{
	my ($self) = @_;
	my $key = key();

	return $self->_ms if chance(0.3);
	my $value = value($key);
	return "cas $key " . pick(0, 7) . ' ' . lifetime() . ' ' .
	    length($value) . ' ' . cas_number($key) . noreply() .
	    "\r\n$value\r\n";
}

# The data are longer, or shorter, than said.
sub
_bad_chunk
{
	my $key = key();
	my $tail = noreply() . "\r\n";
	my $n = int rand 12;
	my $head = chance(0.6) ? pick(qw(set add append prepend replace)) .
	    " $key 0 0 $n$tail" : "ms $key $n" . pick('', ' q', ' k O1', ' MA')
	    . "\r\n";

	return $head . word($n + 4 + rand 6) . "\r\n" if chance(0.6) || $n < 2;
	return $head . word($n - 2) . "\r\n" . word(2) . word(2 + rand 6) .
	    "\r\n";
}

sub
_get
{
	my $verb = pick(qw(get get gets));
	my $n = chance(0.6) ? 1 : chance(0.95) ? 1 + rand 5 : 1 + rand 120;
	my @keys = map { key() } 1 .. $n;

	push @keys, 'noreply' if chance(0.02);
	return "$verb @keys\r\n";
}

# Up to 8 keys: a longer line isn't exempt from the limit of 2048 bytes.
sub
_gat
{
	my ($self) = @_;
	my $life = chance(0.05) ? pick('abc', '1x', '-', '9223372036854775808')
	    : lifetime($self->{has}{'strict lifetimes'});

	return pick(qw(gat gats)) . " $life " .
	    join(' ', map { key() } 1 .. 1 + rand(chance(0.7) ? 1 : 7)) .
	    "\r\n";
}

sub
_touch
{
	my ($self) = @_;
	my $life = chance(0.05) ? pick('abc', '1x', '-', '9223372036854775808')
	    : lifetime($self->{has}{'strict lifetimes'});

	return 'touch ' . key() . " $life" . noreply() . "\r\n";
}

sub
_delete
{
	return 'delete ' . (chance(0.01) ? word(251) : key()) .
	    pick('', '', '', '', ' 0', ' noreply', ' 0 noreply') . "\r\n";
}

sub
_arith
{
	my $key = chance(0.97) ? pick(@NUMBER_KEYS) : pick('none', word(251));
	my $delta = chance(0.9) ? pick(@NUMBERS, int rand 1000) :
	    pick('abc', '-1', '1x', '18446744073709551616', '00007',
		'0000000000000000000012');

	return pick(qw(incr incr decr)) . " $key $delta" . noreply() .
	    "\r\n";
}

# A key that may be stale or won; what is asked of it is the same everywhere.
sub
_stale
{
	my ($self) = @_;
	my $key = pick(@STALE_KEYS);
	my $value = word(rand 12);
	my $life = pick(@FOREVER, @FAR);
	my @flags = grep { chance(0.25) } qw(k O1 q v s f t h l), "T$life",
	    'R' . pick(0, 30, 150000, 150000, -1, '<<now:150000>>');
	my $mode = pick('', '', ' MS', ' MR', ' ME') .
	    pick('', '', ' c', ' k O2', ' q', ' F7', ' I', " T$life");

	return pick(
		("md $key I" . pick('', ' k', ' q', " T$life") . "\r\n") x 4,
		(join(' ', "mg $key", @flags) . "\r\n") x 8,
		("ms $key " . length($value) . "$mode\r\n$value\r\n") x 4,
		pick(qw(set set add replace)) . " $key 0 $life " .
		    length($value) . noreply() . "\r\n$value\r\n",
		"cas $key 0 $life " . length($value) . ' ' . cas_number($key) .
		    "\r\n$value\r\n",
		"md $key" . pick('', ' k', ' q', ' C1') . "\r\n",
		"delete $key" . pick('', '', ' noreply') . "\r\n",
		"get $key\r\n",
		"gets $key\r\n", "gat $life $key\r\n",
		"touch $key $life\r\n",
	);
}

# What would be left to chance with other lengths, or other requests before.
sub
_dialogue
{
	my ($self) = @_;
	my $key = pick(@KEYS[0 .. 7]);
	my $none = 'new' . ++$self->{new_key};

	return pick(
		"set $key 0 0 2\r\n15\r\nma $key T100000 t v\r\nma $key t\r\n",
		"set $key 0 100000 1\r\n5\r\nma $key T-1 v\r\nma $key v\r\n",
		"set $key 0 0 1\r\n5\r\nmd $key I\r\nincr $key 1\r\n" .
		    "mg $key v h\r\nmg $key v h\r\n" .
		    "set $key 0 0 1 noreply\r\n5\r\n",
		"set $key 0 0 1\r\n5\r\nmd $key I\r\n" .
		    "ms $key 1 C1 I F7\r\n6\r\nmg $key v f\r\nmg $key v\r\n" .
		    "set $key 0 0 1 noreply\r\n5\r\n",
		"set $key 0 0 1\r\n5\r\nmg $key N100000 v t k\r\n",
		# (A miss that is won is a hit to memcached's counters.)
		$self->{plain} ? () : (
			"mg $none N100000 v k\r\nmg $none N100000 v q\r\n" .
			    "ms $none 1\r\n5\r\nmg $none v t\r\n" .
			    "delete $none\r\n",
			"mg $none N100000 f s h\r\n" .
			    pick("delete $none\r\ndelete $none\r\n",
				"md $none k\r\nmd $none k\r\n",
				"md $none q\r\nget $none\r\n"),
		),
		"set $key 0 0 2\r\n15\r\ntouch $key 100000\r\n" .
		    "incr $key 80\r\nmg $key h\r\n",
		"set $key 0 0 0\r\n\r\nincr $key 1\r\nma $key\r\n",
		"ms $key 20\r\n18446744073709551615\r\nma $key v D2\r\n" .
		    "mg $key v s\r\n",
		"set $key 0 0 3\r\n100\r\nincr $key 1\r\ndecr $key 2\r\n" .
		    "incr $key 1\r\ndecr $key 100000\r\nget $key\r\n",
	);
}

# A pending flush must not outlive its step.
sub
_flush
{
	my $key = key();
	my $p = rand;

	return "flush_all" . pick('', ' 0', ' -10', ' -2147483648',
		' noreply', ' 0 noreply') . "\r\n" if $p < 0.7;
	return "flush_all " . pick('abc', '1x', '99999999999999999999',
		'abc noreply') . "\r\n" if $p < 0.8;
	return "flush_all " . pick(1000, 2592000, '<<now:100000>>') .
	    pick('', ' noreply') . "\r\nset $key 0 0 1\r\n5\r\n" .
	    "incr $key 1\r\nget $key\r\nflush_all\r\nget $key\r\n";
}

sub
_mn
{
	return "mn" . pick('', '', ' noreply', ' k O1', ' a b c') . "\r\n";
}

sub
_me
{
	return 'me ' . (chance(0.3) ? pick(grep { $_ ne 'bjA=' }
	    @BASE64_KEYS) . ' b' : pick(@KEYS)) . "\r\n" if chance(0.8);
	return 'me ' . pick('none', word(251), 'none x', word(250)) . "\r\n";
}

sub
_junk
{
	return pick(
		word(4 + rand 30) . "\r\n", "VERSION\r\n", "Get a\r\n",
		"get\ta\r\n", "getx a\r\n", "gett\r\n", "sett a 0 0 1\r\n",
		"mga a\r\n", "mx a v\r\n", "mgx\r\n", "m a v\r\n",
		"incrr a 1\r\n", "se a 0 0 1\r\n", "stats\ta\r\n",
		"quitx\r\n", "\x80\x01\x02\x03\r\n", "\x01\x02\x03\x04\r\n",
		"get a\r\r\n", "versions\r\n", "mn\t\r\n", "config\r\n",
		"config get cluster\r\n", "pid\r\n", "proxy\r\n",
		"misbehave\r\n", "HTTP/1.1 GET /\r\n", "flush_all_now\r\n",
		word(1500) . "\r\n", "touchx a 0\r\n", "deletee a\r\n",
		"\x7f\x7f\x7f\x7f\n",
		join(' ', map { word(1 + rand 5) } 1 .. 30) . "\r\n",
	);
}

sub
_admin
{
	return pick(
		'verbosity 0', 'verbosity 1', 'verbosity -1', 'verbosity foo',
		'verbosity foo bar', 'verbosity noreply',
		'verbosity 0 noreply', 'verbosity 0 0',
		'cache_memlimit 1', 'cache_memlimit 2000000000',
		'cache_memlimit x', 'cache_memlimit', 'cache_memlimit -1',
		'refresh_certs', 'slabs', 'slabs reassign', 'slabs foo',
		'slabs reassign 1 1', 'slabs reassign x y',
		'slabs automove 1', 'slabs automove 0', 'slabs automove 3',
		'slabs automove x', 'slabs automove', 'slabs automove 0 noreply',
		'slabs automove ratio 0.8', 'lru', 'lru foo', 'lru mode x',
		'lru tune 20 40 0.2 2.0',
		'lru tune 50 50 0.2 2.0', 'lru tune 10 20 0 0',
		'lru temp_ttl x', 'lru_crawler', 'lru_crawler sleep 100',
		'lru_crawler sleep 1000001', 'lru_crawler sleep x',
		'lru_crawler tocrawl 0', 'lru_crawler tocrawl x',
		'lru_crawler crawl', 'lru_crawler metadump',
		'lru_crawler foo', 'extstore x 1',
	) . "\r\n";
}

sub
_other
{
	return pick(
		'stats foo', 'stats sizes', 'stats detail',
		'stats detail foo', 'stats detail off', 'stats cachedump',
		'stats cachedump 1', 'stats cachedump x 1',
		'stats cachedump 64 0', 'stats cachedump 0 0', 'stats malloc',
		'stats noreply', 'stats extstore', 'version', 'version noreply',
		'version a b', 'shutdown', 'shutdown foo',
	) . "\r\n";
}

# Around the largest value that fits, with keys of 1 and 250 bytes, with and
# without client flags.
sub
_large
{
	my $key = pick('a', 'b', 'L' x 250);
	my $flags = pick(0, 0, 7);
	my $most = 1048576 - 48 - 8 - length($key) - 1 - ($flags ? 4 : 0) - 2;
	my $n = chance(0.7) ? $most + pick(0, 0, 1, 2, 100000) :
	    pick(524288, 600000, 300000, 100000);
	my $data = pick('x', 'y') x $n . "\r\n";

	return pick(qw(set set add replace append)) . " $key $flags 0 $n" .
	    pick('', '', ' noreply') . "\r\n$data" if chance(0.7);
	return "ms $key $n F$flags" . pick('', ' q', ' ME', ' k O1 c', ' MA') .
	    "\r\n$data";
}

# ---- meta requests ----------------------------------------------------------

my %FLAGS_OF = (
	mg => [qw(k O q v s f t c h l u T N R C)],
	ms => [qw(k O q c T N C F I M)],
	md => [qw(k O q C T I)],
	ma => [qw(k O q v t c T N J D M C)],
);
# Accepted, and without effect.
my %IDLE_FLAGS_OF = (
	mg => [qw(P L I M D J F)],
	ms => [qw(v f t h l u R J D P L)],
	md => [qw(v s f t c h l u N R F J D M P L)],
	ma => [qw(s f h l u R F I P L)],
);

sub
lifetime_over
{
	my ($life) = @_;

	return grep { $_ eq $life } @OVER;
}

# A valid token for a flag.
sub
token
{
	my ($self, $cmd, $flag, $key) = @_;

	return join '', map { chr(33 + rand 94) } 1 .. rand(chance(0.9) ? 6 :
	    32) if $flag eq 'O';
	if ($flag eq 'T') {
		my $life = lifetime($self->{has}{'strict lifetimes'});
		return length $life > 10 && $life =~ /^\d+$/ ? '00' : $life;
	}
	return pick(0, 100000, 200000, '<<now:300000>>') if $flag eq 'N';
	return pick(0, 30, -1, 2592001) if $flag eq 'R';
	return pick(0, 5, 7, 4294967295) if $flag eq 'F';
	return pick(@NUMBERS) if $flag eq 'D' || $flag eq 'J';
	return pick(qw(S E A P R)) if $flag eq 'M' && $cmd eq 'ms';
	return pick(qw(I D + -)) if $flag eq 'M' && $cmd eq 'ma';
	return 'X' if $flag eq 'M';
	return $cmd eq 'mg' && !$self->{has}{'mg C'} ?
	    pick(0, 999999999999, '18446744073709551615') :
	    cas_number($BASE64_OF{$key} // $key) if $flag eq 'C';
	return chance(0.03) ? word(1 + rand 4) : '';
}

# The key and flags of a meta request, all valid.
sub
flags
{
	my ($self, $cmd) = @_;
	my $key = $cmd eq 'ma' ? pick(@NUMBER_KEYS, 'none') : key();
	my (%has, @flags);

	if (chance(0.12)) {
		$key = $cmd eq 'ma' ? 'bjA=' : pick(@BASE64_KEYS);
		push @flags, 'b';
	}
	my @from = @{ $FLAGS_OF{$cmd} };
	for (1 .. rand(chance(0.9) ? 6 : 14)) {
		my $flag = chance(0.05) ? pick(@{ $IDLE_FLAGS_OF{$cmd} }) :
		    pick(@from);
		next if $has{$flag}++;
		push @flags, $flag . $self->token($cmd, $flag, $key);
	}
	if ($cmd eq 'ms' && ($BASE64_OF{$key} // $MARKED) ne $MARKED) {
		$key = $BASE64_OF{$key};
		@flags = grep { !/^b/ } @flags;
	}
	@flags = grep { !/^M[AP]/ } @flags
	    if $key eq $MARKED || grep { /^b/ } @flags;
	# Much here would be quiet otherwise.
	@flags = grep { !/^q/ } @flags if chance(0.6);
	my ($life) = map { /^T(.*)/ ? $1 : () } @flags;
	# (An item that goes while it is won leaves a lease, which md finds.)
	@flags = grep { !/^[tR]/ } @flags
	    if defined $life && lifetime_over($life);
	my ($mode) = map { /^M(.)/ ? $1 : () } @flags;
	@flags = grep { !/^N/ } @flags if $cmd eq 'ms' &&
	    ($mode // '') =~ /[AP]/ && !$self->{has}{'append N'};
	# For what is left out here, see 'where we differ from every memcached'
	# in the table: leases, and what is stale, ...
	@flags = grep { !/^N/ } @flags if $cmd eq 'mg';
	@flags = grep { !/^I/ } @flags
	    if $cmd eq 'md' || $cmd eq 'ms' && grep { /^C/ } @flags;
	# ... items made with b, but not by ms, ...
	@flags = grep { !/^N/ } @flags if $cmd ne 'ms' && grep { $_ eq 'b' }
	    @flags;
	# ... and numbers that grow while they are stale, or fetched, or touched.
	@flags = grep { !/^[NRIh]/ } @flags
	    if $cmd ne 'ma' && ($BASE64_OF{$key} // $key) =~ /^n\d$/;
	@flags = grep { !/^T/ } @flags if $cmd eq 'ma';
	for (my $i = @flags; --$i > 0;) {
		my $j = int rand $i + 1;
		@flags[$i, $j] = @flags[$j, $i];
	}
	return ($key, @flags);
}

sub
meta
{
	my ($cmd, @words) = @_;

	return join(' ', $cmd, @words) . "\r\n";
}

sub _mg { return meta('mg', $_[0]->flags('mg')) }
sub _md { return meta('md', $_[0]->flags('md')) }
sub _ma { return meta('ma', $_[0]->flags('ma')) }

sub
_ms
{
	my ($self) = @_;
	my ($key, @flags) = $self->flags('ms');
	my $value = value($BASE64_OF{$key} // $key);

	return meta('ms', $key, length $value, @flags) . "$value\r\n";
}

# Letters that we know, and memcached doesn't.
my %OURS_OF = (mg => 'nweV', ms => 'VAHz', md => 'VAUd', ma => '');

# Exactly one thing is wrong, and it isn't the key.
sub
_meta_error
{
	my ($self) = @_;
	my $cmd = pick(qw(mg mg ms ms md ma));
	my ($key, @flags) = $self->flags($cmd);
	my @letters = grep { my $l = $_; !grep { /^$l/ } @flags }
	    qw(T N R C F J D);
	my $p = rand;
	my $wrong;

	if (@flags && $p < 0.3) {
		$wrong = substr pick(@flags), 0, 1;
		$wrong .= $self->token($cmd, $wrong, $key);
	} elsif ($p < 0.55) {
		$wrong = pick(grep { index($OURS_OF{$cmd}, $_) < 0 }
		    qw(a d e g i j m n o p r w y z A B G H K Q U V W Y Z 0 1 9
		    _)) . pick('', word(2));
	} elsif (@letters && $p < 0.85) {
		$wrong = pick(@letters);
		$wrong .= pick('', 'x', '1x', '--1', '9x', '1.5');
	} elsif ($p < 0.92 && !($cmd eq 'mg' && $self->{plain})) {
		# memcached finds it when all else is done, and counted.
		@flags = grep { !/^[Ob]/ } @flags;
		if ($cmd ne 'ms') {
			$key = 'nowhere';
			@flags = grep { !/^N/ } @flags;
		}
		$wrong = 'O' . word(32 + rand 20);
	} elsif (grep { $_ eq 'b' } @flags) {
		$key = pick('YQ', 'YQ=', '!!!!', 'A', '====');
		$wrong = 'k';
		@flags = grep { !/^k/ } @flags;
	} else {
		$wrong = pick(qw(a y Q));
	}
	splice @flags, rand(@flags + 1), 0, $wrong;
	return meta($cmd, $key, @flags) unless $cmd eq 'ms';
	my $value = word(2 + rand 10);
	return meta('ms', $key, length $value, @flags) . "$value\r\n";
}

1;
