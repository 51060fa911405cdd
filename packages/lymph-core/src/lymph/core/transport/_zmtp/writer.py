"""The bytes that a link still has to write, with limits.

A buffer above `HIGH_WATER` is *full*: then a link of a service stops reading requests, and senders
on a link of a caller wait. Senders of replies wait only above `ANSWERS_BOUND`: a waiting handler
would hold its reply in memory anyway, and would occupy a place of the pool.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.event import Event
from greenlet import getcurrent

from lymph.core.failures import error_line
from lymph.core.transport._zmtp.flusher import Flusher
from lymph.core.transport.buffers import BufferedBytes

__all__ = ['ANSWERS_BOUND', 'HIGH_WATER', 'SMALL', 'Writer', 'WriterOwner']

HIGH_WATER = 4 * 1024 * 1024  # bytes buffered above which the buffer is full
LOW_WATER = HIGH_WATER // 4  # bytes below which waiting senders resume
ANSWERS_BOUND = 4 * HIGH_WATER  # bytes above which senders of replies wait, too
_CHUNK = 256 * 1024  # bytes joined for one system call
SMALL = 64 * 1024  # bytes; smaller messages do not wait for the limit of all links
_UNCOUNTED = 1024 * 1024  # bytes that a buffer may grow by before it is counted again


class WriterOwner(Protocol):
    """What a writer needs of its link; called in the hub or in the greenlet that flushes."""

    def write_failed(self, reason: str) -> None:
        """Handle a broken socket."""

    def has_room(self) -> None:
        """Handle that a buffer that was full has room again."""


class _Nobody:
    """Replaces the owner of a closed writer, so that the writer does not refer to the link."""

    def write_failed(self, reason: str) -> None:
        """Do nothing."""

    def has_room(self) -> None:
        """Do nothing."""


_NOBODY = _Nobody()


class Writer:
    """Collects bytes and writes them without waiting; senders wait above `bound` bytes.

    `unsent` reports the size of the buffer to the limit of all links.
    """

    def __init__(
        self,
        sock: socket.socket,
        flusher: Flusher,
        owner: WriterOwner,
        unsent: BufferedBytes,
        bound: int = HIGH_WATER,
    ) -> None:
        self._sock = sock
        self._unsent = unsent
        self._sent_of_first = 0  # bytes; the first piece stays in memory until all of it is sent
        self._count_above = _UNCOUNTED  # value of `buffered` above which to count again
        self._renewed_at = 0  # value of `sent` at which all bytes counted now will have been sent
        self._flusher = flusher
        self._owner = owner
        self.bound = bound  # bytes; below it, senders of small messages do not wait
        self._queue: deque[bytes | memoryview] = deque()
        self._dirty = False
        self._closed = False
        self._room = Event()
        self._room.set()
        self._hub = gevent.get_hub()
        self._writable = self._hub.loop.io(sock.fileno(), 2)
        self.buffered = 0  # bytes
        self.sent = 0  # bytes that the kernel has accepted so far

    def write(self, data: bytes) -> None:
        """Add bytes to the buffer, which is flushed at the end of this turn of the loop."""
        self._queue.append(data)
        self.buffered += len(data)
        if self.buffered > self._count_above:
            if self.buffered > HIGH_WATER:
                self._room.clear()
            self._count()
        if not self._dirty:
            self._dirty = True
            self._flusher.mark(self)

    def wait_for_room(self, size: int) -> bool:
        """Wait until there is room for `size` bytes; in the hub, return False instead of waiting.

        An empty buffer has room for a message of any size, unless all links together hold too much.
        """
        while not self._closed:
            if self.buffered > self.bound:
                wait: Callable[[], object] = self._room.wait
            elif size > SMALL and self._unsent.excessive(size):
                wait = self._unsent.wait
            else:
                return True
            if getcurrent() is self._hub:
                return False
            wait()
        return True

    def flush(self) -> None:
        """Write what the kernel accepts now, and the rest when the socket is writable again.

        Never raises: an error of the socket is reported to the owner.
        """
        self._dirty = False
        try:
            while self._queue and not self._closed:
                data = self._next_chunk()
                try:
                    sent = self._sock.send(data)
                except BlockingIOError:
                    sent = 0
                self.buffered -= sent
                self.sent += sent
                if sent == len(data):
                    self._sent_of_first = 0
                else:
                    self._sent_of_first += sent
                    self._queue.appendleft(memoryview(data)[sent:])
                    self._dirty = True  # `_writable` will flush, so do not mark the link again
                    self._writable.start(self._resume)
                    break
            if self.buffered or self._unsent.size:
                self._count()
            if self.buffered <= LOW_WATER and not self._room.is_set():
                self._room.set()
                self._owner.has_room()
        except BaseException as error:  # noqa: BLE001 - the reason why the link goes down
            text = error.strerror if isinstance(error, OSError) else None
            self._owner.write_failed(f'write failed: {text or error_line(error)}')

    def close(self) -> None:
        """Free the buffer and resume waiting senders."""
        self.abandon()
        self._room.set()

    def abandon(self) -> None:
        """Free the buffer and stop writing."""
        self._closed = True
        self._owner = _NOBODY
        self._queue.clear()
        self.buffered = 0
        self._unsent.end()
        self._writable.stop()
        self._writable.close()

    def _count(self) -> None:
        """Report the size of the buffer, and whether all bytes of an earlier count were sent."""
        renewed = self.sent >= self._renewed_at
        if renewed:
            self._renewed_at = self.sent + self.buffered
        size = self.buffered + self._sent_of_first if self.buffered else 0
        self._unsent.set(size, renewed)
        self._count_above = min(size + _UNCOUNTED, HIGH_WATER)

    def _resume(self) -> None:
        self._writable.stop()
        self.flush()

    def _next_chunk(self) -> bytes | memoryview:
        """Remove pieces from the queue and return them, joined up to the size of a chunk."""
        queue = self._queue
        first = queue.popleft()
        if not queue or len(first) >= _CHUNK:
            return first
        pieces, size = [first], len(first)
        while queue and size + len(queue[0]) <= _CHUNK:
            piece = queue.popleft()
            pieces.append(piece)
            size += len(piece)
        self._sent_of_first = 0
        return b''.join(pieces)
