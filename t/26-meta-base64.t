#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 26-meta-base64.t - binary keys: the b flag of the meta commands.

use Leasecached;
use MIME::Base64 ();

my $srv = Leasecached->start;
my $c = $srv->client;
my $new = since('1.6.45');

sub
b64
{
	return MIME::Base64::encode_base64($_[0], '');
}

dialogue $c, 'the key that counts is the decoded one', <<'END';
> ms Zm9v 3 b k
> abc
< HD kZm9v b
> get foo
< VALUE foo 0 3
< abc
< END
> mg Zm9v b k v
< VA 3 kZm9v b
< abc
> get Zm9v
< END
> mg Zm9v k
< EN kZm9v
> md Zm9v b k
< HD kZm9v b
> get foo
< END
END

dialogue $c, 'k is shown as it was asked for when nothing is found', <<'END';
> mg bm9uZQ== b k O1
< EN kbm9uZQ== b O1
> mg bm9uZQ== O1 k b
< EN O1 kbm9uZQ== b
> mg bm9uZQ== k
< EN kbm9uZQ==
> md bm9uZQ== b k
< NF kbm9uZQ== b
> ma bm9uZQ== k b O1
< NF kbm9uZQ== b O1
> ms bm9uZQ== 1 MR b k O1
> a
< NS kbm9uZQ== b O1
> ms bm9uZQ== 1 k b C5
> a
< NF kbm9uZQ== b
> mg bm9uZQ== b
< EN
> mg bm9uZQ== b O1 q k
> mn
< MN
END

dialogue $c, 'b needs no k, and without k nothing is shown', <<'END';
> ms Zm9v 1 b
> a
< HD
> mg Zm9v b v
< VA 1
< a
> mg Zm9v b
< HD
> ma Zm9v b
< CLIENT_ERROR cannot increment or decrement non-numeric value
> md Zm9v b
< HD
> md Zm9v b
< NF
> md Zm9v b q
< NF
END

dialogue $c, 'a found key is shown as it was stored', <<'END';
> ms Zm9v 1 b
> a
< HD
> mg foo k v
< VA 1 kZm9v b
< a
> set foo 0 0 1
> a
< STORED
> mg foo k
< HD kfoo
> mg Zm9v k b
< HD kfoo
> ms foo 1 k
> a
< HD kfoo
> ms Zm9v 1 k b
> a
< HD kZm9v b
> mg foo k
< HD kZm9v b
> md foo k I
< HD kfoo
> md Zm9v k b I
< HD kZm9v b
> mg foo O1 k s
< HD O1 kZm9v b s1 X W
> mg foo k t O1
< HD kZm9v b t-1 O1 Z X
> delete foo
< DELETED
> mg Zm9v b
< EN
END

dialogue $c, 'a miss that mg wins', <<'END';
> mg Zm9v b N30 s
< HD s0 W
> mg Zm9v b N30 v
< VA 0 Z
<
> ms Zm9v 3 b
> abc
< HD
> mg Zm9v b k v
< VA 3 kZm9v b
< abc
END

dialogue $c, 'numbers', <<'END';
> ma bnVt b N0 J10 k v
< VA 2 kbnVt b
< 10
> ma bnVt b k v
< VA 2 kbnVt b
< 11
> ma num k v
< VA 2 knum
< 12
> incr num 1
< 13
END

newer $c, 'ma marks the key of the item that it creates', <<'END';
> ma bmV3 b N0
< HD
> mg bmV3 b k
< HD kbmV3 b
> mg new k
< HD kbmV3 b
END

dialogue $c, 'me', <<'END';
> ms bWUx 1 b
> z
< HD
> me me1
< ME bWUx exp=* la=* cas=* fetch=no cls=* size=*
> me bWUx b x
< ME bWUx exp=* la=* cas=* fetch=no cls=* size=*
> me bWUx b
< ME bWUx exp=* la=* cas=* fetch=no cls=* size=*
> me bWUx
< EN
END

# How tokens are decoded: [token, what is shown].
for (
	['Zg==', 'Zg=='], ['Zm8=', 'Zm8='], ['Zm9v', 'Zm9v'],
	['Zm9v!', 'Zm9v'], ['Z!m.9-v', 'Zm9v'], ['!Zm9v', 'Zm9v'],
	['Zm9vZg==Zm9v', 'Zm9vZg=='], ['Zm9vZh==', 'Zm9vZg=='],
	['++//', '++//'], ['AAAA', 'AAAA'], ['////', '////'],
	['Zg', undef], ['Zm8', undef], ['Z', undef], ['Zm9vZ', undef],
	['Zg=', undef], ['!!!!', undef], ['====', undef], ['-_-_', undef],
	['a', undef], ['Zm9vYmF', undef],
) {
	my ($token, $shown) = @$_;
	my $error = "CLIENT_ERROR error decoding key\r\n";
	my $ma_error = "CLIENT_ERROR invalid or duplicate flag\r\n";
	my $md_error = $new ? $error : $ma_error;

	if (defined $shown) {
		$c->ask("mg $token b k\r\n", "EN k$shown b\r\n",
		    "'$token' is read as '$shown'")
		    if $shown ne 'Zm9v';
		$c->ask("ms $token 1 b k\r\na\r\nmg $shown b k v\r\n" .
		    "md $token b k\r\n",
		    "HD k$shown b\r\nVA 1 k$shown b\r\na\r\nHD k$shown b\r\n",
		    "'$token' stores, finds and deletes '$shown'");
		next;
	}
	$c->ask("mg $token b k v\r\n", $error, "'$token': refused by mg");
	$c->ask("ms $token 7 b k\r\nversion\r\n", $error,
	    "'$token': refused by ms, the data is swallowed");
	$c->ask("md $token b k\r\n", $md_error, "'$token': refused by md");
	$c->ask("ma $token b k N0\r\n", $ma_error, "'$token': refused by ma");
}

# A decoded key may hold any byte, also those that no plain key may.
for my $byte (0 .. 255) {
	my $key = 'a' . chr($byte) . 'z';
	my $token = b64($key);
	my $name = sprintf 'a key with the byte 0x%02x', $byte;

	$c->ask("ms $token 3 b k T100\r\n$key\r\n" .
	    "mg $token b k v\r\nma $token b k\r\nmd $token b k\r\n" .
	    "mg $token b k\r\n",
	    "HD k$token b\r\nVA 3 k$token b\r\n$key\r\n" .
	    "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n" .
	    "HD k$token b\r\nEN k$token b\r\n", $name);
}

# Keys that differ in a byte only are two keys.
{
	my @keys = map { b64($_) } "a\0b", "a\0c", "a", "a\0", "a b", "a\nb",
	    "a\r\n", "a\r\nb", "\0", "\0\0", " ", "  ", "\n";

	$c->ask(join('', map { "ms $keys[$_] 2 b q\r\n" .
	    sprintf("%02d", $_) . "\r\n" } 0 .. $#keys), '',
	    scalar(@keys) . ' odd keys');
	$c->ask(join('', map { "mg $_ b v k\r\n" } @keys),
	    join('', map { "VA 2 k$keys[$_] b\r\n" . sprintf("%02d", $_) .
	    "\r\n" } 0 .. $#keys), 'each has its own value');
}

# Lengths: the token has the limit of a key, so 186 bytes are the most.
for my $length (1, 2, 3, 100, 184, 185, 186) {
	my $key = join '', map { chr(($_ * 31 + $length) % 256) } 1 .. $length;
	my $token = b64($key);

	$c->ask("ms $token 1 b k\r\na\r\nmg $token b v k\r\n" .
	    "md $token k b O1\r\n",
	    "HD k$token b\r\nVA 1 k$token b\r\na\r\nHD k$token b O1\r\n",
	    "a key of $length bytes");
}
{
	my $token = b64('x' x 187);
	my $error = "CLIENT_ERROR bad command line format\r\n";

	is(length $token, 252, '187 bytes are a token of 252');
	$c->ask("mg $token b k\r\n", $error, 'too long for mg');
	$c->ask("md $token b k\r\n", $error, 'too long for md');
	$c->ask("ms $token 7 b k\r\nversion\r\n", $error, 'too long for ms')
	    if $new;
	$c->ask("mg @{['A' x 250]} b k\r\n",
	    "CLIENT_ERROR error decoding key\r\n",
	    '250 letters are no whole number of groups');
}

done_testing;
