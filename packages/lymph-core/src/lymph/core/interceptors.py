"""Interceptors: code of plugins and interfaces that stands around each unit of work.

A unit of work is a call, one attempt of a call, a request that a service answers, an event that is
emitted or handled, a task, or an HTTP request. See docs/interceptors.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

if TYPE_CHECKING:
    from lymph.core.call_options import CallOptions
    from lymph.core.events import Event

__all__ = ['KINDS', 'Interceptor', 'Kind', 'Work']

Kind = Literal['call', 'try', 'rpc', 'emit', 'event', 'task', 'http']

#: all kinds of work
KINDS: Final[frozenset[Kind]] = frozenset({'call', 'try', 'rpc', 'emit', 'event', 'task', 'http'})


class Work:
    """One unit of work, as an interceptor sees it.

    =============  ===============================================================================
    kind           ``call``, ``try``, ``rpc``, ``emit``, ``event``, ``task`` or ``http``
    name           what is done: the method that is called or run (``stock.take``), the handler or
                   task of an event (``stock.on_order``), the type of an emitted event, the method
                   that answers an HTTP request
    interface      the name of the interface that does the work; None on the side of the caller
    address        of a call: the service or endpoint that is called
    peer           the other side, as far as it is known: the endpoint that an attempt goes to, the
                   network address of a caller, the source of an event
    trace_id       the trace id of the work
    deadline       when the caller stops waiting, a time of `time.monotonic`; None: never
    attempt        which attempt this is, from 1: of a call (``try``), or to handle an event
    options        of a call: its options
    event          the event that is emitted or handled
    request        the HTTP request
    =============  ===============================================================================
    """

    kind: Kind
    name: str
    interface: str | None = None
    address: str | None = None
    peer: str | None = None
    trace_id: str | None = None
    deadline: float | None = None
    attempt: int = 1
    options: CallOptions | None = None
    event: Event | None = None
    request: Any = None
    #: whether `Killed` was raised in this work; for lymph itself
    killed = False

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self._arguments: dict[str, Any] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments, or the payload of an event. Change or replace them before `proceed()`."""
        if self._arguments is None:
            self._arguments = self._read_arguments()
        return self._arguments

    @arguments.setter
    def arguments(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = dict(arguments)

    def _read_arguments(self) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        return f'<Work {self.kind} {self.name}>'


class Interceptor:
    """Mixin for plugins and interfaces that stand around units of work."""

    #: the kinds of work that are intercepted
    kinds: ClassVar[frozenset[Kind]] = KINDS
    #: whether calls of the built-in interface ``lymph`` are intercepted too
    builtin: ClassVar[bool] = False

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Stand around `work`: do something, `return proceed()`, do something with the result."""
        return proceed()
