"""Logging as the configuration and the command line want it.

Source: the manual, Logging Configuration.

The section `logging` is in the form of `logging.config.dictConfig` and is merged over this:

=============== ==========================================================================
formatters      `_trace`: `TraceFormatter`, which writes the trace id; `_json`:
                `JsonFormatter`, which writes a JSON object a line
handlers        `_console`, which writes to stderr or to --logfile whatever it is given;
                `_zmqpub`, which sends records to subscribers, at
                `container.log_endpoint`
root logger     at --loglevel, to both handlers
=============== ==========================================================================

`_console` has no level of its own: a logger that is set to another one than the root, here or by
`lymph.change_loglevel` while the process runs, is heard from that level on.

Formatters of the section that name no class of their own are `TraceFormatter` too, and so is that
of a handler without one. Files escape characters that their encoding lacks.
"""

from __future__ import annotations

import io
import logging
import logging.config
import sys
import time
from collections.abc import Iterator
from typing import Any

from lymph.cli._logging.line_handlers import ConsoleHandler, LogfileHandler, count_of
from lymph.cli._logging.log_lines import JsonFormatter, TraceFormatter
from lymph.cli._logging.logging_section import check_logging, place_of
from lymph.cli._program.hub_errors import log_hub_errors
from lymph.cli.output import say
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError, ConfigView
from lymph.config.printable import printable, quoted
from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.core.failures import error_line, error_text
from lymph.core.monitoring.log_limits import Reminder

__all__ = ['set_up_logging']

_CONSOLE = '_console'
_PUBLISHER = '_zmqpub'
_LONGEST = 300  # characters of a path in an error
_FORMAT = '%(asctime)s %(levelname)-8s %(name)s [%(trace_id)s] %(message)s'


def set_up_logging(settings: Settings, config: Configuration, loglevel: str = 'INFO') -> None:
    """Configure the logging of this process; `loglevel` holds unless --loglevel was given.

    Raises ConfigurationError for a `logging` section or a --logfile that cannot be used.
    """
    section = config.view('logging')
    check_logging(section)
    merged = Configuration(_defaults(settings.loglevel or loglevel, settings.logfile))
    merged.update(section)
    values = merged.get_raw(())
    _use_own_formatter(values.get('formatters'))
    try:
        logging.config.dictConfig(values)
    except Exception as error:  # handlers and formatters are other people's code
        raise _refusal(error, section, settings.logfile) from error
    for handler in _handlers():
        _make_safe(handler)
    log_hub_errors()


def _refusal(error: Exception, section: ConfigView, logfile: str | None) -> ConfigurationError:
    """Return what to say: dictConfig names the part, and keeps why as the cause."""
    causes = [error, *_causes(error)]
    place = place_of(error, section)
    broken = next((each for each in causes if isinstance(each, OSError)), None)
    if broken is not None and logfile is not None and repr(_CONSOLE) in str(error):
        reason = broken.strerror or error_line(broken)
        text = f'cannot write to {quoted(logfile, _LONGEST)}: {reason}; name a file in a folder '
        return ConfigurationError(f'{text}that this user can write to', '--logfile')
    reasons = printable(': '.join(dict.fromkeys(map(error_text, causes))), _LONGEST)
    return section.error(place, f'{reasons}; see logging.config.dictConfig')


def _causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def _use_own_formatter(formatters: object) -> None:
    for formatter in formatters.values() if isinstance(formatters, dict) else ():
        if isinstance(formatter, dict) and '()' not in formatter:
            formatter.setdefault('class', _path(TraceFormatter))


def _handlers() -> Iterator[logging.Handler]:
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


def _make_safe(handler: logging.Handler) -> None:
    # logging asks the instance, so that handlers of others are covered, too
    handler.handleError = _Failing(handler).tell  # type: ignore[method-assign]
    if handler.formatter is None:
        handler.setFormatter(TraceFormatter('%(message)s'))
    if isinstance(handler, logging.FileHandler) and handler.errors in (None, 'strict'):
        handler.errors = 'backslashreplace'  # when the file is opened again
        if isinstance(handler.stream, io.TextIOWrapper):
            handler.stream.reconfigure(errors=handler.errors)


class _Failing:
    """Tells in one line, once a minute, that a handler cannot write; logging shows a traceback."""

    def __init__(self, handler: logging.Handler) -> None:
        self._name = getattr(handler, 'baseFilename', None) or handler.name or repr(handler)
        self._others = handler.handleError
        self._reminder = Reminder()
        self._lost = 0

    def tell(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._others(record)  # the code that logs is wrong, not the file
            return
        self._lost += count_of(record)
        if self._reminder.due(time.monotonic()):
            reason = error.strerror or error_line(error)
            say(f'cannot write the log to {self._name}: {reason}; records lost: {self._lost}')


def _path(cls: type) -> str:
    return f'{cls.__module__}.{cls.__name__}'


def _defaults(level: str, logfile: str | None) -> dict[str, Any]:
    if logfile is None:
        console = {'class': _path(ConsoleHandler), 'stream': 'ext://sys.stderr'}
    else:
        console = {
            'class': _path(LogfileHandler),
            'filename': logfile,
            'encoding': 'utf-8',
        }
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {
            '_trace': {'()': TraceFormatter, 'fmt': _FORMAT},
            '_json': {'()': JsonFormatter},
        },
        'handlers': {
            _CONSOLE: {**console, 'formatter': '_trace'},
            _PUBLISHER: {'()': LogStreamHandler},
        },
        'root': {'handlers': [_CONSOLE, _PUBLISHER], 'level': level},
    }
