# SPDX-License-Identifier: BSD-3-Clause
"""Client: pymemcache's HashClient, and one loader for all processes."""

import contextlib
import contextvars
import logging
import os
import threading
import time
import weakref

from pymemcache.client.base import check_key_helper
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError
from pymemcache.pool import ObjectPool
from pymemcache.serde import pickle_serde

from .source import (
    Flights,
    LeaseSource,
    PlainSource,
    Terms,
    store_plain,
    store_request,
)
from .wire import Connection, exptime, tag_names

log = logging.getLogger('leasecached')

# How many leases the caller holds, through whichever client and connection:
# while it holds one, it waits for nobody.  Two loaders that each ask for what
# the other one loads would else wait for one another.
_holding = contextvars.ContextVar('leasecached_holding', default=0)

_CACHE_ERRORS = (OSError, MemcacheError)
_MODES = {'set': b'', 'add': b'E', 'replace': b'R'}


class BackOff(Exception):
    """The source of this value is being spared; retry_after is in seconds.

    Somebody's loader failed a moment ago, and there is no old value to show.
    """

    def __init__(self, key, retry_after):
        super().__init__('%r is not loaded for another %g seconds' %
                         (key, retry_after))
        self.key = key
        self.retry_after = retry_after


class Client(HashClient):
    """One or several servers: 'host:port', ('host', port), '/path', or a list.

    The commands of pymemcache are there as it has them, and keys go to the
    servers to which its HashClient sends them.  These defaults differ: replies
    are awaited, values are pickled, keys may be Unicode, connections are
    pooled, and nothing takes longer than 5 seconds (and what is waited for a
    loader).  No other server takes the place of one that does not answer: what
    it has would be out of date when the first is back.

    Arguments for get_or_load, in seconds, which each call may give anew:
    wait     how long to wait for the result of somebody else's loader
    lease    after which time of silence another may load; see renew
    backoff  for how long nobody shall load after a loader failed, or a
             function of the exception; 0 after one of `answers`
    grace    for how long after its end a value is kept, to be shown while
             somebody loads it again
    early    True, or XFetch's beta: one caller refreshes before the end

    clear_tag    a tag for all that is loaded or stored; clear() uses it
    ignore_exc   as pymemcache: without a server there is nothing in it, and
                 get_or_load loads, once at a time in this process.  But an
                 invalidation that is not delivered always raises.
    Others are those of pymemcache's HashClient.
    """

    client_class = Connection

    # Exceptions of loaders that say something of the key, not of the source.
    answers = (LookupError,)

    def __init__(self, servers, *, wait=3, lease=10, backoff=1, grace=0,
                 early=None, clear_tag=None, serde=None, timeout=5,
                 connect_timeout=5, no_delay=True, default_noreply=False,
                 allow_unicode_keys=True, pool_idle_timeout=60,
                 key_prefix=b'', **options):
        if isinstance(key_prefix, str):
            key_prefix = key_prefix.encode()
        self.wait = wait
        self.lease = lease
        self.backoff = backoff
        self.grace = grace
        self.early = early
        self.serde = serde or pickle_serde
        self._clear_tags = tag_names(clear_tag or ())
        self._flights = Flights()
        self._down = {}
        super().__init__(
            _server_list(servers), serde=self.serde, timeout=timeout,
            connect_timeout=connect_timeout, no_delay=no_delay,
            default_noreply=default_noreply, use_pooling=True,
            allow_unicode_keys=allow_unicode_keys,
            pool_idle_timeout=pool_idle_timeout, key_prefix=key_prefix,
            **options)
        _clients.add(self)

    # ---- loading ------------------------------------------------------------

    def get_or_load(self, key, loader, ttl=0, *, grace=None, tags=(),
                    version=None, negative=None, wait=None, lease=None,
                    early=None, at_least=None, renew=False, backoff=None):
        """The value of `key`; when it is missing, loader() makes it.

        Of all callers in all processes one at a time runs the loader; the
        others wait, or are shown a value in its grace.  Who has waited `wait`
        seconds in vain loads without storing.

        ttl       seconds to keep it; 0: as long as there is room
        tags      names, or a function of the value, for invalidate_tag
        version   the source's number of the value, or a function of the
                  value: nothing older takes its place
        negative  for how many seconds a None of the loader is kept as 'known
                  to be absent'; else None is a value like others
        at_least  a version below this is as good as missing
        renew     extend the lease while the loader runs (up to the server's
                  lease_max)

        What the loader raises comes through, and so does BackOff while others
        are told to spare the source, unless there is an old value to return.
        """
        terms = Terms(ttl, self.grace if grace is None else grace, tags,
                      version, negative)
        node = self._get_client(key)
        with _borrowed(node) as conn:
            source, (answer,) = self._ask(
                node, conn, [key], self._patience(wait),
                (lease, early, at_least))
            if answer.won:
                return self._lead([(source, key, answer)], terms, renew,
                                  backoff, lambda _: {key: loader()})[key]
        if answer.found:
            return answer.value()
        if answer.spared is not None:
            raise BackOff(key, answer.spared)
        return loader()

    def get_or_load_many(self, keys, loader, ttl=0, *, grace=None, tags=(),
                         version=None, negative=None, wait=None, lease=None,
                         early=None, at_least=None, renew=False, backoff=None):
        """{key: value} of several keys, by a loader of several.

        loader(keys) is given those that are missing, and returns a dict; what
        is not in there is absent, and not in the result either.  All keys are
        asked for first, without waiting; what was won is loaded and stored;
        only then others are waited for.  See get_or_load for the rest.
        """
        terms = Terms(ttl, self.grace if grace is None else grace, tags,
                      version, negative)
        end = time.monotonic() + self._patience(wait)
        batch = _Batch(self, (lease, early, at_least),
                       lambda won: self._lead(won, terms, renew, backoff,
                                              loader))
        with contextlib.ExitStack() as stack:
            asked = [(node, stack.enter_context(_borrowed(node)), mine)
                     for node, mine in self._by_server(keys)]
            try:
                rest = batch.ask_all(asked)
                # One server after the other: what one hands over is filled
                # before the next is waited for.
                left = [key for each in rest for key in batch.wait(*each, end)]
            except BaseException:
                batch.give_up()
                raise
        if batch.spared:
            raise BackOff(*max(batch.spared.items(), key=lambda s: s[1]))
        if left:
            batch.found.update(loader(left))
        return {key: batch.found[key] for key in dict.fromkeys(keys)
                if key in batch.found
                and not terms.absent(batch.found[key])}

    def _patience(self, wait):
        if _holding.get():
            return 0
        return self.wait if wait is None else wait

    def _ask(self, node, conn, keys, wait, how):
        """Who may load these: a source, and its answer for each key."""
        lease, early, at_least = how
        try:
            if conn is None or self._is_down(node):
                conn = None
            elif conn.knows_leases():
                source = LeaseSource(
                    conn, self.lease if lease is None else lease,
                    self.early if early is None else early, at_least,
                    self._clear_tags)
                return source, source.ask(keys, wait)
            source = PlainSource(conn, self._flights, node.check_key,
                                 self.serde)
            return source, source.ask(keys, wait)
        except _CACHE_ERRORS as error:
            if not self.ignore_exc:
                raise
            self._mark_failed_server(node.server)
            log.warning('%s: loading without it: %r', node.server, error)
        return self._ask(node, None, keys, wait, how)

    def _lead(self, won, terms, renew, backoff, loader):
        """Loads [(source, key, answer)], stores it, and returns it."""
        by_source = {}
        for source, key, answer in won:
            by_source.setdefault(source, []).append((key, answer))
        held = _holding.set(_holding.get() + 1)
        try:
            with _Renewal(by_source) if renew else contextlib.nullcontext():
                values = loader([key for _, key, _ in won])
        except BaseException as error:
            _give_up(by_source, self._pause(error, backoff))
            if not isinstance(error, Exception) or \
                    not all(answer.found for _, _, answer in won):
                raise
            log.warning('the loader failed, the old value is shown: %s',
                        ', '.join(str(key) for _, key, _ in won),
                        exc_info=True)
            return {key: answer.value() for _, key, answer in won}
        finally:
            _holding.reset(held)
        _fill(by_source, values, terms)
        return values

    def _pause(self, error, backoff):
        """For how long nobody shall load after this error."""
        if backoff is None:
            backoff = self.backoff
        if callable(backoff):
            return backoff(error) or 0
        failed = isinstance(error, Exception) and \
            not isinstance(error, self.answers)
        return backoff if failed else 0

    # ---- invalidating -------------------------------------------------------

    def invalidate(self, key, version=None, *, stale=None):
        """Ends what is cached for `key`, and what is being loaded for it.

        version  nothing below it is valid, whenever it comes; what is cached
                 with it, or a newer one, stays
        stale    instead of removing the value, show it to others while one
                 loads: True, or for so many seconds

        Whether there was something to end; always true with a version.
        """
        node = self._get_client(key)
        with _borrowed(node) as conn:
            name = conn.check_key(key)
            self._flights.forget(name)
            if not conn.knows_leases():
                return conn.delete(key, noreply=False)
            request = b'md ' + name
            if version is not None:
                request += b' V%d' % version
            if stale:
                request += b' I'
            if stale and stale is not True and version is None:
                request += b' T%d' % exptime(stale)
            return conn.meta([request + b'\r\n'])[0].check().ok

    def invalidate_tag(self, tag):
        """Ends all values with this tag, on all servers, and their loads."""
        self.invalidate_tags([tag])

    def invalidate_tags(self, tags):
        requests = [b'md %b A\r\n' % name for name in tag_names(tags)]

        def invalidate(conn):
            # A memcached was given no value with a tag.
            if conn.knows_leases():
                for reply in conn.meta(requests):
                    reply.check()

        self._flights.forget()
        self._on_every_server(invalidate)

    def clear(self):
        """Ends all that this client, or one with its clear_tag, has stored.

        Without a clear_tag, and on a memcached, all that is there.
        """
        def clear(conn):
            if not self._clear_tags or not conn.knows_leases():
                conn.flush_all(noreply=False)
                return
            for reply in conn.meta([b'md %b A\r\n' % name
                                    for name in self._clear_tags]):
                reply.check()

        self._flights.forget()
        self._on_every_server(clear)

    def _on_every_server(self, work):
        """All are told, also when one of them fails; then that is raised."""
        failed = None
        for node in self.clients.values():
            try:
                with _borrowed(node) as conn:
                    work(conn)
            except _CACHE_ERRORS as error:
                failed = failed or error
        if failed:
            raise failed

    # ---- storing ------------------------------------------------------------

    def store(self, key, value, ttl=0, *, grace=None, tags=(), version=None,
              negative=None, mode='set'):
        """Write-through: as set, with what get_or_load keeps with a value.

        mode  'set', 'add', or 'replace': refresh only what is cached, which
              is right for events that may come late.

        Whether it was stored; it is not where a newer version stands.
        """
        return not self.store_many({key: value}, ttl, grace=grace, tags=tags,
                                   version=version, negative=negative,
                                   mode=mode)

    def store_many(self, values, ttl=0, *, grace=None, tags=(), version=None,
                   negative=None, mode='set'):
        """As store, for a dict; the keys of those that were not stored."""
        terms = Terms(ttl, self.grace if grace is None else grace, tags,
                      version, negative)
        failed = []
        for node, keys in self._by_server(values):
            stored = {}
            try:
                if self.ignore_exc and self._is_down(node):
                    continue
                with _borrowed(node) as conn:
                    self._flights.forget(*map(conn.check_key, keys))
                    self._store(conn, {key: values[key] for key in keys},
                                terms, mode, stored)
            except _CACHE_ERRORS:
                if not self.ignore_exc:
                    raise
                self._mark_failed_server(node.server)
            finally:
                failed += [key for key in keys if not stored.get(key)]
        return failed

    def _store(self, conn, values, terms, mode, stored):
        if not conn.knows_leases():
            for key, value in values.items():
                stored[key] = store_plain(conn, key, value, terms, mode)
            return
        replies = conn.meta([
            store_request(conn, key, value, terms, self._clear_tags,
                          mode=_MODES[mode])
            for key, value in values.items()])
        for key, reply in zip(values, replies):
            stored[key] = reply.check().ok

    def move(self, old, new, tags=None):
        """Gives a value another key; it keeps its time, grace and version.

        The server does not tell the tags of a value, so one that has some (but
        clear_tag) is dropped unless they are given here.

        Whether there was such a value; None: a memcached cannot do it.
        """
        with _borrowed(self._get_client(old)) as source, \
                _borrowed(self._get_client(new)) as target:
            if not source.knows_leases() or not target.knows_leases():
                return None
            name = source.check_key(old)
            about, value = source.meta([b'me %b\r\n' % name,
                                        b'mg %b v f t\r\n' % name])
            if about.check().status != b'ME' or \
                    value.check().status != b'VA':
                return False
            about = dict(word.split(b'=', 1)
                         for word in about.data.split() if b'=' in word)
            if tags is not None or \
                    int(about.get(b'tags', 0)) <= len(self._clear_tags):
                target.meta([_copy_request(
                    target.check_key(new), value, about,
                    [*self._clear_tags, *tag_names(tags or ())])])[0].check()
            source.meta([b'md %b\r\n' % name])[0].check()
            return True

    # ---- pymemcache's ways, where they differ -------------------------------

    def _get_client(self, key):
        check_key_helper(key, self.allow_unicode_keys, self.key_prefix)
        if len(self.clients) == 1:
            return next(iter(self.clients.values()))
        if isinstance(key, bytes):
            key = key.decode('utf-8', 'surrogateescape')
        return self.clients[self.hasher.get_node(key)]

    def _by_server(self, keys):
        nodes = {}
        for key in dict.fromkeys(keys):
            nodes.setdefault(self._get_client(key), []).append(key)
        return nodes.items()

    def _run_cmd(self, cmd, key, *args, **kwargs):
        if cmd not in ('get', 'gets'):
            self._flights.forget(self._get_client(key).check_key(key))
        return super()._run_cmd(cmd, key, *args, **kwargs)

    def set_many(self, values, *args, **kwargs):
        self._flights.forget(*(self._get_client(key).check_key(key)
                               for key in values))
        return super().set_many(values, *args, **kwargs)

    set_multi = set_many

    def flush_all(self, *args, **kwargs):
        self._flights.forget()
        super().flush_all(*args, **kwargs)

    def _is_down(self, node):
        return time.monotonic() < self._down.get(node.server, 0)

    def _mark_failed_server(self, server):
        """It keeps its place among the servers, and is spared for a while."""
        if self.ignore_exc:
            self._down[server] = time.monotonic() + self.retry_timeout

    def _safely_run_func(self, client, func, default_val, *args, **kwargs):
        if self.ignore_exc and self._is_down(client):
            return default_val
        return super()._safely_run_func(client, func, default_val, *args,
                                        **kwargs)

    def add_server(self, *args, **kwargs):
        super().add_server(*args, **kwargs)
        self._forget_connections()

    def _forget_connections(self):
        for node in self.clients.values():
            old = node.client_pool
            node.client_pool = _Pool(
                node._create_client, after_remove=Connection.close,
                max_size=old.max_size, idle_timeout=old.idle_timeout)
        self._flights = Flights()


class _Pool(ObjectPool):
    """Connections; those that the server has closed meanwhile are opened anew
    before they are used."""

    def get(self):
        conn = super().get()
        conn.look()
        return conn


class _Batch:
    """The answers for several keys, as they come in."""

    def __init__(self, client, how, lead):
        self.found = {}
        self.spared = {}
        self._client = client
        self._how = how
        self._lead = lead
        self._won = []

    def ask_all(self, asked):
        """Phase one, for [(node, conn, keys)]; what is left of them."""
        rest = [(node, conn, self._ask(node, conn, keys, 0))
                for node, conn, keys in asked]
        self._load()
        return rest

    def wait(self, node, conn, keys, end):
        """Phase two, for one server; the keys that came to nothing."""
        while keys and time.monotonic() < end:
            left = self._ask(node, conn, keys, end - time.monotonic())
            self._load()
            if len(left) == len(keys):
                break
            keys = left
        return keys

    def give_up(self):
        for source, key, answer in self._won:
            _give_up({source: [(key, answer)]})

    def _load(self):
        won, self._won = self._won, []
        if won:
            self.found.update(self._lead(won))

    def _ask(self, node, conn, keys, wait):
        """Those of the keys that somebody else loads still."""
        if not keys:
            return []
        source, answers = self._client._ask(node, conn, keys, wait, self._how)
        answers = dict(zip(keys, answers))
        self._won += [(source, key, answer)
                      for key, answer in answers.items() if answer.won]
        left = []
        for key, answer in answers.items():
            if answer.found and not answer.won and not answer.absent:
                self.found[key] = answer.value()
            elif answer.spared is not None:
                self.spared[key] = answer.spared
            elif not answer.won and not answer.found:
                left.append(key)
        return left


class _Renewal:
    """Renews leases from a thread of its own while the loader runs."""

    def __init__(self, by_source):
        self._by_source = {source: won for source, won in by_source.items()
                           if source.renew_after}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True,
                                        name='leasecached renewal')

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        every = min((source.renew_after for source in self._by_source),
                    default=None)
        while self._by_source and not self._ended.wait(every):
            for source, won in list(self._by_source.items()):
                try:
                    held = source.renew(won)
                except _CACHE_ERRORS:
                    log.debug('a lease is not renewed', exc_info=True)
                    held = False
                if not held:
                    del self._by_source[source]


def _fill(by_source, values, terms):
    """Stores what was loaded; the leases of the rest are given up."""
    by_source = dict(by_source)
    try:
        while by_source:
            source, won = next(iter(by_source.items()))
            loaded, rest = [], []
            for key, answer in won:
                if key in values or terms.negative is not None:
                    loaded.append((key, answer, values.get(key)))
                else:
                    rest.append((key, answer))
            _give_up({source: rest + _fill_one(source, loaded, terms)})
            del by_source[source]
    except BaseException:
        _give_up(by_source)
        raise


def _fill_one(source, loaded, terms):
    """What could not be stored, for an error.  What is refused is not tried
    again: somebody knows better by now."""
    failed = []
    try:
        for item, reply in zip(loaded, source.fill(loaded, terms)):
            try:
                reply.check()
            except MemcacheError as error:
                log.warning('%s is not stored: %r', item[0], error)
                failed.append(item[:2])
    except _CACHE_ERRORS as error:
        log.warning('not stored: %s: %r',
                    ', '.join(str(key) for key, _, _ in loaded), error)
        failed = [item[:2] for item in loaded]
    return failed


def _give_up(by_source, pause=0):
    for source, won in by_source.items():
        if not won:
            continue
        try:
            source.give_up(won, pause)
        except _CACHE_ERRORS:
            log.debug('a lease is left to its end', exc_info=True)


def _copy_request(key, value, about, tags):
    """Stores the reply of an `mg v f t`, with what `me` said, elsewhere."""
    words = [b'ms %b %d F%d' % (key, len(value.data), value.number(b'f'))]
    left = value.number(b't', -1)
    if left >= 0:
        words.append(b'T%d' % max(left, 1))
    if b'grace' in about:
        words.append(b'H' + about[b'grace'])
    if b'version' in about:
        words.append(b'V' + about[b'version'])
    if tags:
        words.append(b'A' + b','.join(tags))
    return b'%b\r\n%b\r\n' % (b' '.join(words), value.data)


@contextlib.contextmanager
def _borrowed(node):
    """A connection of one's own; it closes itself when something is wrong."""
    pool = node.client_pool
    conn = pool.get()
    try:
        yield conn
    finally:
        pool.release(conn)


def _server_list(servers):
    if isinstance(servers, (str, bytes)) or isinstance(servers, tuple) and \
            len(servers) == 2 and isinstance(servers[1], int):
        return [servers]
    return list(servers)


# A child of a fork must not talk over its parent's connections.
_clients = weakref.WeakSet()


def _after_fork():
    for client in list(_clients):
        client._forget_connections()


os.register_at_fork(after_in_child=_after_fork)
