# SPDX-License-Identifier: BSD-3-Clause
"""The client with a plain memcached, and without any server."""

import os
import threading
import time
import unittest

from leasecached import Client
from servers import memcached


class Gate:
    """A loader that says when it was called, and returns when it is told."""

    def __init__(self, result):
        self.result = result
        self.calls = 0
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, *_):
        self.calls += 1
        self.started.set()
        if not self.go.wait(60):
            raise TimeoutError('nobody opened the gate')
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def in_thread(call, *args, **how):
    """Runs it beside; .result() is what it returned, or raises what it did."""
    class Beside(threading.Thread):
        def run(self):
            try:
                self.value, self.error = call(*args, **how), None
            except BaseException as error:
                self.error = error

        def result(self):
            self.join(60)
            if self.is_alive():
                raise TimeoutError('the thread did not end')
            if self.error:
                raise self.error
            return self.value

    thread = Beside(daemon=True)
    thread.start()
    return thread


def until(true):
    end = time.monotonic() + 60
    while not true():
        if time.monotonic() > end:
            raise TimeoutError('it never came')
        time.sleep(0.002)


def never(*_):
    raise AssertionError('loaded, though it was there')


class Common:
    """What holds with a memcached and a leasecached alike."""

    def client(self, **options):
        client = Client(self.server.address, timeout=60, connect_timeout=60,
                        **options)
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.key = self.id()[-200:]
        self.cache = self.client()

    def test_pymemcaches_commands_are_there(self):
        cache, key = self.cache, self.key
        self.assertTrue(cache.set(key, [1, 'two']))
        self.assertEqual(cache.get(key), [1, 'two'])
        self.assertFalse(cache.add(key, 2))
        self.assertTrue(cache.delete(key))
        self.assertFalse(cache.delete(key))
        self.assertEqual(cache.get(key, 'default'), 'default')
        self.assertEqual(cache.set_many({key + '1': 1, key + '2': 2}), [])
        self.assertEqual(cache.get_many([key + '1', key + '2', key + '3']),
                         {key + '1': 1, key + '2': 2})
        self.assertEqual(cache.incr(key + '1', 5), 6)
        self.assertTrue(cache.touch(key + '1', 100))
        value, cas = cache.gets(key + '2')
        self.assertTrue(cache.cas(key + '2', 3, cas))
        self.assertFalse(cache.cas(key + '2', 4, cas))
        self.assertTrue(cache.delete_many([key + '1', key + '2']))

    def test_a_value_is_loaded_once_and_then_there(self):
        for value in ('text', b'', b'\r\nEND\r\n', 42, None, [1, {}], 'ü'):
            self.cache.delete(self.key)
            self.assertEqual(
                self.cache.get_or_load(self.key, lambda: value, 60), value)
            self.assertEqual(self.cache.get_or_load(self.key, never, 60),
                             value)

    def test_what_the_loader_raises_comes_through(self):
        with self.assertRaises(KeyError):
            self.cache.get_or_load(self.key, lambda: {}['x'], 60)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 1, 60), 1)

    def test_many_callers_one_load(self):
        gate = Gate('value')
        callers = [in_thread(self.cache.get_or_load, self.key, gate, 60,
                             wait=60) for _ in range(20)]
        gate.started.wait(60)
        gate.go.set()
        self.assertEqual([c.result() for c in callers], ['value'] * 20)
        self.assertEqual(gate.calls, 1)

    def test_everybody_has_an_object_of_ones_own(self):
        gate = Gate([])
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        second = in_thread(self.cache.get_or_load, self.key, never, 60,
                           wait=60)
        gate.go.set()
        first.result().append('mine')
        self.assertEqual(second.result(), [])

    def test_who_waits_in_vain_loads_without_storing(self):
        gate = Gate('first')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 'own', 60,
                                                wait=0.01), 'own')
        self.assertIsNone(self.cache.get(self.key))
        gate.go.set()
        self.assertEqual(first.result(), 'first')
        self.assertEqual(self.cache.get(self.key), 'first')

    def test_after_a_failure_the_next_one_loads(self):
        gate = Gate(LookupError('no such row'))
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        second = in_thread(self.cache.get_or_load, self.key, lambda: 2, 60,
                           wait=60)
        gate.go.set()
        with self.assertRaises(LookupError):
            first.result()
        self.assertEqual(second.result(), 2)

    def test_a_load_that_was_invalidated_is_not_stored(self):
        for end in (self.cache.invalidate, self.cache.delete,
                    lambda key: self.cache.delete_many([key])):
            gate = Gate('old')
            first = in_thread(self.cache.get_or_load, self.key, gate, 60)
            gate.started.wait(60)
            end(self.key)
            gate.go.set()
            self.assertEqual(first.result(), 'old')
            self.assertIsNone(self.cache.get(self.key))
            self.assertEqual(
                self.cache.get_or_load(self.key, lambda: 'new', 60), 'new')
            self.cache.delete(self.key)

    def test_a_load_does_not_replace_what_was_stored_meanwhile(self):
        for store in (self.cache.set, self.cache.store,
                      lambda key, value: self.cache.set_many({key: value})):
            gate = Gate('old')
            first = in_thread(self.cache.get_or_load, self.key, gate, 60)
            gate.started.wait(60)
            store(self.key, 'new')
            gate.go.set()
            self.assertEqual(first.result(), 'old')
            self.assertEqual(self.cache.get(self.key), 'new')
            self.cache.delete(self.key)

    def test_nested_loads_do_not_wait_for_each_other(self):
        a, b = self.key + 'a', self.key + 'b'
        both = threading.Barrier(2)

        def loader(other):
            both.wait(60)
            mine = self.cache.get_or_load(other, lambda: 'own ' + other[-1],
                                          60, wait=600)
            both.wait(60)
            return mine

        one = in_thread(self.cache.get_or_load, a, lambda: loader(b), 60)
        two = in_thread(self.cache.get_or_load, b, lambda: loader(a), 60)

        self.assertEqual([one.result(), two.result()], ['own b', 'own a'])

    def test_a_loader_may_load_something_else(self):
        def outer():
            return self.cache.get_or_load(self.key + 'inner', lambda: 1, 60)

        self.assertEqual(self.cache.get_or_load(self.key, outer, 60), 1)
        self.assertEqual(self.cache.get(self.key + 'inner'), 1)

    def test_many_keys_one_loader(self):
        cache, asked = self.cache, []
        keys = [self.key + str(i) for i in range(250)]
        cache.set(keys[7], 'seven')

        def load(missing):
            asked.append(list(missing))
            return {key: key[-1] for key in missing if key != keys[9]}

        found = cache.get_or_load_many(keys, load, 60)

        self.assertEqual(asked, [[key for key in keys if key != keys[7]]])
        self.assertEqual(list(found), [key for key in keys if key != keys[9]])
        self.assertEqual((found[keys[7]], found[keys[8]]), ('seven', '8'))
        found = cache.get_or_load_many(keys, load, 60)
        self.assertEqual(asked[1:], [[keys[9]]])
        self.assertEqual(len(found), 249)
        self.assertEqual(cache.get_or_load_many([], load, 60), {})

    def test_many_keys_are_loaded_before_others_are_waited_for(self):
        gate = Gate('theirs')
        theirs, mine = self.key + 'a', self.key + 'b'
        other = in_thread(self.cache.get_or_load, theirs, gate, 60)
        gate.started.wait(60)

        def load(keys):
            self.assertEqual(keys, [mine])
            gate.go.set()
            return {mine: 'mine'}

        self.assertEqual(
            self.cache.get_or_load_many([theirs, mine], load, 60, wait=60),
            {theirs: 'theirs', mine: 'mine'})
        self.assertEqual(other.result(), 'theirs')

    def test_many_keys_in_any_order_do_not_lock(self):
        keys = [self.key + str(i) for i in range(30)]
        callers = [in_thread(
            self.cache.get_or_load_many, keys if i % 2 else keys[::-1],
            lambda missing: {key: 'v' for key in missing}, 60, wait=60)
            for i in range(8)]
        for caller in callers:
            self.assertEqual(caller.result(), dict.fromkeys(keys, 'v'))

    def test_of_many_that_somebody_failed_to_load_the_next_one_does(self):
        gate = Gate(LookupError())
        keys = [self.key + 'a', self.key + 'b']
        first = in_thread(self.cache.get_or_load_many, keys, gate, 60)
        gate.started.wait(60)
        second = in_thread(self.cache.get_or_load_many, keys,
                           lambda missing: dict.fromkeys(missing, 2), 60,
                           wait=60)
        gate.go.set()
        with self.assertRaises(LookupError):
            first.result()
        self.assertEqual(second.result(), dict.fromkeys(keys, 2))

    def test_none_may_be_known_to_be_absent(self):
        self.assertIsNone(
            self.cache.get_or_load(self.key, lambda: None, 60, negative=60))
        self.assertIsNone(self.cache.get_or_load(self.key, never, 60,
                                                 negative=60))
        self.assertIsNone(self.cache.get(self.key))
        keys = [self.key, self.key + 'x']
        self.assertEqual(self.cache.get_or_load_many(
            keys, lambda missing: {}, 60, negative=60), {})
        self.assertEqual(self.cache.get_or_load_many(
            keys, never, 60, negative=60), {})

    def test_a_value_that_does_not_fit_is_returned(self):
        big = os.urandom(3 << 20)
        with self.assertLogs('leasecached', 'WARNING'):
            self.assertEqual(self.cache.get_or_load(self.key, lambda: big, 60),
                             big)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 'small', 60),
                         'small')

    def test_a_value_that_cannot_be_pickled_is_an_error_and_blocks_none(self):
        with self.assertRaises(Exception):
            self.cache.get_or_load(self.key, lambda: threading.Lock(), 60)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 1, 60), 1)

    def test_store_and_store_many(self):
        cache, key = self.cache, self.key
        self.assertFalse(cache.store(key, 1, 60, mode='replace'))
        self.assertTrue(cache.store(key, 2, 60, mode='add'))
        self.assertFalse(cache.store(key, 3, 60, mode='add'))
        self.assertTrue(cache.store(key, 4, 60, mode='replace'))
        self.assertEqual(cache.get(key), 4)
        self.assertEqual(cache.store_many({key: 5, key + 'x': 6}, 60), [])
        self.assertEqual(cache.get_many([key, key + 'x']),
                         {key: 5, key + 'x': 6})
        cache.store(key, 7, -1)
        self.assertIsNone(cache.get(key))

    def test_a_prefix_is_put_before_keys(self):
        other = self.client(key_prefix='p:')
        other.get_or_load(self.key, lambda: 'prefixed', 60)
        other.get_or_load_many([self.key + '2'], lambda keys: {keys[0]: 2}, 60)
        self.assertIsNone(self.cache.get(self.key))
        self.assertEqual(self.cache.get('p:' + self.key), 'prefixed')
        self.assertEqual(self.cache.get('p:' + self.key + '2'), 2)
        self.assertTrue(other.invalidate(self.key))
        self.assertIsNone(self.cache.get('p:' + self.key))

    def test_keys_may_be_unicode_and_bytes(self):
        self.assertEqual(self.cache.get_or_load('größe', lambda: 1, 60), 1)
        self.assertEqual(
            self.cache.get_or_load('größe'.encode(), never, 60), 1)
        self.cache.invalidate('größe')

    def test_another_serde(self):
        class Upper:
            def serialize(self, key, value):
                return value.upper(), 7

            def deserialize(self, key, value, flags):
                return value.decode() + str(flags)

        cache = self.client(serde=Upper())
        self.assertEqual(cache.get_or_load(self.key, lambda: 'abc', 60), 'abc')
        self.assertEqual(cache.get_or_load(self.key, never, 60), 'ABC7')
        self.assertEqual(cache.get(self.key), 'ABC7')

    def test_a_child_of_a_fork_has_connections_of_its_own(self):
        self.cache.set(self.key, 'parent')
        self.cache.get_or_load(self.key, never, 60)
        sock = self.node().client_pool.free[0].sock
        pid = os.fork()
        if pid == 0:
            mine = self.cache.get_or_load(self.key, never, 60) == 'parent' \
                and self.node().client_pool.free[0].sock is not sock
            os._exit(0 if mine else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertIs(self.node().client_pool.free[0].sock, sock)
        self.assertEqual(self.cache.get(self.key), 'parent')

    def node(self):
        return next(iter(self.cache.clients.values()))

    def test_a_server_that_was_restarted_is_found_again(self):
        self.cache.get_or_load(self.key, lambda: 1, 60)
        for conn in self.node().client_pool.free:
            conn.sock.shutdown(2)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 1, 60), 1)
        for conn in self.node().client_pool.free:
            conn.sock.shutdown(2)
        self.assertTrue(self.cache.invalidate(self.key))


class Plain(Common, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = memcached()
        cls.addClassCleanup(cls.server.stop)

    def test_what_was_invalidated_is_not_given_to_those_who_come_later(self):
        gate = Gate('old')
        first = in_thread(self.cache.get_or_load, self.key, gate, 60)
        gate.started.wait(60)
        self.cache.invalidate(self.key, version=2)
        self.assertEqual(self.cache.get_or_load(self.key, lambda: 'new', 60,
                                                wait=60), 'new')
        gate.go.set()
        self.assertEqual(first.result(), 'old')
        self.assertEqual(self.cache.get(self.key), 'new')

    def test_what_came_between_the_question_and_the_flight_is_found(self):
        flights, other = self.cache._flights, self.client()
        join = flights.join

        def late(key):
            other.set(self.key, 'theirs')
            return join(key)

        flights.join = late
        self.assertEqual(self.cache.get_or_load(self.key, never), 'theirs')

    def test_a_value_with_tags_is_not_kept(self):
        self.cache.set(self.key, 'before')
        self.cache.delete(self.key)
        gate = Gate('value')
        callers = [in_thread(self.cache.get_or_load, self.key, gate, 60,
                             tags=['t'], wait=60) for _ in range(5)]
        gate.started.wait(60)
        gate.go.set()
        self.assertEqual([c.result() for c in callers], ['value'] * 5)
        self.assertIsNone(self.cache.get(self.key))
        self.cache.set(self.key, 'before')
        self.assertFalse(self.cache.store(self.key, 'tagged', 60, tags='t'))
        self.assertIsNone(self.cache.get(self.key))
        self.cache.invalidate_tag('t')

    def test_clear_empties_the_server(self):
        cache = self.client(clear_tag='mine')
        cache.get_or_load(self.key, lambda: 1, 60)
        self.cache.set(self.key + 'x', 1)
        self.assertEqual(cache.get(self.key), 1)
        cache.clear()
        self.assertIsNone(cache.get(self.key))
        self.assertIsNone(cache.get(self.key + 'x'))

    def test_the_rest_is_ignored(self):
        self.assertEqual(self.cache.get_or_load(
            self.key, lambda: 1, 60, grace=60, version=7, early=True,
            at_least=3, renew=True, lease=1), 1)
        self.assertEqual(self.cache.get(self.key), 1)
        self.assertTrue(self.cache.store(self.key, 2, 60, version=3))
        self.assertIsNone(self.cache.move(self.key, self.key + 'x'))


class Nowhere(unittest.TestCase):
    """The server does not answer."""

    def setUp(self):
        server = memcached()
        self.address = server.address
        server.stop()

    def test_errors_are_pymemcaches(self):
        cache = Client(self.address)
        for call in (lambda: cache.get('k'), lambda: cache.set('k', 1),
                     lambda: cache.get_or_load('k', never),
                     lambda: cache.get_or_load_many(['k'], never),
                     lambda: cache.store('k', 1),
                     lambda: cache.invalidate('k')):
            with self.assertRaises(ConnectionError):
                call()

    def test_ignored_errors_are_misses_but_not_for_invalidations(self):
        cache = Client(self.address, ignore_exc=True)
        with self.assertLogs('leasecached', 'WARNING'):
            self.assertEqual(cache.get_or_load('k', lambda: 1), 1)
        self.assertIsNone(cache.get('k'))
        self.assertFalse(cache.set('k', 1))
        self.assertFalse(cache.store('k', 1))
        self.assertEqual(cache.store_many({'k': 1, 'j': 2}), ['k', 'j'])
        self.assertEqual(cache.get_or_load_many(
            ['k', 'j'], lambda keys: dict.fromkeys(keys, 3)),
            {'k': 3, 'j': 3})
        for call in (lambda: cache.invalidate('k'),
                     lambda: cache.invalidate_tag('t'), cache.clear):
            with self.assertRaises(ConnectionError):
                call()

    def test_one_load_at_a_time_in_this_process(self):
        cache = Client(self.address, ignore_exc=True)
        gate = Gate('value')
        callers = [in_thread(cache.get_or_load, 'k', gate, wait=60)
                   for _ in range(5)]
        gate.started.wait(60)
        flight = cache._flights.join(b'k')[0]
        until(lambda: len(flight.done._cond._waiters) == 4)
        gate.go.set()
        self.assertEqual([c.result() for c in callers], ['value'] * 5)
        self.assertEqual(gate.calls, 1)


if __name__ == '__main__':
    unittest.main()
