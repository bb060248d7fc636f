#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 87-django.t - Django's cache framework, on pymemcache and on pylibmc.

use Leasecached;
use Leasecached::Suite;
use File::Temp ();

needs_python('django', 'python3-django');
needs_python('pymemcache', 'python3-pymemcache');
needs_python('pylibmc', 'python3-pylibmc');

my $dir = File::Temp->newdir('leasecached-XXXXXX', TMPDIR => 1);
my @servers = map { Leasecached->start } 1 .. 3;
my $unix = Leasecached->start(-unix => "$dir/socket");

run_suite(python3(), 'django_suite.py', (map { $_->port } @servers),
    "$dir/socket");

done_testing;
