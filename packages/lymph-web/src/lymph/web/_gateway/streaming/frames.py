"""Events in the format of server-sent events. Source: the HTML standard, section 9.2.

::

    retry: 2718                             once, at the beginning

    id: 0f3c                                an event
    event: shop.ordered
    data: {"id":"0f3c","type":"shop.ordered","source":"shop","trace_id":"7a1d","body":{"n":1}}

    :                                       a heartbeat, which clients ignore

    event: lymph.behind                     the last one of a client that reads too slowly
    data: {"lost":12}

A line holds no line break: types have none (`lymph.events.topics`), JSON writes them as ``\\n``,
and an id that is not printable is left out of ``id:``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core.events import Event
from lymph.events.topics import check_topic
from lymph.exceptions import SerializationError
from lymph.web._gateway.json_text import json_text

__all__ = ['BEHIND', 'HEARTBEAT', 'behind_frame', 'event_frame', 'opening_frame']

#: the type of the event that ends the stream of a slow client
BEHIND: Final = 'lymph.behind'
HEARTBEAT: Final = b':\n\n'
_PROBLEM: Final = 500  # characters


def opening_frame(retry: float) -> bytes:
    """Return the beginning of a stream; clients reconnect `retry` seconds after its end."""
    return b'retry: %d\n\n' % round(retry * 1000)


def event_frame(event: Event, plain: Callable[[Any], Any]) -> bytes:
    """Return an event; `plain(body)` returns its body in JSON types.

    A body that has no form in JSON is null, and ``problem`` says why. Raises ValueError for an
    invalid event type.
    """
    type = check_topic(event.type)
    facts = {
        'id': event.id,
        'type': type,
        'source': event.source,
        'trace_id': event.headers.get('trace_id'),
    }
    try:
        data = _json({**facts, 'body': plain(event.body)})
    except (SerializationError, ValueError) as error:
        problem = printable(str(error), _PROBLEM)
        data = _json({**facts, 'body': None, 'problem': problem})
    lines = [f'event: {type}', f'data: {data}']
    if event.id.isprintable():
        lines.insert(0, f'id: {event.id}')
    return ('\n'.join(lines) + '\n\n').encode()


def behind_frame(lost: int) -> bytes:
    """Return the event that tells a client how many events it has lost."""
    return f'event: {BEHIND}\ndata: {_json({"lost": lost})}\n\n'.encode()


def _json(value: dict[str, Any]) -> str:
    return json_text(value)
