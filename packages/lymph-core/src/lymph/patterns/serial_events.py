"""Serial events: events with the same key are handled one at a time, in order, by all instances.

Source: the manual, section 5.5.

A handler has a queue ``<interface>.<handler>`` and `partition_count` partitions, the queues
``<interface>.<handler>.<n>``. All are exclusive (see `lymph.events.base`). The instance that
consumes the first queue is the feeder: it computes the key of each event and emits the event into
the partition of that key. A partitioner divides the partitions among the instances.

Guaranteed: at most one event of a key is handled at a time, and handling begins in the order in
which one emitter has emitted the events of a key, even while instances join, leave, are killed or
are stopped (SIGSTOP). As always, an event may be delivered again later; its first delivery never
comes after that of a later event. A handler that raised is called again, up to `retry` times,
before any other event of its partition.

Three things are not guaranteed:

- If an instance is stopped or cut off while a handler runs, another instance may handle the event
  meanwhile, and the first handler goes on afterwards. A handler cannot be undone.
- A stopped instance that does not leave its group blocks its partitions until it goes on or ends:
  with the partitioner in ZooKeeper until its session ends, with the embedded registry until its
  process ends. The feeder is replaced in any case.
- Changing `partition_count` moves keys to other partitions. To keep their order, wait until the
  partitions are empty, and stop the instances with the old number before you start those with the
  new one. Otherwise events are not lost, but may be reordered: partitions above the new number that
  still have a queue are consumed as before. Delete these queues when they are empty.
"""

from __future__ import annotations

from lymph.patterns._serial_events.declaring import serial_event

__all__ = ['serial_event']
