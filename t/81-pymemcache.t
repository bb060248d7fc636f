#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 81-pymemcache.t - pymemcache: base, pooled, retrying and hashing clients.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();

needs_python('pymemcache', 'python3-pymemcache');

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start } 1 .. 3;
my $unix = Leasecached->start(-unix => "$dir/socket");

run_suite(python3(), 'pymemcache_suite.py', (map { $_->port } @servers),
    "$dir/socket");

done_testing;
