# SPDX-License-Identifier: BSD-3-Clause
"""The client with a leasecached: what no memcached can do."""

import socket
import threading
import time
import unittest

from leasecached import BackOff, Client
from servers import leasecached, memcached
from test_plain import Common, Gate, in_thread, never, until


class Leases(Common, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = leasecached()
        cls.addClassCleanup(cls.stopped)

    @classmethod
    def stopped(cls):
        if cls.server.stop():
            raise AssertionError('the server did not end as it should')

    def counted(self, name):
        return int(self.server.stats(b'leases')[name])

    def parked(self, count):
        """Waits until so many requests wait in the server."""
        until(lambda: self.counted('waiters') == count)

    def ask(self, request):
        with socket.create_connection(('127.0.0.1', self.server.port),
                                      60) as s:
            s.sendall(request.encode() + b'\r\n')
            return s.makefile('rb').readline().decode().rstrip()

    # ---- one loader for all -------------------------------------------------

    def test_callers_wait_in_the_server(self):
        gate = Gate('value')
        others = [self.client() for _ in range(5)]
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        callers = [in_thread(other.get_or_load, self.key, never, 60, wait=60)
                   for other in others]
        self.parked(5)
        gate.go.set()
        self.assertEqual([c.result() for c in [first, *callers]],
                         ['value'] * 6)

    def test_a_loader_that_dies_with_its_connection_is_replaced(self):
        gate = Gate('late')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60,
                          lease=60)
        gate.started.wait(60)
        other = self.client()
        second = in_thread(other.get_or_load, self.key, lambda: 'second', 60,
                           wait=60)
        self.parked(1)
        for conn in self.node().client_pool.used:
            conn.sock.shutdown(socket.SHUT_RDWR)
        self.assertEqual(second.result(), 'second')
        gate.go.set()
        self.assertEqual(first.result(), 'late')
        self.assertEqual(self.cache.get(self.key), 'second')

    def test_a_fill_after_the_connection_was_lost_is_kept(self):
        gate = Gate('value')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        for conn in self.node().client_pool.used:
            conn.sock.shutdown(socket.SHUT_RDWR)
        gate.go.set()
        self.assertEqual(first.result(), 'value')
        self.assertEqual(self.cache.get(self.key), 'value')

    def test_nobody_waits_while_holding_a_lease_of_another_server(self):
        second = leasecached()
        self.addCleanup(second.stop)
        cache = Client([self.server.address, second.address], timeout=60)
        self.addCleanup(cache.close)
        names = [self.key + str(i) for i in range(50)]
        here = [n for n in names if cache._get_client(n).server[1] ==
                self.server.port][0]
        there = [n for n in names if cache._get_client(n).server[1] ==
                 second.port][0]
        both = threading.Barrier(2)

        def loader(other):
            both.wait(60)
            return cache.get_or_load(other, lambda: 'own', 60, wait=600)

        one = in_thread(cache.get_or_load, here, lambda: loader(there), 60)
        two = in_thread(cache.get_or_load, there, lambda: loader(here), 60)
        self.assertEqual([one.result(), two.result()], ['own', 'own'])
        keys = [*names, 'x']
        self.assertEqual(
            cache.get_or_load_many(keys, lambda k: dict.fromkeys(k, 1), 60),
            {**dict.fromkeys(keys, 1), here: 'own', there: 'own'})

    def test_a_long_load_is_renewed_if_asked(self):
        gate = Gate('value')
        renewed = self.counted('lease_renewed')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60,
                          lease=3, renew=True)
        gate.started.wait(60)
        # As long as the lease without it, and longer.
        until(lambda: self.counted('lease_renewed') >= renewed + 4)
        self.assertIn(' Z', self.ask('mg %s v c n1' % self.key))
        gate.go.set()
        self.assertEqual(first.result(), 'value')
        self.assertEqual(self.cache.get(self.key), 'value')

    def test_a_lease_that_lapses_passes_to_the_next(self):
        gate = Gate('first')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60,
                          lease=0.05)
        gate.started.wait(60)
        self.assertEqual(self.client().get_or_load(
            self.key, lambda: 'second', 60, wait=60), 'second')
        gate.go.set()
        self.assertEqual(first.result(), 'first')
        self.assertEqual(self.cache.get(self.key), 'second')

    def test_no_lease_is_left_behind(self):
        def fails():
            raise LookupError

        self.cache.get_or_load(self.key, lambda: 1, 60)
        with self.assertRaises(LookupError):
            self.cache.get_or_load(self.key + 'x', fails)
        with self.assertRaises(ValueError):
            self.cache.get_or_load(self.key + 'y', lambda: 1,
                                   tags=lambda value: ['a b'])
        with self.assertRaises(LookupError):
            self.cache.get_or_load_many([self.key + 'z', self.key + 'x'],
                                        lambda keys: fails())
        self.cache.get_or_load_many([self.key + 'z', self.key + 'x'],
                                    lambda keys: {})
        self.assertEqual(self.counted('lease_live'), 0)

    # ---- versions -----------------------------------------------------------

    def test_a_fill_below_an_invalidation_by_version_is_refused(self):
        for order in (True, False):
            key = self.key + str(order)
            if order:
                self.cache.invalidate(key, version=18)
            old = self.cache.get_or_load(
                key, lambda: order or self.cache.invalidate(key, version=18)
                and 'old', 60, version=17)
            self.assertTrue(old)
            self.assertIsNone(self.cache.get(key))
            self.cache.get_or_load(key, lambda: {'v': 18}, 60,
                                   version=lambda value: value['v'])
            self.assertEqual(self.cache.get(key), {'v': 18})

    def test_a_newer_value_stays_when_an_older_event_comes(self):
        self.cache.store(self.key, 'new', 60, version=18)
        self.assertTrue(self.cache.invalidate(self.key, version=17))
        self.assertEqual(self.cache.get(self.key), 'new')
        self.assertTrue(self.cache.invalidate(self.key, version=18))
        self.assertEqual(self.cache.get(self.key), 'new')
        self.assertTrue(self.cache.invalidate(self.key, version=19))
        self.assertIsNone(self.cache.get(self.key))

    def test_write_through_keeps_the_order_of_the_source(self):
        self.assertTrue(self.cache.store(self.key, 'two', 60, version=2))
        self.assertFalse(self.cache.store(self.key, 'one', 60, version=1))
        self.assertEqual(self.cache.get(self.key), 'two')
        self.assertEqual(
            self.cache.store_many({self.key: 'one', self.key + 'x': 'one'},
                                  60, version=1), [self.key])

    def test_an_old_version_can_be_as_good_as_missing(self):
        self.cache.store(self.key, 'old', 60, version=3)
        self.assertEqual(self.cache.get_or_load(self.key, never, at_least=3),
                         'old')
        self.assertEqual(
            self.cache.get_or_load(self.key, lambda: 'new', 60, version=4,
                                   at_least=4), 'new')
        self.assertEqual(self.cache.get(self.key), 'new')

    # ---- tags ---------------------------------------------------------------

    def test_a_tag_ends_all_its_values(self):
        cache, key, tag = self.cache, self.key, 'team'
        cache.get_or_load(key + '1', lambda: 1, 60, tags=[tag, 'other'])
        cache.get_or_load(key + '2', lambda: 2, 60, tags=lambda v: [tag])
        cache.store(key + '3', 3, 60, tags=tag)
        cache.store(key + '4', 4, 60, tags=['other'])
        keys = [key + str(i) for i in range(1, 5)]
        self.assertEqual(len(cache.get_many(keys)), 4)

        cache.invalidate_tag(tag)

        self.assertEqual(cache.get_many(keys), {key + '4': 4})

    def test_a_load_that_a_tag_ends_is_not_stored(self):
        refused = self.counted('fill_refused_tag')
        self.assertEqual(self.cache.get_or_load(
            self.key, lambda: self.cache.invalidate_tags(['a', 'b']) or 'old',
            60, tags=['b']), 'old')
        self.assertIsNone(self.cache.get(self.key))
        self.assertEqual(self.counted('fill_refused_tag'), refused + 1)

    def test_tags_go_to_all_servers(self):
        servers = [self.server, leasecached(), memcached()]
        for server in servers[1:]:
            self.addCleanup(server.stop)
        cache = Client([server.address for server in servers], timeout=60)
        self.addCleanup(cache.close)
        keys = [self.key + str(i) for i in range(60)]
        cache.store_many(dict.fromkeys(keys, 1), 60, tags=['t'])
        mine = [key for key in keys
                if cache._get_client(key).server[1] != servers[2].port]
        self.assertTrue(0 < len(mine) < len(keys))
        self.assertEqual(sorted(cache.get_many(keys)), sorted(mine))

        cache.invalidate_tag('t')

        self.assertEqual(cache.get_many(keys), {})

    def test_a_server_that_is_gone_is_reported_and_the_others_are_told(self):
        second = leasecached()
        cache = Client([second.address, self.server.address], timeout=60)
        self.addCleanup(cache.close)
        second.stop()
        self.cache.store(self.key, 1, 60, tags='t')
        with self.assertRaises(ConnectionError):
            cache.invalidate_tag('t')
        self.assertIsNone(self.cache.get(self.key))

    def test_a_load_that_a_flush_ends_is_not_stored(self):
        self.assertEqual(self.cache.get_or_load(
            self.key, lambda: self.cache.flush_all() or 'old', 60), 'old')
        self.assertIsNone(self.cache.get(self.key))

    def test_clear_ends_what_has_the_clients_tag(self):
        cache = self.client(clear_tag='mine')
        cache.get_or_load(self.key + '1', lambda: 1, 60)
        cache.store(self.key + '2', 2, 60, tags=['x'])
        self.cache.store(self.key + '3', 3, 60)
        cache.clear()
        self.assertEqual(
            cache.get_many([self.key + str(i) for i in range(4)]),
            {self.key + '3': 3})
        self.cache.clear()
        self.assertIsNone(cache.get(self.key + '3'))

    # ---- stale values, failures ---------------------------------------------

    def test_while_one_loads_others_see_the_old_value(self):
        self.cache.store(self.key, 'old', 60)
        self.assertTrue(self.cache.invalidate(self.key, stale=30))
        gate = Gate('new')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        self.assertEqual(self.cache.get_or_load(self.key, never, 60, wait=60),
                         'old')
        self.assertEqual(self.cache.get_or_load_many([self.key], never, 60,
                                                     wait=60),
                         {self.key: 'old'})
        gate.go.set()
        self.assertEqual(first.result(), 'new')
        self.assertEqual(self.cache.get(self.key), 'new')

    def test_a_failing_loader_with_an_old_value_is_not_noticed(self):
        self.cache.store(self.key, 'old', 60)
        self.cache.invalidate(self.key, stale=True)
        gate = Gate(OSError('no database'))
        gate.go.set()
        with self.assertLogs('leasecached', 'WARNING'):
            self.assertEqual(
                self.cache.get_or_load(self.key, gate, 60, backoff=60), 'old')
        self.assertEqual(self.cache.get_or_load(self.key, never, 60), 'old')
        self.cache.set(self.key, 'back')
        self.assertEqual(self.cache.get_or_load(self.key, never, 60), 'back')

    def test_after_a_failure_the_source_is_spared(self):
        gate = Gate(OSError('no database'))
        first = in_thread(self.cache.get_or_load, self.key, gate, 60,
                          backoff=60)
        gate.started.wait(60)
        second = in_thread(self.client().get_or_load, self.key, never, 60,
                           wait=60)
        self.parked(1)
        gate.go.set()
        with self.assertRaisesRegex(OSError, 'no database'):
            first.result()
        with self.assertRaises(BackOff) as caught:
            second.result()
        self.assertTrue(50 < caught.exception.retry_after <= 60)
        with self.assertRaises(BackOff):
            self.cache.get_or_load(self.key, never, 60)
        with self.assertRaises(BackOff):
            self.cache.get_or_load_many([self.key, self.key + 'x'],
                                        lambda keys: {keys[0]: 1}, 60)
        self.assertEqual(self.cache.get(self.key + 'x'), 1)

    def test_how_long_it_is_spared_may_depend_on_the_error(self):
        def fails():
            raise ValueError('a')

        with self.assertRaises(ValueError):
            self.cache.get_or_load(self.key, fails, backoff=lambda e: 60)
        with self.assertRaises(BackOff):
            self.cache.get_or_load(self.key, never)
        with self.assertRaises(ValueError):
            self.cache.get_or_load(self.key + 'x', fails, backoff=0)
        self.assertEqual(self.cache.get_or_load(self.key + 'x', lambda: 1), 1)

    def test_a_value_in_its_grace_is_shown_to_those_who_load(self):
        if not self.server.advance(0):
            self.skipTest('the server has no clock to move')
        self.cache.get_or_load(self.key, lambda: 'old', 10, grace=60)
        self.server.advance(20)
        self.assertIsNone(self.cache.get(self.key))
        gate = Gate('new')
        first = in_thread(self.cache.get_or_load, self.key, gate, 10)
        gate.started.wait(60)
        self.assertEqual(self.cache.get_or_load(self.key, never), 'old')
        gate.go.set()
        self.assertEqual(first.result(), 'new')

    def test_early_refresh_takes_a_lease_before_the_end(self):
        def slow():
            time.sleep(0.05)
            return 'old'

        before = self.counted('early_refreshes')
        self.cache.get_or_load(self.key, slow, 10)
        loaded = []
        # The server weighs how long the load took.  To somebody so eager one
        # in eight tries is a refresh.
        for _ in range(1000):
            self.cache.get_or_load(self.key, lambda: loaded.append(1) or 'new',
                                   60, early=100)
            if loaded:
                break
        self.assertEqual(self.cache.get(self.key), 'new')
        self.assertEqual(self.counted('early_refreshes'), before + 1)

    # ---- the rest -----------------------------------------------------------

    def test_a_negative_entry_is_a_miss_for_others_until_it_is_filled(self):
        self.cache.get_or_load(self.key, lambda: None, 60, negative=60)
        self.assertIsNone(self.cache.get(self.key))
        self.assertIsNone(self.cache.get_or_load(self.key, never))
        self.assertEqual(self.cache.get_or_load_many([self.key], never), {})
        self.assertTrue(self.cache.invalidate(self.key))
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 'row', 60,
                                                negative=60), 'row')
        self.assertEqual(self.cache.get(self.key), 'row')

    def test_a_value_moves_with_its_time_version_and_grace(self):
        cache, new = self.cache, self.key + 'new'
        self.assertFalse(cache.move(self.key, new))
        cache.store(self.key, 'v', 500, grace=30, version=7)
        self.assertTrue(cache.move(self.key, new))
        self.assertIsNone(cache.get(self.key))
        self.assertEqual(cache.get(new), 'v')
        left = int(self.ask('mg %s t' % new).split('t')[1])
        self.assertTrue(490 < left <= 500)
        about = self.ask('me ' + new)
        self.assertIn(' version=7', about)
        self.assertIn(' grace=30', about)

    def test_a_value_with_tags_moves_with_those_it_is_given(self):
        cache, new = self.cache, self.key + 'new'
        cache.store(self.key, 'v', 500, tags='t')
        self.assertTrue(cache.move(self.key, new))
        self.assertIsNone(cache.get(new))
        cache.store(self.key, 'v', 500, tags='t')
        self.assertTrue(cache.move(self.key, new, tags=['t']))
        self.assertEqual(cache.get(new), 'v')
        cache.invalidate_tag('t')
        self.assertIsNone(cache.get(new))


if __name__ == '__main__':
    unittest.main()
