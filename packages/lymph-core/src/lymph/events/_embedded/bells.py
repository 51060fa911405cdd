"""Ringing the bells of queues, one ring for all that went into a queue in a turn of the loop."""

from __future__ import annotations

import logging
from pathlib import Path

import gevent

from lymph.core._system.doorbell import Bells
from lymph.core.failures import error_text

__all__ = ['Ringer']

logger = logging.getLogger(__name__)


class Ringer:
    """Rings the bells in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._bells = Bells(directory)
        self._queues: set[str] = set()
        self._hub = gevent.get_hub()

    def __call__(self, queue: str) -> None:
        """Ring the consumers of `queue` at the end of this turn."""
        if not self._queues:
            self._hub.loop.run_callback(self.flush)
        self._queues.add(queue)

    def flush(self) -> None:
        """Ring now what is to be rung."""
        queues, self._queues = self._queues, set()
        for queue in queues:
            try:
                self._bells.ring(queue)
            except Exception as error:  # noqa: BLE001 - they look by themselves now and then
                logger.warning('cannot wake the consumers of %s: %s', queue, error_text(error))
