"""An event that is emitted, as interceptors see it."""

from __future__ import annotations

from collections.abc import Callable

from lymph.core._work.headers import Headers
from lymph.core.events import Event
from lymph.core.interceptors import Work

__all__ = ['EmitWork']


class EmitWork(Work):
    """An event that is about to be emitted; `emit` does it."""

    def __init__(self, event: Event, emit: Callable[[], None]) -> None:
        super().__init__('emit', event.type)
        self.trace_id = event.headers.get('trace_id')
        self.event: Event = event
        self._emit = emit

    def run(self) -> None:
        """Emit the event with the payload and headers as they are now."""
        if self._arguments is not None:
            self.event.body = self._arguments
        if self._headers is not None:
            self.event.headers = dict(self._headers)
        self._emit()

    def _read_arguments(self) -> dict[str, object]:
        return self.event.body

    def _read_headers(self) -> Headers:
        return Headers(self.event.headers)
