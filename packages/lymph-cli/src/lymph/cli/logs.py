"""Logging as the configuration and the command line want it.

Source: the manual, Logging Configuration.

The section `logging` is in the form of `logging.config.dictConfig` and is merged over this:

=============== ==========================================================================
formatter       `_trace`: `TraceFormatter`, which writes the trace id
handler         `_console`, which writes to stderr or to --logfile whatever it is given
root logger     at --loglevel, to `_console`
=============== ==========================================================================

The handler has no level of its own: a logger that is set to another one than the root, here or by
`lymph.change_loglevel` while the process runs, is heard from that level on.

Formatters of the section that name no class of their own are `TraceFormatter` too, and so is that
of a handler without one. Files escape characters that their encoding lacks.
"""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

from lymph.cli.hub_errors import log_hub_errors
from lymph.cli.log_lines import TraceFormatter
from lymph.cli.settings import Settings
from lymph.config import Configuration

__all__ = ['set_up_logging']

_FORMAT = '%(asctime)s %(levelname)-8s %(name)s [%(trace_id)s] %(message)s'


def set_up_logging(settings: Settings, config: Configuration, loglevel: str = 'INFO') -> None:
    """Configure the logging of this process; `loglevel` holds unless --loglevel was given.

    Raises ConfigurationError for a `logging` section or a --logfile that cannot be used.
    """
    merged = Configuration(_defaults(settings.loglevel or loglevel, settings.logfile))
    merged.update(config.view('logging'))
    values = merged.get_raw(())
    _use_own_formatter(values.get('formatters'))
    try:
        logging.config.dictConfig(values)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        # dictConfig says which part it could not configure, and keeps why as the cause.
        reasons = ': '.join(str(each) for each in (error, error.__cause__) if each)
        raise config.error('logging', f'{reasons}; see logging.config.dictConfig') from error
    for handler in _handlers():
        _make_safe(handler)
    log_hub_errors()


def _use_own_formatter(formatters: object) -> None:
    for formatter in formatters.values() if isinstance(formatters, dict) else ():
        if isinstance(formatter, dict) and '()' not in formatter:
            formatter.setdefault('class', f'{TraceFormatter.__module__}.{TraceFormatter.__name__}')


def _handlers() -> Iterator[logging.Handler]:
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


def _make_safe(handler: logging.Handler) -> None:
    if handler.formatter is None:
        handler.setFormatter(TraceFormatter('%(message)s'))
    if isinstance(handler, logging.FileHandler) and handler.errors in (None, 'strict'):
        handler.errors = 'backslashreplace'  # when the file is opened again
        if isinstance(handler.stream, io.TextIOWrapper):
            handler.stream.reconfigure(errors=handler.errors)


def _defaults(level: str, logfile: str | None) -> dict[str, Any]:
    if logfile is None:
        console = {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stderr'}
    else:
        # Opens the file again when a log rotation has moved it away.
        console = {
            'class': 'logging.handlers.WatchedFileHandler',
            'filename': logfile,
            'encoding': 'utf-8',
        }
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {'_trace': {'()': TraceFormatter, 'fmt': _FORMAT}},
        'handlers': {'_console': {**console, 'formatter': '_trace'}},
        'root': {'handlers': ['_console'], 'level': level},
    }
