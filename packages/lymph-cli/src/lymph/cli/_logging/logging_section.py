"""The section `logging` of a configuration, checked before `logging.config.dictConfig` takes it.

`dictConfig` ignores keys that it does not know, and of most mistakes it says little. Source: the
configuration dictionary schema in Python's documentation of `logging.config`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from lymph.config import ConfigurationError, ConfigView
from lymph.core.options import refuse_unknown

__all__ = ['check_logging', 'place_of']

_KEYS = (
    *('disable_existing_loggers', 'filters', 'formatters', 'handlers', 'incremental', 'loggers'),
    *('root', 'version'),
)
_FORMATTER = ('class', 'datefmt', 'defaults', 'format', 'style', 'validate')
_ROOT = ('filters', 'handlers', 'level')
_FACTORY = '()'
_OWN = ('_trace', '_json')  # made by a factory, whose arguments they take
_HIGHEST = 1000  # a level

_UNABLE = re.compile('Unable to configure (formatter|filter|handler|logger) (.+)')


def check_logging(section: ConfigView) -> None:
    """Raise ConfigurationError for what `dictConfig` would ignore or not explain."""
    refuse_unknown(section, _KEYS, plain=True)
    section.get_int('version', 1, minimum=1, maximum=1)
    section.get_bool('disable_existing_loggers', False)
    section.get_bool('incremental', False)
    for formatter in _each(section, 'formatters'):
        # With a factory, the keys are the factory's arguments.
        if _FACTORY not in formatter and formatter.path_of()[-1] not in _OWN:
            refuse_unknown(formatter, _FORMATTER)
            formatter.get_str('format', None)
            formatter.get_str('datefmt', None)
            formatter.get_choice('style', ('%', '{', '$'), None)
            formatter.get_bool('validate', True)
    # Filters may have any keys. `_each` checks that each of them is a mapping.
    for _ in _each(section, 'filters'):
        pass
    for handler in _each(section, 'handlers'):
        # The other keys are arguments of the handler's class.
        _check_level(handler)
        handler.get_line('formatter', None)
        _check_names(handler, 'filters')
    for each in _each(section, 'loggers'):
        refuse_unknown(each, (*_ROOT, 'propagate'), plain=True)
        each.get_bool('propagate', True)
        _check_logger(each)
    root = section.view('root')
    refuse_unknown(root, _ROOT, plain=True)
    _check_logger(root)


def place_of(error: BaseException, section: ConfigView) -> tuple[str, ...]:
    """Return the path in the section that an error of `dictConfig` is about."""
    if str(error) == 'Unable to configure root logger':
        return ('root',)
    told = _UNABLE.match(str(error))
    kind, shown = (f'{told[1]}s', told[2]) if told else ('', '')
    if kind in section:
        for name in section.view(kind):
            if repr(name) == shown:
                return kind, name
    return ()


def _each(section: ConfigView, kind: str) -> Iterator[ConfigView]:
    view = section.view(kind)
    for name in view:
        yield view.view([name])


def _check_logger(view: ConfigView) -> None:
    _check_level(view)
    _check_names(view, 'filters')
    _check_names(view, 'handlers')


def _check_level(view: ConfigView) -> None:
    value = view.get_raw('level')
    if isinstance(value, str) and isinstance(logging.getLevelName(value), int):
        return
    try:
        if not isinstance(value, str):
            view.get_int('level', None, minimum=0, maximum=_HIGHEST)
            return
    except ConfigurationError:
        pass
    text = f'expected DEBUG, INFO, WARNING, ERROR, CRITICAL or a number from 0 to {_HIGHEST}'
    raise view.error('level', f'{text}, found {view.describe("level")}')


def _check_names(view: ConfigView, key: str) -> None:
    if not all(isinstance(name, str) for name in view.get_list(key, [])):
        raise view.error(key, f'expected a list of names, found {view.describe(key)}')
