from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lymph.cli.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError

#: Logging is of the whole process, so each of these has one of its own.
SCRIPT = """
import json, logging, sys
from lymph.cli.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration
from lymph.core import trace
settings, config = json.loads(sys.argv[1])
set_up_logging(Settings(**settings), Configuration(config), 'INFO')
trace.set_id('abc123')
logging.getLogger('shop.orders').debug('a small thing')
logging.getLogger('shop.orders').info('a thing')
"""


def log(settings: dict[str, object], config: dict[str, object]) -> tuple[str, str]:
    """What a process logs, on stdout and on stderr."""
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


def test_the_loglevel_of_the_command_line_holds() -> None:
    assert 'a small thing' in log({'loglevel': 'DEBUG'}, {})[1]
    assert log({'loglevel': 'ERROR'}, {})[1] == ''


def test_a_logfile_takes_the_lines(tmp_path: Path) -> None:
    file = tmp_path / 'x.log'
    assert log({'logfile': str(file)}, {}) == ('', '')
    assert 'a thing' in file.read_text()


def test_the_section_logging_is_merged_over_what_is_there() -> None:
    section = {'formatters': {'_trace': {'fmt': '<%(trace_id)s> %(message)s'}}}
    assert log({}, {'logging': section})[1] == '<abc123> a thing\n'
    section = {'loggers': {'shop': {'level': 'WARNING'}}}
    assert log({}, {'logging': section})[1] == ''


def test_a_logger_is_heard_from_its_own_level_on() -> None:
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
def test_a_section_that_cannot_be_used_is_a_configuration_error(
    section: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        set_up_logging(Settings(), Configuration({'logging': section}))
    assert str(caught.value).startswith('logging: ')
