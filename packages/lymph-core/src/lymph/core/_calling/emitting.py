"""Emitting an event inside its interceptors: it is counted, and kept among the recent work."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from lymph.core import trace
from lymph.core._calling.emission import EmitFigures, EmitWork
from lymph.core._loop.current_call import current_work
from lymph.core._monitoring.recent_work import LONGEST, RecentWork
from lymph.core._work.chains import Chain, surround
from lymph.core.events import Event
from lymph.core.failures import error_name
from lymph.events.base import BaseEventSystem

__all__ = ['Emitter']


class Emitter:
    """Emits the events of a container, inside the interceptors of `chain`.

    `events()` returns the event system, and may have to start it. `recent` keeps each emission.
    """

    def __init__(
        self, events: Callable[[], BaseEventSystem], chain: Chain, recent: RecentWork
    ) -> None:
        self._events = events
        self._chain = chain
        self._recent = recent
        #: counts of all emissions, as metrics
        self.figures = EmitFigures()

    def emit(self, event: Event, delay: float, traced: bool) -> None:
        """Emit an event; raises what the event system and the interceptors raise.

        `traced` tells whether it belongs to a trace that has begun before.
        """
        key = self._begin(event)
        outcome = 'ok'
        try:
            if self._chain.steps:
                work = EmitWork(event, lambda: self._emit(event, delay), traced)
                surround(self._chain.steps, work, work.run)
            else:
                self._emit(event, delay)
        except BaseException as error:
            outcome = error_name(error)
            raise
        finally:
            self._recent.end(key, outcome)

    def _emit(self, event: Event, delay: float) -> None:
        self.figures.emit(self._events(), event, delay)

    def _begin(self, event: Event) -> int:
        found = event.headers.get('trace_id')
        trace_id = str(found) if trace.is_valid(found) else ''
        name = event.type[:LONGEST]
        return self._recent.begin(
            'emit', trace_id, event.id, current_work(), name, None, monotonic()
        )
