#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# 96-django-backend.t - contrib/python: the backend for Django, beside its own.

use Leasecached;
use Leasecached::Proc ();
use Leasecached::Suite;
use File::Spec ();

plan(skip_all => 'memcached has no leases')
    if Leasecached::Proc::is_reference();
needs_python('pymemcache', 'python3-pymemcache');
needs_python('django', 'python3-django');

$ENV{MEMCACHED} = needs_program('memcached');
$ENV{LEASECACHED} = File::Spec->rel2abs(Leasecached::Proc::server_binary());

run_suite(python3(), 'lease_unittest.py', 'test_django');

done_testing;
