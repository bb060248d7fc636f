# SPDX-License-Identifier: BSD-3-Clause
"""Meta requests over a connection of pymemcache.

pymemcache's own raw_command() reads the first line of a reply only, and the
data of an `mg v` would be taken for the next one; so this reads whole replies.
"""

import math
import select
import time

from pymemcache.client.base import Client as _Client
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
    MemcacheUnknownCommandError,
    MemcacheUnknownError,
)

# So many bytes of requests fit into the buffers of any socket, and are sent
# before their replies are read: neither side ever waits for the other to read.
BATCH = 16384

_ERRORS = {
    b'ERROR': MemcacheUnknownCommandError,
    b'CLIENT_ERROR': MemcacheClientError,
    b'SERVER_ERROR': MemcacheServerError,
}
_STATUS = {b'VA', b'HD', b'EN', b'NS', b'EX', b'NF', b'MN', b'ME', b'OK'}


class Reply:
    """The status, the flags of the reply as {letter: rest}, and the data."""

    __slots__ = ('status', 'flags', 'data')

    def __init__(self, status, flags, data=None):
        self.status = status
        self.flags = flags
        self.data = data

    def __repr__(self):
        return 'Reply(%r, %r, %r)' % (self.status, self.flags, self.data)

    @property
    def ok(self):
        return self.status == b'HD'

    def number(self, letter, default=0):
        return int(self.flags.get(letter, default))

    def check(self):
        """Itself, or the error that it is as an exception."""
        if self.status in _ERRORS:
            raise _ERRORS[self.status](self.data)
        return self


class Connection(_Client):
    """One connection, for the commands of pymemcache and for meta ones."""

    _received = bytearray()
    _leases = None

    def _connect(self):
        self._received = bytearray()
        self._leases = None
        super()._connect()

    def look(self):
        """Closes an idle connection at which something has come.

        It can only be the end: of the server, or of its patience.
        """
        if self.sock is not None and self.tls_context is None:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            if poll.poll(0):
                self.close()

    def knows_leases(self):
        """Whether the server behind this connection is a leasecached.

        memcached takes the flag for an error, an old one even the command.
        """
        if self.sock is None or self._leases is None:
            reply = self.meta([b'mg _ w0\r\n'])[0]
            if reply.status == b'SERVER_ERROR':
                reply.check()
            self._leases = reply.status not in _ERRORS
        return self._leases

    def meta(self, requests, wait=0):
        """The replies to these requests, each with its line end and data.

        `wait` is how many seconds longer than usual they may take.  Errors are
        replies, too, except for those of the connection.
        """
        fresh = self.sock is None
        try:
            return self._exchange(requests, wait)
        except (ConnectionError, MemcacheUnexpectedCloseError):
            if fresh:
                raise
        # It was idle while a loader ran, and the server or something between
        # has closed it.  All that is sent here may be sent twice.
        return self._exchange(requests, wait)

    def _exchange(self, requests, wait):
        try:
            if self.sock is None:
                self._connect()
            if wait and self.timeout is not None:
                self.sock.settimeout(self.timeout + wait)
            replies = []
            for batch in _batches(requests):
                self.sock.sendall(b''.join(batch))
                replies += [self._reply() for _ in batch]
            if wait and self.timeout is not None:
                self.sock.settimeout(self.timeout)
            return replies
        except BaseException:
            # Replies that nobody has read would be taken for those of the
            # next request.
            self.close()
            raise

    def _reply(self):
        line = self._line()
        status, *words = line.split(b' ')
        if status in _ERRORS:
            return Reply(status, {}, line[len(status) + 1:])
        if status not in _STATUS:
            raise MemcacheUnknownError(line[:32])
        if status == b'ME':
            return Reply(status, {}, line[3:])
        size = int(words.pop(0)) if status == b'VA' else None
        flags = {word[:1]: word[1:] for word in words if word}
        return Reply(status, flags, None if size is None else
                     self._block(size))

    def _line(self):
        while True:
            end = self._received.find(b'\r\n')
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[:end + 2]
                return line
            self._receive()

    def _block(self, size):
        while len(self._received) < size + 2:
            self._receive()
        data = bytes(self._received[:size])
        if self._received[size:size + 2] != b'\r\n':
            raise MemcacheUnknownError(b'no line end after a value')
        del self._received[:size + 2]
        return data

    def _receive(self):
        got = self.sock.recv(65536)
        if not got:
            raise MemcacheUnexpectedCloseError()
        self._received += got


def _batches(requests):
    batch, size = [], 0
    for request in requests:
        if batch and size + len(request) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += len(request)
    if batch:
        yield batch


def milliseconds(seconds):
    return max(0, min(int(seconds * 1000 + 0.5), 2 ** 31 - 1))


def exptime(ttl):
    """What memcached wants for `ttl` seconds from now; None or 0 is for ever.

    Fractions are rounded up: what should end soon must not last for ever.
    Above 30 days memcached takes the number for a date.
    """
    if not ttl:
        return 0
    if ttl < 0:
        return -1
    ttl = math.ceil(ttl)
    return ttl + int(time.time()) if ttl > 2592000 else ttl


def tag_names(tags):
    """A tag, or several, as bytes; raises ValueError for what is none."""
    if isinstance(tags, (str, bytes)):
        tags = [tags]
    names = [tag.encode() if isinstance(tag, str) else bytes(tag)
             for tag in tags]
    for name in names:
        if not 0 < len(name) <= 64 or b',' in name or b'\x7f' in name or \
                min(name) < 33:
            raise ValueError('a tag has 1 to 64 bytes, without blanks and '
                             'commas: %r' % name)
    return list(dict.fromkeys(names))
