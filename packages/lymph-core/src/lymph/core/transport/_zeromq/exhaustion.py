"""Noticing that the process has no free file descriptors, so that libzmq cannot accept connections.

libzmq does not report this. It tries again in its own thread, as fast as it can, so its listener
recovers as soon as there are descriptors. Its monitor could report each attempt, hundreds of
thousands a second; trying once a second to open a descriptor costs next to nothing.
"""

from __future__ import annotations

import logging
import os

import gevent

from lymph.core.transport.edge import Edge

__all__ = ['DescriptorWatch']

_INTERVAL = 1.0  # seconds


class DescriptorWatch:
    """Logs when the listener `name` has no descriptors to accept connections, and when it has."""

    def __init__(self, name: str, edge: Edge) -> None:
        self._name = name
        self._edge = edge
        self._trouble: str | None = None
        self._timer = gevent.get_hub().loop.timer(_INTERVAL, _INTERVAL, ref=False)
        self._timer.start(self._look)

    @property
    def trouble(self) -> str | None:
        """Why no connection can be accepted now; None if there are descriptors."""
        self._look()
        return self._trouble

    def close(self) -> None:
        """Stop checking."""
        self._timer.stop()
        self._timer.close()

    def _look(self) -> None:
        trouble = _lack()
        before, self._trouble = self._trouble, trouble
        if trouble is not None and before is None:
            text = '%s accepts no connections: %s; libzmq tries again until it works'
            self._edge.turn(logging.ERROR, text, self._name, trouble)
        elif trouble is None and before is not None:
            self._edge.turn(logging.WARNING, '%s accepts connections again', self._name)


def _lack() -> str | None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.strerror
    return None
