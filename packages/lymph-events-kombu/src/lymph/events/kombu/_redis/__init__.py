"""Events through Redis: lymph's own queues there, which lose nothing that was emitted.

kombu's settings and addresses are used, its Redis transport is not. That takes an event out of its
queue (BRPOP) before it notes who has it; what is under way at that moment, when the consumer is
killed or the connection cut, is in neither place (its pull request 1733 draws it). It puts an
event into one queue after the other, keeps no attempts, delays or dead letters, and waits in
``select``, which stops all greenlets where the standard library is not patched. Here each of these
steps is one script that Redis runs as a whole: see `scripts`.
"""
