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

Three things lie outside of it:

- An instance that is stopped or cut off while a handler runs may find, when it goes on, that
  another one has handled the event meanwhile. A handler cannot be undone.
- An instance that stands still without leaving its group keeps its partitions waiting until it goes
  on or ends: with the partitioner in ZooKeeper until its session ends, with the embedded registry
  until its process ends. Who feeds is replaced in any case.
- Keys move to other partitions when `partition_count` is changed. To keep their order let the
  partitions run empty, and end the instances with the old number before those with the new one
  start. Nothing is lost otherwise: partitions above the number that still have a queue are consumed
  as before. Delete their queues when they are empty.
"""

from __future__ import annotations

from lymph.patterns._serial_events.declaring import serial_event

__all__ = ['serial_event']
