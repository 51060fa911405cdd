"""An event that is emitted, as interceptors see it."""

from __future__ import annotations

from collections.abc import Callable

from lymph.core._work.headers import Headers
from lymph.core.events import Event
from lymph.core.interceptors import Work

__all__ = ['EmitWork']


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
