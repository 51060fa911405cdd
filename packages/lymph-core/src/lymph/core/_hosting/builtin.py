"""The built-in interface `lymph` of every container: liveness, status, metrics, log levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lymph.core._hosting.describing import (
    describe_events,
    describe_interface,
    describe_method,
    describe_tasks,
)
from lymph.core._hosting.methods import MethodTable
from lymph.core._hosting.schemas import SchemaTable
from lymph.core._monitoring.loglevels import LogLevels
from lymph.core.decorators import rpc
from lymph.core.interfaces import Interface, InterfaceHost
from lymph.core.monitoring.metrics import Aggregate

__all__ = ['BuiltinInterface']


class BuiltinInterface(Interface):
    """Answers for the container itself; it is not in the registry, since every instance has it."""

    namespaces = ()

    def __init__(
        self,
        container: InterfaceHost,
        methods: MethodTable,
        metrics: Aggregate,
        status: Callable[[], dict[str, Any]],
        interfaces: Callable[[], Iterable[Interface]],
    ) -> None:
        super().__init__(container, 'lymph')
        self._metrics = metrics
        self._loglevels = LogLevels(self.spawn)
        self._methods = methods
        self._status = status
        self._interfaces = interfaces
        self._schemas = SchemaTable()

    @rpc(idempotent=True)
    def ping(self, payload: Any = None) -> Any:
        """Return the payload."""
        return payload

    @rpc(idempotent=True)
    def status(self) -> dict[str, Any]:
        """Describe the container: identity, endpoint, interfaces, listener, what runs."""
        return self._status()

    @rpc(idempotent=True)
    def inspect(self) -> dict[str, Any]:
        """Describe all interfaces: their methods, event handlers and tasks, with JSON Schemas."""
        interfaces = list(self._interfaces())
        methods = list(self._methods)
        self._schemas.make({type(each) for each in (*interfaces, *(m.interface for m in methods))})
        return {
            'identity': self.container.identity,
            'interfaces': [describe_interface(each) for each in interfaces],
            'methods': [describe_method(each, self._schemas.of) for each in methods],
            'events': [
                fact for each in interfaces for fact in describe_events(each, self._schemas.of)
            ],
            'tasks': [
                fact for each in interfaces for fact in describe_tasks(each, self._schemas.of)
            ],
        }

    @rpc(idempotent=True)
    def get_metrics(self) -> list[list[Any]]:
        """Return all metrics as [name, value, tags]."""
        return [list(sample) for sample in self.metrics]

    @rpc(raises=(ValueError,), idempotent=True, check=False)
    def change_loglevel(self, logger: str, level: str, period: float | None = None) -> None:
        """Set the level of an existing logger, for example DEBUG; `root` is the root logger.

        After `period` seconds (by default and at most an hour) the logger gets back its old level.
        """
        self._loglevels.change(logger, level, period)
