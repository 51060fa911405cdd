"""The bytes a link still has to write, bounded.

A buffer over its high water is *full*: then a link that answers reads no more questions, and the
senders of a link that asks wait. Whoever answers waits only at a higher bound. A handler with a
reply in its hands would keep that reply in memory anyway, and its place from callers who do read.
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
LOW_WATER = HIGH_WATER // 4  # bytes below which those who waited go on
ANSWERS_BOUND = 4 * HIGH_WATER  # bytes above which senders of answers wait, too
_CHUNK = 256 * 1024  # bytes joined for one system call
SMALL = 64 * 1024  # bytes of a message up to which the sum of all links is not asked
_UNCOUNTED = 1024 * 1024  # bytes that a buffer may grow by, in one turn, without being counted


class WriterOwner(Protocol):
    """Hears from a writer, in the hub or in the greenlet that flushed."""

    def write_failed(self, reason: str) -> None:
        """The socket is broken."""

    def has_room(self) -> None:
        """The buffer, which was over its high water, has room again."""


class _Nobody:
    """The owner of a closed writer: the link is let go of with its socket."""

    def write_failed(self, reason: str) -> None:
        """Do nothing."""

    def has_room(self) -> None:
        """Do nothing."""


_NOBODY = _Nobody()


class Writer:
    """Collects bytes and writes them without waiting; senders wait above `bound` bytes.

    `unsent` counts what the buffer takes from the sum of all links.
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
        self._count_above = _UNCOUNTED  # what `buffered` may be before it is counted again
        self._renewed_at = 0  # what `sent` has to be when all that is counted now has been sent
        self._flusher = flusher
        self._owner = owner
        self.bound = bound  # bytes; nobody has to wait for a small message below it
        self._queue: deque[bytes | memoryview] = deque()
        self._dirty = False
        self._closed = False
        self._room = Event()
        self._room.set()
        self._hub = gevent.get_hub()
        self._writable = self._hub.loop.io(sock.fileno(), 2)
        self.buffered = 0  # bytes
        self.sent = 0  # bytes that the kernel has taken so far

    def write(self, data: bytes) -> None:
        """Add bytes to what is sent at the end of this loop turn."""
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
        """Wait until there is room for `size` bytes; in the hub, tell whether there is.

        An empty buffer has room for a message of any size, as far as the other links leave it.
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
        """Write what the kernel takes now; the rest follows when it takes more. Never raises."""
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
                    self._dirty = True  # the watcher flushes, not the end of a turn
                    self._writable.start(self._resume)
                    break
            if self.buffered or self._unsent.size:
                self._count()
            if self.buffered <= LOW_WATER and not self._room.is_set():
                self._room.set()
                self._owner.has_room()
        except BaseException as error:  # noqa: BLE001 - the link goes down with it as its reason
            text = error.strerror if isinstance(error, OSError) else None
            self._owner.write_failed(f'write failed: {text or error_line(error)}')

    def close(self) -> None:
        """Forget what is buffered and let waiting senders go."""
        self.abandon()
        self._room.set()

    def abandon(self) -> None:
        """Forget what is buffered and write no more."""
        self._closed = True
        self._owner = _NOBODY
        self._queue.clear()
        self.buffered = 0
        self._unsent.end()
        self._writable.stop()
        self._writable.close()

    def _count(self) -> None:
        """Tell what the buffer holds now, and whether all that it held before is sent."""
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
        """Take buffered pieces off the queue, joined up to the size of a chunk."""
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
