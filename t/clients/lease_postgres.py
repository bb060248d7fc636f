# SPDX-License-Identifier: BSD-3-Clause
# lease_postgres.py - a PostgreSQL for one test, on a Unix socket.

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

# Nothing takes this long.
LONG = 60


class Postgres:
    """folder is its socket's; the user is `test`, the database `postgres`."""

    def __init__(self, programs):
        self.folder = tempfile.mkdtemp(prefix='leasecached-')
        self.process = None
        self._log = os.path.join(self.folder, 'log')
        self._how = {'cwd': self.folder, 'stdin': subprocess.DEVNULL,
                     **self._user()}
        data = os.path.join(self.folder, 'data')
        try:
            subprocess.run(
                [programs + '/initdb', '-D', data, '-U', 'test', '-A', 'trust',
                 '-E', 'UTF8', '--locale=C', '--no-sync'],
                check=True, stdout=subprocess.DEVNULL, **self._how)
            with open(self._log, 'w') as log:
                self.process = subprocess.Popen(
                    [programs + '/postgres', '-D', data, '-k', self.folder,
                     '-c', 'listen_addresses=', '-c', 'fsync=off',
                     '-c', 'shared_buffers=16MB', '-c', 'max_connections=20'],
                    stdout=log, stderr=log, **self._how)
            self._await()
        except BaseException:
            self.stop()
            raise

    def _user(self):
        """It refuses to run as root."""
        if os.getuid() != 0:
            return {}
        for name in ('postgres', 'nobody'):
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            return {'user': user.pw_uid, 'group': user.pw_gid,
                    'extra_groups': []}
        raise RuntimeError('root needs a user to run PostgreSQL as')

    def _await(self):
        end = time.monotonic() + LONG
        while True:
            try:
                psycopg2.connect(host=self.folder, user='test',
                                 dbname='postgres').close()
                return
            except psycopg2.OperationalError:
                if self.process.poll() is not None or time.monotonic() > end:
                    with open(self._log) as log:
                        raise RuntimeError('PostgreSQL does not start: ' +
                                           log.read())
            time.sleep(0.02)

    def stop(self):
        if self.process:
            # A fast shutdown: it does not wait for its clients.
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(LONG)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
