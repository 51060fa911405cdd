"""The decorator, and what it notes on a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from lymph.core._declaring.callables import check_flags, check_retry, expect_method, name_of
from lymph.core._declaring.declarations import declare
from lymph.core._declaring.signatures import expect_parameters
from lymph.core._typing.plans import EventTypes
from lymph.core._work.forms import deferred_form
from lymph.core.events import Event
from lymph.core.failures import described
from lymph.events.topics import check_pattern

__all__ = ['Key', 'SerialDeclaration', 'serial_event']

Handler = TypeVar('Handler', bound=Callable[[Any, Any], Any])  # takes self and the event
Key = Callable[[Any, Event], str | int | UUID | bytes]


@dataclass(frozen=True)
class SerialDeclaration:
    """A method that handles the events of each key in their order."""

    kind = 'serial_event'
    partitioned = True

    func: Callable[..., Any]
    event_types: tuple[str, ...]
    partition_count: int
    key: Key
    retry: int = 0
    check: bool = True
    types: EventTypes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        expect_method(self.func, self.kind)
        expect_parameters(self.func, 'self', 'event', only=True)
        object.__setattr__(self, 'types', EventTypes(self.func, self.check))

    def queue(self, name: str) -> str:
        """Return the queue's name after that of the interface; `name` is the attribute."""
        return name


def serial_event(
    *event_types: str,
    partition_count: int = 12,
    key: Key | None = None,
    retry: int = 0,
    check: bool = True,
) -> Callable[[Handler], Handler]:
    """Make a method a handler that handles the events of each key one at a time, in their order.

    `event_types` are topics, each may have wildcards. `key(interface, event)` returns the key of an
    event: text, int, UUID or bytes (default: the event's type); if it raises, or returns anything
    else, the event becomes a dead letter. `partition_count` bounds how many events are handled at
    the same time in all instances (default 12). `retry` is how many attempts may follow the first
    if the handler raises (default 0); lost consumers count, as in `lymph.event`. So does `check`:
    by the annotation of its parameter, the handler gets the event or an object made of its payload.
    `key` always gets the event as it is.

    Raises TypeError for event types that are not text and for functions with other parameters,
    ValueError for an invalid event type and for a `partition_count` or `retry` out of range.
    Source: the manual, section 5.5.
    """
    if not event_types or not all(isinstance(event_type, str) for event_type in event_types):
        raise TypeError('write @serial_event("type") with event types as text')
    for event_type in event_types:
        check_pattern(event_type)
    whole = isinstance(partition_count, int) and not isinstance(partition_count, bool)
    if not whole or partition_count < 1:
        found = described(partition_count)
        raise ValueError(f'expected a partition_count of at least 1, found {found}')
    check_retry(retry)
    check_flags(check=check)
    if key is None:
        key = _type_of
    _expect_key(key)
    of_event = key  # for mypy: within the lambda, `key` might be None
    return lambda func: declare(
        func, SerialDeclaration(func, event_types, partition_count, of_event, retry, check)
    )


def _expect_key(key: Any) -> None:
    problem = deferred_form(key) if callable(key) else f'{described(key)}, which cannot be called'
    if problem:
        raise TypeError(
            f'{name_of(key)}: expected a function key(interface, event), found {problem}'
        )
    expect_parameters(key, 'interface', 'event', only=True)


def _type_of(interface: Any, event: Event) -> str:
    return event.type
