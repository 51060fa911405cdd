"""Deadlines of requests: the keys `timeout` and `timeout_header`.

A deadline becomes that of the current work, as if the request were a call: calls, nested and
deferred calls get only the time that is left, and a call that waits raises Timeout. Nothing else is
ended: a method that computes or sleeps goes on, and `lymph.given_up()` tells it the time is over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from werkzeug.exceptions import GatewayTimeout

from lymph.config import ConfigView
from lymph.core.backends import set_deadline
from lymph.web._answering.features import Features
from lymph.web._http.environs import ARRIVED_KEY, FROM_PROXY_KEY
from lymph.web._http.limits import Limits
from lymph.web._http.opening import is_field_name

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['TIMEOUT_HEADER', 'RequestDeadlines', 'bounded_wait', 'seconds_in']

#: the default of `timeout_header`
TIMEOUT_HEADER: Final = 'X-Request-Timeout'
_SECONDS: Final = re.compile(r'[0-9]{1,9}(?:\.[0-9]{1,9})?')


@dataclass(frozen=True)
class RequestDeadlines:
    """How long requests may take.

    ==============  ==================  ============================================================
    key             default             meaning
    ==============  ==================  ============================================================
    timeout         none                seconds that a request may take, from its arrival to the
                                        answer of the last call
    timeout_header  X-Request-Timeout   the header field in which trusted proxies may say fewer
                                        seconds; see `TrustedProxies`
    ==============  ==================  ============================================================

    With `anyone`, all clients may shorten the time, not only trusted proxies.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('timeout', 'timeout_header')

    timeout: float | None
    header_key: str
    anyone: bool = False

    @classmethod
    def from_config(cls, view: ConfigView, anyone: bool = False) -> RequestDeadlines | None:
        """Read the keys; None if nothing can set a deadline. Raises ConfigurationError."""
        header = view.get_line('timeout_header', TIMEOUT_HEADER)
        if not is_field_name(header) or '_' in header:
            found = view.describe('timeout_header')
            raise view.error(
                'timeout_header',
                f"expected a header field such as '{TIMEOUT_HEADER}', found {found}",
            )
        timeout = view.get_seconds('timeout', None)
        if timeout is None and not anyone and view.get_raw('trusted_proxies') is None:
            return None
        return cls(timeout, f'HTTP_{header.upper().replace("-", "_")}', anyone)

    def features(self) -> Features:
        """Set the deadline around interceptors and methods."""
        return Features(surrounding=(self.surround,))

    def deadline_of(self, environ: WSGIEnvironment) -> float | None:
        """Return the deadline of a request, a time of `time.monotonic`; None if it has none."""
        timeout = self.timeout
        text = environ.get(self.header_key)
        if text is not None and (self.anyone or FROM_PROXY_KEY in environ):
            asked = seconds_in(text)
            if asked is not None and (timeout is None or asked < timeout):
                timeout = asked
        if timeout is None:
            return None
        arrived: float | None = environ.get(ARRIVED_KEY)
        return (time.monotonic() if arrived is None else arrived) + timeout

    def surround(
        self, environ: WSGIEnvironment, proceed: Callable[[], WSGIApplication]
    ) -> WSGIApplication:
        """Run `proceed` with the deadline of a request; raises GatewayTimeout if it has passed."""
        deadline = self.deadline_of(environ)
        if deadline is not None:
            if deadline <= time.monotonic():
                raise GatewayTimeout('The time for this request was over before it had its turn.')
            set_deadline(deadline)
        return proceed()


def bounded_wait(limits: Limits, view: ConfigView) -> Limits:
    """Return limits with which no request waits for its turn until after its deadline."""
    timeout = view.get_seconds('timeout', None)
    if timeout is None or timeout >= limits.queue_timeout:
        return limits
    return replace(limits, queue_timeout=timeout)


def seconds_in(text: str) -> float | None:
    """Return the seconds that a client asks for, ``0.5``; None for anything but a plain number."""
    return float(text) if _SECONDS.fullmatch(text.strip(' \t')) else None
