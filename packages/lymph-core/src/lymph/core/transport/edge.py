"""The edge between a transport and the code that it calls: all exceptions of that code end here.

A callback of the loop must not raise: gevent would stop its watcher, and the descriptor would never
be polled again. This includes `SystemExit`, `KeyboardInterrupt`, `gevent.Timeout` and
`GreenletExit`: none of them can be meant to end the hub, so they are errors like any other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lymph.config.printable import printable
from lymph.core.failures import error_line, error_name
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.transport.base import Link

__all__ = ['DEAF', 'Edge']


class Edge:
    """Calls link handlers and logs what they raise, with a limit of lines per second."""

    def __init__(self, logger: logging.Logger) -> None:
        self._log = LimitedLog(logger)

    def tell(self, method: Callable[..., None], link: Link, *facts: Any) -> None:
        """Call a method of a link handler. Never raises."""
        try:
            method(link, *facts)
        except BaseException as error:  # noqa: BLE001 - see above
            self.handler_failed(link.peer, error)

    def handler_failed(self, peer: str, error: BaseException) -> None:
        """Log what a link handler raised, with its traceback. Never raises."""
        name = error_name(error)
        self.log(
            logging.ERROR,
            f'{name} in handlers',
            '%s: the handler of a link failed',
            peer,
            error=error,
        )

    def loop_failed(self, what: str, error: BaseException) -> None:
        """Log an error of libzmq, the kernel or the transport itself. Never raises."""
        self.log(logging.ERROR, what, '%s failed: %s', what, error_line(error), error=error)

    def turn(self, level: int, text: str, name: str, *args: str) -> None:
        """Log that `name`, such as a listener, is blocked or has recovered. Never raises."""
        self.log(level, f'{name} ({text})', text, name, *args)

    def log(
        self, level: int, cause: str, text: str, *args: object, error: BaseException | None = None
    ) -> None:
        """Write a line unless `cause` has made too many lately. Never raises."""
        safe = [printable(arg) if isinstance(arg, str) else arg for arg in args]
        with suppress(BaseException):
            self._log.write(level, cause, text, *safe, exc_info=error)

    def close(self) -> None:
        """Write how many lines were left out."""
        with suppress(BaseException):
            self._log.close()


class _Deaf:
    """A link handler that ignores all events."""

    def link_up(self, link: Link) -> None:
        """Do nothing."""

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Do nothing."""

    def link_down(self, link: Link, reason: str) -> None:
        """Do nothing."""


#: replaces the handler of a link that is down, so that the two do not refer to each other
DEAF = _Deaf()
