# SPDX-License-Identifier: BSD-3-Clause
# pylibmc_suite.py - the server as pylibmc, that is libmemcached, sees it.
#
# Arguments: three ports on 127.0.0.1, and the path of a Unix socket.

import sys
import time

import pylibmc

from tap import (REFERENCE, advance, check, finish, noise, raises, raw,
                 remark, same, sections, skip, stats, together)

PORTS = [int(arg) for arg in sys.argv[1:4]]
UNIX = sys.argv[4]
PORT = PORTS[0]
PATIENT = {'receive_timeout': 60000000, 'send_timeout': 60000000,
           '_poll_timeout': 60000, 'connect_timeout': 60000}


def connect(*ports, **behaviors):
    return pylibmc.Client(['127.0.0.1:%d' % port for port in ports or
                           (PORT,)], behaviors=dict(PATIENT, **behaviors))


c = connect(cas=True)


def storage(c=c, how=''):
    c.delete_multi(['k', 'fresh', 'none'])
    same(c.get('none'), None, how + 'get of a missing key')
    same(c.get('none', 'default'), 'default', how + 'get with a default')
    same(c.set('k', 'text'), True, how + 'set')
    same(c.get('k'), 'text', how + 'get')
    same(c.set('k', ''), True, how + 'set of nothing')
    same(c.get('k'), '', how + 'get of nothing is not a miss')
    same(c.add('k', 'x'), False, how + 'add of a key that is there')
    same(c.add('fresh', b'x'), True, how + 'add of a new one')
    same(c.replace('fresh', b'y'), True, how + 'replace')
    same(c.replace('none', 'y'), False, how + 'replace of a missing key')
    same(c.append('fresh', b'>'), True, how + 'append')
    same(c.prepend('fresh', b'<'), True, how + 'prepend')
    same(c.get('fresh'), b'<y>', how + 'and their result')
    same(c.append('none', b'y'), False, how + 'append to a missing key')
    same(c.delete('fresh'), True, how + 'delete')
    same(c.delete('fresh'), False, how + 'delete again')
    c['item'] = 1
    same(c['item'], 1, how + 'c[key]')
    same('item' in c, True, how + 'key in c')
    del c['item']
    same('item' in c, False, how + 'no more')
    raises(KeyError, how + 'c[key] of a missing key', lambda: c['item'])


def values():
    for value in ('ünïcödé', b'bytes', b'\r\nEND\r\n', bytes(range(256)), 12,
                  -7, 2 ** 80, 2.5, None, [1, [2]],
                  {'a': (1, 2)}):
        c.set('object', value)
        same(c.get('object', 'missing'), value, 'a %s comes back' %
             type(value).__name__)
        same(c.get_multi(['object', 'none']), {'object': value},
             'and in a get_multi')
    text = 'compressible ' * 50000
    same(c.set('packed', text, min_compress_len=100), True,
         'a compressed value')
    same(c.get('packed'), text, 'comes back whole')
    for size in (1, 4096, 65536, 1000000):
        value = noise(size)
        same(c.set('noise', value), True, 'set of %d bytes' % size)
        same(c.get('noise') == value, True, 'get of %d bytes' % size)


def limits():
    most = 1048576 - 48 - 8 - len('limit') - 1 - 2
    value = noise(most)
    same(c.set('limit', value), True, 'the longest value')
    same(c.get('limit') == value, True, 'read again')
    raises(pylibmc.TooBig, 'a byte more', c.set, 'limit', value + b'x')
    same(c.get('limit'), None, 'took the old value with it')
    same(c.set('limit', b'new'), True, 'and one goes on')
    raises(pylibmc.TooBig, 'add of too much', c.add, 'limit2',
           value + noise(10))
    raises(pylibmc.TooBig, 'replace by too much', c.replace, 'limit',
           value + noise(10))
    same(c.get('limit'), b'new', 'keeps the old value')
    key = 'k' * 250
    same(c.set(key, 'x'), True, 'a key of 250 bytes')
    same(c.get(key), 'x', 'read again')
    for key in ('ключ', '鍵', 'größe'):
        same(c.set(key, 'x'), True, 'a key of letters')
        same(c.get(key), 'x', 'read again')
        same(c.delete(key), True, 'and deleted')


def many():
    pairs = {'many%d' % i: 'value %d' % i for i in range(1000)}
    same(c.set_multi(pairs), [], 'set_multi of 1000: none failed')
    same(c.get_multi(list(pairs)), pairs, 'get_multi of 1000')
    same(c.get_multi(['1', '2', 'x'], key_prefix='many'),
         {'1': 'value 1', '2': 'value 2'}, 'get_multi with a prefix')
    same(c.delete_multi(list(pairs)), True, 'delete_multi')
    same(c.get_multi(list(pairs)), {}, 'all are gone')
    same(c.delete_multi(['none1', 'none2']), False,
         'delete_multi of missing keys')
    same(c.set_multi({'p1': 1, 'p2': 2}, time=1000, key_prefix='pre'), [],
         'set_multi with a prefix and a time')
    same(c.get('prep1'), 1, 'under its whole key')
    same(c.add_multi({'prep1': 5, 'prep3': 3}), ['prep1'],
         'add_multi tells which one was there')
    same(c.get_multi(['prep1', 'prep3']), {'prep1': 1, 'prep3': 3},
         'and stores the other')
    c.set_multi({'i1': 1, 'i2': 2})
    c.incr_multi(['i1', 'i2'], delta=10)
    same(c.get_multi(['i1', 'i2']), {'i1': 11, 'i2': 12}, 'incr_multi')
    raises(pylibmc.NotFound, 'incr_multi with a missing key', c.incr_multi,
           ['i1', 'none'])


def arithmetic(c=c, how=''):
    c.set('n', 10)
    same(c.incr('n'), 11, how + 'incr')
    same(c.incr('n', 9), 20, how + 'incr by 9')
    same(c.decr('n', 11), 9, how + 'decr')
    same(c.get('n'), 9, how + 'is still a number')
    same(c.decr('n', 100), 0, how + 'decr stops at 0')
    raises(pylibmc.NotFound, how + 'incr of a missing key', c.incr, 'none')
    raises(pylibmc.NotFound, how + 'decr of a missing key', c.decr, 'none')
    c.set('n', '4294967295')
    same(c.incr('n'), 4294967296, how + 'incr beyond 32 bits')
    c.set('n', 'text')
    raises(pylibmc.Error, how + 'incr of a text', c.incr, 'n')
    same(c.get('n'), 'text', how + 'leaves it')


def cas():
    other = connect(cas=True)
    c.set('cas', 1)
    value, number = c.gets('cas')
    same(value, 1, 'gets')
    same(c.cas('cas', 2, number), True, 'cas with the right number')
    same(c.cas('cas', 3, number), False, 'cas with an old one')
    same(c.get('cas'), 2, 'has not stored')
    _, number = c.gets('cas')
    other.set('cas', 'other')
    same(c.cas('cas', 'mine', number), False, 'cas after somebody else')
    _, number = c.gets('cas')
    other.delete('cas')
    raises(pylibmc.NotFound, 'cas of a missing key', c.cas, 'cas', 1, number)
    same(c.gets('none'), (None, None), 'gets of a missing key')


def expiry():
    same(c.touch('none', 10), False, 'touch of a missing key')
    c.set('t', 1)
    same(c.touch('t', 100), True, 'touch')
    # libmemcached has no negative times: these are 4294967295 on the wire.
    c.set('t', 1, time=-1 & 0xffffffff)
    same(c.get('t'), None, 'set with 4294967295 has expired')
    c.set('t', 1)
    same(c.touch('t', -1 & 0xffffffff), True, 'touch with 4294967295')
    same(c.get('t'), None, 'ends it')
    c.set('t', 1, time=int(time.time()) - 10)
    same(c.get('t'), None, 'set with a time that has passed')
    if not advance(PORT, 0):
        skip('expiry', 'no clock to move')
        return
    now = int(stats(PORT)['time'])
    c.set('ten', 1, time=10)
    c.set('month', 1, time=2592000)
    c.set('date', 1, time=now + 2592100)
    c.set('touched', 1, time=10)
    c.touch('touched', 100)
    c.set('ever', 1)
    c.set_multi({'multi': 1}, time=10)
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
    check(str(PORT) in str(name), 'get_stats: which')
    values = {k.decode() if isinstance(k, bytes) else k:
              v.decode() if isinstance(v, bytes) else v
              for k, v in values.items()}
    check(values['version'].startswith('1.6.'), 'get_stats: version')
    same(values['total_items'], stats(PORT)['total_items'],
         'get_stats: total_items')
    settings = c.get_stats('settings')[0][1]
    check(settings, "get_stats('settings')")
    check(c.get_stats('items')[0][1], "get_stats('items')")
    c.set('flushed', 1)
    same(c.flush_all(), True, 'flush_all')
    same(c.get('flushed'), None, 'empties the server')
    c.set('flushed', 2)
    same(c.get('flushed'), 2, 'and set works at once')
    if advance(PORT, 0):
        c.flush_all(time=100)
        same(c.get('flushed'), 2, 'flush_all with a time: not yet')
        advance(PORT, 101)
        same(c.get('flushed'), None, 'but then')


def ways():
    """The same through other behaviours of the library."""
    for how, behaviors in (
            ('no_block: ', dict(no_block=True)),
            ('tcp_nodelay: ', dict(tcp_nodelay=True)),
            ('verify_keys: ', dict(verify_keys=True)),
            ('prefetch: ', dict(_io_key_prefetch=10, no_block=True))):
        storage(connect(**behaviors), how)
        arithmetic(connect(**behaviors), how)
    u = pylibmc.Client([UNIX], behaviors=PATIENT)
    storage(u, 'unix: ')

    n = connect(_noreply=True)
    for i in range(300):
        n.set('quiet%d' % (i % 30), i)
    n.delete('quiet0')
    n.delete('quiet0')
    n.add('quiet1', 'x')
    n.add('quiet0', 'new')
    n.replace('nothing', 'x')
    # Another connection may be served first, so ask on this one.
    same(n.get_multi(['quiet%d' % i for i in range(30)]),
         dict({'quiet%d' % i: 270 + i for i in range(1, 30)}, quiet0='new'),
         'noreply: all requests in order, and in step')

    # A connection that starts in the binary protocol is told so, and ended.
    if REFERENCE:
        skip('binary', 'the reference speaks it')
        return
    binary = pylibmc.Client(['127.0.0.1:%d' % PORT], binary=True,
                            behaviors=PATIENT)
    start = time.time()
    raises(pylibmc.Error, 'binary=True: an error', binary.set, 'k', 'v')
    check(time.time() - start < 30, 'and not a long wait')
    same(raw(PORT, b'mn\r\n'), b'MN\r\n', 'text goes on')


def rings():
    for name, behaviors in (
            ('modula', {}),
            ('ketama', dict(ketama=True)),
            ('weighted ketama', dict(ketama_weighted=True)),
            ('consistent, md5', dict(distribution='consistent', hash='md5'))):
        ring = connect(*PORTS, **behaviors)
        ring.flush_all()
        pairs = {'ring%d' % i: i for i in range(600)}
        same(ring.set_multi(pairs), [], name + ': set_multi on three servers')
        same(ring.get_multi(list(pairs)), pairs, name + ': get_multi')
        again = connect(*PORTS, **behaviors)
        same([again.get('ring%d' % i) for i in range(0, 600, 7)],
             list(range(0, 600, 7)), name + ': found by another client')
        # What was flushed leaves in its own time.
        for _ in range(3000):
            counts = [int(stats(port)['curr_items']) for port in PORTS]
            if sum(counts) == 600:
                break
            time.sleep(0.01)
        same(sum(counts), 600, name + ': each key is on one server')
        if not check(min(counts) > 60, name + ': each has its share'):
            remark(counts)


def threads():
    master = connect(cas=True)
    pool = pylibmc.ClientPool(master, 8)
    master.set_multi({'counter': 0, 'guarded': 0})

    def work(number):
        for i in range(150):
            key = 't%d-%d' % (number, i % 10)
            value = noise(10 + 13 * i, seed=number * 1000 + i)
            with pool.reserve(block=True) as mc:
                assert mc.set(key, value)
                assert mc.get(key) == value
                mc.incr('counter')
            with pool.reserve(block=True) as mc:
                found = mc.get_multi(['t%d-%d' % (number, j)
                                      for j in range(10)])
                assert found[key] == value

    together(8, work, '8 threads on one pool, each sees its own')
    same(master.get('counter'), 1200, 'and all together counted right')

    def guarded(number):
        with pool.reserve(block=True) as mc:
            for _ in range(60):
                while True:
                    value, token = mc.gets('guarded')
                    # Among threads, this pylibmc now and then sends bytes
                    # of freed memory in place of the key.
                    if value is None:
                        continue
                    if mc.cas('guarded', value + 1, token):
                        break

    together(8, guarded, '8 threads with cas on one key')
    same(master.get('guarded'), 480, 'lose no update')


sections(storage, values, limits, many, arithmetic, cas, expiry,
         administration, ways, rings, threads)
finish()
