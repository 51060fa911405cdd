"""Events through Redis, with queues of lymph's own that lose no emitted event.

This package uses kombu's settings and addresses, but not its Redis transport. That transport takes
an event out of its queue (BRPOP) before it records who has it, so the event is lost if the consumer
is killed or the connection is cut in between (kombu's pull request 1733 draws this). It also puts
an event into one queue after the other, keeps no attempts, delays or dead letters, and waits in
``select``, which blocks all greenlets if the standard library is not patched. Here each of these
steps is one script that Redis executes atomically: see `scripts`.
"""
