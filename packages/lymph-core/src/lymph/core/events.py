"""Events as handlers see them. Source: the manual, section 5.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from lymph.core import trace

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Body = TypeVar('Body', default=dict[str, Any])
else:
    from typing import TypeVar

    Body = TypeVar('Body')

__all__ = ['Event']


class Event(Generic[Body]):
    """Something that happened: a type, a payload, and where it came from.

    `body` is the payload: a dict, or in a handler whose parameter is annotated ``Event[Order]`` an
    `Order` made of it. `source` is the interface or process that emitted it. `headers` are sent
    with the event; ``trace_id`` is one of them. `id` is unique to each emitted event and stays the
    same when it is delivered again. `attempt` counts the deliveries of the event to a handler, from
    1, including those that were lost with their consumer. `due` is the Unix time from which it may
    be handled, by the clock of the emitter: when it was emitted, plus its delay; None for events
    that do not tell, such as those of earlier versions.
    """

    __slots__ = ('attempt', 'body', 'due', 'headers', 'id', 'source', 'type')

    def __init__(
        self,
        type: str,
        body: Mapping[str, Any] | None = None,
        source: str | None = None,
        headers: Mapping[str, Any] | None = None,
        id: str | None = None,
        attempt: int = 1,
        due: float | None = None,
    ) -> None:
        self.type = type
        self.body: Body = dict(body or {})  # type: ignore[assignment]  # unless `with_body`
        self.source = source
        self.headers: dict[str, Any] = dict(headers or {})
        self.id = trace.new_id() if id is None else id
        self.attempt = attempt
        self.due = due

    @property
    def evt_type(self) -> str:
        """Another name for `type`."""
        return self.type

    def __getitem__(self, name: str) -> Any:
        """Return a parameter from the body; raises KeyError if it is missing."""
        return self.body[name]  # type: ignore[index]  # of a dict, or of another that has items

    def __contains__(self, name: object) -> bool:
        return name in self.body  # type: ignore[operator]  # as above

    def __iter__(self) -> NoReturn:
        """Raise TypeError; otherwise Python would call `__getitem__` with 0, 1, 2 and so on."""
        raise TypeError('an event is not iterable; iterate event.body, the dict of its parameters')

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter from the body, or `default` if it is missing."""
        return self.body.get(name, default)  # type: ignore[attr-defined]  # as above

    def with_body(self, body: Any) -> Event[Any]:
        """Return a copy of the event with another body, which may be of any type."""
        copied: Event[Any] = Event(
            self.type, None, self.source, self.headers, self.id, self.attempt, self.due
        )
        copied.body = body
        return copied

    def __repr__(self) -> str:
        return f'<Event {self.type} {self.body!r}>'
