"""A queue that a native thread empties: neither the loop nor the thread waits for the other.

Libraries that send in the background use locks and threads of `threading`. After gevent has patched
it, such a thread is a greenlet, which a blocked loop stops, and a native thread that shares such
locks with greenlets may wait for ever. Here greenlets and the thread share a queue and locks that
are not patched, and neither waits for the other. What the thread alone uses may use patched
sockets and locks: gevent gives each native thread a loop of its own. The thread writes no log
(`lymph.plugins._thread_logs`).

========  ====================================  =================================================
state     meaning                               next
========  ====================================  =================================================
idle      nothing was put yet                   running, with the first item
running   the thread handles items              closed, by `close`
closed    no item is taken any more             stays
========  ====================================  =================================================

A forked child starts idle: the items in the queue are its parent's.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar

import gevent
from gevent import monkey

from lymph.core.failures import error_line
from lymph.plugins._thread_logs import ThreadLogs

__all__ = ['NativeQueue', 'Outlet']

logger = logging.getLogger(__name__)

T = TypeVar('T')

_start_thread: Final = monkey.get_original('_thread', 'start_new_thread')
_new_lock: Final = monkey.get_original('_thread', 'allocate_lock')

_ENDED: Final = 'the thread of %s has ended: %s'
_POLL = 0.005  # seconds between looks at the thread while it is waited for
_ABORTING: Final = 0.25  # seconds at the end of a close in which the thread is told to give up


class Outlet(Protocol[T]):
    """What the thread does; its methods run there, one at a time."""

    def begin(self) -> None:
        """Called when the thread begins."""

    def handle(self, items: list[T]) -> None:
        """Handle items."""

    def end(self) -> None:
        """Called when the thread ends, or by `NativeQueue.close` if it has never begun."""

    def abort(self) -> None:
        """Make `handle` return soon; called in another thread when there is no more time."""


class NativeQueue(Generic[T]):
    """Has a native thread handle items, at most `batch_size` at once.

    The thread begins with the first item. It looks at the queue every `delay` seconds, and when
    `batch_size` items are waiting. At most `limit` items wait. `make_outlet` is called once here,
    and again in each forked child that puts an item.
    """

    def __init__(
        self, make_outlet: Callable[[], Outlet[T]], limit: int, batch_size: int, delay: float
    ) -> None:
        self._make_outlet = make_outlet
        self._outlet: Outlet[T] | None = make_outlet()
        self._limit = limit
        self._batch_size = batch_size
        self._delay = delay
        self.closed = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._items: deque[T] = deque()
        self._running = False
        self.logs = ThreadLogs()
        self._batch = 0  # items that the thread is handling now
        self._deadline = 0.0  # when the thread has to end; a time of `time.monotonic`
        self._starting = _new_lock()  # held by whoever starts the thread
        self._bell = _new_lock()  # released to wake the thread
        self._bell.acquire()
        self._ended = _new_lock()  # held while the thread runs

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether there is no room for an item now."""
        return self.closed or len(self._items) >= self._limit

    def put(self, item: T) -> bool:
        """Put an item; return False if there is no room. Never waits."""
        if self._process != os.getpid():
            self._outlet = None  # thread, items and connections are the parent's
            self.logs.uncover()
            self._begin()
        self.logs.write()
        if self.full:
            return False
        self._items.append(item)
        if not self._running:
            self._start()
        if len(self._items) >= self._batch_size:
            self._ring()
        return True

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until all items are handled; tell whether they are."""
        end = time.monotonic() + timeout
        while self._items or self._batch:
            if time.monotonic() >= end or not self._running:
                return False
            self._ring()
            gevent.sleep(_POLL)
        self.logs.write()
        return True

    def close(self, timeout: float) -> int:
        """Have what waits handled within `timeout` seconds, and end the thread.

        The last part of the time is for a thread that still waits for something: if the process
        ended while it runs in gevent's code, the interpreter could crash. Returns how many items
        are left. Idempotent.
        """
        if self.closed or self._process != os.getpid():
            return 0
        self.closed = True
        end = time.monotonic() + timeout
        self._deadline = end - min(_ABORTING, timeout / 4)
        outlet = self._outlet
        if not self._running or outlet is None:
            if outlet is not None:
                outlet.end()
            return 0
        ended = self._wait_ended(self._deadline)
        if not ended:
            with suppress(Exception):  # the edge of somebody else's code
                outlet.abort()
            ended = self._wait_ended(end)
        if ended:
            self.logs.uncover()
        self.logs.write()
        left = len(self._items) + self._batch
        self._items.clear()
        return left

    def _wait_ended(self, end: float) -> bool:
        """Wait until the thread has ended, up to a time of `time.monotonic`; tell whether it has.

        Once it has, the lock stays taken.
        """
        while not self._ended.acquire(False):
            if time.monotonic() >= end:
                return False
            self._ring()
            gevent.sleep(_POLL)
        return True

    def _start(self) -> None:
        """Start the thread, unless another native thread does so at this moment."""
        if not self._starting.acquire(False):
            return
        if self._outlet is None:
            try:
                self._outlet = self._make_outlet()
            except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
                self.closed = True
                self._items.clear()
                logger.warning(_ENDED, type(self).__name__, error_line(error))
                return
        self._ended.acquire()
        self._running = True
        _start_thread(self._run, (self._outlet, self._ended))

    def _ring(self) -> None:
        if self._bell.locked():
            with suppress(RuntimeError):  # another native thread was faster
                self._bell.release()

    def _run(self, outlet: Outlet[T], ended: Any) -> None:
        """Handle items until the end. Runs in the thread."""
        logs = self.logs
        try:
            outlet.begin()
            while not self.closed:
                self._bell.acquire(True, self._delay)
                logs.cover()
                self._handle_all(outlet)
            self._handle_all(outlet)  # what was put between the last look and the end
            outlet.end()
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            logs.later(logger.warning, _ENDED, type(outlet).__name__, error_line(error))
        finally:
            with suppress(BaseException):
                gevent.get_hub().destroy(destroy_loop=True)
            ended.release()

    def _handle_all(self, outlet: Outlet[T]) -> None:
        items = self._items
        while items and not (self.closed and time.monotonic() >= self._deadline):
            batch: list[T] = []
            with suppress(IndexError):  # `close` may clear the queue
                while len(batch) < self._batch_size:
                    batch.append(items.popleft())
            self._batch = len(batch)
            outlet.handle(batch)
            self._batch = 0
