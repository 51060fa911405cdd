"""Log records of a native thread, passed on by the loop.

The locks of handlers are patched by gevent. If a native thread and greenlets contend for such a
lock, its release can be lost on the other side: greenlets that log wait for ever. So nothing that
runs in the thread may reach a handler. What libraries log there is caught by a filter on their
loggers, before any lock, and written by whoever uses the queue of the thread next.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from lymph.core._system.threads import get_ident

__all__ = ['ThreadLogs']

_KEPT: Final = 100  # records that wait to be written; older ones are dropped
_OURS: Final = 'lymph'


class ThreadLogs(logging.Filter):
    """Keeps the records of one thread until `write` is called elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = 0
        self._later: deque[Callable[[], object]] = deque(maxlen=_KEPT)

    def cover(self) -> None:
        """Begin to catch the records of the current thread, also those of new loggers.

        Loggers of lymph are left out: a filter would slow down the access log, and what runs in
        such a thread calls `later`.
        """
        self._thread = get_ident()
        for logger in _loggers():
            logger.addFilter(self)

    def uncover(self) -> None:
        """Take the filters away."""
        for logger in _loggers():
            logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record may pass now."""
        if get_ident() != self._thread:
            return True
        with suppress(Exception):  # arguments that do not fit the message: it is written as it is
            record.msg, record.args = record.getMessage(), None
        self._later.append(partial(_handle, record))
        return False

    def later(self, log: Callable[..., object], text: str, *args: object) -> None:
        """Have ``log(text, *args)`` called outside of the thread."""
        self._later.append(partial(log, text, *args))

    def write(self) -> None:
        """Write what was kept. Not for the thread itself."""
        while self._later:
            # another greenlet may be faster; and a handler that fails disturbs nobody else
            with suppress(Exception):
                self._later.popleft()()


def _handle(record: logging.LogRecord) -> None:
    # looked up here: `getLogger` takes the lock of the module, which is patched, too
    logging.getLogger(record.name).handle(record)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for name, found in [*logging.root.manager.loggerDict.items()]:
        if isinstance(found, logging.Logger) and name.partition('.')[0] != _OURS:
            yield found
