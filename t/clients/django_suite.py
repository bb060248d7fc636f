# SPDX-License-Identifier: BSD-3-Clause
# django_suite.py - the server behind Django's cache framework.
#
# The same steps go through the memcached backends and through the one in
# local memory: where Django promises the same of all, the results must be the
# same.  What differs by its documentation is tested apart.
#
# Arguments: three ports on 127.0.0.1, and the path of a Unix socket.

import sys
import time
import warnings

import django
from django.conf import settings

PORTS = [int(arg) for arg in sys.argv[1:4]]
UNIX = sys.argv[4]
PORT = PORTS[0]

from tap import (advance, check, finish, noise, raises, raw,  # noqa: E402
                 remark, same, sections, skip, stats, together)

PATIENT = {'receive_timeout': 60000000, 'send_timeout': 60000000,
           '_poll_timeout': 60000, 'connect_timeout': 60000}
BACKENDS = {
    'PyMemcacheCache': ('PyMemcacheCache', {'timeout': 60, 'no_delay': True}),
    'PyLibMCCache': ('PyLibMCCache', {'behaviors': PATIENT}),
}


def own_key(key, key_prefix, version):
    return '-'.join([key_prefix, str(version), key])


caches_setting = {
    'default': {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'},
}


def variants(prefix, backend, options, location):
    """The ways in which the tests configure a backend."""
    base = {'BACKEND': backend, 'LOCATION': location}
    if options:
        base['OPTIONS'] = options
    caches_setting.update({
        prefix: base,
        prefix + ' v2': dict(base, VERSION=2),
        prefix + ' prefix': dict(base, KEY_PREFIX='prefix'),
        prefix + ' function': dict(base, KEY_FUNCTION=own_key,
                                   KEY_PREFIX='own'),
        prefix + ' short': dict(base, TIMEOUT=10),
        prefix + ' zero': dict(base, TIMEOUT=0),
        prefix + ' never': dict(base, TIMEOUT=None),
    })


variants('LocMem', 'django.core.cache.backends.locmem.LocMemCache',
         {'MAX_ENTRIES': 100000}, 'all')
for name, (cls, options) in BACKENDS.items():
    path = 'django.core.cache.backends.memcached.' + cls
    variants(name, path, options, '127.0.0.1:%d' % PORT)
    caches_setting[name + ' ring'] = {
        'BACKEND': path, 'OPTIONS': options,
        'LOCATION': ['127.0.0.1:%d' % port for port in PORTS]}
    caches_setting[name + ' unix'] = {
        'BACKEND': path, 'OPTIONS': options,
        'LOCATION': 'unix:' + UNIX if cls == 'PyMemcacheCache' else UNIX}

settings.configure(CACHES=caches_setting, SECRET_KEY='x', USE_TZ=True,
                   INSTALLED_APPS=['django.contrib.sessions'],
                   SESSION_ENGINE='django.contrib.sessions.backends.cache')
django.setup()

from django.core.cache import caches  # noqa: E402
from django.core.cache.backends.base import (  # noqa: E402
    CacheKeyWarning, InvalidCacheKey)

# LocMem takes the time from here, the server from its own clock: both are
# moved together.
real_time = time.time
offset = 0
time.time = lambda: real_time() + offset


def forward(seconds):
    global offset
    offset += seconds
    advance(PORT, seconds)


class Unpickled:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Unpickled) and self.value == other.value

    def __repr__(self):
        return 'Unpickled(%r)' % self.value


def result(call):
    """What a step gives: its value, or the kind of its exception."""
    try:
        return call()
    except Exception as error:
        return 'raises ' + type(error).__name__


def steps(prefix, can_advance):
    """(name, what comes of it), one after the other."""
    cache = caches[prefix]
    v2 = caches[prefix + ' v2']
    own = caches[prefix + ' function']
    prefixed = caches[prefix + ' prefix']

    cache.clear()

    def step(name, call):
        return name, result(call)

    yield step('get, missing', lambda: cache.get('none'))
    yield step('get with a default', lambda: cache.get('none', 'd'))
    yield step('set', lambda: cache.set('key', 'value'))
    yield step('get', lambda: cache.get('key'))
    yield step('add, there', lambda: cache.add('key', 'other'))
    yield step('add, new', lambda: cache.add('added', 'new'))
    yield step('get after add', lambda: [cache.get('key'),
                                         cache.get('added')])
    yield step('has_key', lambda: [cache.has_key('key'),  # noqa: W601
                                   cache.has_key('none')])  # noqa: W601
    yield step('in', lambda: ['key' in cache, 'none' in cache])
    yield step('delete', lambda: [cache.delete('key'), cache.delete('key')])
    yield step('get after delete', lambda: cache.get('key'))

    for value in ('text', 'ünïcödé', 'x' * 100000, b'bytes\r\n\0', 0, 42, -42,
                  2 ** 70, 2.5, [1, 'a'], {'a': {'b': 1}}, (1, 2),
                  Unpickled([1])):
        yield step('set a %s' % type(value).__name__,
                   lambda: cache.set('typed', value))
        yield step('get it', lambda: cache.get('typed'))
        yield step('get_many it', lambda: cache.get_many(['typed']))
    yield step('set None', lambda: cache.set('is_none', None))
    yield step('get None', lambda: cache.get('is_none', 'default'))
    yield step('has_key of None', lambda: 'is_none' in cache)
    yield step('add over None', lambda: cache.add('is_none', 'x'))

    yield step('set_many', lambda: cache.set_many(
        {'many%d' % i: i for i in range(200)}))
    yield step('get_many', lambda: sorted(cache.get_many(
        ['many%d' % i for i in range(0, 200, 3)] + ['none']).items()))
    yield step('delete_many', lambda: cache.delete_many(
        ['many%d' % i for i in range(100)] + ['none']))
    yield step('get_many after it', lambda: len(cache.get_many(
        ['many%d' % i for i in range(200)])))
    yield step('get_many of nothing', lambda: cache.get_many([]))
    yield step('set_many of nothing', lambda: cache.set_many({}))

    yield step('incr', lambda: [cache.set('n', 41), cache.incr('n'),
                                cache.incr('n', 10), cache.get('n')])
    yield step('decr', lambda: [cache.set('n', 43), cache.decr('n'),
                                cache.decr('n', 10), cache.get('n')])
    yield step('incr by a negative number',
               lambda: [cache.set('n', 50), cache.incr('n', -10),
                        cache.get('n')])
    yield step('decr by a negative number',
               lambda: [cache.set('n', 50), cache.decr('n', -10),
                        cache.get('n')])
    yield step('incr, missing', lambda: cache.incr('none'))
    yield step('decr, missing', lambda: cache.decr('none'))

    yield step('get_or_set', lambda: cache.get_or_set('gos', 'first', 100))
    yield step('get_or_set again', lambda: cache.get_or_set('gos', 'second'))
    yield step('get_or_set by a call', lambda: cache.get_or_set(
        'gos_call', lambda: 'made'))
    calls = []
    yield step('get_or_set calls once', lambda: [
        cache.get_or_set('gos_once', lambda: calls.append(1) or 'x'),
        cache.get_or_set('gos_once', lambda: calls.append(1) or 'y'),
        len(calls)])
    yield step('get_or_set of None', lambda: [
        cache.get_or_set('gos_none', None),
        cache.get('gos_none', 'default')])
    yield step('get_or_set of a version', lambda: [
        cache.get_or_set('gos', 'v2', version=2), cache.get('gos'),
        cache.get('gos', version=2)])

    # Versions
    yield step('set a version', lambda: cache.set('v', 2, version=2))
    yield step('get by version', lambda: [
        cache.get('v'), cache.get('v', version=2), v2.get('v'),
        v2.get('v', version=1)])
    yield step('add a version', lambda: [
        cache.add('v', 1), cache.add('v', 1, version=2), cache.get('v')])
    yield step('has_key of a version', lambda: [
        cache.has_key('v', version=2),  # noqa: W601
        cache.has_key('v', version=3)])  # noqa: W601
    yield step('incr of a version', lambda: [
        cache.incr('v', version=2), v2.get('v'), cache.get('v')])
    yield step('delete a version', lambda: [
        cache.delete('v', version=2), cache.get('v'), v2.get('v')])
    yield step('many of a version', lambda: [
        cache.set_many({'w1': 1, 'w2': 2}, version=2),
        cache.get_many(['w1', 'w2']), v2.get_many(['w1', 'w2']),
        v2.delete_many(['w1']), v2.get_many(['w1', 'w2'])])
    yield step('incr_version', lambda: [
        cache.set('iv', 'x', version=2), cache.incr_version('iv', version=2),
        cache.get('iv', version=2), cache.get('iv', version=3)])
    yield step('incr_version of the default', lambda: [
        v2.set('iv2', 'y'), v2.incr_version('iv2'), v2.get('iv2'),
        v2.get('iv2', version=3)])
    yield step('incr_version by 5', lambda: [
        cache.set('iv5', 'z'), cache.incr_version('iv5', 5),
        cache.get('iv5'), cache.get('iv5', version=6)])
    yield step('incr_version, missing', lambda: cache.incr_version('none'))
    yield step('decr_version', lambda: [
        v2.set('dv', 'x'), v2.decr_version('dv'), v2.get('dv'),
        v2.get('dv', version=1), cache.get('dv')])
    yield step('decr_version, missing', lambda: cache.decr_version('none'))
    yield step('incr_version of None', lambda: [
        cache.set('ivn', None), result(lambda: cache.incr_version('ivn')),
        cache.get('ivn', 'd', version=2)])

    # Key functions and prefixes
    yield step('key function', lambda: [
        own.set('answer', 42), own.get('answer'), cache.get('answer'),
        prefixed.get('answer'), own.make_key('answer')])
    yield step('key prefix', lambda: [
        prefixed.set('existing', 'x'), prefixed.get('existing'),
        cache.get('existing'), prefixed.make_key('existing')])
    yield step('many with a key function', lambda: [
        own.set_many({'a': 1, 'b': 2}), own.get_many(['a', 'b', 'c']),
        own.delete_many(['a']), own.get_many(['a', 'b'])])
    yield step('keys that are not ASCII', lambda: [
        cache.set('ключ', 'значение'), cache.get('ключ'),
        cache.get_many(['ключ', 'größe']), cache.incr_version('ключ'),
        cache.get('ключ', version=2)])
    yield step('a key of 240 letters', lambda: [
        cache.set('k' * 240, 1), cache.get('k' * 240)])

    # Expiry
    yield step('a timeout of 0', lambda: [
        cache.set('t0', 'x', 0), cache.get('t0')])
    yield step('a timeout of 0, over a value', lambda: [
        cache.set('t0', 'x'), cache.set('t0', 'y', 0), cache.get('t0')])
    yield step('a negative timeout', lambda: [
        cache.set('t-', 'x', -1), cache.get('t-')])
    yield step('a negative timeout, over a value', lambda: [
        cache.set('t-', 'x'), cache.set('t-', 'y', -100), cache.get('t-')])
    yield step('add with a negative timeout', lambda: [
        cache.add('t-', 'x', -1), cache.get('t-')])
    yield step('set_many with a negative timeout', lambda: [
        cache.set_many({'t1': 1, 't2': 2}, -1), cache.get_many(['t1', 't2'])])
    yield step('set_many with a timeout of 0', lambda: [
        cache.set_many({'t1': 1, 't2': 2}, 0), cache.get_many(['t1', 't2'])])
    yield step('no timeout', lambda: [
        cache.set('forever', 'x', None), cache.get('forever')])
    yield step('add after it expired', lambda: [
        cache.set('again', 'x', -1), cache.add('again', 'y'),
        cache.get('again')])
    yield step('touch', lambda: [
        cache.set('touch', 'x'), cache.touch('touch'),
        cache.touch('touch', 100), cache.touch('none'), cache.get('touch')])
    yield step('touch with None', lambda: [
        cache.set('touch', 'x', 100), cache.touch('touch', None),
        cache.get('touch')])
    yield step('touch with 0', lambda: [
        cache.set('touch', 'x'), cache.touch('touch', 0),
        cache.get('touch')])
    yield step('touch of a version', lambda: [
        cache.set('touch', 'x', version=2), cache.touch('touch'),
        cache.touch('touch', version=2)])
    zero = caches[prefix + ' zero']
    yield step('a default timeout of 0', lambda: [
        zero.set('z', 'x'), zero.get('z'), zero.set('z', 'x', None),
        zero.get('z')])
    if can_advance:
        yield from waiting(prefix, cache, step)
    yield step('clear', lambda: cache.clear())
    yield step('get after clear', lambda: [
        cache.get('forever'), cache.get('n'), v2.get('w2')])
    yield step('set after clear', lambda: [
        cache.set('forever', 1), cache.get('forever')])
    yield step('close', lambda: [cache.close(), cache.get('forever')])


def waiting(prefix, cache, step):
    short = caches[prefix + ' short']
    never = caches[prefix + ' never']
    month = 60 * 60 * 24 * 30

    cache.set('five', 1, 5)
    cache.set('default', 1)
    cache.set('ever', 1, None)
    cache.set('month', 1, month)
    cache.set('two_months', 1, 2 * month)
    cache.set_many({'m1': 1, 'm2': 2}, 5)
    cache.add('added5', 1, 5)
    cache.get_or_set('gos5', 1, 5)
    cache.set('counted', 1, 5)
    cache.incr('counted')
    cache.set('touched', 1, 5)
    cache.touch('touched', 1000)
    cache.set('retimed', 1, 1000)
    cache.touch('retimed', 5)
    cache.set('overwritten', 1, 5)
    cache.set('overwritten', 2, 1000)
    cache.set('touched_ever', 1, 5)
    cache.touch('touched_ever', None)
    short.set('short', 1)
    never.set('never', 1)
    keys = ['five', 'default', 'ever', 'month', 'two_months', 'm1', 'm2',
            'added5', 'gos5', 'counted', 'touched', 'retimed', 'overwritten',
            'touched_ever', 'short', 'never']

    def left():
        return sorted(cache.get_many(keys))

    yield step('nothing has expired', left)
    for seconds, name in ((7, 'after 7 seconds'), (6, 'after 13'),
                          (300, 'after 313'), (1000, 'after 1313'),
                          (month, 'after a month'),
                          (month, 'after two months')):
        forward(seconds)
        yield step(name, left)
    yield step('add where one has expired', lambda: [
        cache.add('five', 'new'), cache.get('five')])


def same_as_locmem():
    can_advance = advance(PORT, 0)
    if not can_advance:
        skip('expiry', 'no clock to move')
    expected = list(steps('LocMem', False))
    for name in BACKENDS:
        # Both clocks start anew from where they are.
        if can_advance:
            expected = list(steps('LocMem', True))
        got = list(steps(name, can_advance))
        same(len(got), len(expected), name + ': as many steps')
        for (what, wanted), (_, found) in zip(expected, got):
            same(found, wanted, '%s: %s, as in local memory' % (name, what))


def literally():
    """The same by value, in case that both were wrong."""
    can_advance = advance(PORT, 0)
    for name in BACKENDS:
        cache = caches[name]
        found = dict(steps(name, can_advance))
        if can_advance:
            same(found['nothing has expired'], sorted(
                'five default ever month two_months m1 m2 added5 gos5 counted '
                'touched retimed overwritten touched_ever short never'
                .split()), name + ': nothing has expired')
            for what, wanted in (
                    ('after 7 seconds', 'default ever month never '
                     'overwritten short touched touched_ever two_months'),
                    ('after 13', 'default ever month never overwritten '
                     'touched touched_ever two_months'),
                    ('after 313', 'ever month never overwritten touched '
                     'touched_ever two_months'),
                    ('after 1313', 'ever month never touched_ever '
                     'two_months'),
                    ('after a month', 'ever never touched_ever two_months'),
                    ('after two months', 'ever never touched_ever')):
                same(found[what], wanted.split(), '%s: %s' % (name, what))
        for what, wanted in (
                ('get', 'value'), ('add, there', False), ('add, new', True),
                ('delete', [True, False]), ('get None', None),
                ('set_many', []), ('get_many after it', 100),
                ('incr', [None, 42, 52, 52]),
                ('incr, missing', 'raises ValueError'),
                ('get_or_set again', 'first'),
                ('incr_version', [None, 3, None, 'x']),
                ('incr_version, missing', 'raises ValueError'),
                ('decr_version', [None, 1, None, 'x', 'x']),
                ('touch', [None, True, True, False, 'x']),
                ('touch with 0', [None, True, None]),
                ('a negative timeout, over a value', [None, None, None]),
                ('key function', [None, 42, None, None, 'own-1-answer']),
                ('get after clear', [None, None, None])):
            same(found[what], wanted, '%s: %s' % (name, what))
        # What went over the wire.
        cache.set('wire', 'value', None)
        check(raw(PORT, b'get :1:wire\r\n').startswith(b'VALUE :1:wire '),
              name + ': under the key that Django documents')


def differences():
    """What Django's documentation says of memcached alone."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        caches['LocMem'].set('a key', 1)
        check(any(issubclass(w.category, CacheKeyWarning) for w in caught),
              'LocMem warns of a key with a blank')
    for name in BACKENDS:
        cache = caches[name]
        for bad in ('a key', 'k' * 251, 'a\nb', '\x7f'):
            for call in (lambda: cache.set(bad, 1), lambda: cache.get(bad),
                         lambda: cache.add(bad, 1), lambda: cache.touch(bad),
                         lambda: cache.delete(bad), lambda: cache.incr(bad),
                         lambda: cache.get_many([bad, 'x']),
                         lambda: cache.set_many({bad: 1})):
                if not result(call) == 'raises InvalidCacheKey':
                    check(False, name + ': %r is refused' % bad)
        raises(InvalidCacheKey, name + ': bad keys are refused', cache.get,
               'a key')
        # A value that is too large: the old one must not stay.
        cache.set('large', 'small')
        result(lambda: cache.set('large', noise(1200000)))
        same(cache.get('large'), None, name + ': too large, and the old '
             'value is gone')
        cache.set('large', 'small')
        same(cache.get('large'), 'small', name + ': and one goes on')
        cache.set('nearly', noise(1000000))
        same(cache.get('nearly') == noise(1000000), True,
             name + ': a value of 1,000,000 bytes')


def places():
    for name in BACKENDS:
        ring = caches[name + ' ring']
        ring.clear()
        values = {'ring%d' % i: i for i in range(600)}
        same(ring.set_many(values), [], name + ': set_many, three servers')
        same(ring.get_many(values), values, name + ': get_many')
        same([ring.get('ring%d' % i) for i in range(0, 600, 7)],
             list(range(0, 600, 7)), name + ': get')
        for _ in range(3000):
            counts = [int(stats(port)['curr_items']) for port in PORTS]
            if sum(counts) == 600:
                break
            time.sleep(0.01)
        same(sum(counts), 600, name + ': each key on one server')
        if not check(min(counts) > 60, name + ': each has its share'):
            remark(counts)
        ring.delete_many(values)
        same(ring.get_many(values), {}, name + ': delete_many')
        ring.set_many(values)
        ring.clear()
        same(ring.get_many(values), {}, name + ': clear')
        unix = caches[name + ' unix']
        unix.set('unix', noise(200000))
        same(unix.get('unix'), noise(200000), name + ': a Unix socket')


def sessions():
    from importlib import import_module
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for name in BACKENDS:
        settings.SESSION_CACHE_ALIAS = name
        session = store()
        session['user'] = {'id': 7, 'name': 'Zoë'}
        session.save()
        again = store(session.session_key)
        same(again['user'], {'id': 7, 'name': 'Zoë'}, name + ': a session')
        same(store().exists(session.session_key), True, name + ': exists')
        old = session.session_key
        again.cycle_key()
        same(store().exists(old), False, name + ': cycle_key leaves none')
        same(store(again.session_key)['user']['id'], 7, name + ': the data')
        again.set_expiry(-1)
        again.save()
        same(store(again.session_key).get('user'), None,
             name + ': an expired one')
        again.flush()
        same(again.session_key, None, name + ': flush')


def threads():
    """Django gives each thread a connection of its own."""
    for name in BACKENDS:
        caches[name].set_many({'counter': 0})

        def work(number):
            cache = caches[name]
            for i in range(100):
                key = 't%d-%d' % (number, i % 10)
                value = noise(10 + 13 * i, seed=number * 1000 + i)
                cache.set(key, value, 1000)
                assert cache.get(key) == value
                cache.incr('counter')
                found = cache.get_many(['t%d-%d' % (number, j)
                                        for j in range(10)])
                assert found[key] == value
                made = cache.get_or_set('shared%d' % i, number)
                assert made == cache.get('shared%d' % i)

        together(8, work, name + ': 8 threads, each sees its own')
        same(caches[name].get('counter'), 800,
             name + ': and all together counted right')


sections(same_as_locmem, literally, differences, places, sessions, threads)
finish()
