#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 97-four-cases.t - a database, a cache before it, and four ways to go wrong.
#
# The database is a PostgreSQL of the test's own.  Each case is played with
# Django's backend on a memcached, where it must go wrong, and with ours.

use Leasecached;
use Leasecached::Proc ();
use Leasecached::Suite;

plan(skip_all => 'memcached has no leases')
    if Leasecached::Proc::is_reference();
needs_python('pymemcache', 'python3-pymemcache');
needs_python('django', 'python3-django');
needs_python('psycopg2', 'python3-psycopg2');

$ENV{MEMCACHED} = needs_program('memcached');
my ($bin) = reverse sort grep { -x "$_/initdb" && -x "$_/postgres" }
    glob '/usr/lib/postgresql/*/bin';
need(defined $bin, 'postgresql');

my $srv = Leasecached->start;

run_suite(python3(), 'lease_four_cases.py', $srv->port, $bin);

done_testing;
