"""Interceptors: code of plugins and interfaces that wraps each unit of work.

A unit of work is a call, one attempt of a call, a request that a service answers, an event that is
emitted or handled, a task, or an HTTP request. docs/interceptors.md is the guide.

::

    class Timing(lymph.Plugin, lymph.Interceptor):
        kinds = {'rpc'}

        def intercept(self, work, proceed):
            started = time.monotonic()
            try:
                return proceed()
            finally:
                print(work.name, time.monotonic() - started)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal

from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core._work.forms import deferred_form
from lymph.core._work.headers import Headers

if TYPE_CHECKING:
    from lymph.core.call_options import CallOptions
    from lymph.core.events import Event

__all__ = ['KINDS', 'Interceptor', 'Kind', 'Work', 'check_kinds']

Kind = Literal['call', 'try', 'rpc', 'emit', 'event', 'task', 'http']

#: all kinds of work
KINDS: Final[frozenset[Kind]] = frozenset({'call', 'try', 'rpc', 'emit', 'event', 'task', 'http'})


class Work:
    """One unit of work, as an interceptor sees it. Tests of interceptors may make their own.

    =============  ===============================================================================
    kind           ``call``, ``try``, ``rpc``, ``emit``, ``event``, ``task`` or ``http``
    name           what is done: the method that is called or run (``stock.take``), the handler or
                   task that gets an event (``stock.on_order``), the type of an emitted event, the
                   method that answers an HTTP request
    interface      the name of the interface that does the work; None on the caller's side
    address        of a call: the service or endpoint that is called
    peer           the other side, as far as it is known: the endpoint that an attempt goes to, the
                   network address of a caller, the source of an event
    trace_id       the trace id of the work
    deadline       when the caller stops waiting, a time of `time.monotonic`; None: never
    attempt        which attempt this is, from 1: of a call (``try``), or to handle an event
    options        of a call: its options
    raises         of a request: the errors that its method declares
    event          the event that is emitted or handled
    queue          the queue that an event or a task came from
    broadcast      whether every instance gets an event of this queue
    request        the HTTP request
    route          of an HTTP request: the rule of `url_map` that matches its URL (``/notes/<id>``)
    =============  ===============================================================================

    Only read these. `arguments`, `headers` and `reply_headers` may be changed.
    """

    interface: str | None = None
    address: str | None = None
    peer: str | None = None
    trace_id: str | None = None
    deadline: float | None = None
    attempt: int = 1
    options: CallOptions | None = None
    raises: tuple[type[BaseException], ...] = ()
    event: Event | None = None
    queue: str | None = None
    broadcast: bool = False
    request: Any = None
    #: whether `Killed` was raised in this work; for lymph itself
    killed = False

    _arguments: dict[str, Any] | None = None
    _headers: MutableMapping[str, Any] | None = None
    _reply_headers: MutableMapping[str, Any] | None = None

    def __init__(
        self,
        kind: Kind,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        if arguments is not None:
            self._arguments = dict(arguments)
        if headers is not None:
            self._headers = Headers(headers)

    @property
    def route(self) -> str | None:
        """Of an HTTP request: the rule that matches its URL, None if there is none."""
        return None

    def status_of(self, outcome: object) -> int | None:
        """Of an HTTP request: the status that answers an outcome, None if it is not known yet.

        `outcome` is what `proceed()` has returned, or the error that it has raised. An error
        handler of the interface may still answer with another status.
        """
        return None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments, or the payload of an event. Change or replace them before `proceed()`.

        Setting them raises TypeError unless they are a mapping. Reading those of a request that
        cannot be unpacked raises Refused.
        """
        if self._arguments is None:
            self._arguments = self._read_arguments()
        return self._arguments

    @arguments.setter
    def arguments(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = self._as_dict(arguments)

    @property
    def headers(self) -> MutableMapping[str, Any]:
        """The headers of the request or event.

        On the side of the caller or emitter they are added to lymph's own: set them before
        `proceed()`. In a service they are those that arrived, and cannot be set.
        """
        if self._headers is None:
            self._headers = self._read_headers()
        return self._headers

    @property
    def reply_headers(self) -> MutableMapping[str, Any]:
        """The headers of the reply.

        In a service they are added to lymph's own: set them before `intercept` returns. On the
        caller's side they are those of the last reply that arrived, and cannot be set.
        """
        if self._reply_headers is None:
            self._reply_headers = self._read_reply_headers()
        return self._reply_headers

    def _as_dict(self, arguments: object) -> dict[str, Any]:
        """Return arguments as a dict; raises TypeError for anything but a mapping."""
        if not isinstance(arguments, Mapping):
            found = f'expected the arguments as a mapping, found {quoted(arguments)}'
            raise TypeError(f'{self.name}: {found}')
        return dict(arguments)

    def _read_arguments(self) -> dict[str, Any]:
        return {}

    def _read_headers(self) -> MutableMapping[str, Any]:
        return Headers()

    def _read_reply_headers(self) -> MutableMapping[str, Any]:
        return Headers()

    def __repr__(self) -> str:
        return f'<Work {self.kind} {self.name}>'


class Interceptor:
    """Mixin for plugins and interfaces that wrap units of work.

    A plugin intercepts all work of its container, an interface the work that it does itself
    (``rpc``, ``event``, ``task``, ``http``). Raises TypeError for a subclass with unknown `kinds`,
    or with an `intercept` that cannot be called as below.
    """

    #: the kinds of work that are intercepted (default: all)
    kinds: Collection[str] = KINDS
    #: whether calls of the built-in interface ``lymph`` are intercepted too
    builtin: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_kinds(cls.kinds, cls.__name__)
        _check_intercept(cls.intercept, cls.__name__)

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Wrap `work`: return what `proceed()` returns, or another result.

        `proceed()` runs the interceptors after this one, then the work itself; it may be called
        once. It returns the result of the work, or raises its error. What this method returns or
        raises is the outcome for the interceptors before it, and for the caller.
        """
        return proceed()


def check_kinds(kinds: object, where: str) -> None:
    """Raise TypeError unless `kinds` is a collection of kinds of work; `where` names its class."""
    if isinstance(kinds, str) or not isinstance(kinds, Collection):
        found = f"expected kinds as a set such as {{'rpc', 'event'}}, found {quoted(kinds)}"
        raise TypeError(f'{where}: {found}')
    for kind in kinds:
        if not isinstance(kind, str) or kind not in KINDS:
            close = close_name(kind, KINDS) if isinstance(kind, str) else None
            advice = f'; did you mean {close!r}?' if close else ''
            known = ', '.join(sorted(KINDS))
            raise TypeError(f'{where}: expected kinds of {known}, found {quoted(kind)}{advice}')


def _check_intercept(intercept: Any, where: str) -> None:
    """Raise TypeError unless `intercept` is a plain method that takes (work, proceed)."""
    function = inspect.unwrap(intercept) if callable(intercept) else intercept
    expected = f'{where}: expected intercept(self, work, proceed) as a plain method'
    form = deferred_form(function)
    if form is not None:
        found = form.partition(';')[0]  # without its advice, which is for other methods
        raise TypeError(f'{expected}, found {found}; write def, and return proceed()')
    try:
        inspect.signature(intercept).bind(None, None, None)
    except (TypeError, ValueError):
        raise TypeError(f'{expected}, found {quoted(intercept)}') from None
