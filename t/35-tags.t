#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 35-tags.t - one request makes all values with a tag unreadable.
#
# A tag is an entry of a table of hashes; two tags may share one, which costs a
# miss.  The tables here are so large that it is never seen.

use Leasecached;
use Leasecached::Lease;
use Leasecached::Proc qw(is_sanitized scaled rss_kib raw_client all_answered
    stats_of);
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);

plan skip_all => 'memcached knows none of this' if Leasecached->is_reference;

my $srv = calm;

# ---- one tag, and eight -----------------------------------------------------

talk $srv, 'a tag is attached, and invalidated', <<'END';
a> ms {k} 3 Aone T300 F5
a> abc
a< HD
a> mg {k} v f
a< VA 3 f5
a< abc
a> md two A
a< HD
a> mg {k} v
a< VA 3
a< abc
a> md one A
a< HD
a> mg {k} v
a< EN
a> get {k}
a< END
a> me {k}
a< EN
a> md one A
a< HD
a> md never-seen A
a< HD
a> ms {k} 3 Aone
a> def
a< HD
a> mg {k} v
a< VA 3
a< def
END

for my $n (1 .. 8) {
	my $tags = join ',', map { "tag$_" } 1 .. 8;
	talk $srv, "eight tags: number $n", <<"END";
a> ms {k} 1 A$tags
a> x
a< HD
a> md tag A
a< HD
a> md tag9 A
a< HD
a> mg {k} v
a< VA 1
a< x
a> md tag$n A
a< HD
a> mg {k} v
a< EN
END
}

for my $tag ('t' x 64, '~!@#$%^&*()', "\x80\xff", '0', 'A') {
	my $c = $srv->client;
	my $k = new_key;
	my $name = Leasecached::Client::quoted($tag);

	$c->ask("ms $k 1 A$tag\r\nx\r\nmg $k\r\nmd $tag A\r\nmg $k\r\n",
	    "HD\r\nHD\r\nHD\r\nEN\r\n", "a tag may be $name");
}

talk $srv, 'a tag is not a key', <<'END';
a> ms {k} 1 A{k1}
a> x
a< HD
a> ms {k1} 1
a> y
a< HD
a> delete {k1}
a< DELETED
a> mg {k} v
a< VA 1
a< x
a> ms {k1} 1
a> y
a< HD
a> md {k1} A
a< HD
a> mg {k1} v
a< VA 1
a< y
a> mg {k} v
a< EN
END

talk $srv, 'md A answers HD, with the flags of replies', <<'END';
a> md team A k O5
a< HD kteam O5
a> md team A O5 q
a> md dGVhbQ== A b k
a< HD kdGVhbQ== b
END

talk $srv, 'md A b: the tag is decoded', <<'END';
a> ms {k} 1 Aa-team
a> x
a< HD
a> md YS10ZWFt A
a< HD
a> mg {k}
a< HD
a> md YS10ZWFt A b
a< HD
a> mg {k}
a< EN
END

# ---- what keeps tags, and what drops them -----------------------------------

for (
	['append', "append {k} 0 0 1\na> 2", 'STORED'],
	['prepend', "prepend {k} 0 0 1\na> 2", 'STORED'],
	['ms MA', "ms {k} 1 MA\na> 2", 'HD'],
	['ms MP', "ms {k} 1 MP\na> 2", 'HD'],
	['incr', 'incr {k} 1', '2'],
	['decr', 'decr {k} 1', '0'],
	['ma', 'ma {k}', 'HD'],
	['incr that grows', 'incr {k} 1000000', '1000001'],
	['touch', 'touch {k} 100', 'TOUCHED'],
	['mg T', 'mg {k} T100', 'HD'],
) {
	my ($name, $request, $reply) = @$_;
	talk $srv, "$name keeps the tags", <<"END";
a> ms {k} 1 T300 Akeep,other
a> 1
a< HD
a> $request
a< $reply
a> mg {k}
a< HD
a> md keep A
a< HD
a> mg {k}
a< EN
END
}
for (
	['set', "set {k} 0 0 1\na> x", 'STORED'],
	['replace', "replace {k} 0 0 1\na> x", 'STORED'],
	['ms', "ms {k} 1\na> x", 'HD'],
	['ms with another', "ms {k} 1 Aelse\na> x", 'HD'],
	['ms MR', "ms {k} 1 MR\na> x", 'HD'],
) {
	my ($name, $request, $reply) = @$_;
	talk $srv, "$name drops the tags", <<"END";
a> ms {k} 1 T300 Adrop
a> 1
a< HD
a> $request
a< $reply
a> md drop A
a< HD
a> mg {k} v
a< VA 1
a< x
END
}

talk $srv, 'a tag that is dead: every verb sees nothing', <<'END';
a> ms {k} 1 Adead H30 T300
a> 1
a< HD
a> gets {k}
a< VALUE {k} 0 1 {cas}
a< 1
a< END
a> md dead A
a< HD
a> append {k} 0 0 1
a> x
a< NOT_STORED
a> incr {k} 1
a< NOT_FOUND
a> ma {k}
a< NF
a> touch {k} 100
a< NOT_FOUND
a> gat 100 {k}
a< END
a> mg {k} T100 v
a< EN
a> mg {k} w0 V u
a< EN
a> md {k1} I
a< NF
a> lease-get {k}
a< LVALUE {k} {t} 0 0
a<
a< END
a> md {k} C{t} U
a< HD
a> cas {k} 0 0 1 {cas}
a> x
a< NOT_FOUND
a> ms {k} 1 V5 MR
a> x
a< NS*
a> delete {k}
a< NOT_FOUND
END
talk $srv, 'nor is a stale value left', <<'END';
a> ms {k} 1 Adead
a> 1
a< HD
a> md {k} I
a< HD
a> mg {k} u v
a< VA 1 X
a< 1
a> md dead A
a< HD
a> mg {k} v u w0
a< EN
a> mg {k} v n30000
a< VA 0 W
a<
END

# ---- fills ------------------------------------------------------------------

talk $srv, 'a fill of a tag that was invalidated since the grant', <<'END';
a> mg {k} c n30000
a< HD c{t} W
b> mg {k} v n30000 w90000
waiters 1
c> md late A
c< HD
b still
a> ms {k} 1 C{t} Aother,late
a> x
a< NS
b< VA 0 W
b<
a> mg {k} v
a< EN
END

talk $srv, 'a value is as old as its lease, not as its store', <<'END';
# Its tag is known at the fill; what came before the grant does not matter.
c> md age A
c< HD
a> mg {k} c n30000
a< HD c{t} W
a> ms {k} 1 C{t} Aage
a> x
a< HD
a> mg {k} v
a< VA 1
a< x
a> append {k} 0 0 1
a> y
a< STORED
c> md age A
c< HD
a> mg {k} v
a< EN
END

talk $srv, 'a plain store is as new as itself', <<'END';
a> mg {k} c n30000
a< HD c{t} W
c> md age A
c< HD
b> ms {k} 1 Aage
b> x
b< HD
a> mg {k} v
a< VA 1
a< x
END

talk $srv, 'under a refresh lease: the value goes, the lease stays', <<'END';
a> ms {k} 1 T100 Afresh
a> x
a< HD
a> mg {k} R200 c
a< HD c{t} W
c> md fresh A
c< HD
b> mg {k} v n30000
b< VA 0 Z
b<
b> mg {k} v n30000 w90000
waiters 1
a> ms {k} 1 C{t}
a> y
a< HD
b< VA 1
b< y
END

# ---- many -------------------------------------------------------------------

# After the reply nobody reads any of them, on no connection.
{
	my @others = map { $srv->connect } 1 .. 8;
	my $c = $srv->client;
	my $n = 1000;
	my $bad = 0;

	for my $tag (1 .. 20) {
		$c->put(join '', map { "ms many$_ 1 T300 A" .
		    ($_ % 2 ? "m$tag,x" : "y,z,m$tag") . "\r\nx\r\n" }
		    1 .. $n);
		$bad += grep { $c->line ne 'HD' } 1 .. $n;
		$c->put("ms apart$tag 1 Aapart$tag\r\nx\r\nmd m$tag A\r\n");
		$bad += grep { $c->line ne 'HD' } 1, 2;
		my @keys = map { 'many' . (1 + int rand $n) } 1 .. 50;
		$_->put(join '', map { "mg $_ v q\r\n" } @keys) for @others;
		$_->silent or $bad++ for @others;
		$c->put(join('', map { "mg many$_ v q\r\n" } 1 .. $n));
		$c->silent or $bad++;
		$others[0]->put("mg apart$tag\r\n");
		$bad++ if $others[0]->line ne 'HD';
	}
	is($bad, 0, '1000 values, 20 times: none is read after the reply');
	$_->close for @others;
}

# ---- the prefix of keys -----------------------------------------------------

{
	my $p = calm('-o', 'tag_prefix=:');
	talk $p, 'tag_prefix: the part of a key before the first :', <<'END';
a> set user:1 0 0 1
a> a
a< STORED
a> set user:2:x 0 0 1
a> b
a< STORED
a> ms user:3 1 Aa,b,c,d,e,f,g,h
a> c
a< HD
a> set users:1 0 0 1
a> d
a< STORED
a> set user 0 0 1
a> e
a< STORED
a> set team:user:1 0 0 1
a> f
a< STORED
a> md user A
a< HD
a> get user:1 user:2:x user:3 users:1 user team:user:1
a< VALUE users:1 0 1
a< d
a< VALUE user 0 1
a< e
a< VALUE team:user:1 0 1
a< f
a< END
a> md team A
a< HD
a> get team:user:1
a< END
a> set user:1 0 0 1
a> g
a< STORED
a> append user:1 0 0 1
a> h
a< STORED
a> get user:1
a< VALUE user:1 0 2
a< gh
a< END
a> md user A
a< HD
a> get user:1
a< END
END
	talk $p, 'tag_prefix: a fill that is late is refused', <<'END';
a> mg user:4 c n30000
a< HD c{t} W
b> md user A
b< HD
a> ms user:4 1 C{t}
a> x
a< NS
a> mg user:4 v
a< EN
a> ms user:4 1
a> x
a< HD
END
	talk $p, 'tag_prefix: tags and prefixes are one name space', <<'END';
a> ms alone 1 Auser
a> x
a< HD
a> ms user:5 1 Aother
a> x
a< HD
a> md user A
a< HD
a> mg alone
a< EN
a> mg user:5
a< EN
END
	my $key = encode_base64("bin:\x00\x01", '');
	talk $p, 'tag_prefix: of the decoded key', <<'END', key => $key;
a> ms {key} 1 b
a> x
a< HD
a> mg {key} b
a< HD
a> md bin A
a< HD
a> mg {key} b
a< EN
END
}
talk $srv, 'without it a key is a key', <<'END';
a> set user:1 0 0 1
a> a
a< STORED
a> md user A
a< HD
a> get user:1
a< VALUE user:1 0 1
a< a
a< END
END

# ---- a delete that means a tag ----------------------------------------------

{
	my $p = calm('-o', 'tag_key_prefix=~tag~');
	talk $p, 'tag_key_prefix: any client can invalidate', <<'END';
a> ms {k} 1 Ateam9
a> x
a< HD
a> ms {k1} 1 Ateam
a> y
a< HD
a> delete ~tag~team9
a< DELETED
a> mg {k}
a< EN
a> mg {k1}
a< HD
a> ms {k} 1 Ateam9
a> x
a< HD
a> delete ~tag~team9 noreply
a> mg {k}
a< EN
a> ms {k} 1 Ateam9
a> x
a< HD
a> delete tag~team9
a< NOT_FOUND
a> delete x~tag~team9
a< NOT_FOUND
a> mg {k}
a< HD
END
}
talk $srv, 'without tag_key_prefix a delete is a delete', <<'END';
a> ms {k} 1 Ateam9
a> x
a< HD
a> delete ~tag~team9
a< NOT_FOUND
a> mg {k}
a< HD
END

# ---- what is counted --------------------------------------------------------

{
	my $s = Leasecached->start('-o', 'tag_slots=131072');
	my $c = $s->client;
	my $stats = $c->stats('tags');

	is($stats->{tag_slots}, 131072, 'stats tags: tag_slots');
	is($stats->{tag_clock_bytes}, 131072 * 8, 'tag_clock_bytes');
	is($stats->{$_}, 0, "$_, at first") for qw(tag_invalidations
	    tagged_items tag_reclaimed);
	$c->ask("ms a 1 At\r\nx\r\nms b 1 At,u\r\nx\r\nms c 1\r\nx\r\n" .
	    "md t A\r\nms d 1 Au\r\nx\r\nmd v A q\r\n", "HD\r\n" x 5,
	    'some tags');
	is($c->stats('tags')->{tag_invalidations}, 2, 'tag_invalidations');
	ok(until_true {
		$stats = $c->stats('tags');
		$stats->{tagged_items} == 1 && $stats->{tag_reclaimed} == 2;
	}, 'tagged_items, tag_reclaimed') or
	    diag("$stats->{tagged_items}, $stats->{tag_reclaimed}");
	is($c->stats->{curr_items}, 2, 'the others are left');
	is(lease_stats($s)->{tag_clock_bytes}, 131072 * 8,
	    'stats leases says the same');
}

# ---- a tag of very many -----------------------------------------------------

# Those that are asked for are gone at once; those that nobody asks for give
# their memory back.
{
	my $n = scaled(1_000_000, 200_000);
	my $big = calm('-m', '1024', '-t', '2');
	my $s = raw_client($big->port);
	my $empty = rss_kib($big->pid);
	my ($from, $said) = (0, '');

	while ($from < $n) {
		my $to = $from + 20_000;
		$said .= all_answered($s, join '', map {
			"ms b$_ 40 q Ahuge\r\n" . 'x' x 40 . "\r\n"
		} $from .. $to - 1);
		$from = $to;
	}
	is($said, '', "$n values with one tag");
	all_answered($s, "ms other$_ 1 Asmall\r\nx\r\n") for 1 .. 10;
	is(stats_of($s)->{curr_items}, $n + 10, 'are there');
	is(stats_of($s, 'tags')->{tagged_items}, $n + 10, 'tagged_items');
	my $full = rss_kib($big->pid);

	my $start = time;
	is(all_answered($s, "md huge A\r\n"), "HD\r\n", 'one invalidation');
	my $took = time - $start;
	is(all_answered($s, join '', map { 'mg b' . int(rand $n) . " q\r\n" }
	    1 .. 20_000), '', 'none of 20,000 is readable');
	note(sprintf 'the invalidation took %.1f ms', 1000 * $took);

	my $left;
	Leasecached::Proc::wait_for {
		sleep 0.1;
		($left = stats_of($s)->{curr_items}) == 10;
	} 400;
	is($left, 10, 'without being asked for they go, and only they');
	is(stats_of($s, 'tags')->{tagged_items}, 10, 'tagged_items');
	is(stats_of($s, 'tags')->{tag_reclaimed}, $n, 'tag_reclaimed');
	is(all_answered($s, "mg other$_\r\n"), "HD\r\n", "other$_ is there")
	    for 1 .. 10;
	note(sprintf 'after %.1f s', time - $start);
	SKIP: {
		skip 'a sanitizer keeps memory', 1 if is_sanitized;
		my $rest;
		Leasecached::Proc::wait_for {
			($rest = rss_kib($big->pid)) < $empty + 40 * 1024;
		} 120;
		cmp_ok($rest, '<', $empty + 40 * 1024, 'and the memory is ' .
		    "given back (empty $empty KiB, full $full KiB)");
	}
	my $bad = '';
	for ($from = 0; $from < $n; $from += 50_000) {
		$bad .= all_answered($s, join '', map { "mg b$_ q\r\n" }
		    $from .. $from + 49_999);
	}
	is($bad, '', 'none of all is readable');
}

sums_hold($srv, 'at the end');
done_testing;
