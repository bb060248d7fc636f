#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 82-python-memcache.t - python-memcached.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();

needs_python('memcache', 'python3-memcache');

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start } 1 .. 3;
my $unix = Leasecached->start(-unix => "$dir/socket");

run_suite(python3(), 'python_memcache_suite.py', (map { $_->port } @servers),
    "$dir/socket");

done_testing;
