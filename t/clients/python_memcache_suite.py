# SPDX-License-Identifier: BSD-3-Clause
# python_memcache_suite.py - the server as python-memcached sees it.
#
# Arguments: three ports on 127.0.0.1, and the path of a Unix socket.

import sys
import time

import memcache

from tap import (REFERENCE, advance, check, finish, noise, raises, remark, same,
                 sections, skip, stats, together)

PORTS = [int(arg) for arg in sys.argv[1:4]]
UNIX = sys.argv[4]
PORT = PORTS[0]


def connect(*ports, **how):
    how.setdefault('socket_timeout', 60)
    how.setdefault('server_max_value_length', 0)
    return memcache.Client(['127.0.0.1:%d' % port for port in ports or
                            (PORT,)], **how)


c = connect()


def yes(got, name):
    if not check(got, name):
        remark('returned %r' % (got,))


def no(got, name):
    if not check(not got, name):
        remark('returned %r' % (got,))


def storage():
    same(c.get('none'), None, 'get of a missing key')
    yes(c.set('k', 'text'), 'set')
    same(c.get('k'), 'text', 'get')
    yes(c.set('k', ''), 'set of nothing')
    same(c.get('k'), '', 'get of nothing is not a miss')
    no(c.add('k', 'x'), 'add of a key that is there')
    yes(c.add('fresh', 'x'), 'add of a new one')
    yes(c.replace('fresh', 'y'), 'replace')
    no(c.replace('none', 'y'), 'replace of a missing key')
    yes(c.append('fresh', '>'), 'append')
    yes(c.prepend('fresh', '<'), 'prepend')
    same(c.get('fresh'), '<y>', 'and their result, flags kept')
    no(c.append('none', 'y'), 'append to a missing key')
    no(c.prepend('none', 'y'), 'prepend to a missing key')
    yes(c.delete('fresh'), 'delete')
    same(c.get('fresh'), None, 'it is gone')
    yes(c.delete('fresh'), 'delete again is well, for this client')
    c.set('zero', 'x')
    yes(c.delete('zero', 0), 'delete with a time of 0')
    same(c.get('zero'), None, 'deletes')


def values():
    for value in ('ünïcödé', b'bytes', b'\r\nEND\r\n', bytes(range(256)), 12,
                  -7, 2 ** 80, True, 2.5, None, [1, [2]], {'a': (1, 2)},
                  {1, 2}):
        c.set('object', value)
        got = c.get('object')
        same(got, value, 'a %s comes back' % type(value).__name__)
        same(c.get_multi(['object', 'none']), {'object': value},
             'and in a get_multi')
    text = 'compressible ' * 5000
    yes(c.set('packed', text, min_compress_len=100), 'a compressed value')
    same(c.get('packed'), text, 'comes back whole')
    same(c.get_multi(['packed']), {'packed': text}, 'in a get_multi, too')
    for size in (1, 4096, 65536, 1000000):
        value = noise(size)
        yes(c.set('noise', value), 'set of %d bytes' % size)
        same(c.get('noise'), value, 'get of %d bytes' % size)


def limits():
    most = 1048576 - 48 - 8 - len('limit') - 1 - 2
    value = noise(most)
    yes(c.set('limit', value), 'the longest value')
    same(c.get('limit') == value, True, 'read again')
    no(c.set('limit', value + b'x'), 'a byte more')
    same(c.get('limit'), None, 'took the old value with it')
    no(c.add('limit', value + b'x'), 'add of too much')
    c.set('limit', b'old')
    no(c.replace('limit', value + b'x'), 'replace by too much')
    same(c.get('limit'), b'old', 'keeps the old value')
    same(c.set_multi({'good1': 'a', 'large': noise(1200000), 'good2': 'b'}),
         ['large'], 'set_multi tells which one was too large')
    same(c.get_multi(['good1', 'large', 'good2']),
         {'good1': 'a', 'good2': 'b'}, 'and stores the others')
    key = 'k' * 250
    yes(c.set(key, 'x'), 'a key of 250 bytes')
    same(c.get(key), 'x', 'read again')
    wild = memcache.Client(['127.0.0.1:%d' % PORT], socket_timeout=60,
                           check_keys=False, server_max_value_length=0)
    if REFERENCE:
        skip('a key of 251 bytes', 'loses step before 1.6.40')
    else:
        no(wild.set('k' * 251, 'value'), 'a key of 251 bytes is refused')
        yes(wild.set('after', 'value'), 'and the next request is answered')
        same(wild.get('after'), 'value', 'by a value')
    for key in ('ключ', '鍵', 'größe'):
        yes(c.set(key, key), 'a key of letters')
        same(c.get_multi([key]), {key: key}, 'read again')


def many():
    pairs = {'many%d' % i: 'value %d' % i for i in range(1000)}
    same(c.set_multi(pairs), [], 'set_multi of 1000: none failed')
    same(c.get_multi(list(pairs)), pairs, 'get_multi of 1000')
    same(c.get_multi(['1', '2'], key_prefix='many'),
         {'1': 'value 1', '2': 'value 2'}, 'get_multi with a prefix')
    yes(c.delete_multi(list(pairs)), 'delete_multi')
    same(c.get_multi(list(pairs)), {}, 'all are gone')
    yes(c.delete_multi(['none1', 'none2'], time=0),
        'delete_multi of missing keys, with a time')
    same(c.set_multi({'p1': 1, 'p2': 2}, time=1000, key_prefix='pre'), [],
         'set_multi with a prefix and a time')
    same(c.get('prep1'), 1, 'under its whole key')


def arithmetic():
    c.set('n', 10)
    same(c.incr('n'), 11, 'incr')
    same(c.incr('n', 9), 20, 'incr by 9')
    same(c.decr('n', 11), 9, 'decr')
    same(c.get('n'), 9, 'is still a number')
    same(c.decr('n', 100), 0, 'decr stops at 0')
    same(c.incr('none'), None, 'incr of a missing key')
    same(c.decr('none'), None, 'decr of a missing key')
    c.set('n', '18446744073709551615')
    same(c.incr('n'), 0, 'incr wraps at 2**64')
    c.set('n', 'text')
    raises(ValueError, 'incr of a text', c.incr, 'n')
    same(c.get('n'), 'text', 'leaves it')


def cas():
    c1, c2 = connect(cache_cas=True), connect(cache_cas=True)
    c1.set('cas', '1')
    same(c1.gets('cas'), '1', 'gets')
    same(c2.gets('cas'), '1', 'gets of another client')
    yes(c1.cas('cas', '2'), 'the first cas stores')
    no(c2.cas('cas', '3'), 'the second does not')
    same(c2.gets('cas'), '2', 'it reads again')
    yes(c2.cas('cas', '3'), 'and stores')
    c1.gets('cas')
    c2.delete('cas')
    no(c1.cas('cas', '4'), 'cas of what was deleted')
    same(c2.get('cas'), None, 'stores nothing')


def noreply():
    c.set('n', '1', noreply=True)
    c.add('n', '2', noreply=True)
    c.add('m', '2', noreply=True)
    c.replace('m', '3', noreply=True)
    c.append('m', '>', noreply=True)
    c.prepend('m', '<', noreply=True)
    same(c.get('m'), '<3>', 'noreply: the storage commands')
    same(c.get('n'), '1', 'noreply: add does not overwrite')
    c.incr('n', 5, noreply=True)
    c.decr('n', 2, noreply=True)
    c.incr('m', 1, noreply=True)
    c.touch('n', 0, noreply=True)
    c.touch('none', 0, noreply=True)
    same(c.get('n'), '4', 'noreply: incr, decr, touch')
    c.delete('n', noreply=True)
    c.delete('n', noreply=True)
    same(c.get('n'), None, 'noreply: delete')
    same(c.set_multi({'a': 1, 'b': 2}, noreply=True), [],
         'noreply: set_multi')
    c.delete_multi(['a', 'none'], noreply=True)
    same(c.get_multi(['a', 'b']), {'b': 2}, 'noreply: delete_multi')
    c.set('big', noise(1500000), noreply=True)
    same(c.get('big'), None, 'noreply: too large')
    same(c.get('b'), 2, 'noreply: in step at the end')


def expiry():
    no(c.touch('none', 10), 'touch of a missing key')
    c.set('t', '1')
    yes(c.touch('t', 100), 'touch')
    c.set('t', '1', time=-1)
    same(c.get('t'), None, 'set with a negative time')
    c.set('t', '1', time=int(time.time()) - 10)
    same(c.get('t'), None, 'set with a time that has passed')
    if not advance(PORT, 0):
        skip('expiry', 'no clock to move')
        return
    now = int(stats(PORT)['time'])
    c.set('ten', '1', time=10)
    c.set('month', '1', time=2592000)
    c.set('date', '1', time=now + 2592100)
    c.set('touched', '1', time=10)
    c.touch('touched', 100)
    c.set('ever', '1')
    c.set_multi({'multi': '1'}, time=10)
    keys = ['ten', 'month', 'date', 'touched', 'ever', 'multi']
    same(sorted(c.get_multi(keys)), sorted(keys), 'nothing has expired')
    advance(PORT, 11)
    same(sorted(c.get_multi(keys)), ['date', 'ever', 'month', 'touched'],
         'after 11 seconds')
    advance(PORT, 100)
    same(sorted(c.get_multi(keys)), ['date', 'ever', 'month'], 'after 111')
    advance(PORT, 2591950)
    same(sorted(c.get_multi(keys)), ['date', 'ever'], 'after a month')
    advance(PORT, 100)
    same(sorted(c.get_multi(keys)), ['ever'], 'after the date')


def administration():
    found = c.get_stats()
    same(len(found), 1, 'get_stats of one server')
    name, values = found[0]
    same(name, '127.0.0.1:%d (1)' % PORT, 'get_stats: which')
    check(values['version'].startswith('1.6.'), 'get_stats: version')
    same(values['total_items'], stats(PORT)['total_items'],
         'get_stats: total_items')
    same(c.get_stats('settings')[0][1]['evictions'], 'on',
         "get_stats('settings')")
    check('items:1:number' in c.get_stats('items')[0][1],
          "get_stats('items')")
    check('1:chunk_size' in c.get_stats('slabs')[0][1],
          "get_stats('slabs')")
    c.set('flushed', 'x')
    c.flush_all()
    same(c.get('flushed'), None, 'flush_all')
    c.set('flushed', 'y')
    same(c.get('flushed'), 'y', 'and set works at once')


def sockets_and_rings():
    u = memcache.Client(['unix:' + UNIX], socket_timeout=60)
    yes(u.set('unix', 'x'), 'set through a Unix socket')
    same(u.get('unix'), 'x', 'and get')
    ring = connect(*PORTS)
    before = [int(stats(port)['curr_items']) for port in PORTS]
    pairs = {'ring%d' % i: i for i in range(600)}
    same(ring.set_multi(pairs), [], 'set_multi on three servers')
    same(ring.get_multi(list(pairs)), pairs, 'get_multi of all')
    after = [int(stats(port)['curr_items']) for port in PORTS]
    check(min(a - b for a, b in zip(after, before)) > 100,
          'each server has its share')
    same([ring.get('ring%d' % i) for i in range(0, 600, 7)],
         list(range(0, 600, 7)), 'get of single ones')
    same(len(ring.get_stats()), 3, 'get_stats of three servers')
    ring.flush_all()
    same(ring.get_multi(list(pairs)), {}, 'flush_all of three servers')


def threads():
    """A client gives each thread a connection of its own."""
    shared = connect(cache_cas=True)
    shared.set('counter', 0)
    shared.set('guarded', 0)

    def work(number):
        for i in range(150):
            key = 't%d-%d' % (number, i % 10)
            value = noise(10 + 13 * i, seed=number * 1000 + i)
            assert shared.set(key, value)
            assert shared.get(key) == value
            shared.incr('counter')
            found = shared.get_multi(['t%d-%d' % (number, j)
                                      for j in range(10)])
            assert found[key] == value

    together(8, work, '8 threads, each sees its own')
    same(shared.get('counter'), 1200, 'and all together counted right')

    def guarded(number):
        mine = connect(cache_cas=True)
        for _ in range(40):
            while True:
                mine.reset_cas()
                value = mine.gets('guarded')
                if mine.cas('guarded', value + 1):
                    break

    together(8, guarded, '8 threads with cas on one key')
    same(shared.get('guarded'), 320, 'lose no update')


sections(storage, values, limits, many, arithmetic, cas, noreply, expiry,
         administration, sockets_and_rings, threads)
finish()
