"""Coalescing writes: what a link has to send in one turn of the loop is sent in one system call.

Theory: a link that has something to send is *dirty*. While a batch of received messages is being
delivered, nothing is written; at the end of the batch all dirty links are flushed. Outside of a
batch, a callback of the loop flushes them before the loop waits again.
"""

from __future__ import annotations

from typing import Protocol

import gevent

__all__ = ['Flushable', 'Flusher']


class Flushable(Protocol):
    """An object with bytes to write."""

    def flush(self) -> None:
        """Write what can be written without waiting. Never raises."""


class Flusher:
    """Flushes the dirty links of a transport. Runs in the hub."""

    def __init__(self) -> None:
        self._dirty: list[Flushable] = []
        self._scheduled = False
        self._in_batch = False
        self._loop = gevent.get_hub().loop

    def mark(self, link: Flushable) -> None:
        """Flush `link` by the end of this turn of the loop; to be called once for each flush."""
        self._dirty.append(link)
        if not self._in_batch and not self._scheduled:
            self._scheduled = True
            self._loop.run_callback(self._run)

    def begin_batch(self) -> None:
        """Delay flushes until `end_batch`. Batches do not nest, since only the hub makes them."""
        self._in_batch = True

    def flush(self) -> None:
        """Flush the links that have become dirty in the batch so far."""
        self._flush()

    def end_batch(self) -> None:
        """End the batch and flush the links that have become dirty in it."""
        self._in_batch = False
        self._flush()

    def _run(self) -> None:
        self._scheduled = False
        self._flush()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for link in dirty:
            try:  # noqa: SIM105 - `suppress` would cost more than a flush
                link.flush()
            except BaseException:  # noqa: BLE001 - the other links still have to be flushed
                pass
