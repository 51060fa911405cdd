"""Gives up the call of a client that hangs up, if its method is one that can be cancelled.

TCP only tells that a client sends nothing more. It may have gone, or it may have closed its sending
side and still wait for the answer. So a call whose method cannot be cancelled goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import gevent
from greenlet import getcurrent

from lymph.web._gateway.catalogue import Catalogue
from lymph.web._gateway.problems import CallProblem
from lymph.web._http.environs import LINK_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['HangUps']

_STATUS: Final = 499  # as nginx logs it; nobody gets this answer


class HangUps:
    """Watches the connections of calls; `spawn` starts a greenlet."""

    def __init__(self, catalogue: Catalogue, spawn: Callable[[Callable[[], Any]], Any]) -> None:
        self._catalogue = catalogue
        self._spawn = spawn

    @contextmanager
    def watched(self, environ: WSGIEnvironment, name: str) -> Iterator[None]:
        """End what is in the block when the client of a call of `name` hangs up.

        Raises CallProblem then. Under servers other than lymph's own, hang-ups are not noticed.
        """
        link = environ.get(LINK_KEY)
        if link is None:
            yield
            return
        call = _WatchedCall()

        def look() -> None:
            method = self._catalogue.find(name)
            if method is not None and method.cancel:
                call.end()

        if not link.watch_end(lambda: self._spawn(look)):
            self._spawn(look)
        try:
            yield
        except gevent.Timeout as error:
            if error is not call.hung_up:
                raise
            text = 'The client has hung up, and the call was cancelled.'
            raise CallProblem(_STATUS, 'hung_up', text, may_have_run=True) from None
        finally:
            call.greenlet = None
            link.watch_end(None)


class _WatchedCall:
    """The greenlet that waits for the result of a call; None when it does not wait any more."""

    def __init__(self) -> None:
        self.greenlet: Any = getcurrent()
        #: raised in the greenlet; as a timeout, it passes through the code of others
        self.hung_up = gevent.Timeout()

    def end(self) -> None:
        """Raise `hung_up` in the greenlet, if it still waits."""
        gevent.get_hub().loop.run_callback(self._throw)

    def _throw(self) -> None:
        if self.greenlet is not None:
            self.greenlet.throw(self.hung_up)
