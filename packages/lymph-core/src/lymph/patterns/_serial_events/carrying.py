"""An event on its way from the feeder to its partition: the same event under another type."""

from __future__ import annotations

from lymph.core.events import Event

__all__ = ['carried', 'is_carried', 'restored', 'topic_of']

_PREFIX = 'lymph.serial.'
_TYPE = 'serial_type'  # the header that keeps the type


def topic_of(group: str, partition: int) -> str:
    """Return the event type that only one partition of a handler collects."""
    return f'{_PREFIX}{group}.{partition}'


def carried(event: Event, topic: str) -> Event:
    """Return the event as it is emitted into the partition that collects `topic`."""
    headers = {**event.headers, _TYPE: event.type}
    return Event(topic, event.body, event.source, headers, event.id, due=event.due)


def is_carried(event: Event) -> bool:
    """Tell whether the event is on its way to a partition, which may match a handler's ``#``."""
    return event.type.startswith(_PREFIX)


def restored(event: Event) -> Event:
    """Return the event as it was before it was carried."""
    headers = dict(event.headers)
    type = headers.pop(_TYPE, event.type)
    return Event(type, event.body, event.source, headers, event.id, event.attempt, event.due)
