"""What is measured. Each module has both halves of one subject:

- `driving`: how its emitters run, a module of `bench.driving`;
- `handle(where, note, ready, **options)` declares a durable queue, consumes it, calls `ready()`,
  and for ever calls `note(payload)` for each event and acknowledges it then;
- `connect(where, **options)` returns a function that emits a payload and returns when it is safe.

`where` is the URL of the broker, or the folder of the embedded store. All queues are quorum queues,
all messages are persistent, and the broker sends so many events ahead:
"""

from __future__ import annotations

__all__ = ['PREFETCH']

PREFETCH = 100
