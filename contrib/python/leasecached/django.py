# SPDX-License-Identifier: BSD-3-Clause
"""A cache backend for Django, and a helper for its transactions.

    CACHES = {'default': {
        'BACKEND': 'leasecached.django.LeaseCache',
        'LOCATION': '127.0.0.1:11211',
        'OPTIONS': {'wait': 3},         # arguments of leasecached.Client
    }}
"""

import threading
from hashlib import md5

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
)
from django.db import transaction
from django.http import Http404
from django.utils.functional import cached_property

import leasecached
from leasecached.wire import tag_names


class Client(leasecached.Client):
    answers = leasecached.Client.answers + (
        ObjectDoesNotExist, Http404, PermissionDenied, SuspiciousOperation)


class LeaseCache(BaseMemcachedCache):
    """As Django's other memcached backends, but for this:

    get_or_set    one caller of all processes makes the value (single flight)
    set, add, set_many, get_or_set    take tags=, source_version=, grace=
    get_or_set_many, invalidate, invalidate_tags    are new
    clear         ends what this cache (its KEY_PREFIX) has stored, not all
    incr_version  keeps the timeout

    `version` is Django's, a part of the key; `source_version` is the number
    that the source gives to the value.  Tags get the KEY_PREFIX, too.
    """

    def __init__(self, server, params):
        super().__init__(server, params, library=leasecached,
                         value_not_found_exception=KeyError)
        self._class = Client
        self._options = {'clear_tag': self._clear_tag(), **self._options}

    @cached_property
    def _cache(self):
        return _shared_client(self._class, self.client_servers, self._options)

    # ---- loading ------------------------------------------------------------

    def get_or_set(self, key, default, timeout=DEFAULT_TIMEOUT, version=None,
                   *, tags=(), source_version=None, **options):
        """More options are those of leasecached.Client.get_or_load."""
        return self._cache.get_or_load(
            self._key(key, version),
            default if callable(default) else lambda: default,
            self._ttl(timeout), tags=self._tags(tags), version=source_version,
            **options)

    def get_or_set_many(self, keys, loader, timeout=DEFAULT_TIMEOUT,
                        version=None, *, tags=(), source_version=None,
                        **options):
        """As leasecached.Client.get_or_load_many: loader(keys) is a dict."""
        keys = {self._key(key, version): key for key in keys}

        def load(missing):
            found = loader([keys[key] for key in missing])
            return {key: found[keys[key]] for key in missing
                    if keys[key] in found}

        found = self._cache.get_or_load_many(
            keys, load, self._ttl(timeout), tags=self._tags(tags),
            version=source_version, **options)
        return {keys[key]: value for key, value in found.items()}

    # ---- storing ------------------------------------------------------------

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None, *,
            tags=(), source_version=None, **options):
        name = self._key(key, version)
        stored = self._store(name, value, timeout, tags, source_version,
                             **options)
        # As in Django, an old value must not stay; a newer one may.
        if not stored and source_version is None:
            self._cache.delete(name)

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None, *,
            tags=(), source_version=None, **options):
        return self._store(self._key(key, version), value, timeout, tags,
                           source_version, mode='add', **options)

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None, *,
                 tags=(), source_version=None, **options):
        keys = {self._key(key, version): key for key in data}
        failed = self._cache.store_many(
            {name: data[key] for name, key in keys.items()},
            self._ttl(timeout), tags=self._tags(tags), version=source_version,
            **options)
        return [keys[name] for name in failed]

    def incr_version(self, key, delta=1, version=None, *, tags=None):
        """Moves the value, with what is left of its time.

        The server does not tell which tags a value has: one with tags is
        moved if they are given anew, else it is dropped.
        """
        if version is None:
            version = self.version
        old, new = self._key(key, version), self._key(key, version + delta)
        moved = self._cache.move(old, new, None if tags is None else
                                 self._tags(tags))
        if moved is None:
            return super().incr_version(key, delta, version)
        if not moved:
            raise ValueError("Key '%s' not found" % key)
        return version + delta

    def _store(self, name, value, timeout, tags, source_version, **options):
        return self._cache.store(
            name, value, self._ttl(timeout), tags=self._tags(tags),
            version=source_version, **options)

    # ---- invalidating -------------------------------------------------------

    def invalidate(self, key, version=None, *, source_version=None,
                   stale=None):
        """As delete; see leasecached.Client.invalidate for what it can do."""
        return self._cache.invalidate(self._key(key, version),
                                      source_version, stale=stale)

    def invalidate_tags(self, tags):
        """Ends all values that have one of these tags, on all servers."""
        self._cache.invalidate_tags(self._tags(tags))

    def clear(self):
        self._cache.clear()

    def close(self, **kwargs):
        """Connections outlive the request: all threads share them."""

    # ---- keys, tags, times --------------------------------------------------

    def _key(self, key, version):
        name = self.make_key(key, version=version)
        self.validate_key(name)
        return name

    def _tags(self, tags):
        if callable(tags):
            return lambda value: self._tags(tags(value))
        if isinstance(tags, str):
            tags = [tags]
        prefix = self.key_prefix and '%s:' % self.key_prefix
        return [prefix + tag for tag in tags]

    def _clear_tag(self):
        name = 'django:%s' % self.key_prefix
        try:
            tag_names(name)
        except ValueError:
            name = 'django:' + md5(name.encode()).hexdigest()
        return name

    def _ttl(self, timeout):
        """Django's timeout as seconds; its 0 is over at once, None never."""
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        if timeout is None:
            return 0
        return int(timeout) or -1


def invalidates(*tags, keys=(), version=None, source_version=None,
                cache=DEFAULT_CACHE_ALIAS, using=None):
    """Ends these keys, and all with these tags, when the transaction commits.

    Without a transaction it is done at once; a rollback leaves the cache as it
    is.  In a handler of post_save, or after a QuerySet's update():

        invalidates('users', keys=['user:%d' % user.pk])

    Deleting from the cache before the commit is not enough: a reader would
    find the old row, and put it back.
    """
    if isinstance(keys, str):
        keys = [keys]
    keys = list(keys)

    def end():
        backend = caches[cache]
        for key in keys:
            backend.invalidate(key, version, source_version=source_version)
        if tags:
            backend.invalidate_tags(tags)

    transaction.on_commit(end, using=using)


# Django makes a backend for each thread, and one client serves them all.
_clients = {}
_clients_lock = threading.Lock()


def _shared_client(cls, servers, options):
    key = (cls, tuple(servers), repr(sorted(options.items())))
    with _clients_lock:
        if key not in _clients:
            _clients[key] = cls(servers, **options)
        return _clients[key]
