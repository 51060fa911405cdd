"""An event that is emitted, as interceptors see it, and the figures of all emitted events.

Events count by type, at most `MOST` of them, and the others as ``other``: code may pass on types
that peers have chosen. What the event system says of an event that is not safe decides the reason:

=================  ===============================================================================
``unreachable``    it has no connection to its server
``not_confirmed``  any other EmitFailure: no confirm in time, refused, not running
``invalid``        the event or its delay is invalid, or its payload cannot be serialized
``too_large``      the event is too large
``cancelled``      the emitter was ended, or its time was over, while it waited
``other``          any other error
=================  ===============================================================================
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from lymph.core._work.headers import Headers
from lymph.core.events import Event
from lymph.core.interceptors import Work
from lymph.core.limits import TRACE_ID
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import SECONDS, Histogram
from lymph.core.monitoring.metrics import Sample
from lymph.events.base import BaseEventSystem
from lymph.exceptions import EmitFailure, EventTooLarge, SerializationError

__all__ = ['MOST', 'EmitFigures', 'EmitWork']

#: types with a series of their own
MOST: Final = 200

_OTHER: Final = 'other'

EMITTED: Final = describe(
    'events.emitted',
    'counter',
    'Events and tasks that this process emitted, delayed ones included, and that are safe.',
    tags=('type',),
)
EMIT_FAILED: Final = describe(
    'events.emit_failed',
    'counter',
    'Events and tasks whose emission failed, by reason.',
    tags=('reason',),
)
EMIT_DURATION: Final = describe(
    'events.emit_duration',
    'histogram',
    'How long emissions took until the event was safe, or they failed.',
    unit='seconds',
)


class EmitWork(Work):
    """An event that is about to be emitted; `emit` does it.

    `traced` tells whether its emitter is part of a trace, which it then belongs to.
    """

    def __init__(self, event: Event, emit: Callable[[], None], traced: bool = True) -> None:
        super().__init__('emit', event.type)
        self.traced = traced
        self.trace_id = event.headers.get('trace_id')
        self.event: Event = event
        self._emit = emit
        self._joined: dict[str, str] = {}

    def run(self) -> None:
        """Emit the event with the payload and headers as they are now."""
        if self._arguments is not None:
            self.event.body = self._arguments
        if self._headers is not None:
            self.event.headers = {**self._headers, **self._joined}
        self._emit()

    def join_trace(self, trace_id: str) -> None:
        """Make the event a part of another trace; not after `run`."""
        self._joined = {'trace_id': trace_id}
        self.trace_id = self.event.headers['trace_id'] = trace_id

    def _read_arguments(self) -> dict[str, object]:
        return self.event.body

    def _read_headers(self) -> Headers:
        return Headers(self.event.headers)


class EmitFigures:
    """The events that a container emits. Whoever emits one calls `emit`."""

    def __init__(self) -> None:
        self._emitted: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._durations = Histogram(EMIT_DURATION)

    def emit(self, events: BaseEventSystem, event: Event, delay: float) -> None:
        """Emit an event and count it; raises what the event system raises."""
        started = monotonic()
        try:
            events.emit(event, delay)
        except BaseException as error:
            reason = _reason(error, events)
            self._failed[reason] = self._failed.get(reason, 0) + 1
            self._durations.observe(monotonic() - started)
            raise
        # inlined `Histogram.observe`, since this runs for every event
        now, durations = monotonic(), self._durations
        seconds = now - started
        bucket = bisect_left(SECONDS, seconds)
        durations.counts[bucket] += 1
        durations.sum += seconds
        trace_id = event.headers.get('trace_id')
        # the emitter may give any; whoever shows it checks it
        if type(trace_id) is str and len(trace_id) <= TRACE_ID:
            durations.exemplars[bucket] = trace_id, seconds, now
        try:
            self._emitted[event.type] += 1
        except KeyError:
            name = event.type if len(self._emitted) < MOST else _OTHER
            self._emitted[name] = self._emitted.get(name, 0) + 1

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts as metrics."""
        for type, count in list(self._emitted.items()):
            yield EMITTED, count, {'type': type}
        for reason, count in list(self._failed.items()):
            yield EMIT_FAILED, count, {'reason': reason}
        yield from self._durations


def _reason(error: BaseException, events: BaseEventSystem) -> str:
    if isinstance(error, EmitFailure):
        return 'not_confirmed' if _is_reached(events) else 'unreachable'
    if isinstance(error, EventTooLarge):
        return 'too_large'
    if isinstance(error, (SerializationError, ValueError, TypeError)):
        return 'invalid'
    return _OTHER if isinstance(error, Exception) else 'cancelled'


def _is_reached(events: BaseEventSystem) -> bool:
    try:
        state = events.connection_state()
    except Exception:  # noqa: BLE001 - somebody else's code; the emitter gets the first error
        return True
    return state is None or state.connected
