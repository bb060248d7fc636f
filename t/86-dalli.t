#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 86-dalli.t - Dalli, the client of Ruby on Rails.

use Leasecached;
use Leasecached::Suite;

needs_ruby('dalli', 'ruby-dalli with ruby');

my $srv = Leasecached->start;

run_suite(program('ruby'), 'dalli_suite.rb', $srv->port);

SKIP: {
	my ($version) = output_of(program('ruby'), '-e',
	    'require "dalli"; puts Dalli::VERSION');
	skip 'the reference speaks the binary protocol', 1
	    if Leasecached::is_reference;
	skip "Dalli $version speaks the meta protocol", 1
	    if $version !~ /^(?:[12]|3\.[01])\./;
	ok($srv->logged(qr/^leasecached: .*binary protocol.*text protocol/m),
	    'the log tells why a client with the binary protocol fails');
}

# What Dalli with protocol: :meta sends, whatever version is installed: keys
# that are not ASCII go as base64, many keys as quiet requests with a noop.
newer $srv, 'Dalli: set, add, replace', <<'END';
> ms k 3 c F5 T300 MS
> abc
< HD c*
> mg k v f
< VA 3 f5
< abc
> ms k 3 c F0 T300 ME
> def
< NS c0
> ms none 3 c F0 T300 MR
> def
< NS c0
> mg k v f c
< VA 3 f5 c*
< abc
> ms k 1 c F5 C999999 T300 MS
> x
< EX c0
> ms k 3 MA
> def
< HD
> ms k 3 MP
> 123
< HD
> mg k v f
< VA 9 f5
< 123abcdef
> md k
< HD
> md k
< NF
END
newer $srv, 'Dalli: many keys', <<'END';
> ms a 1 c F0 T0 MS q
> 1
> ms b 1 c F0 T0 MS q
> 2
> mn
< MN
> mg a v f c k q s
> mg none v f c k q s
> mg b v f c k q s
> mn
< VA 1 f0 c* ka s1
< 1
< VA 1 f0 c* kb s1
< 2
< MN
> md a q
> md none q
> md b q
> mn
< NF
< MN
> mg a v f k q s
> mg b v f k q s
> mn
< MN
END
newer $srv, 'Dalli: a key that is not ASCII', <<'END';
> ms 0LrQu9GO0Yc= 1 c b F0 T0 MS
> x
< HD c*
> mg 0LrQu9GO0Yc= v f b
< VA 1 f0
< x
> mg 0LrQu9GO0Yc= v f c b k q s
< VA 1 f0 c* k0LrQu9GO0Yc= b s1
< x
> ma 0LrQu9GO0Yc= v b D1 MI
< CLIENT_ERROR cannot increment or decrement non-numeric value
> md 0LrQu9GO0Yc= b
< HD
END
newer $srv, 'Dalli: counting, touching and the rest', <<'END';
> ma n v D1 MI
< NF
> ma n v D1 J5 N0 MI
< VA 1
< 5
> ma n v D10 MI
< VA 2
< 15
> ma n v D100 MD
< VA 1
< 0
> mg n T100
< HD
> mg none T100
< EN
> mg n v f T100
< VA 2 f0
< 0 
> flush_all
< OK
> flush_all 0
< OK
> version
< VERSION 1.6.*
> mn
< MN
END

done_testing;
