"""The built-in interface `lymph` of every container: liveness, status, metrics, log levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lymph.core._hosting.describing import Descriptions
from lymph.core._hosting.methods import MethodTable
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
        self._descriptions = Descriptions()

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
        described = self._descriptions.of(self._interfaces(), self._methods)
        return {'identity': self.container.identity, **described}

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
