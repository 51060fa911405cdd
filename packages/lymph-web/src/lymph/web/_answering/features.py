"""What an application does with each request, beyond routing, when it is configured to.

A *feature* is a set of functions for the places below. Features are chosen when the interface is
configured. A place without functions is an empty tuple, which costs a request one truth test.

=============  ============================================================  =======================
place          called                                                        example
=============  ============================================================  =======================
`arriving`     with the environ, before anything is read from it; must not   addresses from a proxy
               raise
`preceding`    with the request, before the interceptors and the choice of   preflight of CORS
               a method; the first answer that one returns is sent
`surrounding`  with the environ and `proceed`, around interceptors, routes,  deadline
               and the method; the first one is outermost
`wrapping`     with the WSGI application that is about to answer and the     compression
               environ, also for errors; returns an application; the last
               one is outermost
`finishing`    with the environ, the status line, and the list of header     CORS, Server-Timing
               fields of the answer, which it may change in place
=============  ============================================================  =======================

The health endpoint is neither preceded nor surrounded: a load balancer asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['Features']


@dataclass(frozen=True)
class Features:
    """The functions for each place, in the order in which they are called; see above."""

    arriving: tuple[Callable[[WSGIEnvironment], None], ...] = ()
    preceding: tuple[Callable[[Request], WSGIApplication | None], ...] = ()
    surrounding: tuple[
        Callable[[WSGIEnvironment, Callable[[], WSGIApplication]], WSGIApplication], ...
    ] = ()
    wrapping: tuple[Callable[[WSGIApplication, WSGIEnvironment], WSGIApplication], ...] = ()
    finishing: tuple[Callable[[WSGIEnvironment, str, list[tuple[str, str]]], None], ...] = ()

    @classmethod
    def merged(cls, several: Iterable[Features]) -> Features:
        """Return the features of several options as one, in the same order."""
        every = list(several)
        places = [field.name for field in fields(cls)]
        return cls(**{place: sum((getattr(each, place) for each in every), ()) for place in places})
