"""Catching and describing whatever other people's code raises, but for our own `Killed`.

Handlers, hooks, plugins and methods may raise anything, including `SystemExit`,
`asyncio.CancelledError` and `GeneratorExit`. The text of their errors may be impossible to make,
encode or print. Wherever lymph calls such code, it uses this pattern::

    try:
        handler(event)
    except Killed:
        raise
    except BaseException as error:
        ...  # an outcome like any other

and describes `error` only with the functions of this module, which raise nothing but `Killed`. It
records the outcome first, then logs the error, then calls hooks.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import traceback

import gevent

from lymph.config.printable import printable, quoted

__all__ = [
    'ERROR_LENGTH',
    'Killed',
    'another',
    'described',
    'error_line',
    'error_name',
    'error_text',
    'log_failure',
    'traceback_text',
]

ERROR_LENGTH = 2000  # characters kept of an error's text, so that AMQP headers fit into a frame
_TRACEBACK_LENGTH = 100_000  # characters kept of a traceback, from its end
_DESCRIBED = 120  # characters of a component or a callback in a log line

# taken from `type` and `BaseException` themselves, since a class may override these names
_name_of_class = type.__dict__['__name__'].__get__
_traceback_of = BaseException.__dict__['__traceback__'].__get__
_cause_of = BaseException.__dict__['__cause__'].__get__
_set_cause = BaseException.__dict__['__cause__'].__set__


class Killed(gevent.GreenletExit):
    """Thrown by lymph into a greenlet that it ends: one of `Workers` or of a `Pool`.

    It is the only exception that does not count as an outcome of the code it interrupts. Code that
    raises `gevent.GreenletExit` itself has failed like any other.
    """


def another(error: BaseException) -> BaseException:
    """Return a copy of an error, to raise it in a second place; the error itself if copying fails.

    Cause and traceback are kept.
    """
    try:
        copied = copy.copy(error)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - a class of somebody else
        return error
    if type(copied) is not type(error):
        return error
    _set_cause(copied, _cause_of(error))
    return BaseException.with_traceback(copied, _traceback_of(error))


def error_name(error: BaseException) -> str:
    """Return the name of an error's class."""
    return printable(_name_of_class(type(error)), ERROR_LENGTH)


def error_text(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return the text of an error, encodable as UTF-8 and of at most `limit` characters.

    Line breaks are kept, lone surrogates are escaped. If `str(error)` raises, the text says so.
    """
    try:
        text = str.__getitem__(str(error), slice(limit))  # a `str`, also from one of a subclass
    except Killed:
        raise
    except BaseException as second:  # noqa: BLE001 - `str` runs code of the error's class
        text = f'(its text cannot be made: {error_name(second)})'
    return text.encode(errors='backslashreplace').decode()[:limit]


def error_line(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return class and text of an error as one printable line of at most `limit` characters."""
    text = ' '.join(error_text(error, limit).split())
    name = error_name(error)
    return printable(f'{name}: {text}' if text else name, limit)


def described(value: object, limit: int = _DESCRIBED) -> str:
    """Return the `repr` of anything, cut and made printable; its class if `repr` raises."""
    try:
        return quoted(value, limit)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - `repr` runs code of the value's class
        return f'<{printable(_name_of_class(type(value)))} without a repr>'


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error and its causes as text that can be encoded as UTF-8.

    If it cannot be formatted, return its frames and one line about the error; if that fails too,
    only the line.
    """

    def whole() -> str:
        return ''.join(traceback.format_exception(type(error), error, _traceback_of(error)))

    def frames() -> str:
        lines = traceback.format_tb(_traceback_of(error))
        return f'Traceback (most recent call last):\n{"".join(lines)}{error_line(error)}'

    for form in (whole, frames):
        try:
            text = form()[-_TRACEBACK_LENGTH:]
            return text.encode(errors='backslashreplace').decode().rstrip('\n')
        except Killed:
            raise
        except BaseException:  # noqa: BLE001 - the next form asks less of the error
            continue
    return error_line(error)


def log_failure(
    logger: logging.Logger,
    error: BaseException,
    text: str,
    *args: object,
    level: int = logging.ERROR,
    stacklevel: int = 1,
) -> None:
    """Log `error` with its traceback; raises nothing but `Killed`, whatever the error's class does.

    `text % args` is the message. `args` must be strings and numbers; pass other people's objects
    through `described`. The traceback is formatted here, and formatters use that text unchanged.
    `stacklevel` is 1 for the caller of this function, 2 for its caller, and so on.
    """
    if not logger.isEnabledFor(level):
        return
    frame = sys._getframe(stacklevel)  # noqa: SLF001 - as logging does
    code = frame.f_code
    try:
        raised = (type(error), error, _traceback_of(error))
        record = logger.makeRecord(
            logger.name, level, code.co_filename, frame.f_lineno, text, args, raised, code.co_name
        )
        record.exc_text = traceback_text(error)
        logger.handle(record)
    except Killed:
        raise
    except BaseException as second:  # noqa: BLE001 - other people's filters and handlers ran
        with contextlib.suppress(Exception):  # there is no other place to report it
            line = f'{text % args}: {error_line(error)} (cannot be logged: {error_line(second)})'
            sys.stderr.write(f'{line}\n')
