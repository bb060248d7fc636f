#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 84-php.t - php-memcached, libmemcached's client for PHP.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();

needs_php('memcached', 'php-memcached');

# memcached lists the keys of one of its queues, with this option the only one.
my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start('-o', 'no_lru_maintainer') } 1 .. 3;
my $unix = Leasecached->start(-unix => "$dir/socket");

run_suite(program('php'), 'php_suite.php', (map { $_->port } @servers),
    "$dir/socket");

done_testing;
