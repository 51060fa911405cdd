"""Events as AMQP messages.

The body is the mapping of `lymph.events.envelope`, packed by one of lymph's serializers.
Properties:

===================  =====================================================================
content_type         names the serializer
delivery_mode        2: the broker writes the message to disk
message_id           id of the event
type                 type of the event
===================  =====================================================================

Headers, for the broker's own tools, and for dead letters whose body cannot be decoded:

===================  =====================================================================
lymph-trace-id       trace id of the event, if it has one
lymph-emitted        Unix time of `emit`
lymph-attempts       deliveries to handlers before it was put into this queue
lymph-queue          dead letters: the queue that gave it up
lymph-error          dead letters: the error, in one line
lymph-died           dead letters: Unix time
===================  =====================================================================

Messages of other programs may lack these headers or have any values there. Invalid values are
ignored, and never passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import amqp

from lymph.core import limits, trace
from lymph.core.events import Event
from lymph.events.envelope import encode_event, event_from
from lymph.events.kombu._connecting.times import seconds
from lymph.events.kombu.serializers import Serializer, decode

__all__ = [
    'ATTEMPTS',
    'DIED',
    'EMITTED',
    'ERROR',
    'QUEUE',
    'TRACE_ID',
    'again',
    'attempt_of',
    'event_of',
    'header',
    'losses_of',
    'message_of',
    'number',
    'subtract_losses',
]

TRACE_ID = 'lymph-trace-id'
EMITTED = 'lymph-emitted'
ATTEMPTS = 'lymph-attempts'
QUEUE = 'lymph-queue'
ERROR = 'lymph-error'
DIED = 'lymph-died'

_DELIVERY_COUNT = 'x-delivery-count'  # quorum queues: earlier deliveries from this queue
_PERSISTENT = 2
_SHORT = 255  # bytes of a property that is text
_MOST = 1_000_000  # attempts or deliveries; a larger number is invalid
_KEPT = ('content_type', 'content_encoding', 'message_id', 'type')


def message_of(event: Event, serializer: Serializer, now: float) -> amqp.Message:
    """Return an event as a message; `now` is the Unix time of `emit`.

    Raises SerializationError for a body that cannot be packed, and EventTooLarge, one of its
    subclasses, for one that exceeds the limit.
    """
    body = encode_event(event, serializer.encode)
    headers: dict[str, Any] = {EMITTED: now}
    trace_id = event.headers.get('trace_id')
    if isinstance(trace_id, str) and len(trace_id) <= limits.TRACE_ID and trace_id.isascii():
        headers[TRACE_ID] = trace_id  # the receiver validates it
    return amqp.Message(
        body,
        content_type=serializer.content_type,
        content_encoding=serializer.content_encoding,
        delivery_mode=_PERSISTENT,
        message_id=_short(event.id),
        type=event.type,
        application_headers=headers,
    )


def event_of(message: amqp.Message, attempt: int) -> Event:
    """Return the event in a message; `attempt` is the number of this attempt, from 1.

    Raises SerializationError when the message does not contain an event.
    """
    value = decode(message.body, message.properties.get('content_type'))
    return event_from(value, attempt)


def again(message: amqp.Message, headers: Mapping[str, Any], **properties: Any) -> amqp.Message:
    """Return a copy of a message to publish, with additional `headers` and `properties`.

    It keeps the body, the trace id, the time of `emit`, and the properties that identify the event.
    Invalid or oversized values are left out or cut, so that the copy can always be sent.
    """
    kept: dict[str, Any] = {}
    if trace.is_valid(trace_id := header(message, TRACE_ID, str)):
        kept[TRACE_ID] = trace_id
    if (emitted := seconds(header(message, EMITTED, float))) is not None:
        kept[EMITTED] = emitted
    old = {name: _short(message.properties[name]) for name in _KEPT if name in message.properties}
    return amqp.Message(
        message.body,
        delivery_mode=_PERSISTENT,
        application_headers={**kept, **headers},
        **old,
        **properties,
    )


def attempt_of(message: amqp.Message) -> int:
    """Return the number of this delivery to a handler, from 1.

    It is the sum of the count in the header of a copy for another attempt, and the broker's count
    for the present queue: ``x-delivery-count`` in quorum queues. Classic queues do not count
    (RabbitMQ issue 2013); they only mark an event as redelivered, however often it was delivered.
    """
    here = _count(message, _DELIVERY_COUNT)
    if here is None:
        here = int(bool((message.delivery_info or {}).get('redelivered')))
    return (_count(message, ATTEMPTS) or 0) + here + 1


def losses_of(message: amqp.Message) -> int:
    """Return how many deliveries from this queue ended without an outcome; 0 in classic queues."""
    return _count(message, _DELIVERY_COUNT) or 0


def subtract_losses(message: amqp.Message, count: int) -> None:
    """Reduce the broker's count of earlier deliveries in a message by `count`."""
    losses = _count(message, _DELIVERY_COUNT)
    if losses is not None:
        message.properties['application_headers'][_DELIVERY_COUNT] = max(losses - count, 0)
    elif message.delivery_info:
        message.delivery_info['redelivered'] = False


def header(message: amqp.Message, name: str, kind: type) -> Any:
    """Return the value of a header, or None if there is none of this type."""
    value = _headers(message).get(name)
    return value if isinstance(value, kind) else None


def number(value: object) -> int | None:
    """Return `value` if it can be a number of attempts (0 to 1,000,000), else None."""
    return value if isinstance(value, int) and 0 <= value <= _MOST else None


def _count(message: amqp.Message, name: str) -> int | None:
    return number(_headers(message).get(name))


def _short(text: str) -> str:
    """Return text cut to the size of a property, 255 bytes."""
    if len(text) <= _SHORT and text.isascii():
        return text
    data = text.encode(errors='backslashreplace')
    return data[:_SHORT].decode(errors='ignore')


def _headers(message: amqp.Message) -> Mapping[str, Any]:
    headers = message.properties.get('application_headers')
    return headers if isinstance(headers, dict) else {}
