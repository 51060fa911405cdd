"""Looking up host names with a timeout, and without blocking other look-ups.

The C library has no timeout that a caller could set, and waits 10 s or more for name servers that
do not answer. So it is called in threads, and callers wait only until their timeout. Rules:

- A numeric address is returned without a thread and without a resolver.
- A name uses one thread at most, however many greenlets ask for it.
- There are `THREADS` threads. Names that were lately not found in time share `SLOW_THREADS` of
  them, so that other names always get a thread.
- After a failure, a name is not looked up again for `NEGATIVE` seconds.

gevent's thread pool is not used: it has ten threads, which files and databases need as well.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - otherwise a look-up thread would have to import it
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.event import AsyncResult
from gevent.monkey import get_original

from lymph.core._system.forks import abandon_in_children
from lymph.core.addresses import numeric

__all__ = ['Resolver', 'SocketAddress', 'resolver']

THREADS = 64  # they cost little: each waits in a system call
SLOW_THREADS = 48
NEGATIVE = 1.0  # seconds
_SLOW = 60.0  # seconds for which a name counts as slow

#: an address family, and an address in the form that `connect` and `bind` take
SocketAddress = tuple[int, tuple[Any, ...]]
_Found = list[SocketAddress]
_Outcome = tuple[Any, 'OSError | None']


class _LookUp:
    """One look-up, shared by all greenlets that wait for it."""

    def __init__(self, key: str, ask: Callable[[], Any]) -> None:
        self.key = key
        self.ask = ask
        self.outcome: AsyncResult[_Outcome] = AsyncResult()
        self.waiting = 0
        self.slow = False


class Resolver:
    """Looks names up for the greenlets of one loop."""

    def __init__(self) -> None:
        self._reset()
        abandon_in_children(self)

    def _reset(self) -> None:
        self._running: dict[str, _LookUp] = {}
        self._queued: dict[str, _LookUp] = {}
        self._queues: tuple[deque[_LookUp], ...] = (deque(), deque())  # of normal and slow names
        self._failed: dict[str, tuple[float, OSError]] = {}  # name -> until when, the error
        self._slow: dict[str, float] = {}  # name -> until when it counts as slow

    def addresses(self, host: str, port: int, timeout: float) -> _Found:
        """Return the addresses of a host in the order in which to try them (RFC 6724).

        Raises `socket.gaierror` if the host is not found, or not within `timeout` seconds.
        """
        address = numeric(host)
        if address is not None:
            flags = socket.AI_NUMERICHOST
            return _ask(host, port, flags)
        self._raise_if_failed(host)
        found: _Found = self._wait(host, lambda: _ask(host, None, 0), timeout)
        return [(family, (where[0], port, *where[2:])) for family, where in found]

    def full_name(self, timeout: float) -> str:
        """Return the full name of this host; the plain one if the look-up fails or takes too long.

        Waits up to `timeout` seconds.
        """
        name = socket.gethostname()
        try:
            known, aliases, _ = self._wait(f'{name}/', lambda: _ask_by_name(name), timeout)
        except OSError:
            return name
        return next((each for each in (known, *aliases) if '.' in each), known or name)

    def abandon(self) -> None:
        """In a forked child, forget the threads, which do not exist there."""
        self._reset()

    def _raise_if_failed(self, host: str) -> None:
        known = self._failed.get(host)
        if known is None:
            return
        if known[0] <= time.monotonic():
            del self._failed[host]
            return
        raise type(known[1])(*known[1].args)

    def _wait(self, key: str, ask: Callable[[], Any], timeout: float) -> Any:
        """Run `ask()` in a thread, or join a look-up for `key`; return its result or raise."""
        look_up = self._running.get(key) or self._queued.get(key) or self._queue(_LookUp(key, ask))
        look_up.waiting += 1
        try:
            if not look_up.outcome.wait(max(0.0, timeout)) and not look_up.outcome.ready():
                self._slow[key] = time.monotonic() + _SLOW
                text = f'the name {key.rstrip("/")} was not looked up within {timeout:.3g} s'
                raise socket.gaierror(socket.EAI_AGAIN, text)
        finally:
            look_up.waiting -= 1
            if not look_up.waiting and self._queued.get(key) is look_up:
                del self._queued[key]  # nobody waits: `_start_queued` will skip it
        outcome = look_up.outcome.get()
        assert outcome is not None
        found, error = outcome
        if error is not None:
            raise type(error)(*error.args)
        return found

    def _queue(self, look_up: _LookUp) -> _LookUp:
        now = time.monotonic()
        look_up.slow = self._slow.get(look_up.key, 0) > now
        self._queued[look_up.key] = look_up
        self._queues[look_up.slow].append(look_up)
        self._start_queued()
        return look_up

    def _start_queued(self) -> None:
        """Start look-ups while there are threads for them."""
        for queue, bound in zip(self._queues, (THREADS, SLOW_THREADS), strict=True):
            while queue and len(self._running) < bound:
                look_up = queue.popleft()
                if self._queued.get(look_up.key) is look_up:
                    del self._queued[look_up.key]
                    self._running[look_up.key] = look_up
                    self._start(look_up)

    def _start(self, look_up: _LookUp) -> None:
        hub = gevent.get_hub()

        def run() -> None:
            outcome: _Outcome
            try:
                outcome = look_up.ask(), None
            except OSError as error:
                outcome = None, error
            except Exception as error:  # noqa: BLE001 - UnicodeError for an impossible host name
                outcome = None, socket.gaierror(socket.EAI_NONAME, str(error))
            with suppress(Exception):  # the loop may have ended, and then nobody waits
                hub.loop.run_callback_threadsafe(self._finished, look_up, outcome)

        try:
            get_original('_thread', 'start_new_thread')(run, ())
        except RuntimeError as error:  # the process may have no more threads
            self._finished(look_up, (None, socket.gaierror(socket.EAI_AGAIN, str(error))))

    def _finished(self, look_up: _LookUp, outcome: _Outcome) -> None:
        """Handle the result of a thread. Runs in the hub."""
        if self._running.get(look_up.key) is look_up:
            del self._running[look_up.key]
        now = time.monotonic()
        if outcome[1] is not None:
            self._failed = {k: known for k, known in self._failed.items() if known[0] > now}
            self._failed[look_up.key] = now + NEGATIVE, outcome[1]
        elif look_up.waiting:  # found in time
            self._slow.pop(look_up.key, None)
        self._slow = {k: until for k, until in self._slow.items() if until > now}
        look_up.outcome.set(outcome)
        self._start_queued()


def _ask(host: str, port: int | None, flags: int) -> _Found:
    # not gevent's, even under monkey patching, since it runs in a native thread
    ask = get_original('socket', 'getaddrinfo')
    found = ask(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(int(family), address) for family, _, _, _, address in found]


def _ask_by_name(name: str) -> tuple[str, list[str], list[str]]:
    answer: tuple[str, list[str], list[str]] = get_original('socket', 'gethostbyaddr')(name)
    return answer


def resolver() -> Resolver:
    """Return the resolver of this thread's loop."""
    hub = gevent.get_hub()
    found = _resolvers.get(hub)
    if found is None:
        found = _resolvers[hub] = Resolver()
    return found


# One for each loop rather than for each transport, so that the limit of threads is a common one.
_resolvers: WeakKeyDictionary[Any, Resolver] = WeakKeyDictionary()
