"""What a native thread logs is written by others, so that no lock of a handler is contended."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from lymph.plugins._thread_logs import ThreadLogs

#: greenlets log through a handler that gives way to others, while a thread exports and logs
CONTENDED = """
import lymph.monkey
lymph.monkey.patch()
import logging
import time
import gevent
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from lymph.plugins._opentelemetry.exporting import ThreadedExport

class Switching(logging.Handler):
    def emit(self, record):
        gevent.sleep(0)

log = logging.getLogger('library')
log.addHandler(Switching())
log.setLevel(logging.INFO)

class Exporter(SpanExporter):
    def export(self, spans):
        for _ in range(20):
            log.info('from the thread')
        return SpanExportResult.FAILURE

    def shutdown(self):
        pass

export = ThreadedExport(Exporter, 2048, 16, 0.001)
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(export)
tracer = provider.get_tracer('test')

def work():
    for _ in range(300):
        log.info('from a greenlet')
        tracer.start_span('step').end()
        gevent.sleep(0)

greenlets = [gevent.spawn(work) for _ in range(10)]
gevent.joinall(greenlets, timeout=20)
print('done', sum(greenlet.successful() for greenlet in greenlets))
export.shutdown()
"""


@pytest.fixture
def logger():
    """A logger of a library, whose records are kept."""
    logger = logging.getLogger('library_of_a_test')
    logger.kept = []

    class Keeping(logging.Handler):
        def emit(self, record):
            logger.kept.append((record.getMessage(), threading.get_ident()))

    handler = Keeping()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)


@pytest.fixture
def logs():
    logs = ThreadLogs()
    yield logs
    logs.uncover()


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(10)


def test_records_of_the_thread_are_written_by_others(logs, logger):
    def work():
        logs.cover()
        logger.info('number %d', 5)
        logs.later(logger.warning, 'of our own: %s', 'text')

    in_thread(work)
    assert logger.kept == []
    logs.write()
    here = threading.get_ident()
    assert logger.kept == [('number 5', here), ('of our own: text', here)]


def test_thread_does_not_take_the_lock_of_the_module(logs, logger, monkeypatch):
    class Noting:
        def acquire(self):
            users.append(threading.get_ident())

        def release(self):
            pass

        __enter__ = acquire

        def __exit__(self, *error):
            pass

    def work():
        logs.cover()
        logger.info('number %d', 5)

    users = []
    assert logger.isEnabledFor(logging.INFO)  # remembered from now on
    monkeypatch.setattr(logging, '_lock', Noting())
    in_thread(work)
    assert users == []
    logs.write()
    assert set(users) == {threading.get_ident()}
    assert [text for text, _ in logger.kept] == ['number 5']


def test_records_of_others_pass_at_once(logs, logger):
    in_thread(logs.cover)
    logger.info('here')
    assert [text for text, _ in logger.kept] == ['here']


def test_loggers_of_lymph_have_no_filter(logs):
    logger = logging.getLogger('lymph.web.access')
    in_thread(logs.cover)
    assert logger.filters == []


def test_filters_are_taken_away(logs, logger):
    in_thread(logs.cover)
    logs.uncover()
    assert logger.filters == []
    assert logging.root.filters == []


def test_number_of_kept_records_is_bounded(logs, logger):
    def work():
        logs.cover()
        for number in range(1000):
            logger.info('number %d', number)

    in_thread(work)
    logs.write()
    assert [text for text, _ in logger.kept] == [f'number {n}' for n in range(900, 1000)]


def test_record_that_cannot_be_written_disturbs_nobody(logs, logger):
    def work():
        logs.cover()
        logger.info('number %d', 'five')
        logger.info('number %d', 6)

    in_thread(work)
    logs.write()
    assert [text for text, _ in logger.kept] == ['number 6']


def test_greenlets_that_log_do_not_stall_while_the_thread_logs():
    told = subprocess.run(
        [sys.executable, '-c', CONTENDED], capture_output=True, text=True, timeout=60
    )
    assert told.stdout == 'done 10\n', told.stderr[-2000:]
