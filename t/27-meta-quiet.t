#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 27-meta-quiet.t - q and mn, opaques, pipelines of quiet commands.

use Leasecached;

my $srv = Leasecached->start;
my $c = $srv->client;

# What q hides and what it does not: [request, reply], an mn behind each.
my @table = (
	['mg hides EN', "mg none q\r\n", ''],
	['mg hides EN with k, O and v', "mg none v k Oabc q s t\r\n", ''],
	['ms hides HD', "ms a 2 q T0\r\n10\r\n", ''],
	['ms hides HD with k, O, c', "ms a 2 k O1 q c\r\n10\r\n", ''],
	['mg shows HD', "mg a q\r\n", "HD\r\n"],
	['mg shows VA', "mg a v q s k O1\r\n", "VA 2 s2 ka O1\r\n10\r\n"],
	['ms shows NS of ME', "ms a 1 q ME k O1\r\n1\r\n", "NS ka O1\r\n"],
	['ms shows NS of MR', "ms none 1 q MR\r\n1\r\n", "NS\r\n"],
	['ms shows NS of MA', "ms none 1 MA O1 q\r\n1\r\n", "NS O1\r\n"],
	['ms shows EX', "ms a 1 C1 q k O1\r\n1\r\n", "EX ka O1\r\n"],
	['ms shows NF', "ms none 1 C1 q k O1\r\n1\r\n", "NF knone O1\r\n"],
	['ms shows a bad data chunk', "ms a 1 q\r\n123\r\n",
	 "CLIENT_ERROR bad data chunk\r\n", 'rest'],
	['ms shows a refused flag', "ms a 1 q z\r\n1\r\n",
	 "CLIENT_ERROR invalid flag\r\n"],
	['ms shows what is too large',
	 "ms huge 2000000 q O1\r\n" . 'x' x 2_000_000 . "\r\n",
	 "SERVER_ERROR object too large for cache\r\n"],
	['ma hides HD', "ma a q\r\n", ''],
	['ma hides VA', "ma a q v k O1 t\r\n", ''],
	['and counts', "mg a v\r\n", "VA 2\r\n12\r\n"],
	['ma shows NF', "ma none q k O1\r\n", "NF knone O1\r\n"],
	['ma shows EX', "ma a C1 q k O1\r\n", "EX ka O1\r\n"],
	['ma shows a refused flag', "ma a q z\r\n",
	 "CLIENT_ERROR invalid or duplicate flag\r\n"],
	['ms of text', "ms text 1 q\r\nx\r\n", ''],
	['ma shows what is not a number', "ma text q\r\n",
	 "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"],
	['md hides HD of I', "md a I q k O1\r\n", ''],
	['mg shows the winner', "mg a q\r\n", "HD X W\r\n"],
	['md shows EX', "md a C1 q k O1\r\n", "EX ka O1\r\n"],
	['md hides HD', "md a q k O1\r\n", ''],
	['md shows NF', "md a q k O1\r\n", "NF ka O1\r\n"],
	['mg shows what it vivified', "mg viv N30 q k Ox\r\n",
	 "HD kviv Ox W\r\n"],
	['and those who came late', "mg viv v N30 q k\r\n",
	 "VA 0 kviv Z\r\n\r\n"],
	['a second q is a duplicate', "mg none q q\r\n",
	 "CLIENT_ERROR duplicate flag\r\n"],
	['q with a token is q', "mg none qxyz\r\nms b 1 qq\r\nx\r\n", ''],
	['it was stored', "mg b v\r\n", "VA 1\r\nx\r\n"],
);

for (@table) {
	my ($name, $request, $reply, $rest) = @$_;

	if (defined $rest) {
		# data of 1 + 2 bytes, and the last line end is left over
		$request =~ s/\r\n\z/foobar\r\n/;
		$reply .= "ERROR\r\n";
	}
	$c->ask($request, $reply, $name);
}

# ---- opaques ---------------------------------------------------------------

for my $opaque ('', '0', 'abc', '4294967295', 'x' x 31, '!"#$%&/()=?',
		"\x01\t\x7f\xff", 'O', 'Oq', 'q', 'k') {
	my $shown = $opaque =~ /[^ -~]/ ? 'control bytes' : "'$opaque'";

	$c->ask("ms o 2 O$opaque\r\n10\r\nmg o O$opaque v\r\n" .
	    "ma o O$opaque\r\nmd o O$opaque\r\nmg o O$opaque\r\n" .
	    "md o O$opaque\r\nma o O$opaque\r\nms o 1 C1 O$opaque\r\n1\r\n",
	    "HD O$opaque\r\nVA 2 O$opaque\r\n10\r\n" .
	    "HD O$opaque\r\nHD O$opaque\r\nEN O$opaque\r\n" .
	    "NF O$opaque\r\nNF O$opaque\r\nNF O$opaque\r\n",
	    "an opaque of $shown");
}

# ---- pipelines -------------------------------------------------------------

for (
	['all misses', "mg a1 v q k\r\nmg a2 v q k\r\nmn\r\n", "MN\r\n"],
	['a store, a hit, a miss',
	 "ms a1 1 q\r\nx\r\nmg a1 v q k\r\nmg a2 v q k\r\nmn\r\n",
	 "VA 1 ka1\r\nx\r\nMN\r\n"],
	['a delete, a miss', "md a1 q\r\nmd a2 q\r\nmn\r\n", "NF\r\nMN\r\n"],
	['two barriers', "mn\r\nmg a1 q\r\nmn\r\n", "MN\r\nMN\r\n"],
	['quiet, loud and classic commands keep their order',
	 "ms a1 1 q\r\nx\r\nget a1\r\nmg a1 q v\r\nset a2 0 0 1 noreply\r\n" .
	 "y\r\nmg a2 v q\r\ndelete a1\r\nmg a1 q\r\nmg a1\r\nmn\r\n",
	 "VALUE a1 0 1\r\nx\r\nEND\r\nVA 1\r\nx\r\nVA 1\r\ny\r\nDELETED\r\n" .
	 "EN\r\nMN\r\n"],
) {
	my ($name, $request, $reply) = @$_;
	$c->ask($request, $reply, "pipeline: $name");
}

# As clients read many keys: the misses of 3000 quiet mg are told by silence.
{
	my @all = map { "key$_" } 0 .. 2999;
	my @there = @all[grep { $_ % 3 == 1 } 0 .. $#all];

	$c->ask(join('', map { "ms $_ @{[length]} q\r\n$_\r\n" } @there), '',
	    scalar(@there) . ' quiet stores');
	$c->ask(join('', map { "mg $_ v q k O$_\r\n" } @all) . "mn\r\n",
	    join('', map { "VA @{[length]} k$_ O$_\r\n$_\r\n" } @there) .
	    "MN\r\n", scalar(@all) . ' quiet reads');
	$c->ask(join('', map { "md $_ q O$_\r\n" } @all) . "mn\r\n",
	    join('', map { "NF O$_\r\n" }
	    @all[grep { $_ % 3 != 1 } 0 .. $#all]) . "MN\r\n",
	    scalar(@all) . ' quiet deletes');
	$c->ask(join('', map { "mg $_ q\r\n" } @all) . "mn\r\n", "MN\r\n",
	    'all are gone');
}

# A quiet pipeline that stops in the middle of a command says nothing of the
# part behind, and the rest completes it.
{
	my $own = $srv->connect;

	$own->put("ms s 5 q O1\r\nab");
	$own->put("cde");
	$own->put("\r");
	$own->put("\nmg s q v\r\nmg s v q O2\r\nmd s q\r\nm");
	is($own->take(20), "VA 5\r\nabcde\r\nVA 5 O2", 'what is complete');
	$own->put("n\r\n");
	is($own->take(13), "\r\nabcde\r\nMN\r\n", 'and the rest');
}

# A pipeline cut in two, at every byte.
{
	my $own = $srv->connect;
	my $request = "ms cut 3 q O1\r\nabc\r\nmg cut v k\r\nmg none q\r\n" .
	    "ms cut 2 z\r\nab\r\nms cut 2 MA k\r\n\r\n\r\nmg cut s\r\nmn\r\n" .
	    "md cut q k\r\nma cut N0 J7 v O7\r\nmd cut C1 k\r\nmd cut\r\n";
	my $reply = "VA 3 kcut\r\nabc\r\nCLIENT_ERROR invalid flag\r\n" .
	    "HD kcut\r\nHD s5\r\nMN\r\nVA 1 O7\r\n7\r\nEX kcut\r\nHD\r\n";
	my @wrong;

	for my $at (1 .. length($request) - 1) {
		$own->put(substr $request, 0, $at);
		$c->put("mn\r\n");	# by then the first part was read
		$c->line;
		$own->put(substr $request, $at);
		next if $own->take(length $reply) eq $reply;
		push @wrong, $at;
		$own->renew;
	}
	is("@wrong", '', 'a pipeline cut at each of ' . length($request) .
	    ' bytes');
	$own->put($_) for split //, $request;
	is($own->take(length $reply), $reply, 'one byte after another');
	ok($own->silent, 'and in step');
}

# Without an mn nothing comes: the reply that follows is the first.
{
	my $own = $srv->connect;

	$own->put("mg none q\r\n" x 5000 . "ms q 1 q\r\nx\r\n" x 5000);
	ok($own->silent, '10,000 quiet commands leave no trace');
	$own->ask("mg q v\r\n", "VA 1\r\nx\r\n", 'the last one was stored');
}

done_testing;
