"""The serial handlers of a container, from its start to its stop."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from lymph.core._declaring.declarations import declared
from lymph.core.components import Component
from lymph.core.failures import Killed, log_failure
from lymph.core.partitioning import Partitioner
from lymph.events.base import Subscription
from lymph.events.queue_names import queue_name
from lymph.patterns._serial_events.declaring import SerialDeclaration
from lymph.patterns._serial_events.handlers import SerialHandler, SerialHost
from lymph.patterns._serial_events.queues import queues_of

__all__ = ['SerialEvents']

logger = logging.getLogger(__name__)


class SerialEvents(Component):
    """Runs serial handlers for `host`; `partitioner` is started when there are any."""

    def __init__(self, host: SerialHost, partitioner: Partitioner) -> None:
        super().__init__()
        self.partitioner = partitioner
        self.handlers: dict[str, SerialHandler] = {}
        self._host = host
        self._started = False

    @property
    def started_partitioner(self) -> Partitioner | None:
        """The partitioner; None unless there are handlers that need it."""
        return self.partitioner if self._started else None

    def queues(self, interfaces: Iterable[Any]) -> list[Subscription]:
        """Return the queues to be declared before the handlers of these interfaces are run."""
        found = _declarations(interfaces)
        return [queue for each in found.values() for queue in queues_of(*each)]

    def run(self, interfaces: Iterable[Any]) -> None:
        """Start the serial handlers of interfaces; of those of one name the first has it."""
        for declaration, interface, name in _declarations(interfaces).values():
            self._start_partitioner()
            handler = SerialHandler(declaration, interface, name, self._host, self.partitioner)
            if handler.group not in self.handlers:
                self._run(handler)

    def leave(self) -> None:
        """Leave the partitions to others, when nothing more is to be handled here."""
        for handler in self.handlers.values():
            try:
                handler.leave()
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - a partitioner keeps nobody from stopping
                text = '%s: its partitions could not be left to others'
                log_failure(logger, error, text, handler.group)

    def on_stop(self) -> None:
        """Leave, and stop the partitioner."""
        self.leave()
        for handler in self.handlers.values():
            self.metrics.remove(handler)
        self.handlers.clear()
        if self._started:
            self._started = False
            self.partitioner.on_stop()

    def _start_partitioner(self) -> None:
        if not self._started:
            self.partitioner.parent = self
            self._started = True
            self.partitioner.on_start()

    def _run(self, handler: SerialHandler) -> None:
        self.handlers[handler.group] = handler
        self.metrics.add(handler)
        self.spawn(handler.run)
        handler.start()


def _declarations(interfaces: Iterable[Any]) -> dict[str, tuple[SerialDeclaration, Any, str]]:
    """Return the declaration of each group, its interface and its name; the first one counts."""
    found: dict[str, tuple[SerialDeclaration, Any, str]] = {}
    for interface in interfaces:
        for name, declaration in declared(type(interface), SerialDeclaration).items():
            found.setdefault(queue_name(interface.name, name), (declaration, interface, name))
    return found
