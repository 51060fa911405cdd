"""How events get to Sentry: the SDK's own transport, in a native thread.

The SDK sends from a thread of its own, which is a greenlet once gevent has patched `threading`: it
would stand still while a handler blocks the loop, and a flush at the end would block the loop that
it waits for. Here a native thread owns the SDK's transport with its thread, so that these two run
in a loop of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport, Transport

from lymph.core.failures import error_line
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.plugins._native_queue import NativeQueue

__all__ = ['ThreadedTransport']

logger = logging.getLogger(__name__)

_LIMIT: Final = 100  # events; the SDK's own default
_DELAY: Final = 5.0  # seconds; each event wakes the thread, so this is a safety net alone
_SENDING: Final = 60.0  # seconds for one event; the SDK's connections have timeouts of 30 s

SENT: Final = describe('sentry.sent', 'counter', 'Errors that were passed on to Sentry.')
DROPPED: Final = describe(
    'sentry.dropped', 'counter', 'Errors that were not sent since there were too many of them.'
)


class ThreadedTransport(Transport):
    """Sends envelopes from a native thread. At most 100 wait; others are dropped and counted."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.sent = self.dropped = 0
        self.queue: NativeQueue[Envelope] = NativeQueue(
            lambda: _ErrorOutlet(self, options or {}), _LIMIT, 1, _DELAY
        )

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts of events as metrics."""
        yield SENT, self.sent, {}
        yield DROPPED, self.dropped, {}

    @property
    def full(self) -> bool:
        """Whether another event would be dropped."""
        return self.queue.full

    def capture_envelope(self, envelope: Envelope) -> None:
        """Put an envelope into the queue; never waits."""
        if not self.queue.put(envelope):
            self.dropped += 1

    def flush(self, timeout: float, callback: Callable[[int, float], Any] | None = None) -> None:
        """Wait up to `timeout` seconds until everything is sent."""
        if callback is not None and len(self.queue):
            callback(len(self.queue), timeout)
        self.queue.flush(timeout)

    def close(self, timeout: float) -> int:
        """Send what waits within `timeout` seconds; return how many events are left."""
        left = self.queue.close(timeout)
        self.dropped += left
        return left

    def kill(self) -> None:
        """End the thread without waiting."""
        self.close(0)


class _ErrorOutlet:
    """What the thread does with envelopes."""

    def __init__(self, counts: ThreadedTransport, options: dict[str, Any]) -> None:
        self._counts = counts
        self._transport = HttpTransport(options)

    def begin(self) -> None: ...

    def handle(self, items: list[Envelope]) -> None:
        for envelope in items:
            try:
                self._transport.capture_envelope(envelope)
                self._transport.flush(_SENDING)
            except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
                self._counts.dropped += 1
                self._counts.queue.logs.later(
                    logger.warning, 'an error was not sent to Sentry: %s', error_line(error)
                )
            else:
                self._counts.sent += 1

    def end(self) -> None:
        self._transport.kill()

    def abort(self) -> None:
        """Nothing: a request is not tried again, and has a timeout."""
