"""Lines that need no record are written as a record would be, many at once."""

from __future__ import annotations

import fcntl
import http.client
import io
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from lymph.cli._logging.line_handlers import ConsoleHandler, LogfileHandler, count_of
from lymph.cli._logging.log_lines import JsonFormatter, TraceFormatter
from lymph.core import trace
from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.core.monitoring.plain_lines import LineLog
from lymph.testing.waiting import eventually

PATIENCE = 30.0
FORMAT = '%(asctime)s %(levelname)-8s %(name)s [%(trace_id)s] %(message)s'
NAME = 'lymph.test.lines'
COUNT = 150  # requests; their lines do not fit in a pipe of 4 KiB

WEB = """
from lymph.web import WebServiceInterface
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

class Site(WebServiceInterface):
    url_map = Map([Rule('/<int:n>', endpoint='number')])

    def number(self, request, n):
        return Response('x')
"""

#: functions in native threads log as greenlets do, with the handlers of `lymph instance`
CONTENDED = """
import lymph.monkey
lymph.monkey.patch()
import logging
import os
import sys
import gevent
from lymph.cli._logging.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration

set_up_logging(Settings(logfile=sys.argv[1]), Configuration({}), 'INFO')
sys.setswitchinterval(1e-5)

def log_in_thread():
    for _ in range(1500):
        logging.info('from a thread')

def log():
    for _ in range(150):
        logging.info('from a greenlet')
        gevent.sleep(0)

pool = gevent.get_hub().threadpool
threads = [pool.spawn(log_in_thread) for _ in range(3)]
greenlets = [gevent.spawn(log) for _ in range(10)]
done = gevent.joinall([*threads, *greenlets], timeout=20)
print('done', len(done), flush=True)
os._exit(0)  # a thread that waits for ever would keep the process
"""


def log_line(logger: logging.Logger, level: int, message: str, trace_id: str | None) -> None:
    if logger.isEnabledFor(level):
        LineLog(logger).write(level, str, (message,), trace_id)


def flush_lines(logger: logging.Logger) -> None:
    LineLog(logger).flush()


class Written(io.StringIO):
    """A stream that remembers each write of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


@pytest.fixture
def stream() -> Written:
    return Written()


@pytest.fixture
def console(stream: Written) -> Iterator[ConsoleHandler]:
    handler = ConsoleHandler(stream)
    handler.setFormatter(TraceFormatter('%(levelname)s %(message)s'))
    yield handler
    handler.close()


@pytest.fixture
def logger(console: ConsoleHandler) -> logging.Logger:
    """A logger whose root has two handlers that take lines, as in an instance."""
    logger, root = logging.Logger(NAME), logging.Logger('root', logging.INFO)
    logger.parent = root  # not that of the process, to which pytest adds handlers
    root.handlers = [console, LogStreamHandler()]
    return logger


@pytest.mark.parametrize(
    'formatter',
    [
        TraceFormatter(FORMAT),
        TraceFormatter('%(message)s at %(asctime)s', '%H:%M'),
        TraceFormatter('%% %(trace_id)s|%(levelname).2s'),
        JsonFormatter(),
    ],
)
@pytest.mark.parametrize('message', ['a thing', '100 % \xe4', '"' * 11_000])
@pytest.mark.parametrize('created', [1.0, 1709164800.9996, 1709164801.0])
def test_line_is_what_a_record_would_be(
    formatter: TraceFormatter | JsonFormatter, message: str, created: float
) -> None:
    facts = {'created': created, 'levelno': logging.INFO, 'levelname': 'INFO', 'name': NAME}
    record = logging.makeLogRecord({**facts, 'msg': message})
    record.msecs = int((created - int(created)) * 1000)
    trace.set_id('abc123')
    make_line = formatter.line_maker()
    assert make_line is not None
    made = make_line(created, logging.INFO, NAME, 'abc123', message)
    assert made == formatter.format(record)


@pytest.mark.parametrize(
    'formatter',
    [
        TraceFormatter('%(process)d %(message)s'),
        TraceFormatter('%(trace_id)-40s %(message)s'),
        TraceFormatter('{message}', style='{'),
        TraceFormatter(None),
        logging.Formatter('%(message)s'),
    ],
)
def test_other_formats_get_records(
    console: ConsoleHandler, stream: Written, logger: logging.Logger, formatter: logging.Formatter
) -> None:
    console.setFormatter(formatter)
    log_line(logger, logging.INFO, 'a thing', None)
    assert 'a thing' in stream.getvalue()


def test_lines_of_a_batch_are_one_write(stream: Written, logger: logging.Logger) -> None:
    for number in range(3):
        log_line(logger, logging.INFO, f'line {number}', None)
    assert stream.getvalue() == ''
    text = 'INFO line 0\nINFO line 1\nINFO line 2\n'
    eventually(lambda: stream.writes == [text], PATIENCE)


def test_many_lines_do_not_wait(stream: Written, logger: logging.Logger) -> None:
    for number in range(1000):
        log_line(logger, logging.INFO, f'line {number}', None)
    lines = stream.getvalue().splitlines()
    assert 0 < len(lines) < 1000
    flush_lines(logger)
    assert stream.getvalue().splitlines() == [f'INFO line {number}' for number in range(1000)]
    assert len(stream.writes) < 10


def test_records_keep_their_place_between_lines(
    console: ConsoleHandler, stream: Written, logger: logging.Logger
) -> None:
    log_line(logger, logging.INFO, 'before', None)
    logger.warning('record')
    log_line(logger, logging.INFO, 'after', None)
    console.close()
    assert stream.getvalue() == 'INFO before\nWARNING record\nINFO after\n'


def test_line_of_another_thread_is_written_at_once(stream: Written, logger: logging.Logger) -> None:
    log_line(logger, logging.INFO, 'first', None)
    threads: Any = gevent.get_hub().threadpool
    threads.apply(log_line, (logger, logging.INFO, 'second', None))
    assert stream.getvalue() == 'INFO first\nINFO second\n'


def test_levels_hold_for_lines(
    console: ConsoleHandler, stream: Written, logger: logging.Logger
) -> None:
    log_line(logger, logging.DEBUG, 'below the level of the logger', None)
    console.setLevel(logging.WARNING)
    log_line(logger, logging.INFO, 'below the level of the handler', None)
    logging.disable()
    try:
        log_line(logger, logging.ERROR, 'while logging is disabled', None)
    finally:
        logging.disable(logging.NOTSET)
    flush_lines(logger)
    assert stream.getvalue() == ''


class Seen(logging.Handler):
    """Remembers the records that it gets, also as a filter."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.addFilter(self.note)

    def note(self, record: logging.LogRecord) -> bool:
        self.messages.append(record.getMessage())
        return True

    def emit(self, record: logging.LogRecord) -> None:
        pass


@pytest.mark.parametrize('place', ['handler', 'filter', 'filter of the handler', 'follower'])
def test_whoever_wants_records_gets_them_at_once(
    console: ConsoleHandler, stream: Written, logger: logging.Logger, place: str
) -> None:
    seen = Seen()
    end = lambda: None  # noqa: E731
    if place == 'handler':
        logger.addHandler(seen)
    elif place == 'filter':
        logger.addFilter(seen.note)
    elif place == 'filter of the handler':
        console.addFilter(seen.note)
    else:
        end = LogStreamHandler.follow(lambda facts: seen.messages.append(facts['message']))
    log_line(logger, logging.INFO, '100 % sure', None)
    end()
    assert seen.messages == ['100 % sure']
    assert stream.getvalue() == 'INFO 100 % sure\n'


def test_new_handler_gets_records_a_moment_later(stream: Written, logger: logging.Logger) -> None:
    log, seen = LineLog(logger), Seen()
    log.write(logging.INFO, str, ('first',), None)
    logger.addHandler(seen)

    def is_seen() -> bool:
        log.write(logging.INFO, str, ('again',), None)
        return seen.messages == ['again']

    eventually(is_seen, PATIENCE)
    assert stream.getvalue().startswith('INFO first\nINFO again\n')


def test_moved_logfile_is_opened_again_for_lines(tmp_path: Path, logger: logging.Logger) -> None:
    file, moved = tmp_path / 'x.log', tmp_path / 'x.log.1'
    handler = LogfileHandler(file)
    handler.setFormatter(TraceFormatter('%(message)s'))
    logger.handlers, logger.propagate = [handler], False
    log_line(logger, logging.INFO, 'first', None)
    handler.flush()
    file.rename(moved)
    log_line(logger, logging.INFO, 'second', None)
    handler.close()
    assert [moved.read_text(), file.read_text()] == ['first\n', 'second\n']


def test_lines_that_cannot_be_written_are_counted(logger: logging.Logger) -> None:
    handler = LogfileHandler('/dev/full')
    handler.setFormatter(TraceFormatter('%(message)s'))
    lost: list[int] = []
    handler.handleError = lambda record: lost.append(count_of(record))  # type: ignore[method-assign]
    logger.handlers, logger.propagate = [handler], False
    for _ in range(3):
        log_line(logger, logging.INFO, 'x', None)
    flush_lines(logger)
    assert lost == [3]
    stream = handler.stream
    handler.stream = io.StringIO()  # type: ignore[assignment]
    handler.close()
    with pytest.raises(OSError, match='No space left'):
        stream.close()  # what it could not write is still in its buffer
    assert stream.closed


def test_unread_access_log_stops_no_request_and_loses_no_line(shell: Any) -> None:
    shell.write('pages.py', WEB)
    shell.write('web.yml', 'interfaces: {web: {class: "pages:Site"}}\n')
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    service = shell.start('instance', '-c', 'web.yml', stdout=writing, stderr=writing)
    os.close(writing)
    with os.fdopen(reading, encoding='utf-8') as output:
        address = re.search(r'web at http://(\S+)\n', output.readline())
        assert address is not None
        connection = http.client.HTTPConnection(address[1], timeout=PATIENCE)
        for number in range(COUNT):
            connection.request('GET', f'/{number}')
            assert connection.getresponse().read() == b'x'
        connection.close()
        service.signal(signal.SIGTERM)
        lines = output.readlines()
    assert service.end() == 0
    paths = [line.split()[7] for line in lines if 'lymph.web.access' in line]
    assert paths == [f'/{number}' for number in range(COUNT)]


def test_greenlets_and_native_threads_that_log_do_not_stall(tmp_path: Path) -> None:
    command = [sys.executable, '-c', CONTENDED, str(tmp_path / 'log')]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.stdout == 'done 13\n', told.stderr[-2000:]
    assert (tmp_path / 'log').read_text().count('\n') == 3 * 1500 + 10 * 150


def test_lock_is_a_new_one_in_a_forked_child(tmp_path: Path) -> None:
    handler = LogfileHandler(tmp_path / 'log')
    lock = handler.lock
    assert lock is not None
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            forked.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.acquire(blocking=False) else 1)
    forked.set()
    thread.join(PATIENCE)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    handler.close()
