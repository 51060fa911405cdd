"""An event as one msgpack mapping, for event systems that store bytes.

=======  ===========================================================
type     topic
id       text, unique to the emitted event
body     mapping
source   who emitted it (text), or nil
headers  mapping; ``trace_id`` is one of them
=======  ===========================================================

Unknown keys are ignored, so that a later lymph may add some.
"""

from __future__ import annotations

from typing import Any

from lymph.core.events import Event
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['event_from', 'mapping_of', 'pack_event', 'unpack_event']


def pack_event(event: Event) -> bytes:
    """Return `event` as bytes.

    Raises SerializationError, which names the path to the value that does not fit.
    """
    return pack(mapping_of(event))


def unpack_event(data: bytes, attempt: int = 1) -> Event:
    """Return the event that `data` holds; raises SerializationError when it holds none."""
    return event_from(unpack(data), attempt)


def mapping_of(event: Event) -> dict[str, Any]:
    """Return the mapping that describes `event`.

    Raises SerializationError for an id or source that `event_from` would refuse.
    """
    value: dict[str, Any] = {
        'type': event.type,
        'id': event.id,
        'body': event.body,
        'source': event.source,
        'headers': event.headers,
    }
    if not isinstance(value['id'], str):
        _member(value, 'id', str)
    if event.source is not None:
        _member(value, 'source', str)
    return value


def event_from(value: Any, attempt: int = 1) -> Event:
    """Return the event that a mapping describes; raises SerializationError when it is none."""
    if not isinstance(value, dict):
        raise SerializationError(f'expected an event, found {type(value).__name__}')
    return Event(
        type=_member(value, 'type', str),
        body=_member(value, 'body', dict),
        source=_member(value, 'source', str, optional=True),
        headers=_member(value, 'headers', dict, optional=True),
        id=_member(value, 'id', str),
        attempt=attempt,
    )


def _member(value: dict[Any, Any], key: str, kind: type, optional: bool = False) -> Any:
    member = value.get(key)
    if isinstance(member, kind) or (optional and member is None):
        return member
    expected = {'str': 'text', 'dict': 'a mapping'}[kind.__name__]
    found = 'nothing' if member is None else type(member).__name__
    raise SerializationError(f'expected {expected} as {key} of an event, found {found}')
