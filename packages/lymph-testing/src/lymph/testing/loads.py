"""A closed load of events: a fixed number is in flight, however fast or slow the machine is.

An open load, which emits at a rate of its own, outruns its consumer on a busy machine: the queue
grows, and an event that is tried again waits behind it, longer and longer. A closed load emits the
next event when an earlier one has its outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.lock import Semaphore

from lymph.core.events import Event
from lymph.exceptions import EmitFailure
from lymph.testing.waiting import eventually

__all__ = ['ClosedLoad']


class ClosedLoad:
    """Emits numbered events while a test breaks something, and keeps what became of each.

    `emit(n)` emits an event with the parameter `n` and returns when it is safe; it may raise
    `EmitFailure`. The handler under test passes each event that it handles successfully to
    `handle`.

    Args:
        emit: Emits one event.
        emitters: How many greenlets emit at the same time.
        in_flight: How many events may be emitted and not yet handled, at most. An event whose
            `emit` failed is not in flight.
        patience: How long to wait for progress and for the last events, in seconds.
    """

    def __init__(
        self,
        emit: Callable[[int], object],
        *,
        emitters: int = 8,
        in_flight: int = 32,
        patience: float = 60.0,
    ) -> None:
        self.in_flight = in_flight
        #: Events whose `emit` returned, those whose `emit` failed, and how often each was handled.
        self.emitted: set[int] = set()
        self.failed: set[int] = set()
        self.handled: Counter[int] = Counter()
        self._emit = emit
        self._emitters = emitters
        self._patience = patience
        self._numbers = iter(range(1_000_000))
        self._places = Semaphore(in_flight)
        self._under_way: set[int] = set()
        self._emitting: list[gevent.Greenlet[..., None]] = []
        self._ending = False

    def handle(self, event: Event) -> None:
        """Count an event as handled; another one may be emitted."""
        n: int = event.body['n']
        self.handled[n] += 1
        self._end(n)

    def lost(self) -> set[int]:
        """Return the events whose `emit` returned and that were not handled (yet)."""
        return self.emitted - set(self.handled)

    def repeated(self) -> int:
        """Return how many times an event was handled once more."""
        return sum(self.handled.values()) - len(self.handled)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Emit while the block runs; return when all that was emitted is handled.

        Raises AssertionError if nothing goes on before or after the block, or an event is lost;
        what `emit` raises, other than `EmitFailure`, is raised here.
        """
        loop = self._emit_again_and_again
        self._emitting = emitting = [gevent.spawn(loop) for _ in range(self._emitters)]
        try:
            self.makes_progress()
            yield
            self.makes_progress()
            self._ending = True
            # An emitter may wait for a place; all of them are free when nothing is lost.
            gevent.joinall(emitting, timeout=self._patience, raise_error=True)
            eventually(lambda: not self.lost(), self._patience, self._named)
        finally:
            self._ending = True
            gevent.killall(emitting)

    def makes_progress(self) -> None:
        """Wait until 20 more events are emitted, and 20 more handled."""
        emitted, handled = len(self.emitted) + 20, len(self.handled) + 20

        def has() -> bool:
            for emitter in self._emitting:
                if emitter.ready():
                    emitter.get()  # it failed, and says why
            return len(self.emitted) > emitted and len(self.handled) > handled

        eventually(has, self._patience, self._named)

    def _named(self) -> str:
        return f'{len(self.emitted)} emitted, {len(self.handled)} handled, not yet: {self.lost()}'

    def _emit_again_and_again(self) -> None:
        while True:
            self._places.acquire()
            if self._ending:
                self._places.release()  # for the emitters that wait, too
                return
            n = next(self._numbers)
            self._under_way.add(n)
            try:
                self._emit(n)
            except EmitFailure:
                self.failed.add(n)
                self._end(n)  # even if it will be handled: nobody knows
                gevent.sleep(0)
            else:
                self.emitted.add(n)

    def _end(self, n: int) -> None:
        # An event may be handled several times, and also after its `emit` failed.
        if n in self._under_way:
            self._under_way.remove(n)
            self._places.release()
