# SPDX-License-Identifier: BSD-3-Clause
# pymemcache_suite.py - the server as pymemcache sees it.
#
# Arguments: three ports on 127.0.0.1, and the path of a Unix socket.

import sys
import time

from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import (
    MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError)

from tap import (REFERENCE, advance, check, finish, noise, raises, remark,
                 same, sections, skip, stats, together)

PORTS = [int(arg) for arg in sys.argv[1:4]]
UNIX = sys.argv[4]
PORT = PORTS[0]
PATIENCE = 60


def connect(port=PORT, **how):
    how.setdefault('timeout', PATIENCE)
    how.setdefault('default_noreply', False)
    return Client(('127.0.0.1', port), **how)


c = connect()


def storage():
    same(c.get('none'), None, 'get of a missing key')
    same(c.get('none', 'default'), 'default', 'get with a default')
    same(c.set('k', b'value'), True, 'set')
    same(c.get('k'), b'value', 'get')
    same(c.get(b'k'), b'value', 'get, key as bytes')
    same(c.set('k', b''), True, 'set of nothing')
    same(c.get('k'), b'', 'get of nothing is not a miss')
    same(c.add('k', b'x'), False, 'add of a key that is there')
    same(c.add('fresh', b'x'), True, 'add of a new one')
    same(c.replace('fresh', b'y'), True, 'replace')
    same(c.replace('none', b'y'), False, 'replace of a missing key')
    same(c.append('fresh', b'>'), True, 'append')
    same(c.prepend('fresh', b'<'), True, 'prepend')
    same(c.get('fresh'), b'<y>', 'and their result')
    same(c.append('none', b'y'), False, 'append to a missing key')
    same(c.prepend('none', b'y'), False, 'prepend to a missing key')
    same(c.delete('fresh'), True, 'delete')
    same(c.delete('fresh'), False, 'delete again')
    same(c.get('fresh'), None, 'it is gone')
    c['item'] = b'1'
    same(c['item'], b'1', 'c[key]')
    del c['item']
    raises(KeyError, 'c[key] of a missing key', c.__getitem__, 'item')


def noreply():
    # Each answer that comes although nobody waits for it would be taken for
    # the one to the next request.
    n = connect(default_noreply=True)
    same(n.set('n', b'1'), True, 'noreply: set')
    same(n.add('n', b'2'), True, 'noreply: add does not tell')
    same(n.get('n'), b'1', 'noreply: but has not stored')
    n.replace('none', b'1')
    n.append('n', b'>')
    n.prepend('n', b'<')
    n.append('none', b'>')
    same(n.get('n'), b'<1>', 'noreply: append, prepend, replace')
    n.set('num', b'5')
    same(n.incr('num', 3, noreply=True), None, 'noreply: incr')
    same(n.decr('num', 1, noreply=True), None, 'noreply: decr')
    n.incr('none', 1, noreply=True)
    n.incr('n', 1, noreply=True)
    same(n.get('num'), b'7', 'noreply: and an error is silent, too')
    n.touch('none', 10)
    n.touch('num', 0)
    n.cas('num', b'8', b'999999', noreply=True)
    n.cas('none', b'8', b'1', noreply=True)
    same(n.get('num'), b'7', 'noreply: touch and cas')
    n.set('big', noise(1200000))
    same(n.get('big'), None, 'noreply: a value that is too large')
    n.delete('n')
    n.delete('n')
    same(n.get('n'), None, 'noreply: delete')
    for i in range(500):
        n.set('row%d' % (i % 50), b'%d' % i)
    same(n.get_many(['row%d' % i for i in range(50)]),
         {'row%d' % i: b'%d' % (450 + i) for i in range(50)},
         'noreply: 500 sets in a row, the last one counts')
    n.delete_many(['row%d' % i for i in range(50)])
    same(n.get_many(['row%d' % i for i in range(50)]), {},
         'noreply: delete_many')
    n.set_many({'m%d' % i: b'%d' % i for i in range(300)})
    same(len(n.get_many(['m%d' % i for i in range(300)])), 300,
         'noreply: set_many')
    n.flush_all()
    same(n.get('num'), None, 'noreply: flush_all')
    same(n.version()[:4], b'1.6.', 'noreply: in step at the end')


def many():
    values = {'many%d' % i: b'value %d' % i for i in range(1000)}
    same(c.set_many(values), [], 'set_many of 1000: none failed')
    same(c.get_many(list(values)), values, 'get_many of 1000')
    same(c.get_many([]), {}, 'get_many of nothing')
    same(c.get_many(['many1', 'none', 'many2', 'many1']),
         {'many1': b'value 1', 'many2': b'value 2'},
         'get_many, some missing, one twice')
    found = c.gets_many(['many1', 'many2', 'none'])
    same(sorted(found), ['many1', 'many2'], 'gets_many')
    check(found['many1'][1] != found['many2'][1], 'each with its number')
    same(c.delete_many(list(values)), True, 'delete_many')
    same(c.get_many(list(values)), {}, 'all are gone')
    raises(MemcacheServerError, 'set_many with a value that is too large',
           c.set_many, {'good': b'1', 'large': noise(1100000)})
    same(c.get('good'), b'1', 'stores the others')


def cas():
    c.set('cas', b'1')
    value, number = c.gets('cas')
    same(value, b'1', 'gets: the value')
    check(number.isdigit(), 'gets: the number')
    same(c.gets('none'), (None, None), 'gets of a missing key')
    same(c.cas('cas', b'2', number), True, 'cas with the right number')
    same(c.cas('cas', b'3', number), False, 'cas with an old one')
    same(c.get('cas'), b'2', 'has not stored')
    same(c.cas('none', b'3', number), None, 'cas of a missing key')
    _, second = c.gets('cas')
    check(int(second) > int(number), 'the number rises with each store')
    c.touch('cas', 0)
    same(c.gets('cas')[1], second, 'touch leaves it')
    c.append('cas', b'x')
    check(int(c.gets('cas')[1]) > int(second), 'append does not')
    raises(MemcacheIllegalInputError, 'cas with a text', c.cas, 'cas', b'x',
           'text')
    other = connect()
    _, number = c.gets('cas')
    other.set('cas', b'other')
    same(c.cas('cas', b'mine', number), False, 'cas after somebody else')
    same(other.get('cas'), b'other', 'and that one stays')
    _, number = c.gets('cas')
    other.delete('cas')
    same(c.cas('cas', b'mine', number), None, 'cas after a delete')


def arithmetic():
    c.set('n', b'10')
    same(c.incr('n', 5), 15, 'incr')
    same(c.decr('n', 5), 10, 'decr')
    same(c.decr('n', 1), 9, 'decr to fewer digits')
    same(c.get('n'), b'9 ', 'is padded')
    same(c.incr('n', 1), 10, 'and still a number')
    same(c.decr('n', 100), 0, 'decr stops at 0')
    same(c.incr('none', 1), None, 'incr of a missing key')
    same(c.decr('none', 1), None, 'decr of a missing key')
    c.set('n', b'18446744073709551615')
    same(c.incr('n', 1), 0, 'incr wraps at 2**64')
    c.set('n', b'18446744073709551614')
    same(c.incr('n', 1), 18446744073709551615, 'the largest number')
    c.set('n', b'text')
    raises(MemcacheClientError, 'incr of a text', c.incr, 'n', 1)
    c.set('n', b'1')
    raises(MemcacheClientError, 'incr by a negative number', c.incr, 'n', -1)
    same(c.incr('n', 0), 1, 'incr by 0')
    c.set('flagged', b'1', flags=9)
    c.incr('flagged', 1)
    same(c.get('flagged'), b'2', 'incr of an item with flags')


def bytes_of_any_value():
    every = bytes(range(256))
    for name, value in (
            ('every byte', every * 50),
            ('line ends', b'\r\n' * 100),
            ('what looks like a reply', b'x\r\nEND\r\nVALUE k 0 1\r\ny\r\n'),
            ('what looks like commands', b'\r\nflush_all\r\nset k 0 0 1\r\n'),
            ('zeros', bytes(5000)),
            ('one byte', b'\n'),
            ('100,000 bytes', noise(100000)),
            ('1,000,000 bytes', noise(1000000))):
        c.set('bytes', value)
        same(c.get('bytes'), value, '%s, stored and read' % name)
        same(c.get_many(['none', 'bytes', 'k']).get('bytes'), value,
             '%s, in a get_many' % name)


def limits():
    # An item counts with 48 bytes, 8 for its number, the key and one byte, 4
    # bytes for flags other than 0, the value and 2.
    most = 1048576 - 48 - 8 - len('limit') - 1 - 2
    value = noise(most)
    same(c.set('limit', value), True, 'the longest value')
    same(c.get('limit') == value, True, 'read again')
    raises(MemcacheServerError, 'a byte more', c.set, 'limit', value + b'x')
    same(c.get('limit'), None, 'took the old value with it')
    c.set('limit', b'old')
    raises(MemcacheServerError, 'add of too much', c.add, 'limit2',
           value + noise(10))
    raises(MemcacheServerError, 'replace by too much', c.replace, 'limit',
           value + noise(10))
    same(c.get('limit'), b'old', 'replace keeps the old value')
    same(c.set('limit', b'new'), True, 'and one goes on')

    key = 'k' * 250
    same(c.set(key, b'1'), True, 'a key of 250 bytes')
    same(c.get(key), b'1', 'read again')
    for bad, name in (('k' * 251, 'a key of 251 bytes'),
                      ('a b', 'a key with a blank'),
                      ('a\nb', 'a key with LF'),
                      ('a\tb', 'a key with TAB'),
                      ('ä', 'a key that is not ASCII')):
        raises(MemcacheIllegalInputError, name, c.set, bad, b'1')
    u = connect(allow_unicode_keys=True)
    for key in ('ключ', '鍵', 'größe', '\U0001f511' * 62):
        same(u.set(key, b'unicode'), True, 'a key of letters %r' % key[:8])
        same(u.get(key), b'unicode', 'read again')
        same(u.get_many([key, 'none']), {key: b'unicode'}, 'among others')
        same(u.delete(key), True, 'and deleted')
    p = connect(key_prefix=b'pre:')
    p.set('k', b'prefixed')
    same(c.get('pre:k'), b'prefixed', 'key_prefix')
    same(p.get_many(['k']), {'k': b'prefixed'}, 'and taken away again')


def serializers():
    pickling = connect(serde=serde.pickle_serde)
    plain = connect(serializer=serde.python_memcache_serializer,
                    deserializer=serde.python_memcache_deserializer)
    for client in (pickling, plain):
        for value in ('text', 'ünï', b'bytes', 12, 2 ** 70, 1.5, None, True,
                      ['list', {'of': (1, 2)}], {'d': 1}):
            client.set('object', value)
            same(client.get('object'), value, 'a %s comes back as it was' %
                 type(value).__name__)
    for flags in (0, 1, 65535, 65536, 2147483647, 2147483648, 4294967295):
        got = []
        f = connect(serializer=lambda key, value: (value, flags),
                    deserializer=lambda key, value, flags: got.append(flags)
                    or value)
        f.set('flags', b'x')
        f.get('flags')
        f.get_many(['flags'])
        f.gets('flags')
        same(got, [flags] * 3, 'client flags %d' % flags)


def expiry():
    same(c.touch('none', 10), False, 'touch of a missing key')
    c.set('t', b'1')
    same(c.touch('t', 100), True, 'touch')
    same(c.touch('t', -1), True, 'touch with a negative time')
    same(c.get('t'), None, 'ends it')
    c.set('t', b'1', expire=-1)
    same(c.get('t'), None, 'set with a negative time')
    c.set('t', b'1', expire=int(time.time()) - 1000)
    same(c.get('t'), None, 'set with a time that has passed')
    if not advance(PORT, 0):
        skip('expiry', 'no clock to move')
        return
    now = int(stats(PORT)['time'])
    c.set('ten', b'1', expire=10)
    c.set('hour', b'1', expire=3600)
    c.set('month', b'1', expire=2592000)
    c.set('date', b'1', expire=now + 500)
    c.set('ever', b'1')
    c.set('touched', b'1', expire=10)
    c.touch('touched', 1000)
    c.set('added', b'1', expire=10)
    c.append('added', b'2', expire=1000)
    c.set('counted', b'1', expire=10)
    c.incr('counted', 1)
    keys = ['ten', 'hour', 'month', 'date', 'ever', 'touched', 'added',
            'counted']

    def left():
        return ' '.join(key for key in keys if c.get(key) is not None)

    same(left(), ' '.join(keys), 'nothing has expired yet')
    advance(PORT, 8)
    same(left(), ' '.join(keys), 'nor after 8 seconds')
    advance(PORT, 3)
    same(left(), 'hour month date ever touched', 'after 11')
    advance(PORT, 500)
    same(left(), 'hour month ever touched', 'after 511')
    advance(PORT, 600)
    same(left(), 'hour month ever', 'after 1111')
    advance(PORT, 3600)
    same(left(), 'month ever', 'after more than an hour')
    advance(PORT, 2592000)
    same(left(), 'ever', 'after more than a month')
    same(c.add('ten', b'new', expire=10), True, 'add where one has expired')
    c.set('over', b'1', expire=100)
    c.set('over', b'2')
    advance(PORT, 200)
    same(c.get('over'), b'2', 'a new value forgets the old end')


def administration():
    check(c.version().startswith(b'1.6.'), 'version')
    found = c.stats()
    same(found[b'pointer_size'], 64, 'stats, parsed')
    check(isinstance(found[b'rusage_user'], float), 'stats: a float')
    same(found[b'hash_is_expanding'], False, 'stats: a boolean')
    settings = c.stats('settings')
    same(settings[b'item_size_max'], 1048576, 'stats settings')
    same(settings[b'evictions'], b'on', 'stats settings: on')
    same(settings[b'cas_enabled'], b'yes', 'stats settings: yes')
    same(settings[b'growth_factor'], 1.25, 'stats settings: a number')
    check(b'1:chunk_size' in c.stats('slabs'), 'stats slabs')
    check(b'items:1:number' in c.stats('items'), 'stats items')
    same(c.cache_memlimit(100), True, 'cache_memlimit')
    same(c.stats()[b'limit_maxbytes'], 100 << 20, 'has set it')
    same(c.cache_memlimit(64), True, 'and back')
    raises(MemcacheServerError if not REFERENCE else Exception,
           'shutdown is refused', c.shutdown)
    same(c.set('still', b'here'), True, 'and the server there')
    same(c.flush_all(), True, 'flush_all')
    same(c.get('still'), None, 'empties it')
    same(c.set('still', b'here'), True, 'and set works at once')
    same(c.get('still'), b'here', 'and get')
    if advance(PORT, 0):
        same(c.flush_all(delay=50), True, 'flush_all with a delay')
        same(c.get('still'), b'here', 'not yet')
        advance(PORT, 51)
        same(c.get('still'), None, 'but then')
    c.quit()
    same(c.set('after', b'quit'), True, 'a new connection after quit')


def other_clients():
    u = Client(UNIX, timeout=PATIENCE, default_noreply=False)
    same(u.set('unix', noise(300000)), True, 'set through a Unix socket')
    same(u.get('unix'), noise(300000), 'and get')
    r = RetryingClient(connect(), attempts=3, retry_delay=0.01)
    same(r.set('retry', b'1'), True, 'RetryingClient: set')
    same(r.get('retry'), b'1', 'RetryingClient: get')
    i = connect(ignore_exc=True)
    same(i.get('none'), None, 'ignore_exc: a miss')
    small = connect(no_delay=True)
    for n in range(1, 300):
        small.set('s%d' % n, b'v' * n)
    same(sum(len(small.get('s%d' % n)) for n in range(1, 300)),
         sum(range(1, 300)), 'no_delay: 299 values of 1 to 299 bytes')


def ring():
    servers = [('127.0.0.1', port) for port in PORTS]
    h = HashClient(servers, timeout=PATIENCE, default_noreply=False,
                   use_pooling=True)
    values = {'ring%d' % i: b'%d' % i for i in range(600)}
    same(h.set_many(values), [], 'HashClient: set_many on three servers')
    same(h.get_many(list(values)), values, 'HashClient: get_many')
    counts = [int(stats(port)['curr_items']) for port in PORTS]
    check(min(counts) > 50, 'HashClient: each server has its share')
    remark(counts) if min(counts) <= 50 else None
    same(h.delete_many(list(values)), True, 'HashClient: delete_many')
    same(h.get_many(list(values)), {}, 'HashClient: all are gone')
    same(h.incr('none', 1), None, 'HashClient: incr of a missing key')
    h.set('ringn', b'1')
    same(h.incr('ringn', 1), 2, 'HashClient: incr')
    _, number = h.gets('ringn')
    same(h.cas('ringn', b'9', number), True, 'HashClient: cas')
    same(h.cas('ringn', b'8', number), False, 'HashClient: cas again')


def threads():
    """Eight threads on one pool of connections, hammering."""
    pool = PooledClient(('127.0.0.1', PORT), max_pool_size=8,
                        timeout=PATIENCE, default_noreply=False)
    pool.set('counter', b'0')
    pool.set('guarded', b'0')
    rounds = 150

    def work(number):
        mine = 't%d-' % number
        for i in range(rounds):
            value = noise(10 + i * 13, seed=number * 1000 + i)
            key = mine + str(i % 10)
            assert pool.set(key, value) is True
            assert pool.get(key) == value, 'another value in ' + key
            pool.incr('counter', 1)
            found = pool.get_many([mine + str(j) for j in range(10)])
            assert all(k.startswith(mine) for k in found)
            assert found[key] == value
            if i % 5 == 0:
                assert pool.delete(key) is True
                assert pool.get(key) is None

    together(8, work, '8 threads on one pool, each sees its own')
    same(pool.get('counter'), b'%d' % (8 * rounds),
         'and all together counted right')

    def guarded(number):
        for _ in range(60):
            while True:
                value, token = pool.gets('guarded')
                if pool.cas('guarded', b'%d' % (int(value) + 1), token):
                    break

    together(8, guarded, '8 threads with cas on one key')
    same(pool.get('guarded'), b'480', 'lose no update')

    added = []

    def adding(number):
        for i in range(100):
            if pool.add('once%d' % i, b'%d' % number):
                added.append(i)

    together(8, adding, '8 threads adding the same keys')
    same(sorted(added), list(range(100)), 'each key is added once')


sections(storage, noreply, many, cas, arithmetic, bytes_of_any_value, limits,
         serializers, expiry, administration, other_clients, ring, threads)
finish()
