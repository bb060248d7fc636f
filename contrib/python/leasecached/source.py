# SPDX-License-Identifier: BSD-3-Clause
"""Who may load a value: asked of the server, or of this process.

LeaseSource speaks to a leasecached.  PlainSource does the same with a
memcached, or without any server, by a table of the loads that run in this
process.  Both keep the order of the protocol: ask, and then for each key that
was won either fill or give_up.
"""

import logging
import threading
import time

from .wire import exptime, milliseconds, tag_names

MOST_TAGS = 8

log = logging.getLogger('leasecached')


class Terms:
    """What a value is kept with; see Client.get_or_load."""

    def __init__(self, ttl, grace=0, tags=(), version=None, negative=None):
        self.ttl = ttl
        self.grace = grace
        self.tags = tags if callable(tags) else tag_names(tags or ())
        self.version = version
        self.negative = negative

    def absent(self, value):
        """Is this to be kept as 'known to be absent'?"""
        return value is None and self.negative is not None

    def seconds(self, value):
        return self.negative if self.absent(value) else self.ttl

    def tags_of(self, value):
        if not callable(self.tags):
            return self.tags
        return [] if value is None else tag_names(self.tags(value) or ())

    def version_of(self, value):
        version = self.version
        if callable(version):
            version = None if value is None else version(value)
        return version if version is None else int(version)


class Answer:
    """What came of asking for a key.

    found   there is a value, perhaps a stale one: value() gives it
    absent  it is known that the source has none; value() is None
    won     this caller shall load; `token` is the right to fill
    spared  None, or for how many seconds nobody shall load
    None of them: somebody else loads, and did not come to an end.
    """

    __slots__ = ('found', 'absent', 'won', 'token', 'spared', 'value')

    def __init__(self, value=None, absent=False, won=False, token=None,
                 spared=None):
        self.found = value is not None
        self.value = value
        self.absent = absent
        self.won = won
        self.token = token
        self.spared = spared


def serialized(serde, key, value):
    data, flags = serde.serialize(key, value)
    if not isinstance(data, bytes):
        data = str(data).encode('ascii')
    return data, flags


def store_request(conn, key, value, terms, base_tags=(), token=None, mode=b''):
    """The `ms` that stores a value on these terms."""
    words = [b'ms', conn.check_key(key), b'']
    if terms.absent(value):
        data = b''
        words.append(b'z')
    else:
        data, flags = serialized(conn.serde, key, value)
        words.append(b'F%d' % flags)
    words[2] = b'%d' % len(data)
    ends = exptime(terms.seconds(value))
    version = terms.version_of(value)
    tags = list(dict.fromkeys([*base_tags, *terms.tags_of(value)]))
    if len(tags) > MOST_TAGS:
        raise ValueError('more than %d tags: %r' % (MOST_TAGS, tags))
    if token is not None:
        words.append(b'C%d' % token)
    if ends:
        words.append(b'T%d' % ends)
    if terms.grace and ends > 0:
        words.append(b'H%d' % terms.grace)
    if version is not None:
        words.append(b'V%d' % version)
    if tags:
        words.append(b'A' + b','.join(tags))
    if mode:
        words.append(b'M' + mode)
    return b'%b\r\n%b\r\n' % (b' '.join(words), data)


class LeaseSource:
    """One connection to a leasecached, for as long as its leases are held."""

    def __init__(self, conn, lease, early=None, at_least=None, base_tags=()):
        self.conn = conn
        self.base_tags = base_tags
        self.renew_after = lease / 3
        self._lease = b' n%d' % max(1, milliseconds(lease))
        self._flags = b' v c f' + self._lease
        if early:
            self._flags += b' e' if early is True else \
                b' e%d' % max(1, int(early * 100))
        if at_least is not None:
            self._flags += b' V%d' % at_least

    def ask(self, keys, wait=0):
        """An answer for each key, waiting for at most so many seconds."""
        end = time.monotonic() + wait
        answers = []
        for i in range(0, len(keys), 100):
            left = max(0, end - time.monotonic()) if wait else 0
            flags = self._flags
            if left:
                flags += b' w%d' % milliseconds(left)
            asked = keys[i:i + 100]
            replies = self.conn.meta(
                [b'mg %b%b\r\n' % (self.conn.check_key(key), flags)
                 for key in asked], left)
            try:
                answers += [self._answer(key, reply)
                            for key, reply in zip(asked, replies)]
            except Exception:
                # Ends the leases that were won among them.
                self.conn.close()
                raise
        return answers

    def _answer(self, key, reply):
        flags, data = reply.check().flags, reply.data
        cas = reply.number(b'c')
        won, taken = b'W' in flags, b'Z' in flags
        value = None
        if b'z' in flags:
            def value():
                return None
        elif data or b'X' in flags or not (won or taken and cas == 0):
            def value():
                return self.conn.serde.deserialize(key, data,
                                                   reply.number(b'f'))
        return Answer(value, b'z' in flags, won, cas if won else None,
                      reply.number(b'd') / 1000 if b'd' in flags else None)

    def fill(self, values, terms):
        """Stores (key, answer, value) that were won; the replies."""
        return self.conn.meta([
            store_request(self.conn, key, value, terms, self.base_tags,
                          answer.token) for key, answer, value in values])

    def give_up(self, won, pause=0):
        later = b' d%d' % milliseconds(pause) if pause else b''
        self.conn.meta([b'md %b C%d U%b\r\n' % (
            self.conn.check_key(key), answer.token, later)
            for key, answer in won])

    def renew(self, won):
        """Starts the time of the leases anew; whether any is still held."""
        replies = self.conn.meta([b'mg %b C%d%b\r\n' % (
            self.conn.check_key(key), answer.token, self._lease)
            for key, answer in won])
        return any(b'W' in reply.flags for reply in replies)


_warned = set()


def store_plain(conn, key, value, terms, mode='set'):
    """The same with a memcached, as far as it goes; whether it was stored.

    It cannot invalidate tags, so it is given no value that has some.
    """
    if terms.tags_of(value):
        if conn.server not in _warned:
            _warned.add(conn.server)
            log.warning('%s is no leasecached: values with tags are not '
                        'kept there', conn.server)
        if mode == 'set':
            conn.delete(key, noreply=False)
        return False
    store = getattr(conn, mode)
    return store(key, value, exptime(terms.seconds(value)), noreply=False)


class Flight:
    """One load that runs in this process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.current = True     # guarded by lock: nothing invalidated it
        self.done = threading.Event()
        self.loaded = None      # then (data, flags), when it was a success


class Flights:
    """The loads that run in this process, by key."""

    def __init__(self):
        self._lock = threading.Lock()
        self._flights = {}

    def join(self, key):
        """The flight of this key, and whether it is a new one, to be led."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def end(self, key, flight, loaded=None):
        if flight.done.is_set():
            return
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.loaded = loaded
        flight.done.set()

    def forget(self, *keys):
        """What is being loaded for these keys (or for all) is out of date.

        To be called before the server is told.  Its callers still get it,
        later ones load anew, and it is not stored.
        """
        if not self._flights:
            return
        with self._lock:
            flights = [self._flights.pop(key) for key in
                       keys or list(self._flights) if key in self._flights]
        for flight in flights:
            with flight.lock:
                flight.current = False


_MISSING = object()


class PlainSource:
    """A memcached (or none, conn=None), and single flight in this process."""

    renew_after = None

    def __init__(self, conn, flights, key_of, serde):
        self.conn = conn
        self._flights = flights
        self._key_of = key_of
        self._serde = serde

    def ask(self, keys, wait=0):
        end = time.monotonic() + wait
        there = self._get(keys)
        answers, won = [], []
        try:
            for key in keys:
                if key in there:
                    answers.append(_known(there[key]))
                    continue
                left = 0 if won else end - time.monotonic()
                answers.append(self._answer(key, left))
                if answers[-1].won:
                    won.append((key, answers[-1]))
        except BaseException:
            self.give_up(won)
            raise
        return answers

    def _get(self, keys):
        return self.conn.get_many(keys) if self.conn else {}

    def _answer(self, key, left):
        """Leads the load of this key, or waits for the one who does."""
        end = time.monotonic() + left
        while True:
            flight, lead = self._flights.join(self._key_of(key))
            if lead:
                return self._lead(key, flight)
            if not flight.done.wait(max(0, end - time.monotonic())):
                return Answer()
            if flight.loaded is not None:
                # A copy of one's own, as if it came from the cache.
                loaded = flight.loaded
                return Answer(lambda: self._serde.deserialize(key, *loaded))

    def _lead(self, key, flight):
        try:
            # The one before may have stored it since.
            value = self._get([key]).get(key, _MISSING)
        except BaseException:
            self._flights.end(self._key_of(key), flight)
            raise
        if value is _MISSING:
            return Answer(won=True, token=flight)
        self._flights.end(self._key_of(key), flight,
                          serialized(self._serde, key, value))
        return _known(value)

    def fill(self, values, terms):
        for key, answer, value in values:
            flight, loaded = answer.token, None
            try:
                loaded = serialized(self._serde, key, value)
                with flight.lock:
                    if flight.current and self.conn:
                        store_plain(self.conn, key, value, terms)
            finally:
                self._flights.end(self._key_of(key), flight, loaded)
        return []

    def give_up(self, won, pause=0):
        for key, answer in won:
            self._flights.end(self._key_of(key), answer.token)


def _known(value):
    return Answer(lambda: value)
