"""Log records as plain facts, for those who follow the log of this process from elsewhere.

=============  =======  ====================================================================
fact           type     content
=============  =======  ====================================================================
``time``       number   when it was logged, a Unix time in seconds
``level``      text     ``INFO``, or whatever the level is called
``levelno``    integer  its number: 20 for INFO
``logger``     text     the name of the logger
``message``    text     at most 10,000 characters
``trace_id``   text     of the context that it was logged in, or null
``exception``  text     the traceback, at most its last 50,000 characters; only if there is one
=============  =======  ====================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core import trace
from lymph.core.failures import Killed, described, error_name, traceback_text

__all__ = ['LogStreamHandler', 'message_of', 'record_facts']

_LONGEST: Final = 10_000  # characters
_TRACEBACK: Final = 50_000

Follower = Callable[[dict[str, Any]], object]

# those who follow the log of this process; replaced, never changed, since any thread may log
_followers: tuple[Follower, ...] = ()


class LogStreamHandler(logging.Handler):
    """Hands the facts of each record to all who follow the log of this process.

    Without anybody it does nothing. It never waits, and raises nothing but `Killed`.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over a record."""
        if not _followers:
            return
        facts = record_facts(record)
        for follower in _followers:
            try:
                follower(facts)
            except Killed:
                raise
            except BaseException:  # noqa: BLE001 - there is nowhere to report it: this is the log
                self.handleError(record)

    @staticmethod
    def follow(follower: Follower) -> Callable[[], None]:
        """Call `follower(facts)` for each record, in the thread that logs; return what ends that.

        It must not wait, nor log.
        """
        global _followers
        _followers = (*_followers, follower)

        def end() -> None:
            global _followers
            _followers = tuple(each for each in _followers if each is not follower)

        return end


def record_facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return what others are told of a record; see the table above."""
    facts: dict[str, Any] = {
        'time': record.created,
        'level': printable(str(record.levelname), _LONGEST),
        'levelno': record.levelno,
        'logger': printable(str(record.name), _LONGEST),
        'message': _encodable(message_of(record)[:_LONGEST]),
        'trace_id': trace.get_id(),
    }
    exception = record.exc_text
    if exception is None and record.exc_info and record.exc_info[1] is not None:
        exception = traceback_text(record.exc_info[1])
    if exception or record.stack_info:
        facts['exception'] = _encodable((exception or record.stack_info or '')[-_TRACEBACK:])
    return facts


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record; one that cannot be formatted is told as far as possible."""
    try:
        return record.getMessage()
    except Killed:
        raise
    except BaseException as error:  # noqa: BLE001 - of whatever the arguments are
        reason = f'cannot be formatted: {error_name(error)}'
        return f'{described(record.msg)} with {described(record.args)} ({reason})'


def _encodable(text: str) -> str:
    """Return text with escapes for lone surrogates, which file names may hold."""
    return text.encode(errors='backslashreplace').decode()
