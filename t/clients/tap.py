# SPDX-License-Identifier: BSD-3-Clause
# tap.py - what the suites in Python have in common: results, the server's
# clock, threads that all start at once.
#
# A result is a line "ok - name" or "not ok - name"; the test that runs the
# suite counts them.  finish() says that nothing was left out.

import os
import random
import socket
import sys
import threading
import traceback

REFERENCE = bool(os.environ.get('LEASECACHED_REFERENCE'))


def check(good, name):
    print('%sok - %s' % ('' if good else 'not ', name), flush=True)
    return bool(good)


def shown(value):
    text = repr(value)
    return text if len(text) <= 300 else \
        '%s<%d characters>' % (text[:200], len(text))


def same(got, wanted, name):
    good = got == wanted and type(got) is type(wanted)
    if not check(good, name):
        print('#      got: %s' % shown(got))
        print('# expected: %s' % shown(wanted))
    return good


def raises(kind, name, call, *args, **how):
    try:
        got = call(*args, **how)
    except kind:
        return check(True, name)
    except Exception as error:
        check(False, name)
        print('# raised %r' % error)
        return False
    check(False, name)
    print('# returned %s' % shown(got))
    return False


def skip(name, why):
    print('ok - %s # skip %s' % (name, why), flush=True)


def remark(text):
    for line in str(text).splitlines():
        print('# ' + line)


def advance(port, seconds):
    """Moves the server's clock; False where it has none to move."""
    with socket.create_connection(('127.0.0.1', port), 30) as s:
        s.sendall(b'debugtime %+d\r\n' % seconds)
        return s.makefile('rb').readline() == b'OK\r\n'


def raw(port, request):
    """One line of answer to a request, or what is closed upon."""
    with socket.create_connection(('127.0.0.1', port), 30) as s:
        s.sendall(request)
        return s.makefile('rb').readline()


def stats(port):
    """The server's own statistics, without a client between."""
    found = {}
    with socket.create_connection(('127.0.0.1', port), 30) as s:
        s.sendall(b'stats\r\n')
        for line in s.makefile('rb'):
            if line == b'END\r\n':
                return found
            _, name, value = line.split()
            found[name.decode()] = value.decode()


def together(count, work, name):
    """Runs work(number) in so many threads; none of them may fail."""
    errors = []
    gate = threading.Barrier(count)

    def run(number):
        try:
            gate.wait(60)
            work(number)
        except BaseException:
            errors.append(traceback.format_exc())

    threads = [threading.Thread(target=run, args=(i,), daemon=True)
               for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    stuck = sum(thread.is_alive() for thread in threads)
    check(not errors and not stuck, name)
    if stuck:
        remark('%d threads did not end' % stuck)
    for text in errors[:1]:
        remark(text)


def noise(length, seed=1):
    """Bytes of any value, always the same."""
    return random.Random(seed).getrandbits(8 * length).to_bytes(
        length, 'little') if length else b''


def sections(*functions):
    """Runs them one after the other; an exception fails only its own."""
    for function in functions:
        try:
            function()
        except Exception:
            check(False, '%s runs to its end' % function.__name__)
            remark(traceback.format_exc())


def finish():
    print('finished', flush=True)
    sys.stdout.flush()
    os._exit(0)
