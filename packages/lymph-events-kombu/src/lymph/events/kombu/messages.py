"""Events as AMQP messages.

The body is the mapping of `lymph.core.protocol.envelope`, in one of our serializers. Properties:

===================  =====================================================================
content_type         which serializer
delivery_mode        2: it is written to disk
message_id           id of the event
type                 type of the event
===================  =====================================================================

Headers, so that the broker's own tools show them and a dead letter can be read without its body:

===================  =====================================================================
lymph-trace-id       trace id of the event, where it has one
lymph-emitted        Unix time of `emit`
lymph-attempts       deliveries to handlers before it was put into this queue
lymph-failures       how many of them the handler ended with an error
lymph-queue          dead letters: the queue that gave it up
lymph-error          dead letters: one line
lymph-died           dead letters: Unix time
===================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import amqp

from lymph.core.events import Event
from lymph.core.protocol.envelope import event_from
from lymph.events.kombu.serializers import Serializer, decode

__all__ = [
    'ATTEMPTS',
    'DIED',
    'EMITTED',
    'ERROR',
    'FAILURES',
    'QUEUE',
    'TRACE_ID',
    'again',
    'attempt_of',
    'event_of',
    'failures_of',
    'header',
    'losses_of',
    'message_of',
]

TRACE_ID = 'lymph-trace-id'
EMITTED = 'lymph-emitted'
ATTEMPTS = 'lymph-attempts'
FAILURES = 'lymph-failures'
QUEUE = 'lymph-queue'
ERROR = 'lymph-error'
DIED = 'lymph-died'

_OURS = (TRACE_ID, EMITTED)  # kept whatever becomes of the message
_DELIVERY_COUNT = 'x-delivery-count'  # quorum queues: earlier deliveries from this queue
_PERSISTENT = 2
_TRACE_LENGTH = 255  # characters; all headers have to fit into one frame


def message_of(event: Event, serializer: Serializer, now: float) -> amqp.Message:
    """Return an event as a message; raises SerializationError."""
    body = serializer.encode(
        {
            'type': event.type,
            'id': event.id,
            'body': event.body,
            'source': event.source,
            'headers': event.headers,
        }
    )
    headers: dict[str, Any] = {EMITTED: now}
    trace_id = event.headers.get('trace_id')
    if isinstance(trace_id, str) and len(trace_id) <= _TRACE_LENGTH:
        headers[TRACE_ID] = trace_id
    return amqp.Message(
        body,
        content_type=serializer.content_type,
        content_encoding=serializer.content_encoding,
        delivery_mode=_PERSISTENT,
        message_id=event.id,
        type=event.type,
        application_headers=headers,
    )


def event_of(message: amqp.Message) -> Event:
    """Return the event that a message holds; raises SerializationError when it holds none."""
    value = decode(message.body, message.properties.get('content_type'))
    return event_from(value, attempt_of(message))


def again(message: amqp.Message, headers: Mapping[str, Any], **properties: Any) -> amqp.Message:
    """Return the message to be sent once more, with `headers` besides those that stay."""
    kept = {name: value for name, value in _headers(message).items() if name in _OURS}
    old = {
        name: value
        for name, value in message.properties.items()
        if name in ('content_type', 'content_encoding', 'message_id', 'type')
    }
    return amqp.Message(
        message.body,
        delivery_mode=_PERSISTENT,
        application_headers={**kept, **headers},
        **old,
        **properties,
    )


def attempt_of(message: amqp.Message) -> int:
    """Return which delivery to a handler this is, from 1.

    Classic queues do not count: they tell a second delivery from the first, and no more.
    """
    before: int = header(message, ATTEMPTS, int) or 0
    here: int | None = header(message, _DELIVERY_COUNT, int)
    if here is None:
        here = int(bool((message.delivery_info or {}).get('redelivered')))
    return before + here + 1


def losses_of(message: amqp.Message) -> int:
    """Return how many deliveries from its queue ended without an outcome; 0 in classic queues."""
    return header(message, _DELIVERY_COUNT, int) or 0


def failures_of(message: amqp.Message) -> int:
    """Return how many attempts ended with an error of the handler."""
    return header(message, FAILURES, int) or 0


def header(message: amqp.Message, name: str, kind: type) -> Any:
    """Return a header, or None where there is none of that type."""
    value = _headers(message).get(name)
    return value if isinstance(value, kind) else None


def _headers(message: amqp.Message) -> Mapping[str, Any]:
    headers = message.properties.get('application_headers')
    return headers if isinstance(headers, dict) else {}
