"""How long the parts of a request took, for the tools of a browser: ``Server-Timing``.

Source: the W3C's Server Timing. Only in debug mode: durations tell strangers what a request does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from lymph.config import ConfigView
from lymph.web._answering.features import Features
from lymph.web._http.environs import ARRIVED_KEY
from lymph.web._tracing.identifying import TRACE_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['ServerTimings']

_STARTED: Final = 'lymph.started'
_HANDLED: Final = 'lymph.handled'


@dataclass(frozen=True)
class ServerTimings:
    """Adds ``Server-Timing`` to all answers, in milliseconds.

    ========  ======================================================================================
    trace     the trace id, as a description
    queue     until the request had its turn, if the server says when it arrived
    handler   in interceptors and the method
    total     from its turn until the answer began
    ========  ======================================================================================
    """

    KEYS: ClassVar[tuple[str, ...]] = ()  # the key `debug` is read by the interface as well

    @classmethod
    def from_config(cls, view: ConfigView) -> ServerTimings | None:
        """Read the key `debug`. Raises ConfigurationError for anything but a boolean."""
        return cls() if view.get_bool('debug', False) else None

    def features(self) -> Features:
        """Measure the durations, and add the field to answers."""
        return Features(
            arriving=(self.arrive,), surrounding=(self.surround,), finishing=(self.finish,)
        )

    def arrive(self, environ: WSGIEnvironment) -> None:
        """Note when the request has its turn."""
        environ[_STARTED] = time.monotonic()

    def surround(
        self, environ: WSGIEnvironment, proceed: Callable[[], WSGIApplication]
    ) -> WSGIApplication:
        """Note how long the handler takes."""
        started = time.monotonic()
        try:
            return proceed()
        finally:
            environ[_HANDLED] = time.monotonic() - started

    def finish(self, environ: WSGIEnvironment, status: str, fields: list[tuple[str, str]]) -> None:
        """Add the field."""
        now = time.monotonic()
        started: float = environ.get(_STARTED, now)
        times = {
            'queue': started - environ[ARRIVED_KEY] if ARRIVED_KEY in environ else None,
            'handler': environ.get(_HANDLED),
            'total': now - started,
        }
        said = [f'trace;desc="{environ.get(TRACE_KEY, "")}"']
        said += [
            f'{name};dur={1000 * each:.1f}' for name, each in times.items() if each is not None
        ]
        fields.append(('Server-Timing', ', '.join(said)))
