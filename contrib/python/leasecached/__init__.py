# SPDX-License-Identifier: BSD-3-Clause
"""A cache client that loads each value once, and never an outdated one.

    cache = leasecached.Client('127.0.0.1:11211')
    user = cache.get_or_load('user:42', lambda: load_user(42), ttl=300,
                             tags=['users'], version=lambda u: u.version)
    cache.invalidate('user:42', version=18)
    cache.invalidate_tag('users')

With a plain memcached the same calls work, as far as it goes: one load at a
time in each process, nothing cached that has tags, and versions ignored.
"""

from .client import BackOff, Client

__all__ = ['BackOff', 'Client']
