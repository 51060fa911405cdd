"""Log records as plain facts, for readers of the log in other processes.

=============  =======  ====================================================================
fact           type     content
=============  =======  ====================================================================
``time``       number   when it was logged, a Unix time in seconds
``level``      text     the name of the level, such as ``INFO``
``levelno``    integer  the number of the level: 20 for INFO
``logger``     text     the name of the logger
``message``    text     at most 10,000 characters
``trace_id``   text     the trace id of the context that logged it, or null
``exception``  text     the traceback, at most its last 50,000 characters; missing without one
=============  =======  ====================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core import trace
from lymph.core.failures import Killed, described, error_name, traceback_text
from lymph.core.monitoring.plain_lines import LineHandler, TakeLine, ignore_line

__all__ = ['LogStreamHandler', 'line_facts', 'message_of', 'record_facts']

_LONGEST: Final = 10_000  # characters
_TRACEBACK: Final = 50_000

Follower = Callable[[dict[str, Any]], object]

# a tuple, replaced and never changed, since any thread may log at the same time
_followers: tuple[Follower, ...] = ()


class LogStreamHandler(LineHandler):
    """Passes the facts of each record to all followers of this process's log.

    Without followers it does nothing. It never waits, and raises nothing but `Killed`.
    """

    def line_taker(self) -> TakeLine | None:
        """Return what takes lines, which is nothing, while there is nobody to pass records to."""
        return None if _followers else ignore_line

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the facts of a record to all followers."""
        if not _followers:
            return
        facts = record_facts(record)
        for follower in _followers:
            try:
                follower(facts)
            except Killed:
                raise
            except BaseException:  # noqa: BLE001 - this is the log: nothing else can report it
                self.handleError(record)

    @staticmethod
    def follow(follower: Follower) -> Callable[[], None]:
        """Call `follower(facts)` for each record, in the thread that logs; return a function.

        The returned function ends this. `follower` must not wait and must not log.
        """
        global _followers
        _followers = (*_followers, follower)

        def end() -> None:
            global _followers
            _followers = tuple(each for each in _followers if each is not follower)

        return end


def record_facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return the facts of a record; see the table above."""
    level, name, message = str(record.levelname), str(record.name), message_of(record)
    facts = line_facts(record.created, level, record.levelno, name, trace.get_id(), message)
    exception = record.exc_text
    if exception is None and record.exc_info and record.exc_info[1] is not None:
        exception = traceback_text(record.exc_info[1])
    if exception or record.stack_info:
        facts['exception'] = _encodable((exception or record.stack_info or '')[-_TRACEBACK:])
    return facts


def line_facts(
    created: float, level: str, levelno: int, logger: str, trace_id: str | None, message: str
) -> dict[str, Any]:
    """Return the facts of a record without an exception."""
    return {
        'time': created,
        'level': printable(level, _LONGEST),
        'levelno': levelno,
        'logger': printable(logger, _LONGEST),
        'message': _encodable(message[:_LONGEST]),
        'trace_id': trace_id,
    }


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record; if it cannot be formatted, its text and arguments."""
    try:
        return record.getMessage()
    except Killed:
        raise
    except BaseException as error:  # noqa: BLE001 - formatting runs code of the arguments
        reason = f'cannot be formatted: {error_name(error)}'
        return f'{described(record.msg)} with {described(record.args)} ({reason})'


def _encodable(text: str) -> str:
    """Return text with lone surrogates escaped, which file names may contain."""
    return text.encode(errors='backslashreplace').decode()
