"""What the code of others raises, told apart from our own ending of it, and put into words.

Handlers, hooks, plugins and methods may raise anything, `SystemExit`, `asyncio.CancelledError` and
`GeneratorExit` included, and their errors may have no text that could be made, encoded or printed.
At every edge where such code is called stands::

    try:
        handler(event)
    except Killed:
        raise
    except BaseException as error:
        ...  # an outcome like any other

and whatever is told of `error` comes from the functions here, which let nothing but `Killed` out.
The outcome is recorded first, then the error is logged, then hooks are called.
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

ERROR_LENGTH = 2000  # characters kept of an error's text; headers of AMQP fit into one frame
_TRACEBACK_LENGTH = 100_000  # characters kept of a traceback, from its end
_DESCRIBED = 120  # characters of a component or a callback in a log line

# read from the slots of `type` and `BaseException`: a class may override both names
_name_of_class = type.__dict__['__name__'].__get__
_traceback_of = BaseException.__dict__['__traceback__'].__get__


class Killed(gevent.GreenletExit):
    """Thrown into a greenlet that lymph ends, a worker or one of a pool.

    The one exception that is no outcome of the code it interrupts. Code that raises
    `gevent.GreenletExit` itself has failed like any other.
    """


def another(error: BaseException) -> BaseException:
    """Return a copy of an error, to be raised to somebody else; itself where it has no copies."""
    try:
        copied = copy.copy(error)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - a class of somebody else
        return error
    if type(copied) is not type(error):
        return error
    copied.__cause__ = error.__cause__
    return copied.with_traceback(_traceback_of(error))


def error_name(error: BaseException) -> str:
    """Return the name of an error's class."""
    return printable(_name_of_class(type(error)), ERROR_LENGTH)


def error_text(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return the text of an error for whoever handles it: encodable, of at most `limit` characters.

    Line breaks stay; lone surrogates are escaped. An error whose text cannot be made is described.
    """
    try:
        text = str.__getitem__(str(error), slice(limit))  # a `str`, also from one of a subclass
    except Killed:
        raise
    except BaseException as second:  # noqa: BLE001 - the text is the only thing of it that is used
        text = f'(its text cannot be made: {error_name(second)})'
    return text.encode(errors='backslashreplace').decode()[:limit]


def error_line(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return class and text of an error as one printable line of at most `limit` characters."""
    text = ' '.join(error_text(error, limit).split())
    name = error_name(error)
    return printable(f'{name}: {text}' if text else name, limit)


def described(value: object, limit: int = _DESCRIBED) -> str:
    """Return the `repr` of anything, shortened and printable, or its class if that raises."""
    try:
        return quoted(value, limit)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - there is nothing else to tell of it
        return f'<{printable(_name_of_class(type(value)))} without a repr>'


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error and of its causes as encodable text.

    An error that cannot be printed is told with its frames and one line, or with that line alone.
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
    """Log `error` with its traceback, whatever its class does; never raises but for `Killed`.

    The record holds the finished text of the traceback, which formatters use as it is. `args` are
    texts and numbers; other people's objects go through `described`.
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
    except BaseException as second:  # noqa: BLE001 - a filter, a handler or a formatter of others
        with contextlib.suppress(Exception):  # nobody is left to tell
            line = f'{text % args}: {error_line(error)} (cannot be logged: {error_line(second)})'
            sys.stderr.write(f'{line}\n')
