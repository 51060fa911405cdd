"""Logging in a native thread while the loop is blocked.

The locks of handlers are patched by gevent. If a native thread and greenlets contend for such a
lock, its release can be lost on the other side: greenlets that log wait for ever. So the thread
takes none:

==================================  ============================================================
handler                             how it gets the record
==================================  ============================================================
writes to a file, in append mode    at once: one write to a descriptor of the thread's own
writes to stdout or stderr          at once: one write to its descriptor, or to the stream if
                                    any native thread may use it
any other, and those above if that  later, by a greenlet; also libraries that hook into
fails                               `Logger.callHandlers`
==================================  ============================================================

Filters and formatters of the first two run in the thread.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Final

from lymph.core.monitoring.plain_lines import LineHandler, handlers_of

__all__ = ['LocklessLog']

_KEPT: Final = 100  # records that wait for a greenlet; older ones are dropped
#: no O_CREAT: a file that a log rotation has just moved away is for its handler to make
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: handlers that write the text of each record and a newline to their stream
_PLAIN: Final = ('logging', 'logging.handlers')


class LocklessLog:
    """Logs by `logger`: `write` in one native thread, `relay` in a greenlet of another one."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._later: deque[tuple[logging.LogRecord, list[logging.Handler]]] = deque(maxlen=_KEPT)

    def __bool__(self) -> bool:
        """Return whether there is something to relay."""
        return bool(self._later)

    def write(self, level: int, text: str, *args: object) -> None:
        """Write a record where that needs no lock, and keep it for `relay`."""
        logger = self._logger
        # `isEnabledFor` may take the lock of the module `logging`
        least = max(logger.getEffectiveLevel(), logger.manager.disable + 1)
        if logger.disabled or level < least:
            return
        caller = sys._getframe(1)  # noqa: SLF001 - as `logging` does
        place = caller.f_code.co_filename, caller.f_lineno
        made = logger.makeRecord(
            logger.name, level, *place, text, args, None, caller.f_code.co_name
        )
        record = _passed(logger, made)
        if record is None:
            return
        handlers = [*handlers_of(logger)]
        if not handlers and logging.lastResort is not None:
            handlers = [logging.lastResort]
        concerned = [handler for handler in handlers if level >= handler.level]
        self._later.append((record, [each for each in concerned if not _written(each, record)]))

    def relay(self) -> None:
        """Pass the records on to the handlers that have not written them."""
        while self._later:
            record, handlers = self._later.popleft()
            rest = logging.Logger(record.name)
            rest.propagate = False
            rest.handlers = handlers or [logging.NullHandler()]
            with suppress(Exception):  # a handler that fails must not keep other records
                rest.callHandlers(record)


def _passed(filters: logging.Filterer, record: logging.LogRecord) -> logging.LogRecord | None:
    """Return the record that filters let pass, which may be another one; None for nothing."""
    found: object = filters.filter(record)
    if isinstance(found, logging.LogRecord):  # since Python 3.12
        return found
    return record if found else None


def _written(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Write a record; return whether the handler is done with it."""
    if not isinstance(handler, logging.StreamHandler) or not _is_plain(handler):
        return False
    try:
        if isinstance(handler, logging.FileHandler):
            return _written_to_file(handler, record)
        return _written_to_stream(handler, record)
    except Exception:  # noqa: BLE001 - the handler will meet the error, too, and tells it its way
        return False


def _is_plain(handler: logging.Handler) -> bool:
    if handler.handle.__module__ != 'logging':
        return False
    return isinstance(handler, LineHandler) or handler.emit.__module__ in _PLAIN


def _written_to_file(handler: logging.FileHandler, record: logging.LogRecord) -> bool:
    if 'a' not in handler.mode or handler.stream is None:
        return False
    # the handler may close its own descriptor at any moment, and the number be used again
    descriptor = os.open(handler.baseFilename, _FLAGS)
    try:
        passed = _passed(handler, record)
        if passed is not None:
            _write_all(descriptor, _data(handler, passed))
    finally:
        os.close(descriptor)
    return True


def _written_to_stream(handler: logging.StreamHandler[Any], record: logging.LogRecord) -> bool:
    stream = handler.stream
    for_any_thread = getattr(stream, 'for_any_thread', False) is True
    standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    if not for_any_thread and not any(stream is each for each in standard):
        return False
    if not for_any_thread:
        stream.fileno()  # fails if there is no descriptor
    passed = _passed(handler, record)
    if passed is None:
        return True
    if for_any_thread:
        stream.write(handler.format(passed) + handler.terminator)
    else:
        _write_all(stream.fileno(), _data(handler, passed))
    return True


def _data(handler: logging.StreamHandler[Any], record: logging.LogRecord) -> bytes:
    text = handler.format(record) + handler.terminator
    return text.encode(handler.stream.encoding, handler.stream.errors or 'strict')


def _write_all(descriptor: int, data: bytes) -> None:
    """Write data; raises OSError only if nothing of it was written."""
    left = data[os.write(descriptor, data) :]
    with suppress(OSError):
        while left:
            left = left[os.write(descriptor, left) :]
