"""The export of spans in batches, by a native thread.

The SDK's BatchSpanProcessor cannot be used, because its thread and its locks are patched; see
`lymph.plugins._native_queue`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from lymph.core.failures import error_line
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.plugins._native_queue import NativeQueue

__all__ = ['ThreadedExport']

logger = logging.getLogger(__name__)

EXPORTED: Final = describe('otel.exported', 'counter', 'Spans that the collector has accepted.')
FAILED: Final = describe('otel.failed', 'counter', 'Spans that the exporter could not deliver.')
DROPPED: Final = describe(
    'otel.dropped', 'counter', 'Spans that were dropped since too many were waiting.'
)
WAITING: Final = describe('otel.waiting', 'gauge', 'Spans that wait to be exported.')


class ThreadedExport(SpanProcessor):
    """Exports sampled spans in batches of `batch_size`, at the latest `delay` seconds after each.

    At most `queue_size` spans wait; others are dropped and counted. `make_exporter` is called once
    here, and again in each forked child that ends spans.
    """

    def __init__(
        self,
        make_exporter: Callable[[], SpanExporter],
        queue_size: int,
        batch_size: int,
        delay: float,
    ) -> None:
        self.exported = self.failed = self.dropped = 0
        self.queue: NativeQueue[ReadableSpan] = NativeQueue(
            lambda: _SpanOutlet(self, make_exporter()), queue_size, batch_size, delay
        )

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts of spans as metrics."""
        yield EXPORTED, self.exported, {}
        yield FAILED, self.failed, {}
        yield DROPPED, self.dropped, {}
        yield WAITING, len(self.queue), {}

    def on_end(self, span: ReadableSpan) -> None:
        """Put a span into the queue; never waits."""
        found = span.get_span_context()
        if found is not None and found.trace_flags.sampled and not self.queue.put(span):
            self.dropped += 1

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until all spans are exported that have ended; tell whether they are."""
        return self.queue.flush(timeout_millis / 1000)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Export what is in the queue within `timeout` seconds, and end the thread.

        What is left is dropped and counted. Idempotent.
        """
        left = self.queue.close(timeout)
        if left:
            self.dropped += left
            logger.warning(
                'the collector did not take all spans within %.3g s; dropped: %d', timeout, left
            )


class _SpanOutlet:
    """What the thread does with spans: pass them to the exporter, and count what it says."""

    def __init__(self, counts: ThreadedExport, exporter: SpanExporter) -> None:
        self._counts = counts
        self._exporter = exporter
        self._broken = False  # whether the last batch failed
        self._aborted = False

    def begin(self) -> None:
        # so that a program that traces the requests of its HTTP client does not trace these
        key: Any = getattr(context, '_SUPPRESS_INSTRUMENTATION_KEY', None)
        if key is not None:
            context.attach(context.set_value(key, True))

    def handle(self, items: list[ReadableSpan]) -> None:
        try:
            delivered = self._exporter.export(items) is SpanExportResult.SUCCESS
            reason = 'see the log of the exporter'
        except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
            delivered, reason = False, error_line(error)
        if delivered:
            self._counts.exported += len(items)
            if self._broken:
                self._log('spans are exported again')
        else:
            self._counts.failed += len(items)
            if not self._broken:
                self._log('spans cannot be exported: %s', reason)
        self._broken = not delivered

    def end(self) -> None:
        if not self._aborted:
            self._exporter.shutdown()

    def abort(self) -> None:
        self._aborted = True
        self._exporter.shutdown()  # ends the pause before another try

    def _log(self, text: str, *args: object) -> None:
        self._counts.queue.logs.later(logger.warning, text, *args)
