"""The section `logging`: its valid values, and the places of its errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from lymph.cli._logging.logs import set_up_logging
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError
from lymph.testing.contracts.sections import (
    FLAGS,
    TEXTS,
    check_refused,
    check_taken_or_refused,
)

LEVELS = ('.inf', '-1', '0.5', '1001', 'true', 'LOUD', '""', '[1]', '{a: 1}')
LISTS = ('5', 'x', 'true', '[5]', '{a: 1}', '""')
MAPPINGS = ('5', 'x', '[1]', 'true', '""')

REFUSED = {
    'logging': MAPPINGS,
    'logging.version': ('0', '2', 'true', 'x', '.inf'),
    'logging.handelrs': ('{}',),
    'logging.disable_existing_loggers': FLAGS,
    'logging.incremental': FLAGS,
    'logging.formatters': MAPPINGS,
    'logging.formatters.x': MAPPINGS,
    'logging.formatters.x.format': ('5', 'true', '[1]'),
    'logging.formatters.x.style': (*TEXTS, 'x'),
    'logging.formatters.x.fromat': ('x',),
    'logging.filters': MAPPINGS,
    'logging.handlers': MAPPINGS,
    'logging.handlers.x': (*MAPPINGS, '{}', 'null', '{class: no.such.Handler}', '{class: 5}'),
    'logging.handlers._console.level': LEVELS,
    'logging.handlers._console.formatter': TEXTS,
    'logging.loggers': MAPPINGS,
    'logging.loggers.x': (*MAPPINGS, '{handlers: [nobody]}'),
    'logging.loggers.x.level': LEVELS,
    'logging.loggers.x.handlers': LISTS,
    'logging.loggers.x.propagate': FLAGS,
    'logging.loggers.x.lvel': ('INFO',),
    'logging.root': (*MAPPINGS, '{handlers: [nobody]}'),
    'logging.root.level': LEVELS,
    'logging.root.handlers': LISTS,
    'logging.root.class': ('x',),
}


def set_up(config: Configuration) -> None:
    set_up_logging(Settings(), config)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore pytest's handlers: logging is configured for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize('key', REFUSED)
def test_invalid_value_is_rejected_with_its_place(key: str) -> None:
    check_refused(key, REFUSED[key], set_up)


@pytest.mark.parametrize('key', REFUSED)
def test_any_invalid_value_raises_configuration_error(key: str) -> None:
    check_taken_or_refused(key, set_up)


@pytest.mark.parametrize('file', ['/nope/x', '/', ''])
def test_unwritable_logfile_is_named_in_one_line(file: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        set_up_logging(Settings(logfile=file), Configuration())
    assert str(caught.value).startswith(f'--logfile: cannot write to {file!r}: ')
    assert '\n' not in str(caught.value)
