"""Logging as the configuration and the command line want it.

Source: the manual, Logging Configuration.

The section `logging` is in the form of `logging.config.dictConfig` and is merged over this:

=============== ==========================================================================
formatter       `_trace`, which writes the trace id
handler         `_console`, which writes to stderr or to --logfile whatever it is given
root logger     at --loglevel, to `_console`
=============== ==========================================================================

The handler has no level of its own: a logger that is set to another one than the root, here or by
`lymph.change_loglevel` while the process runs, is heard from that level on.
"""

from __future__ import annotations

import logging
import logging.config
from typing import Any

from lymph.cli.settings import Settings
from lymph.config import Configuration
from lymph.core import trace

__all__ = ['TraceFormatter', 'set_up_logging']

_FORMAT = '%(asctime)s %(levelname)-8s %(name)s [%(trace_id)s] %(message)s'


class TraceFormatter(logging.Formatter):
    """Gives records the trace id of the context they were logged in, `-` outside of any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text; the format may use `%(trace_id)s`."""
        record.trace_id = trace.get_id() or '-'
        return super().format(record)


def set_up_logging(settings: Settings, config: Configuration, loglevel: str = 'INFO') -> None:
    """Configure the logging of this process; `loglevel` holds unless --loglevel was given.

    Raises ConfigurationError for a `logging` section or a --logfile that cannot be used.
    """
    merged = Configuration(_defaults(settings.loglevel or loglevel, settings.logfile))
    merged.update(config.view('logging'))
    try:
        logging.config.dictConfig(merged.get_raw(()))
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        # dictConfig says which part it could not configure, and keeps why as the cause.
        reasons = ': '.join(str(each) for each in (error, error.__cause__) if each)
        raise config.error('logging', f'{reasons}; see logging.config.dictConfig') from error


def _defaults(level: str, logfile: str | None) -> dict[str, Any]:
    if logfile is None:
        console = {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stderr'}
    else:
        # Opens the file again when a log rotation has moved it away.
        console = {'class': 'logging.handlers.WatchedFileHandler', 'filename': logfile}
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {'_trace': {'()': TraceFormatter, 'fmt': _FORMAT}},
        'handlers': {'_console': {**console, 'formatter': '_trace'}},
        'root': {'handlers': ['_console'], 'level': level},
    }
