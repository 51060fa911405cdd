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

and whatever is told of `error` comes from `error_text` and `error_line`, which do not raise.
"""

from __future__ import annotations

import gevent

from lymph.config.printable import printable

__all__ = ['ERROR_LENGTH', 'Killed', 'error_line', 'error_text']

ERROR_LENGTH = 2000  # characters kept of an error's text; headers of AMQP fit into one frame


class Killed(gevent.GreenletExit):
    """Thrown into a greenlet that lymph ends, a worker or one of a pool.

    The one exception that is no outcome of the code it interrupts. Code that raises
    `gevent.GreenletExit` itself has failed like any other.
    """


def error_text(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return the text of an error for whoever handles it: encodable, of at most `limit` characters.

    Line breaks stay; lone surrogates are escaped. An error whose text cannot be made is described.
    """
    try:
        text = str(error)
    except Killed:
        raise
    except BaseException as second:  # noqa: BLE001 - the text is the only thing of it that is used
        text = f'(its text cannot be made: {type(second).__name__})'
    return text[:limit].encode(errors='backslashreplace').decode()[:limit]


def error_line(error: BaseException, limit: int = ERROR_LENGTH) -> str:
    """Return class and text of an error as one printable line of at most `limit` characters."""
    text = ' '.join(error_text(error, limit).split())
    name = type(error).__name__
    return printable(f'{name}: {text}' if text else name, limit)
