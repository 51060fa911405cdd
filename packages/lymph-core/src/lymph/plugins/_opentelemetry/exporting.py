"""The export of spans: batches, sent by a native thread.

The SDK's BatchSpanProcessor uses locks of `threading`. After gevent has patched it, its thread is a
greenlet, which a blocked loop stops, and a native thread that shares its locks with greenlets may
wait for ever. Here greenlets and the thread share a queue and locks that are not patched, and
neither waits for the other. The exporter is used by the thread alone. It may use patched sockets:
gevent gives each native thread a loop of its own.

========  ====================================  =================================================
state     meaning                               next
========  ====================================  =================================================
idle      no span has ended yet                 running, with the first one
running   the thread exports                    closed, by `shutdown`
closed    no span is taken any more             stays
========  ====================================  =================================================

A forked child starts idle: the spans in the queue are its parent's.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import gevent
from gevent import monkey
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from lymph.core.failures import error_line
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample

__all__ = ['ThreadedExport']

logger = logging.getLogger(__name__)

_start_thread: Final = monkey.get_original('_thread', 'start_new_thread')
_new_lock: Final = monkey.get_original('_thread', 'allocate_lock')

_POLL = 0.005  # seconds between looks at the thread while it is waited for

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
        self._make_exporter = make_exporter
        self._exporter: SpanExporter | None = make_exporter()
        self._limit = queue_size
        self._batch_size = batch_size
        self._delay = delay
        self.exported = self.failed = self.dropped = 0
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._queue: deque[ReadableSpan] = deque()
        self._running = False
        self._batch = 0  # spans that the thread is exporting now
        self._deadline = 0.0  # when the thread has to end; a time of `time.monotonic`
        self._broken = False  # whether the last batch failed
        self._starting = _new_lock()  # held by whoever starts the thread
        self._bell = _new_lock()  # released to wake the thread
        self._bell.acquire()
        self._ended = _new_lock()  # held while the thread runs

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts of spans as metrics."""
        yield EXPORTED, self.exported, {}
        yield FAILED, self.failed, {}
        yield DROPPED, self.dropped, {}
        yield WAITING, len(self._queue), {}

    def on_end(self, span: ReadableSpan) -> None:
        """Put a span into the queue; never waits."""
        found = span.get_span_context()
        if found is None or not found.trace_flags.sampled:
            return
        if self._process != os.getpid():
            self._begin_in_child()
        if self._closed or len(self._queue) >= self._limit:
            self.dropped += 1
            return
        self._queue.append(span)
        if not self._running:
            self._start()
        elif len(self._queue) >= self._batch_size:
            self._ring()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until all spans are exported that have ended; tell whether they are."""
        end = time.monotonic() + timeout_millis / 1000
        while self._queue or self._batch:
            if time.monotonic() >= end or not self._running:
                return False
            self._ring()
            gevent.sleep(_POLL)
        return True

    def shutdown(self, timeout: float = 5.0) -> None:
        """Export what is in the queue within `timeout` seconds, and end the thread.

        What is left is dropped and counted. Idempotent.
        """
        if self._closed or self._process != os.getpid():
            return
        self._closed = True
        self._deadline = time.monotonic() + timeout
        if not self._running:
            if self._exporter is not None:
                self._exporter.shutdown()
            return
        while not self._ended.acquire(False):
            if time.monotonic() >= self._deadline:
                break
            self._ring()
            gevent.sleep(_POLL)
        left = len(self._queue) + self._batch
        self._queue.clear()
        if left:
            self.dropped += left
            logger.warning(
                'the collector did not take all spans within %.3g s; dropped: %d', timeout, left
            )

    def _begin_in_child(self) -> None:
        """In a forked child, start anew: thread, queue and connection are the parent's."""
        self._exporter = None
        self.exported = self.failed = self.dropped = 0
        self._begin()

    def _start(self) -> None:
        """Start the thread, unless another native thread does so at this moment."""
        if not self._starting.acquire(False):
            return
        if self._exporter is None:
            try:
                self._exporter = self._make_exporter()
            except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
                self._closed = True
                self._complain('spans of this process are not exported: %s', error_line(error))
                return
        self._ended.acquire()
        self._running = True
        _start_thread(self._run, (self._exporter,))

    def _ring(self) -> None:
        if self._bell.locked():
            with suppress(RuntimeError):  # another native thread was faster
                self._bell.release()

    def _run(self, exporter: SpanExporter) -> None:
        """Export until the end. Runs in the thread."""
        ended = self._ended
        try:
            # so that a program that traces the requests of its HTTP client does not trace these
            key: Any = getattr(context, '_SUPPRESS_INSTRUMENTATION_KEY', None)
            if key is not None:
                context.attach(context.set_value(key, True))
            while not self._closed:
                self._bell.acquire(True, self._delay)
                self._export_all(exporter)
            self._export_all(exporter)  # what ended between the last look and the end
            exporter.shutdown()
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            self._complain('the thread that exports spans has ended: %s', error_line(error))
        finally:
            with suppress(BaseException):
                gevent.get_hub().destroy(destroy_loop=True)
            ended.release()

    def _export_all(self, exporter: SpanExporter) -> None:
        queue = self._queue
        while queue and not (self._closed and time.monotonic() >= self._deadline):
            spans: list[ReadableSpan] = []
            with suppress(IndexError):  # `shutdown` may clear the queue
                while len(spans) < self._batch_size:
                    spans.append(queue.popleft())
            self._batch = len(spans)
            self._export(exporter, spans)
            self._batch = 0

    def _export(self, exporter: SpanExporter, spans: list[ReadableSpan]) -> None:
        try:
            delivered = exporter.export(spans) is SpanExportResult.SUCCESS
            reason = 'see the log of the exporter'
        except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
            delivered, reason = False, error_line(error)
        if delivered:
            self.exported += len(spans)
            if self._broken:
                self._complain('spans are exported again')
        else:
            self.failed += len(spans)
            if not self._broken:
                self._complain('spans cannot be exported: %s', reason)
        self._broken = not delivered

    def _complain(self, text: str, *args: object) -> None:
        with suppress(BaseException):  # a failing log must not end the thread
            logger.warning(text, *args)
