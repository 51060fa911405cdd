"""A native thread logs without the locks of handlers, and each handler gets a record once."""

from __future__ import annotations

import logging
import logging.handlers
import os
import subprocess
import sys

import pytest

from lymph.core._monitoring.lockless_log import LocklessLog

TEXT = 'blocked for %.1f s'
LINE = 'blocked for 1.5 s\n'

#: the loop never turns, and stderr is a pipe
TO_STDERR = """
import logging
from lymph.core._monitoring.lockless_log import LocklessLog
{configure}
log = LocklessLog(logging.getLogger('of_a_test'))
log.write(logging.ERROR, 'blocked for %.1f s', 1.5)
print('now')
log.relay()
"""


class Held:
    """A lock of a handler that somebody else holds for ever."""

    def acquire(self, *args):
        raise AssertionError('a lock was taken')

    __enter__ = __exit__ = release = acquire


class Keeping(logging.Handler):
    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture
def logger():
    logger = logging.getLogger('lockless_log_of_a_test')
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    yield logger
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
        handler.close()
    for each in [*logger.filters]:
        logger.removeFilter(each)


@pytest.fixture
def log(logger):
    return LocklessLog(logger)


@pytest.mark.parametrize(
    'make',
    [
        logging.FileHandler,
        logging.handlers.WatchedFileHandler,
        logging.handlers.RotatingFileHandler,
        logging.handlers.TimedRotatingFileHandler,
    ],
)
def test_file_gets_the_record_at_once_without_a_lock(make, logger, log, tmp_path, monkeypatch):
    handler = make(tmp_path / 'log', encoding='utf-8')
    logger.addHandler(handler)
    lock, handler.lock = handler.lock, Held()
    with monkeypatch.context() as patched:
        patched.setattr(logging, '_lock', Held())
        log.write(logging.ERROR, TEXT, 1.5)
    assert (tmp_path / 'log').read_text() == LINE
    handler.lock = lock
    log.relay()
    logger.error('next')
    assert (tmp_path / 'log').read_text() == LINE + 'next\n'


def test_file_that_was_moved_away_or_is_not_appended_to_gets_it_later(logger, log, tmp_path):
    moved = logging.handlers.WatchedFileHandler(tmp_path / 'moved')
    other = logging.FileHandler(tmp_path / 'other', mode='w')
    delayed = logging.FileHandler(tmp_path / 'delayed', delay=True)
    for handler in (moved, other, delayed):
        logger.addHandler(handler)
    os.rename(tmp_path / 'moved', tmp_path / 'old')
    log.write(logging.ERROR, TEXT, 1.5)
    assert (tmp_path / 'other').read_text() == ''
    log.relay()
    for name in ('moved', 'other', 'delayed'):
        assert (tmp_path / name).read_text() == LINE
    assert (tmp_path / 'old').read_text() == ''


@pytest.mark.parametrize('configure', ['', 'logging.basicConfig(format="%(message)s")'])
def test_stderr_gets_the_record_at_once(configure):
    program = TO_STDERR.format(configure=configure)
    command = [sys.executable, '-u', '-c', program]
    told = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    assert told.stdout == LINE + 'now\n'


def test_any_other_handler_gets_it_once_and_later(logger, log):
    class Twice(logging.StreamHandler):
        def emit(self, record):
            twice.append(record.getMessage())

    twice = []
    keeping = Keeping()
    logger.addHandler(keeping)
    logger.addHandler(Twice(sys.stderr))
    log.write(logging.ERROR, TEXT, 1.5)
    assert log
    assert keeping.texts == twice == []
    log.relay()
    log.relay()
    assert keeping.texts == twice == [LINE.rstrip()]
    assert not log


def test_levels_and_filters_hold(logger, log, tmp_path):
    deaf = Keeping(logging.CRITICAL)
    file = logging.FileHandler(tmp_path / 'log')
    file.addFilter(lambda record: record.levelno > logging.WARNING)
    logger.addHandler(deaf)
    logger.addHandler(file)
    log.write(logging.INFO, 'below the level of the logger')
    log.write(logging.WARNING, 'below the filter of the file')
    logger.addFilter(lambda record: 'secret' not in record.getMessage())
    log.write(logging.ERROR, 'secret')
    log.write(logging.ERROR, TEXT, 1.5)
    log.relay()
    assert (tmp_path / 'log').read_text() == LINE
    assert deaf.texts == []


def test_handler_that_fails_does_not_keep_the_record_from_others(logger, log):
    class Failing(logging.Handler):
        def emit(self, record):
            raise ValueError

    keeping = Keeping()
    logger.addHandler(keeping)
    logger.addHandler(Failing())
    log.write(logging.ERROR, 'one')
    log.write(logging.ERROR, 'two')
    log.relay()
    assert keeping.texts == ['one', 'two']


def test_library_that_hooks_into_logging_gets_the_record_once(logger, log, tmp_path, monkeypatch):
    called = logging.Logger.callHandlers
    seen = []

    def hooked(self, record):
        seen.append((record.name, record.getMessage()))
        called(self, record)

    monkeypatch.setattr(logging.Logger, 'callHandlers', hooked)
    logger.addHandler(logging.FileHandler(tmp_path / 'log'))
    log.write(logging.ERROR, TEXT, 1.5)
    log.relay()
    assert seen == [(logger.name, LINE.rstrip())]


def test_records_that_wait_are_bounded(logger, log):
    keeping = Keeping()
    logger.addHandler(keeping)
    for number in range(1000):
        log.write(logging.ERROR, '%d', number)
    log.relay()
    assert keeping.texts == [str(number) for number in range(900, 1000)]
