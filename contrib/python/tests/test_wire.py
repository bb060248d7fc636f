# SPDX-License-Identifier: BSD-3-Clause
"""Requests and replies, byte by byte: the server is a thread of the test."""

import os
import socket
import tempfile
import threading
import unittest

from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
    MemcacheUnknownError,
)
from pymemcache.serde import pickle_serde

from leasecached.source import LeaseSource, Terms, store_request
from leasecached.wire import Connection, exptime, milliseconds, tag_names


class Script:
    """Serves connections one after the other, each with a function."""

    def __init__(self, *scripts):
        self._dir = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._dir.name, 'socket')
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self.problem = None
        self._thread = threading.Thread(target=self._serve, args=(scripts,),
                                        daemon=True)
        self._thread.start()

    def _serve(self, scripts):
        try:
            for script in scripts:
                with self._listener.accept()[0] as s:
                    s.settimeout(60)
                    script(s)
        except BaseException as error:
            self.problem = error

    def close(self):
        self._thread.join(60)
        self._listener.close()
        self._dir.cleanup()
        if self.problem:
            raise self.problem


def says(*pieces):
    """Answers the first request in these pieces, then waits for the end."""
    def script(s):
        s.recv(65536)
        for piece in pieces:
            s.sendall(piece)
        while s.recv(65536):
            pass
    return script


def closes(s):
    s.recv(65536)


class Replies(unittest.TestCase):
    def served(self, *scripts, timeout=60):
        server = Script(*scripts)
        self.addCleanup(server.close)
        conn = Connection(server.path, timeout=timeout)
        self.addCleanup(conn.close)
        return conn

    def test_data_is_read_by_its_length_however_it_comes(self):
        data = b'VA 3 W\r\nEN\r\n\r'
        text = b'VA %d c12 f1 W\r\n%b\r\nEN\r\n' % (len(data), data)
        conn = self.served(says(*(text[i:i + 1] for i in range(len(text)))))

        first, second = conn.meta([b'mg a v\r\n', b'mg b v\r\n'])

        self.assertEqual((first.status, first.data), (b'VA', data))
        self.assertEqual(first.flags, {b'c': b'12', b'f': b'1', b'W': b''})
        self.assertEqual(first.number(b'c'), 12)
        self.assertEqual((second.status, second.data), (b'EN', None))

    def test_an_error_is_a_reply_of_its_own(self):
        conn = self.served(says(b'HD\r\nCLIENT_ERROR invalid flag\r\n'
                                b'NS V9\r\n'))

        stored, wrong, refused = conn.meta([b'1\r\n', b'2\r\n', b'3\r\n'])

        self.assertTrue(stored.check().ok)
        with self.assertRaisesRegex(MemcacheClientError, 'invalid flag'):
            wrong.check()
        self.assertFalse(refused.ok)
        self.assertEqual(refused.number(b'V'), 9)

    def test_nonsense_closes_the_connection(self):
        for text in (b'STORED\r\n', b'VA 2\r\nabcd\r\n'):
            conn = self.served(says(text))
            with self.assertRaises(MemcacheUnknownError):
                conn.meta([b'mg a v\r\n'])
            self.assertIsNone(conn.sock)

    def test_a_connection_closed_while_idle_is_opened_again(self):
        def one_request(s):
            s.recv(65536)
            s.sendall(b'EN\r\n')

        conn = self.served(one_request, says(b'HD W\r\n'))

        self.assertEqual(conn.meta([b'mg a\r\n'])[0].status, b'EN')
        self.assertEqual(conn.meta([b'mg a\r\n'])[0].status, b'HD')

    def test_a_new_connection_that_is_closed_is_an_error(self):
        conn = self.served(closes)

        with self.assertRaises(MemcacheUnexpectedCloseError):
            conn.meta([b'mg a\r\n'])

    def test_a_timeout_is_longer_by_what_is_waited_for(self):
        go = threading.Event()

        def late(s):
            s.recv(65536)
            go.wait(60)
            s.sendall(b'EN\r\n')
            s.recv(65536)

        conn = self.served(late, timeout=0.01)
        threading.Timer(0.1, go.set).start()

        self.assertEqual(conn.meta([b'mg a w\r\n'], 60)[0].status, b'EN')
        self.assertEqual(conn.sock.gettimeout(), 0.01)

    def test_after_a_timeout_no_reply_is_left_to_be_mistaken(self):
        conn = self.served(lambda s: s.recv(1) and s.recv(65536) and
                           s.recv(65536), timeout=0.01)

        with self.assertRaises(socket.timeout):
            conn.meta([b'mg a\r\n'])

        self.assertIsNone(conn.sock)

    def test_more_than_the_buffers_hold_is_sent_in_turns(self):
        def mirror(s):
            # Reads on only when its answers have been taken.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            f = s.makefile('rb')
            for line in f:
                s.sendall(b'VA 100\r\n%b\r\n' % (b'x' * 100))

        conn = self.served(mirror)
        requests = [b'mg %0200d v\r\n' % i for i in range(10000)]

        self.assertEqual(len(conn.meta(requests)), 10000)

    def test_an_error_ends_the_leases_that_were_won_beside_it(self):
        conn = self.served(says(b'VA 0 c5 f0 W\r\n\r\n'
                                b'SERVER_ERROR out of memory\r\n'))
        conn.serde = pickle_serde

        with self.assertRaisesRegex(MemcacheServerError, 'memory'):
            LeaseSource(conn, 10).ask(['a', 'b'])

        self.assertIsNone(conn.sock)

    def test_a_server_is_known_by_its_answer(self):
        for text, known in ((b'EN\r\n', True), (b'HD\r\n', True),
                            (b'ERROR\r\n', False),
                            (b'CLIENT_ERROR invalid flag\r\n', False)):
            conn = self.served(says(text))
            self.assertIs(conn.knows_leases(), known)
            self.assertIs(conn.knows_leases(), known)


class Requests(unittest.TestCase):
    def request(self, value, *args, token=None, **terms):
        conn = Connection('/nowhere', serde=pickle_serde)
        return store_request(conn, 'k', value, Terms(*args, **terms),
                             token=token)

    def test_a_fill_says_all_that_is_kept_with_the_value(self):
        self.assertEqual(
            self.request(b'abc', 300, 60, ['a', 'b'], 17, token=5),
            b'ms k 3 F0 C5 T300 H60 V17 Aa,b\r\nabc\r\n')

    def test_versions_and_tags_may_come_from_the_value(self):
        self.assertEqual(
            self.request(b'7', 0, tags=lambda v: ['n' + v.decode()],
                         version=int),
            b'ms k 1 F0 V7 An7\r\n7\r\n')

    def test_none_is_absent_only_if_that_is_asked_for(self):
        self.assertEqual(self.request(None, 300, 60, version=int, negative=5),
                         b'ms k 0 z T5 H60\r\n\r\n')
        self.assertIn(b'F1', self.request(None, 300))
        self.assertEqual(self.request(b'', 300, negative=5),
                         b'ms k 0 F0 T300\r\n\r\n')

    def test_what_ends_at_once_or_never_has_no_grace(self):
        self.assertEqual(self.request(b'', -1, 60), b'ms k 0 F0 T-1\r\n\r\n')
        self.assertEqual(self.request(b'', 0, 60), b'ms k 0 F0\r\n\r\n')

    def test_times(self):
        for ttl, found in ((None, 0), (0, 0), (1, 1), (0.2, 1), (1.5, 2),
                           (-1, -1), (-0.2, -1)):
            self.assertEqual(exptime(ttl), found)
        self.assertEqual(exptime(2592000), 2592000)
        self.assertGreater(exptime(2592001), 1600000000)
        self.assertEqual(milliseconds(0.5), 500)
        self.assertEqual(milliseconds(1e9), 2 ** 31 - 1)

    def test_tags(self):
        self.assertEqual(tag_names(['b', 'a', b'b', 'ü']),
                         [b'b', b'a', 'ü'.encode()])
        self.assertEqual(tag_names('users'), [b'users'])
        for bad in ('', 'a,b', 'a b', 'a\n', 'x' * 65):
            with self.assertRaises(ValueError):
                tag_names([bad])
        with self.assertRaises(ValueError):
            self.request(b'', 0, tags=[str(i) for i in range(9)])


if __name__ == '__main__':
    unittest.main()
