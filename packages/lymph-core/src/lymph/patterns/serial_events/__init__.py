"""Serial events: the events of one key one at a time, in their order, spread over all instances.

Source: the manual, section 5.5.

A handler has a queue of its own, ``<interface>.<handler>``, and `partition_count` more of them,
``<interface>.<handler>.<n>``. All are exclusive (see `lymph.events.base`). Whoever consumes the
first one is the feeder: it asks for the key of each event and emits it on into the partition of
that key. A partitioner spreads the partitions over the instances.

Promised: at most one event of a key is handled at a time, and the events of a key that one emitter
emitted are begun in that order, while instances join, leave, are killed or stand still. An event
may come again later, as any event; it never comes for the first time after one that is behind it.
A handler that raised is called again, up to `retry` times, before anything else of its partition.

Two things lie outside of it. An instance that is stopped or cut off while a handler runs may find,
when it goes on, that another one has handled the event meanwhile. And events that wait in
partitions keep the order of a key for as long as `partition_count` stays: let the partitions run
empty before it is changed, and end the instances with the old number before those with the new one
start. When the number gets smaller, nobody consumes the partitions above it any more.
"""

from __future__ import annotations

from lymph.patterns.serial_events.declaring import serial_event

__all__ = ['serial_event']
