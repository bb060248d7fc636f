# SPDX-License-Identifier: BSD-3-Clause
"""The backend for Django, beside Django's own.

Behaviour is what Django promises of every backend: the same assertions for the
one in local memory, for its own on pymemcache, for ours, and for ours on a
memcached.
"""

import time
import unittest

import django
from django import conf

from leasecached import Client
from servers import leasecached, memcached
from test_plain import Gate, in_thread, never, until

LOCMEM = 'django.core.cache.backends.locmem.LocMemCache'
PYMEMCACHE = 'django.core.cache.backends.memcached.PyMemcacheCache'
OURS = 'leasecached.django.LeaseCache'


def own_key(key, key_prefix, version):
    return '-'.join([key_prefix, str(version), key])


def variants(name, backend, location, options):
    base = {'BACKEND': backend, 'LOCATION': location, 'OPTIONS': options}
    return {
        name: base,
        name + ' v2': dict(base, VERSION=2),
        name + ' prefix': dict(base, KEY_PREFIX='prefix'),
        name + ' function': dict(base, KEY_FUNCTION=own_key, KEY_PREFIX='own'),
        name + ' zero': dict(base, TIMEOUT=0),
        name + ' never': dict(base, TIMEOUT=None),
    }


servers = {}


def setUpModule():
    time.time = lambda: real_time() + moved
    patient = {'timeout': 60}
    servers['leasecached'] = leasecached()
    caches = {
        'default': {'BACKEND': LOCMEM},
        **variants('locmem', LOCMEM, 'all', {'MAX_ENTRIES': 10000}),
        **variants('pymemcache', PYMEMCACHE, servers['leasecached'].address,
                   patient),
        **variants('ours', OURS, servers['leasecached'].address, patient),
    }
    try:
        servers['memcached'] = memcached()
        caches.update(variants('plain', OURS, servers['memcached'].address,
                               patient))
    except unittest.SkipTest:
        pass
    if not conf.settings.configured:
        conf.settings.configure(
            CACHES=caches, SECRET_KEY='x', USE_TZ=True, DATABASES={
                'default': {'ENGINE': 'django.db.backends.sqlite3',
                            'NAME': ':memory:'}})
        django.setup()


def tearDownModule():
    time.time = real_time
    failed = [name for name, server in servers.items() if server.stop()]
    if failed:
        raise AssertionError('did not end as it should: %s' % failed)


# LocMem takes the time from Python, the server has a clock of its own: both
# are moved together, and never back.
real_time = time.time
moved = 0


def forward(seconds):
    global moved
    if not servers['leasecached'].advance(seconds):
        raise unittest.SkipTest('the server has no clock to move')
    moved += seconds
    until(fills_are_taken)


def fills_are_taken():
    """Not at once after a jump: for all that the server knows, the token may
    be as old as the jump is long."""
    client = Client(servers['leasecached'].address, timeout=60)
    client.delete('jump')
    client.get_or_load('jump', lambda: 1)
    try:
        return client.get('jump') == 1
    finally:
        client.close()


class Unknown:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Unknown) and self.value == other.value


class Behaviour:
    """For the cache of this name."""

    def setUp(self):
        from django.core.cache import caches
        self.caches = caches
        if self.name not in conf.settings.CACHES:
            self.skipTest('memcached is not installed')
        self.cache = caches[self.name]
        self.v2 = caches[self.name + ' v2']
        self.cache.clear()
        caches[self.name + ' prefix'].clear()

    def test_missing(self):
        self.assertIsNone(self.cache.get('k'))
        self.assertEqual(self.cache.get('k', 'default'), 'default')
        self.assertFalse(self.cache.has_key('k'))  # noqa: W601
        self.assertNotIn('k', self.cache)
        self.assertIs(self.cache.delete('k'), False)
        self.assertIs(self.cache.touch('k'), False)
        self.assertEqual(self.cache.get_many(['k', 'j']), {})
        for call in (lambda: self.cache.incr('k'),
                     lambda: self.cache.decr('k'),
                     lambda: self.cache.incr_version('k'),
                     lambda: self.cache.decr_version('k', version=2)):
            with self.assertRaises(ValueError):
                call()

    def test_set_get_delete(self):
        self.assertIsNone(self.cache.set('k', 'value'))
        self.assertEqual(self.cache.get('k'), 'value')
        self.assertIn('k', self.cache)
        self.assertIs(self.cache.delete('k'), True)
        self.assertIsNone(self.cache.get('k'))

    def test_add(self):
        self.assertIs(self.cache.add('k', 1), True)
        self.assertIs(self.cache.add('k', 2), False)
        self.assertEqual(self.cache.get('k'), 1)
        self.cache.delete('k')
        self.assertIs(self.cache.add('k', 3), True)

    def test_values_of_all_kinds(self):
        for value in ('text', '', b'\r\n\0', 0, 42, -42, 2 ** 70, 2.5, True,
                      [1, 'a'], {'a': {'b': 1}}, (1, 2), 'ünïcödé',
                      Unknown([1]), 'x' * 100000):
            self.cache.set('k', value)
            got = self.cache.get('k')
            self.assertEqual(got, value)
            self.assertIs(type(got), type(value))
            self.assertEqual(self.cache.get_many(['k']), {'k': value})
            self.cache.delete('k')
            self.assertEqual(self.cache.get_or_set('k', lambda: value), value)
            self.assertEqual(self.cache.get_or_set('k', never), value)

    def test_none_is_a_value(self):
        self.cache.set('k', None)
        self.assertIsNone(self.cache.get('k', 'default'))
        self.assertIn('k', self.cache)
        self.assertIs(self.cache.add('k', 1), False)
        self.assertEqual(self.cache.get_many(['k']), {'k': None})

    def test_many(self):
        data = {'k%d' % i: i for i in range(200)}
        self.assertEqual(self.cache.set_many(data), [])
        self.assertEqual(self.cache.get_many([*data, 'none']), data)
        self.assertIsNone(self.cache.delete_many(['k%d' % i
                                                  for i in range(150)]))
        self.assertEqual(len(self.cache.get_many(data)), 50)
        self.assertEqual(self.cache.set_many({}), [])
        self.assertEqual(self.cache.get_many([]), {})

    def test_counting(self):
        self.cache.set('k', 41)
        self.assertEqual(self.cache.incr('k'), 42)
        self.assertEqual(self.cache.incr('k', 10), 52)
        self.assertEqual(self.cache.decr('k'), 51)
        self.assertEqual(self.cache.decr('k', 10), 41)
        self.assertEqual(self.cache.incr('k', -1), 40)
        self.assertEqual(self.cache.decr('k', -2), 42)
        self.assertEqual(self.cache.get('k'), 42)

    def test_get_or_set(self):
        self.assertEqual(self.cache.get_or_set('k', 'first', 100), 'first')
        self.assertEqual(self.cache.get_or_set('k', 'second', 100), 'first')
        self.assertEqual(self.cache.get_or_set('j', lambda: 'made'), 'made')
        self.assertEqual(self.cache.get_or_set('j', never), 'made')
        self.assertEqual(self.cache.get('j'), 'made')
        self.assertEqual(self.cache.get_or_set('k', 2, version=2), 2)
        self.assertEqual(self.cache.get('k'), 'first')
        self.assertIsNone(self.cache.get_or_set('n', None))
        self.assertIsNone(self.cache.get('n', 'default'))

    def test_get_or_set_of_what_ends_at_once(self):
        self.assertEqual(self.cache.get_or_set('k', 'v', 0), 'v')
        self.assertEqual(self.cache.get_or_set('k', 'w', -5), 'w')
        self.assertIsNone(self.cache.get('k'))

    def test_get_or_set_raises_what_was_raised(self):
        with self.assertRaises(ZeroDivisionError):
            self.cache.get_or_set('k', lambda: 1 / 0)
        self.assertIsNone(self.cache.get('k'))

    def test_versions_are_apart(self):
        self.cache.set('k', 1)
        self.cache.set('k', 2, version=2)
        self.assertEqual(self.cache.get('k'), 1)
        self.assertEqual(self.cache.get('k', version=2), 2)
        self.assertEqual(self.v2.get('k'), 2)
        self.assertEqual(self.v2.get('k', version=1), 1)
        self.assertIs(self.cache.add('k', 3, version=2), False)
        self.assertIs(self.cache.add('k', 3, version=3), True)
        self.assertIs(self.cache.has_key('k', version=4), False)  # noqa: W601
        self.assertIs(self.cache.touch('k', version=4), False)
        self.assertEqual(self.cache.incr('k', version=2), 3)
        self.assertIs(self.cache.delete('k', version=2), True)
        self.assertEqual(self.cache.get('k'), 1)
        self.assertIsNone(self.v2.get('k'))
        self.cache.set_many({'a': 1, 'b': 2}, version=2)
        self.assertEqual(self.cache.get_many(['a', 'b']), {})
        self.assertEqual(self.v2.get_many(['a', 'b']), {'a': 1, 'b': 2})
        self.v2.delete_many(['a'])
        self.assertEqual(self.v2.get_many(['a', 'b']), {'b': 2})

    def test_incr_version(self):
        for value in ('text', b'\0', 42, None, [1]):
            self.cache.set('k', value, version=2)
            self.assertEqual(self.cache.incr_version('k', version=2), 3)
            self.assertEqual(self.cache.get('k', 'gone', version=2), 'gone')
            self.assertEqual(self.cache.get('k', 'gone', version=3), value)
            self.assertEqual(self.cache.decr_version('k', version=3), 2)
            self.assertEqual(self.cache.get('k', 'gone', version=2), value)
        self.v2.set('j', 1)
        self.assertEqual(self.v2.incr_version('j', 5), 7)
        self.assertEqual(self.cache.get('j', version=7), 1)
        with self.assertRaises(ValueError):
            self.v2.incr_version('j')

    def test_prefix_and_key_function(self):
        own = self.caches[self.name + ' function']
        prefixed = self.caches[self.name + ' prefix']
        own.set('k', 'own')
        prefixed.set('k', 'prefixed')
        self.cache.set('k', 'none')
        self.assertEqual([c.get('k') for c in (own, prefixed, self.cache)],
                         ['own', 'prefixed', 'none'])
        self.assertEqual(own.make_key('k', 3), 'own-3-k')
        self.assertEqual(prefixed.make_key('k'), 'prefix:1:k')
        own.set_many({'a': 1, 'b': 2})
        self.assertEqual(own.get_many(['a', 'b', 'c']), {'a': 1, 'b': 2})
        own.delete_many(['a'])
        self.assertEqual(own.get_many(['a', 'b']), {'b': 2})
        self.assertEqual(own.incr_version('b'), 2)
        self.assertEqual(own.get('b', version=2), 2)

    def test_keys_in_other_letters(self):
        self.cache.set('ключ', 'значение')
        self.assertEqual(self.cache.get('ключ'), 'значение')
        self.assertEqual(self.cache.get_many(['ключ', 'größe']),
                         {'ключ': 'значение'})
        self.assertEqual(self.cache.get_or_set('größe', 5), 5)
        self.assertEqual(self.cache.incr_version('ключ'), 2)
        self.assertIs(self.cache.delete('größe'), True)
        self.cache.set('k' * 240, 1)
        self.assertEqual(self.cache.get('k' * 240), 1)

    def test_timeouts_that_end_at_once(self):
        for timeout in (0, -1, -100, 0.5):
            if self.name == 'locmem' and timeout == 0.5:
                continue
            self.cache.set('k', 'old')
            self.cache.set('k', 'v', timeout)
            self.assertIsNone(self.cache.get('k'), timeout)
            self.cache.add('k', 'v', timeout)
            self.assertIsNone(self.cache.get('k'))
            self.cache.set_many({'k': 1, 'j': 2}, timeout)
            self.assertEqual(self.cache.get_many(['k', 'j']), {})
        self.assertIs(self.cache.add('k', 'new'), True)
        self.assertIs(self.cache.touch('k', 0), True)
        self.assertIsNone(self.cache.get('k'))

    def test_the_default_timeout(self):
        zero = self.caches[self.name + ' zero']
        zero.set('k', 1)
        self.assertIsNone(zero.get('k'))
        self.assertEqual(zero.get_or_set('k', 2), 2)
        self.assertIsNone(zero.get('k'))
        zero.set('k', 3, None)
        self.assertEqual(zero.get('k'), 3)

    def test_time(self):
        cache, month = self.cache, 30 * 24 * 3600
        never_ends = self.caches[self.name + ' never']
        cache.set('five', 1, 5)
        cache.set('default', 1)
        cache.set('ever', 1, None)
        never_ends.set('never', 1)
        cache.set('month', 1, month)
        cache.set('months', 1, 2 * month)
        cache.set_many({'m1': 1, 'm2': 2}, 5)
        cache.add('added', 1, 5)
        cache.get_or_set('gos', 1, 5)
        cache.get_or_set('gos_default', lambda: 1)
        cache.get_or_set('gos_ever', 1, None)
        cache.get_or_set('gos_months', 1, 2 * month)
        cache.set('counted', 1, 5)
        cache.incr('counted')
        cache.set('touched', 1, 5)
        cache.touch('touched', 1000)
        cache.set('retimed', 1, 1000)
        cache.touch('retimed', 5)
        cache.set('touched_ever', 1, 5)
        cache.touch('touched_ever', None)
        keys = ('five default ever never month months m1 m2 added gos '
                'gos_default gos_ever gos_months counted touched retimed '
                'touched_ever').split()
        self.assertEqual(sorted(cache.get_many(keys)), sorted(keys))
        for seconds, left in (
                (7, 'default ever gos_default gos_ever gos_months month '
                 'months never touched touched_ever'),
                (313, 'ever gos_ever gos_months month months never '
                 'touched touched_ever'),
                (1000, 'ever gos_ever gos_months month months never '
                 'touched_ever'),
                (month, 'ever gos_ever gos_months months never '
                 'touched_ever'),
                (month, 'ever gos_ever never touched_ever')):
            forward(seconds)
            self.assertEqual(sorted(cache.get_many(keys)), left.split())
        self.assertIs(cache.add('five', 2), True)

    def test_clear(self):
        self.cache.set_many({'a': 1, 'b': 2})
        self.cache.add('c', 3)
        self.cache.get_or_set('d', 4)
        self.v2.set('a', 1)
        self.cache.set('n', 1)
        self.cache.incr('n')
        self.cache.touch('n', 100)
        self.cache.set('moved', 1)
        self.cache.incr_version('moved')
        self.cache.clear()
        self.assertEqual(self.cache.get_many('abcdn'), {})
        self.assertIsNone(self.v2.get('a'))
        self.assertIsNone(self.cache.get('moved', version=2))
        self.cache.set('a', 2)
        self.assertEqual(self.cache.get('a'), 2)

    def test_close(self):
        self.cache.set('k', 1)
        self.cache.close()
        self.assertEqual(self.cache.get('k'), 1)

    def test_threads(self):
        def work(n):
            for i in range(50):
                self.caches[self.name].set('t%d' % n, i)
                self.caches[self.name].get_or_set('shared', 'value')
                if self.caches[self.name].get('t%d' % n) != i:
                    return False
            return True

        threads = [in_thread(work, n) for n in range(8)]
        self.assertTrue(all(thread.result() for thread in threads))


class LocMem(Behaviour, unittest.TestCase):
    name = 'locmem'


class PyMemcache(Behaviour, unittest.TestCase):
    name = 'pymemcache'


class Plain(Behaviour, unittest.TestCase):
    """Ours, on a memcached."""
    name = 'plain'
    test_time = None    # it has no clock to move

    def test_single_flight_in_the_process(self):
        gate = Gate('value')
        callers = [in_thread(
            lambda: self.caches[self.name].get_or_set('k', gate, wait=60))
            for _ in range(10)]
        gate.started.wait(60)
        gate.go.set()
        self.assertEqual([c.result() for c in callers], ['value'] * 10)
        self.assertEqual(gate.calls, 1)

    def test_tags_are_not_kept(self):
        self.cache.set('k', 'v', tags=['t'])
        self.assertIsNone(self.cache.get('k'))
        self.cache.invalidate_tags(['t'])


class Refuses(unittest.TestCase):
    """Keys that a memcached does not take, as Django's own backends do."""

    def test_bad_keys(self):
        from django.core.cache import caches
        from django.core.cache.backends.base import InvalidCacheKey
        for name in ('pymemcache', 'ours'):
            cache = caches[name]
            for bad in ('a key', 'k' * 251, 'a\nb', '\x7f'):
                for call in (lambda: cache.get(bad),
                             lambda: cache.set(bad, 1),
                             lambda: cache.add(bad, 1),
                             lambda: cache.get_or_set(bad, 1),
                             lambda: cache.delete(bad),
                             lambda: cache.touch(bad),
                             lambda: cache.incr(bad),
                             lambda: cache.incr_version(bad),
                             lambda: cache.get_many([bad, 'x']),
                             lambda: cache.set_many({bad: 1})):
                    with self.assertRaises(InvalidCacheKey):
                        call()


class Ours(Behaviour, unittest.TestCase):
    name = 'ours'

    def test_single_flight(self):
        gate = Gate('value')
        callers = [in_thread(
            lambda: self.caches[self.name].get_or_set('k', gate, wait=60))
            for _ in range(10)]
        gate.started.wait(60)
        gate.go.set()
        self.assertEqual([c.result() for c in callers], ['value'] * 10)
        self.assertEqual(gate.calls, 1)

    def test_a_value_that_was_deleted_while_it_was_made_is_not_kept(self):
        self.assertEqual(self.cache.get_or_set(
            'k', lambda: [self.cache.delete('k')] and 'old'), 'old')
        self.assertIsNone(self.cache.get('k'))

    def test_what_the_loader_says_of_the_key_is_not_held_against_it(self):
        from django.core.exceptions import ObjectDoesNotExist

        def no_row():
            raise ObjectDoesNotExist

        with self.assertRaises(ObjectDoesNotExist):
            self.cache.get_or_set('k', no_row)
        self.assertEqual(self.cache.get_or_set('k', 1), 1)

    def test_tags(self):
        cache = self.cache
        cache.set('a', 1, tags=['x', 'y'])
        cache.set_many({'b': 2}, tags=['x'])
        cache.add('c', 3, tags='y')
        cache.get_or_set('d', {'team': 7}, tags=lambda v: ['t%d' % v['team']])
        cache.set('e', 5)
        self.assertEqual(len(cache.get_many('abcde')), 5)
        cache.invalidate_tags(['x'])
        self.assertEqual(cache.get_many('abcde'),
                         {'c': 3, 'd': {'team': 7}, 'e': 5})
        cache.invalidate_tags('t7')
        self.assertEqual(cache.get_many('abcde'), {'c': 3, 'e': 5})
        self.assertEqual(cache.get_or_set('f', lambda: (
            cache.invalidate_tags('y') or 'old'), tags=['y']), 'old')
        self.assertEqual(cache.get_many('abcdef'), {'e': 5})

    def test_tags_have_the_prefix(self):
        other = self.caches['ours prefix']
        self.cache.set('k', 1, tags=['t'])
        other.set('k', 2, tags=['t'])
        other.invalidate_tags(['t'])
        self.assertEqual((self.cache.get('k'), other.get('k')), (1, None))

    def test_clear_leaves_what_others_have(self):
        other = self.caches['ours prefix']
        stranger = self.caches['pymemcache']
        other.set('k', 'other')
        stranger.set('stranger', 1)
        self.cache.set('k', 'mine')
        self.cache.clear()
        self.assertEqual((self.cache.get('k'), other.get('k')),
                         (None, 'other'))
        self.assertEqual(stranger.get('stranger'), 1)
        stranger.delete('stranger')

    def test_incr_version_keeps_the_timeout(self):
        self.cache.set('k', 'v', 1000)
        self.cache.incr_version('k')
        forward(400)
        self.assertEqual(self.cache.get('k', version=2), 'v')
        forward(700)
        self.assertIsNone(self.cache.get('k', version=2))
        self.cache.set('k', 'v', None)
        self.cache.incr_version('k')
        forward(10000)
        self.assertEqual(self.cache.get('k', version=2), 'v')

    def test_incr_version_of_a_value_with_tags(self):
        self.cache.set('k', 'v', tags=['t'])
        self.assertEqual(self.cache.incr_version('k'), 2)
        self.assertIsNone(self.cache.get('k', version=2))
        self.cache.set('k', 'v', tags=['t'])
        self.assertEqual(self.cache.incr_version('k', tags=['t']), 2)
        self.assertEqual(self.cache.get('k', version=2), 'v')
        self.cache.invalidate_tags(['t'])
        self.assertIsNone(self.cache.get('k', version=2))

    def test_source_versions(self):
        self.cache.set('versioned', 'two', source_version=2)
        self.cache.set('versioned', 'one', source_version=1)
        self.assertEqual(self.cache.get('versioned'), 'two')
        self.assertIs(self.cache.invalidate('versioned', source_version=2),
                      True)
        self.assertEqual(self.cache.get('versioned'), 'two')
        self.assertIs(self.cache.invalidate('versioned', source_version=3),
                      True)
        self.assertIsNone(self.cache.get('versioned'))
        self.cache.get_or_set('versioned', 'two', source_version=2)
        self.assertIsNone(self.cache.get('versioned'))
        # A blind set is refused for a while, and leaves nothing old.
        self.cache.set('versioned', 'blind')
        self.assertIsNone(self.cache.get('versioned'))
        self.cache.get_or_set('versioned', 'three',
                              source_version=lambda value: 3)
        self.assertEqual(self.cache.get('versioned'), 'three')

    def test_invalidate(self):
        self.assertIs(self.cache.invalidate('k'), False)
        self.cache.set('k', 'old')
        self.cache.set('k', 'v2', version=2)
        self.assertIs(self.cache.invalidate('k', version=2), True)
        self.assertEqual(self.cache.get('k'), 'old')
        self.cache.invalidate('k', stale=30)
        gate = Gate('new')
        first = in_thread(lambda: self.cache.get_or_set('k', gate))
        gate.started.wait(60)
        self.assertEqual(self.cache.get_or_set('k', never), 'old')
        gate.go.set()
        self.assertEqual(first.result(), 'new')

    def test_get_or_set_many(self):
        self.cache.set('b', 'there')

        def load(keys):
            self.assertEqual(keys, ['a', 'c', 'd'])
            return {key: key.upper() for key in keys if key != 'd'}

        wanted = {'a': 'A', 'b': 'there', 'c': 'C'}
        self.assertEqual(self.cache.get_or_set_many('abcd', load, negative=60),
                         wanted)
        self.assertEqual(self.cache.get_or_set_many('abcd', never), wanted)
        self.assertEqual(self.cache.get_many('abcd'), wanted)

    def test_negative_entries(self):
        self.assertIsNone(self.cache.get_or_set('k', lambda: None,
                                                negative=60))
        self.assertIsNone(self.cache.get_or_set('k', never, negative=60))
        self.assertEqual(self.cache.get('k', 'missing'), 'missing')
        self.assertIs(self.cache.add('k', 'row'), True)
        self.assertEqual(self.cache.get('k'), 'row')

    def test_all_threads_share_a_client(self):
        mine = self.cache._cache
        self.assertIs(in_thread(
            lambda: self.caches[self.name]._cache).result(), mine)
        self.assertIs(self.v2._cache, mine)


class Transactions(unittest.TestCase):
    """invalidates(), with a database in memory."""

    def setUp(self):
        from django.core.cache import caches
        self.cache = caches['ours']
        self.cache.clear()
        self.cache.set('k', 1)
        self.cache.set('t', 1, tags=['tag'])

    def cached(self):
        return sorted(self.cache.get_many(['k', 't']))

    def test_it_waits_for_the_commit(self):
        from django.db import transaction
        from leasecached.django import invalidates
        with transaction.atomic():
            invalidates('tag', keys=['k'], cache='ours')
            self.assertEqual(self.cached(), ['k', 't'])
        self.assertEqual(self.cached(), [])

    def test_a_rollback_leaves_the_cache_alone(self):
        from django.db import transaction
        from leasecached.django import invalidates
        with self.assertRaises(KeyError), transaction.atomic():
            invalidates('tag', keys='k', cache='ours')
            raise KeyError
        self.assertEqual(self.cached(), ['k', 't'])

    def test_without_a_transaction_it_is_done_at_once(self):
        from leasecached.django import invalidates
        invalidates('tag', cache='ours')
        self.assertEqual(self.cached(), ['k'])
        invalidates(keys='k', cache='ours')
        self.assertEqual(self.cached(), [])


if __name__ == '__main__':
    unittest.main()
