"""An event as one msgpack mapping, for event systems that store bytes.

=======  ===========================================================
type     topic
id       text, unique to the emitted event
body     mapping
source   who emitted it (text), or nil
headers  mapping; ``trace_id`` is one of them
due      Unix time in milliseconds from which it may be handled: when
         it was emitted, plus its delay; digits as text, or an integer;
         optional
=======  ===========================================================

Unknown keys are ignored, so that later versions can add keys. An invalid trace id is replaced by
a new one, so that the event is not lost, and an invalid `due` is ignored. Type, id, source and
headers have the bounds of `lymph.core.limits`; so has the body, which is checked when the event is
packed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core.events import Event
from lymph.core.limits import EVENT, HEADERS, ID, SUBJECT
from lymph.exceptions import EventTooLarge, SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['encode_event', 'event_from', 'pack_event', 'unpack_event']

_LATEST: Final = 100_000_000_000  # seconds since 1970; some 3000 years
_LATEST_MS: Final = 1000 * _LATEST
_DIGITS: Final = 32  # characters of a time as text
_SHORT = ID // 4  # characters that have at most so many bytes


def pack_event(event: Event) -> bytes:
    """Return `event` as bytes.

    Raises SerializationError, which names the path to the invalid value, and EventTooLarge, a
    subclass, for a body of more than `lymph.core.limits.EVENT` bytes.
    """
    return encode_event(event, pack)


def encode_event(event: Event, encode: Callable[[Any], bytes]) -> bytes:
    """Return `event` as the bytes that `encode` makes of a value; raises as `pack_event` does."""
    data = encode(_mapping_of(event))
    if len(data) > EVENT:  # hardly ever, so the body is seldom encoded twice
        size = len(encode(event.body))
        if size > EVENT:
            raise EventTooLarge(
                f'expected at most {EVENT} bytes as body of the event {quoted(event.type)}, found '
                f'{size}; keep what is larger elsewhere, and emit where it is'
            )
    return data


def unpack_event(data: bytes, attempt: int = 1) -> Event:
    """Return the event in `data`; raises SerializationError if there is none."""
    return event_from(unpack(data), attempt)


def _mapping_of(event: Event) -> dict[str, Any]:
    """Return the mapping that describes `event`.

    Raises SerializationError for an id, source or headers that `event_from` would refuse.
    """
    value: dict[str, Any] = {
        'type': event.type,
        'id': event.id,
        'body': event.body,
        'source': event.source,
        'headers': event.headers,
    }
    due = event.due
    if due is not None and 0 <= due <= _LATEST:
        # text, because most numbers have bytes that make the packer check the whole value
        value['due'] = str(int(1000 * due))
    # this runs for each event: most ids and sources are short, which is cheaper to check
    if type(event.id) is not str or len(event.id) > _SHORT:
        _text(value, 'id')
    source = event.source
    if source is not None and (type(source) is not str or len(source) > _SHORT):
        _text(value, 'source')
    _check_size(event.headers)
    return value


def event_from(value: Any, attempt: int = 1) -> Event:
    """Return the event that a mapping describes; raises SerializationError if it is invalid."""
    if not isinstance(value, dict):
        raise SerializationError(f'expected an event, found {type(value).__name__}')
    due = value.get('due')
    return Event(
        type=_text(value, 'type', SUBJECT),
        body=_member(value, 'body', dict),
        source=_text(value, 'source', optional=True),
        headers=_headers(_member(value, 'headers', dict, optional=True) or {}),
        id=_text(value, 'id'),
        attempt=attempt,
        due=None if due is None else _moment(due),
    )


def _moment(due: Any) -> float | None:
    """Return the time that `due` tells, or None. Only figures depend on it: nothing is refused."""
    if type(due) is str and len(due) <= _DIGITS:
        try:
            due = float(due)  # several times as fast as int
        except ValueError:
            return None
    elif type(due) is not int:
        return None
    return due / 1000 if 0 <= due <= _LATEST_MS else None


def _headers(headers: dict[str, Any]) -> dict[str, Any]:
    _check_size(headers)
    if 'trace_id' in headers and not trace.is_valid(headers['trace_id']):
        return {**headers, 'trace_id': trace.new_id()}
    return headers


def _check_size(headers: Mapping[str, Any]) -> None:
    if len(headers) == 1 and trace.is_valid(headers.get('trace_id')):
        return  # most have no other
    size = len(pack(headers)) if headers else 0
    if size > HEADERS:
        raise SerializationError(
            f'expected headers of at most {HEADERS} bytes for an event, found {size}'
        )


def _text(value: dict[Any, Any], key: str, limit: int = ID, optional: bool = False) -> Any:
    text = _member(value, key, str, optional)
    if text is not None and (len(text) > limit or len(text.encode()) > limit):
        raise SerializationError(
            f'expected a text of at most {limit} bytes as {key} of an event, found {quoted(text)}'
        )
    return text


def _member(value: dict[Any, Any], key: str, kind: type, optional: bool = False) -> Any:
    member = value.get(key)
    if isinstance(member, kind) or (optional and member is None):
        return member
    expected = {'str': 'text', 'dict': 'a mapping'}[kind.__name__]
    found = 'nothing' if member is None else type(member).__name__
    raise SerializationError(f'expected {expected} as {key} of an event, found {found}')
