"""Events as handlers see them. Source: the manual, section 5.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from lymph.core import trace

__all__ = ['Event']


class Event:
    """Something that happened: a type, a payload, and where it came from.

    `body` is the payload, `source` the interface or process that emitted it. `headers` are sent
    with the event; ``trace_id`` is one of them. `id` is unique to each emitted event and stays the
    same when it is delivered again. `attempt` counts the deliveries of the event to a handler, from
    1, including those that were lost with their consumer.
    """

    __slots__ = ('attempt', 'body', 'headers', 'id', 'source', 'type')

    def __init__(
        self,
        type: str,
        body: Mapping[str, Any] | None = None,
        source: str | None = None,
        headers: Mapping[str, Any] | None = None,
        id: str | None = None,
        attempt: int = 1,
    ) -> None:
        self.type = type
        self.body: dict[str, Any] = dict(body or {})
        self.source = source
        self.headers: dict[str, Any] = dict(headers or {})
        self.id = trace.new_id() if id is None else id
        self.attempt = attempt

    @property
    def evt_type(self) -> str:
        """Another name for `type`."""
        return self.type

    def __getitem__(self, name: str) -> Any:
        """Return a parameter from the body; raises KeyError if it is missing."""
        return self.body[name]

    def __contains__(self, name: object) -> bool:
        return name in self.body

    def __iter__(self) -> NoReturn:
        """Raise TypeError; otherwise Python would call `__getitem__` with 0, 1, 2 and so on."""
        raise TypeError('an event is not iterable; iterate event.body, the dict of its parameters')

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter from the body, or `default` if it is missing."""
        return self.body.get(name, default)

    def __repr__(self) -> str:
        return f'<Event {self.type} {self.body!r}>'
