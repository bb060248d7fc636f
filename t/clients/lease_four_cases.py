# SPDX-License-Identifier: BSD-3-Clause
# lease_four_cases.py - rows of PostgreSQL, cached by Django and by the client.
#
# Two parties, the schedule between them is fixed: one is stopped between its
# query and what it does to the cache.  The same schedule is played with
#
#   plain   Django's backend for pymemcache, a memcached, get, set and delete
#           as in any tutorial: must go wrong, or the schedule proves nothing
#   django  leasecached.django.LeaseCache
#   client  leasecached.Client
#
# Arguments: the port of a leasecached, the folder of PostgreSQL's programs.

import os
import sys
import threading

import django
from django.conf import settings

PORT = int(sys.argv[1])
PROGRAMS = sys.argv[2]
PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      os.pardir, os.pardir, 'contrib', 'python')
sys.path[:0] = [PYTHON, os.path.join(PYTHON, 'tests')]

from lease_postgres import Postgres  # noqa: E402
from servers import memcached  # noqa: E402
from tap import check, finish, raw, remark, same, sections  # noqa: E402

postgres = Postgres(PROGRAMS)
plain_server = memcached()
ADDRESS = '127.0.0.1:%d' % PORT
PATIENT = {'timeout': 60}
settings.configure(
    SECRET_KEY='x', USE_TZ=True,
    DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    DATABASES={'default': {
        'ENGINE': 'django.db.backends.postgresql', 'NAME': 'postgres',
        'USER': 'test', 'HOST': postgres.folder}},
    CACHES={
        'default': {
            'BACKEND': 'leasecached.django.LeaseCache',
            'LOCATION': ADDRESS, 'OPTIONS': PATIENT},
        'plain': {
            'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',
            'LOCATION': plain_server.address, 'OPTIONS': PATIENT}})
django.setup()

from django.core.cache import caches  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.db.models.signals import post_save  # noqa: E402

from leasecached import Client  # noqa: E402
from leasecached.django import invalidates  # noqa: E402


class Author(models.Model):
    name = models.CharField(max_length=80)
    version = models.IntegerField(default=1)

    class Meta:
        app_label = 'cases'


with connection.schema_editor() as editor:
    editor.create_model(Author)


# ---- the database -----------------------------------------------------------

queries = 0


def load(pk):
    """The row as {name, version}, or None."""
    global queries
    queries += 1
    return Author.objects.filter(pk=pk).values('name', 'version').first()


def rename(pk, name):
    """Commits, and returns the row's new version."""
    with connection.cursor() as cursor:
        cursor.execute('UPDATE cases_author SET name = %s, version = version '
                       '+ 1 WHERE id = %s RETURNING version', [name, pk])
        return cursor.fetchone()[0]


class Step:
    """One party stands still here until the other one says go."""

    def __init__(self):
        self._reached = threading.Event()
        self._go = threading.Event()

    def stop_here(self):
        self._reached.set()
        if not self._go.wait(60):
            raise TimeoutError('nobody said go')

    def reached(self):
        if not self._reached.wait(60):
            raise TimeoutError('nobody came')

    def go(self):
        self._go.set()


class Party(threading.Thread):
    """Does its work beside, with a connection of its own to the database."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work = work
        self.error = None
        self.start()

    def run(self):
        try:
            self._work()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()

    def ends(self):
        self.join(60)
        if self.is_alive():
            raise TimeoutError('a party did not end')
        if self.error:
            raise self.error


# ---- the caches -------------------------------------------------------------

class Plain:
    """As in most tutorials."""
    name = 'plain'
    goes_wrong = True

    def __init__(self):
        self.cache = caches['plain']

    def read(self, key, query):
        value = self.cache.get(key)
        if not value:
            value = query()
            self.cache.set(key, value, 300)
        return value

    def invalidate(self, key, version=None):
        self.cache.delete(key)

    def write(self, key, row):
        self.cache.set(key, row, 300)


class PlainAbsent(Plain):
    """With a word for what is known to be absent."""
    ABSENT = 'absent'

    def read(self, key, query):
        value = super().read(key, lambda: query() or self.ABSENT)
        return None if value == self.ABSENT else value


class Django:
    name = 'django'
    goes_wrong = False

    def __init__(self):
        self.cache = caches['default']

    def read(self, key, query):
        return self.cache.get_or_set(
            key, query, 300, negative=60,
            source_version=lambda row: row['version'])

    def invalidate(self, key, version=None):
        self.cache.invalidate(key, source_version=version)

    def write(self, key, row):
        self.cache.set(key, row, 300, source_version=row['version'])


class Direct:
    name = 'client'
    goes_wrong = False

    def __init__(self):
        self.cache = Client(ADDRESS, **PATIENT)
        # The writer is another process, as far as the client knows.
        self.writers = Client(ADDRESS, **PATIENT)

    def read(self, key, query):
        return self.cache.get_or_load(key, query, 300, negative=60,
                                      version=lambda row: row['version'])

    def invalidate(self, key, version=None):
        self.writers.invalidate(key, version)

    def write(self, key, row):
        self.writers.store(key, row, 300, version=row['version'])


def outcome(way, case, got, current, outdated):
    """got is what a reader is shown when all is over."""
    wanted, word = (outdated, 'goes wrong') if way.goes_wrong else \
        (current, 'is current')
    same(got, wanted, '%s, %s: %s' % (case, way.name, word))


def slow_reader(way, key, pk):
    """Reads, and stands still with the row in its hand."""
    step = Step()

    def query():
        row = load(pk)
        step.stop_here()
        return row

    reader = Party(lambda: way.read(key, query))
    step.reached()
    return reader, step


def author(name):
    row = Author.objects.create(name=name)
    return row.pk, 'author:%d' % row.pk


# ---- the cases --------------------------------------------------------------

def fill_after_invalidation():
    """A reader has read the old row; the row changes; the reader fills."""
    case = 'a fill after the invalidation'
    for way in (Plain(), Django(), Direct()):
        pk, key = author('old')
        reader, step = slow_reader(way, key, pk)
        rename(pk, 'new')
        way.invalidate(key)
        step.go()
        reader.ends()
        outcome(way, case, way.read(key, lambda: load(pk)),
                {'name': 'new', 'version': 2}, {'name': 'old', 'version': 1})
        # The same by version, as a stream of events would tell it.
        if way.goes_wrong:
            continue
        pk, key = author('old')
        reader, step = slow_reader(way, key, pk)
        way.invalidate(key, rename(pk, 'new'))
        step.go()
        reader.ends()
        outcome(way, case + ' by version', way.read(key, lambda: load(pk)),
                {'name': 'new', 'version': 2}, None)


def negative_entry():
    """What is not there is asked for again and again; then it is there."""
    case = 'a row that is not there'
    for way in (Plain(), PlainAbsent(), Django(), Direct()):
        pk, key = author('to be deleted')
        Author.objects.filter(pk=pk).delete()
        before = queries
        for _ in range(10):
            if way.read(key, lambda: load(pk)) is not None:
                check(False, case + ': there is none')
        asked = queries - before
        same(asked, 10 if type(way) is Plain else 1,
             '%s, %s: %d queries of 10' % (case, way.name, asked))

        way.invalidate(key)
        if type(way) is Plain:
            continue
        reader, step = slow_reader(way, key, pk)
        Author.objects.create(pk=pk, name='new')
        way.invalidate(key)
        step.go()
        reader.ends()
        outcome(way, case + ', and now is', way.read(key, lambda: load(pk)),
                {'name': 'new', 'version': 1}, None)


def delete_before_commit():
    """The invalidation comes from post_save, before others see the row."""
    case = 'an invalidation before the commit'
    early = 'early, with the version'
    for way, how in ((Plain(), ''), (Django(), ''), (Django(), early),
                     (Direct(), early)):
        pk, key = author('old')
        step = Step()

        def saved(instance, **_):
            if way.goes_wrong:
                way.invalidate(key)
            elif how:
                way.invalidate(key, instance.version)
            else:
                invalidates(keys=[key])

        def write():
            with transaction.atomic():
                row = Author.objects.select_for_update().get(pk=pk)
                row.name, row.version = 'new', row.version + 1
                row.save()
                step.stop_here()

        way.read(key, lambda: load(pk))
        post_save.connect(saved, sender=Author)
        try:
            writer = Party(write)
            step.reached()
            same(way.read(key, lambda: load(pk))['name'], 'old',
                 '%s, %s: a reader between sees the old row' %
                 (case, way.name))
            step.go()
            writer.ends()
        finally:
            post_save.disconnect(saved, sender=Author)
        outcome(way, ', '.join(filter(None, (case, how))),
                way.read(key, lambda: load(pk)),
                {'name': 'new', 'version': 2}, {'name': 'old', 'version': 1})


def writers_out_of_order():
    """One commits before the other, and writes to the cache after it."""
    case = 'writers out of order'
    for way in (Plain(), Django(), Direct()):
        pk, key = author('zero')
        step = Step()

        def first():
            row = {'name': 'one', 'version': rename(pk, 'one')}
            step.stop_here()
            way.write(key, row)

        writer = Party(first)
        step.reached()
        way.write(key, {'name': 'two', 'version': rename(pk, 'two')})
        step.go()
        writer.ends()
        same(load(pk), {'name': 'two', 'version': 3},
             '%s, %s: the database has the second' % (case, way.name))
        outcome(way, case, way.read(key, lambda: load(pk)),
                {'name': 'two', 'version': 3}, {'name': 'one', 'version': 2})
        if not way.goes_wrong:
            # Events that come twice, and late, are harmless.
            for version in (2, 3, 1, 3):
                way.invalidate(key, version)
            before = queries
            same(way.read(key, lambda: load(pk))['name'], 'two',
                 '%s, %s: old events change nothing' % (case, way.name))
            same(queries, before, '%s, %s: and cost no query' %
                 (case, way.name))


same(raw(PORT, b'mg _ w0\r\n'), b'EN\r\n', 'the server knows leases')
try:
    sections(fill_after_invalidation, negative_entry, delete_before_commit,
             writers_out_of_order)
finally:
    connection.close()
    postgres.stop()
    if plain_server.stop():
        remark('memcached did not end as it should')
finish()
