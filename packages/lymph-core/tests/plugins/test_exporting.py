"""The export of spans by a native thread: batches, bounds, failures, the end, forks."""

from __future__ import annotations

import os
import threading
import time

import pytest
from gevent import monkey
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from lymph.plugins._opentelemetry.exporting import ThreadedExport
from lymph.testing.waiting import eventually

new_lock = monkey.get_original('_thread', 'allocate_lock')


class Exporter(SpanExporter):
    """Keeps what it gets; waits while `gate` is held."""

    def __init__(self, result=SpanExportResult.SUCCESS):
        self.batches = []
        self.closed = 0
        self.gate = new_lock()
        self.result = result

    def export(self, spans):
        with self.gate:
            self.batches.append([span.name for span in spans])
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def shutdown(self):
        self.closed += 1


@pytest.fixture
def start():
    """Return a function that returns an exporter, its export, and a tracer."""
    started = []

    def start(exporter=None, queue_size=100, batch_size=10, delay=0.01, **options):
        exporter = exporter or Exporter()
        export = ThreadedExport(lambda: exporter, queue_size, batch_size, delay)
        provider = TracerProvider(shutdown_on_exit=False, **options)
        provider.add_span_processor(export)
        started.append((exporter, export))
        return exporter, export, provider.get_tracer('test')

    yield start
    for exporter, export in started:
        if exporter.gate.locked():
            exporter.gate.release()
        export.shutdown()


def make(tracer, count):
    for number in range(count):
        tracer.start_span(str(number)).end()


def counts(export):
    return {name: value for name, value, tags in export}


def test_spans_are_exported_in_their_order_in_batches(start):
    exporter, export, tracer = start()
    exporter.gate.acquire()
    make(tracer, 35)
    exporter.gate.release()
    assert export.force_flush(10_000)
    assert [name for batch in exporter.batches for name in batch] == [str(n) for n in range(35)]
    assert max(map(len, exporter.batches)) == 10
    expected = {'otel.exported': 35, 'otel.failed': 0, 'otel.dropped': 0, 'otel.waiting': 0}
    assert counts(export) == expected


def test_full_batch_is_exported_without_delay(start):
    exporter, _, tracer = start(delay=600)
    make(tracer, 1)  # starts the thread
    make(tracer, 10)
    eventually(lambda: exporter.batches)


def test_spans_that_find_no_room_are_dropped_and_counted(start):
    exporter, export, tracer = start(queue_size=20)
    exporter.gate.acquire()
    make(tracer, 1)
    eventually(lambda: counts(export)['otel.waiting'] == 0)
    make(tracer, 50)
    assert counts(export)['otel.waiting'] == 20
    assert counts(export)['otel.dropped'] == 30
    exporter.gate.release()
    assert export.force_flush(10_000)
    assert counts(export)['otel.exported'] == 21


@pytest.mark.parametrize('result', [SpanExportResult.FAILURE, OSError('refused')])
def test_failed_export_is_counted_and_logged_once(start, caplog, result):
    exporter, export, tracer = start(Exporter(result))
    make(tracer, 30)
    assert export.force_flush(10_000)
    assert counts(export)['otel.failed'] == 30
    assert len([r for r in caplog.records if 'cannot be exported' in r.message]) == 1
    exporter.result = SpanExportResult.SUCCESS
    make(tracer, 1)
    assert export.force_flush(10_000)
    assert counts(export)['otel.exported'] == 1
    assert 'spans are exported again' in caplog.text


def test_end_exports_what_is_left_and_closes_the_exporter(start):
    exporter, export, tracer = start(delay=600)
    make(tracer, 5)
    export.shutdown()
    assert exporter.batches == [['0', '1', '2', '3', '4']]
    assert exporter.closed == 1
    make(tracer, 1)
    assert counts(export)['otel.dropped'] == 1


def test_end_waits_for_a_bounded_time(start, caplog):
    exporter, export, tracer = start()
    exporter.gate.acquire()
    make(tracer, 35)
    started = time.monotonic()
    export.shutdown(timeout=0.2)
    assert time.monotonic() - started < 5
    assert counts(export)['otel.dropped'] == 35
    assert 'dropped: 35' in caplog.text


class Retrying(Exporter):
    """Waits before another try, as the exporter for OTLP does, until it is shut down."""

    def __init__(self):
        super().__init__()
        self.waiting = threading.Event()
        self.stopped = threading.Event()
        self.threads = []

    def export(self, spans):
        self.threads.append(threading.get_native_id())
        self.waiting.set()
        self.stopped.wait(30)
        return SpanExportResult.FAILURE

    def shutdown(self):
        super().shutdown()
        self.stopped.set()


def test_thread_that_waits_for_another_try_does_not_outlive_the_end(start):
    exporter, export, tracer = start(Retrying())
    make(tracer, 1)
    exporter.waiting.wait(30)
    export.shutdown(timeout=2)
    assert exporter.closed == 1
    assert counts(export)['otel.failed'] == 1
    (thread,) = exporter.threads
    eventually(lambda: not os.path.exists(f'/proc/self/task/{thread}'))


def test_nothing_runs_before_a_span_ends(start):
    exporter, export, _ = start()
    export.shutdown()
    assert exporter.batches == []
    assert exporter.closed == 1


def test_spans_that_are_not_sampled_are_not_exported(start):
    exporter, export, tracer = start(sampler=sampling.ALWAYS_OFF)
    make(tracer, 5)
    export.shutdown()
    assert exporter.batches == []


def test_forked_child_exports_its_own_spans_alone(start):
    exporter, export, tracer = start(delay=600)
    exporter.gate.acquire()
    make(tracer, 3)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            exporter.gate = new_lock()
            tracer.start_span('of the child').end()
            export.shutdown()
            os.write(writer, repr(exporter.batches).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    assert told == "[['of the child']]"
    exporter.gate.release()
    export.shutdown()
    assert exporter.batches == [['0', '1', '2']]
