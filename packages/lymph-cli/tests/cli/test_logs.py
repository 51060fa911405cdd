from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lymph.cli._logging.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError

#: Logging is of the whole process, so each of these has one of its own.
SCRIPT = """
import json, logging, sys
from lymph.cli._logging.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration
from lymph.core import trace
settings, config = json.loads(sys.argv[1])
set_up_logging(Settings(**settings), Configuration(config), 'INFO')
trace.set_id('abc123')
logging.getLogger('shop.orders').debug('a small thing')
logging.getLogger('shop.orders').info('a thing')
"""

#: the loop does not turn before the record is relayed
BLOCKED = """
import json, logging, os, sys
from lymph.cli._logging.logs import set_up_logging
from lymph.cli._running.unblocked import unblock_streams
from lymph.cli.settings import Settings
from lymph.config import Configuration
from lymph.core._monitoring.lockless_log import LocklessLog
from lymph.core._monitoring.log_records import LogStreamHandler
unblock_streams()
set_up_logging(Settings(**json.loads(sys.argv[1])), Configuration({}), 'INFO')
LogStreamHandler.follow(lambda facts: os.write(2, b'published\\n'))
log = LocklessLog(logging.getLogger('shop'))
log.write(logging.ERROR, 'a long block')
os.write(2, b'the loop is back\\n')
log.relay()
"""


def log(settings: dict[str, object], config: dict[str, object]) -> tuple[str, str]:
    """The log of a process, on stdout and on stderr."""
    arguments = json.dumps([settings, config])
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def test_lines_carry_the_trace_id_and_go_to_stderr() -> None:
    stdout, stderr = log({}, {})
    assert stdout == ''
    [line] = stderr.splitlines()
    assert line.endswith('INFO     shop.orders [abc123] a thing')


def test_loglevel_of_the_command_line_is_applied() -> None:
    assert 'a small thing' in log({'loglevel': 'DEBUG'}, {})[1]
    assert log({'loglevel': 'ERROR'}, {})[1] == ''


def test_lines_are_written_to_the_logfile(tmp_path: Path) -> None:
    file = tmp_path / 'x.log'
    assert log({'logfile': str(file)}, {}) == ('', '')
    assert 'a thing' in file.read_text()


def test_logging_section_is_merged_over_the_defaults() -> None:
    section = {'formatters': {'_trace': {'fmt': '<%(trace_id)s> %(message)s'}}}
    assert log({}, {'logging': section})[1] == '<abc123> a thing\n'
    section = {'loggers': {'shop': {'level': 'WARNING'}}}
    assert log({}, {'logging': section})[1] == ''


def test_handler_may_write_one_json_object_per_line() -> None:
    section = {'handlers': {'_console': {'formatter': '_json'}}}
    [line] = log({}, {'logging': section})[1].splitlines()
    entry = json.loads(line)
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', entry.pop('time'))
    assert entry == {
        'level': 'INFO',
        'logger': 'shop.orders',
        'message': 'a thing',
        'trace_id': 'abc123',
    }


def test_records_are_logged_from_the_level_of_their_logger() -> None:
    section = {'loggers': {'shop': {'level': 'DEBUG'}}}
    assert 'a small thing' in log({'loglevel': 'ERROR'}, {'logging': section})[1]


@pytest.mark.parametrize(
    ('section', 'complaint'),
    [
        ({'root': {'handlers': ['nobody']}}, 'nobody'),
        ({'root': {'level': 'LOUD'}}, 'LOUD'),
        ({'handlers': {'x': {'class': 'no.such.Handler'}}}, 'no.such.Handler'),
    ],
)
def test_invalid_section_is_a_configuration_error(
    section: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        set_up_logging(Settings(), Configuration({'logging': section}))
    assert str(caught.value).startswith('logging.')


HOSTILE = """
import asyncio, json, logging, sys
from lymph.cli._logging.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration

class Mute:
    def __init__(self, error):
        self.error = error
    def __str__(self):
        raise self.error
    __repr__ = __str__

class MuteError(Exception):
    def __str__(self):
        raise asyncio.CancelledError

settings, config = json.loads(sys.argv[1])
set_up_logging(Settings(**settings), Configuration(config), 'INFO')
log = logging.getLogger('evil\\nname')
log.info('path %s', 'a\\r\\nb\\x1b[2J\\x9b\\u2028\\u202e\\udc80\\t')
log.info('%d and %s', 'x')
log.info('%s', Mute(ValueError()))
log.info('%s', Mute(SystemExit()))
log.info(Mute(KeyError()))
log.info('snow \\u2603')
log.info('%s', 'x' * 1_000_000)
try:
    raise OSError('one\\n2024-02-29 12:00:00,000 INFO     forged \\x1b[2J\\udc80' + '\\n' * 100_000)
except OSError:
    log.exception('failed')
try:
    raise MuteError
except MuteError:
    log.exception('mute')
log.info('stack', stack_info=True)
log.info('nothing', exc_info=True)
"""


def log_hostile(settings: dict[str, object], config: dict[str, object], **environ: str) -> str:
    """The log of a process for records that try to forge lines or cannot be formatted."""
    done = subprocess.run(
        [sys.executable, '-c', HOSTILE, json.dumps([settings, config])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environ},
    )
    assert done.stdout == ''
    return done.stderr


def expect_safe(text: str, start: str) -> None:
    """Check what `HOSTILE` logs, each record beginning with `start`, a regular expression."""
    lines = text.split('\n')
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 11_000
    assert len(lines) < 1_100
    # What is no record's first line is indented.
    records = [line for line in lines[:-1] if not line.startswith('  ')]
    assert len(records) == 11
    assert all(re.match(start, line) for line in records)
    path, wrong, mute, ends, bare, snow, *_ = records
    assert r'a\r\nb\x1b[2J\x9b\u2028\u202e\udc80\t' in path
    assert "'%d and %s' with ('x',) (cannot be formatted: TypeError)" in wrong
    assert 'Mute' in mute
    assert 'SystemExit' in ends
    assert 'Mute' in bare
    assert 'snow' in snow
    assert '  __main__.MuteError: ' in text or '  MuteError: ' in text
    assert 'Logging error' not in text


_START = r'\d{4}-\d\d-\d\d .* (INFO|ERROR) +evil\\nname \[-\] '


def test_no_record_is_lost_or_forges_lines_on_stderr() -> None:
    expect_safe(log_hostile({}, {}), _START)


@pytest.mark.parametrize('encoding', ['utf-8', 'latin-1'])
def test_no_record_is_lost_or_forges_lines_in_a_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / 'x.log'
    assert log_hostile({'logfile': str(file)}, {}, PYTHONIOENCODING=encoding) == ''
    expect_safe(file.read_text('utf-8'), _START)


def test_formatters_and_files_of_the_configuration_are_safe_too(tmp_path: Path) -> None:
    file = tmp_path / 'x.log'
    section = {
        'formatters': {'short': {'format': '{levelname}: {message} <{trace_id}>', 'style': '{'}},
        'handlers': {
            'own': {
                'class': 'logging.FileHandler',
                'filename': str(file),
                'encoding': 'ascii',
                'formatter': 'short',
            },
            'bare': {'class': 'logging.StreamHandler'},
        },
        'root': {'handlers': ['own', 'bare']},
    }
    expect_safe(log_hostile({}, {'logging': section}), '')
    expect_safe(file.read_text('ascii'), 'INFO|ERROR')


def test_format_with_a_field_that_records_lack_loses_no_record() -> None:
    section = {'formatters': {'_trace': {'fmt': '%(no_such_field)s %(message)s'}}}
    assert log({}, {'logging': section})[1] == 'INFO shop.orders a thing (format: ValueError)\n'


def test_unwritable_log_is_one_line() -> None:
    settings = {'logfile': '/dev/full', 'loglevel': 'DEBUG'}
    said = 'cannot write the log to /dev/full: No space left on device; records lost: 1\n'
    assert log(settings, {})[1] == said


def test_record_of_a_blocked_loop_is_written_at_once_and_published_later(tmp_path: Path) -> None:
    def told(**settings: str) -> str:
        command = [sys.executable, '-c', BLOCKED, json.dumps(settings)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr

    line = r'.* ERROR    shop \[-\] a long block\n'
    assert re.fullmatch(f'{line}the loop is back\npublished\n', told())
    path = tmp_path / 'log'
    assert told(logfile=str(path)) == 'the loop is back\npublished\n'
    assert re.fullmatch(line, path.read_text())
