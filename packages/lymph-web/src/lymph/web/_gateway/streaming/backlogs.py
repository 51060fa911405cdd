"""The events that wait for one client, within bounds.

========  ==================  =============================  ==================
state     put                 take                           end
========  ==================  =============================  ==================
open      kept; → behind if   what waits                     → ended
          it exceeds a bound
behind    counted             once: how many events the      → ended
                              client has lost → ended
ended     ignored             nothing
========  ==================  =============================  ==================

A client that falls behind loses what waits for it, so that its memory is free at once. An event
that is larger than the bound in bytes is kept if no other one waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from lymph.web._gateway.streaming.frames import behind_frame

__all__ = ['Backlog']

_SLICE = 64 * 1024  # bytes that are sent together, at least one event


class Backlog:
    """Holds at most `most` events of at most `size` bytes together; `ring()` is called with news.

    `put` and `end` do not wait, so that a client that reads slowly holds up nobody.
    """

    def __init__(self, most: int, size: int, ring: Callable[[], object]) -> None:
        self._most = most
        self._size = size
        self._ring = ring
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0
        #: whether nothing more comes
        self.ended = False

    @property
    def behind(self) -> bool:
        """Whether the client has lost events."""
        return self._lost > 0

    def put(self, frame: bytes) -> None:
        """Keep an event until the client takes it."""
        if self.ended:
            return
        if self._lost:
            self._lost += 1
            return
        waiting = len(self._frames)
        if waiting and (waiting >= self._most or self._bytes + len(frame) > self._size):
            self._lost = waiting + 1
            self._clear()
        else:
            self._frames.append(frame)
            self._bytes += len(frame)
        self._ring()

    def take(self) -> bytes:
        """Return what is to be sent next; empty if nothing is."""
        if self._lost and not self.ended:
            self.ended = True
            return behind_frame(self._lost)
        taken: list[bytes] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0]) <= _SLICE):
            frame = self._frames.popleft()
            size += len(frame)
            taken.append(frame)
        self._bytes -= size
        return taken[0] if len(taken) == 1 else b''.join(taken)

    def end(self) -> None:
        """Drop what waits; nothing more comes."""
        self.ended = True
        self._clear()
        self._ring()

    def _clear(self) -> None:
        self._frames.clear()
        self._bytes = 0
