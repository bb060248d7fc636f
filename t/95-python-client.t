#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 95-python-client.t - contrib/python: the client, with and without leases.

use Leasecached;
use Leasecached::Proc ();
use Leasecached::Suite;
use File::Spec ();

plan(skip_all => 'memcached has no leases')
    if Leasecached::Proc::is_reference();
needs_python('pymemcache', 'python3-pymemcache');

$ENV{MEMCACHED} = needs_program('memcached');
$ENV{LEASECACHED} = File::Spec->rel2abs(Leasecached::Proc::server_binary());

run_suite(python3(), 'lease_unittest.py', $_)
    for qw(test_wire test_plain test_leases);

done_testing;
