"""The built-in interface `lymph` of every container: status, metrics, traces, log levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lymph.core._hosting.describing import Descriptions
from lymph.core._hosting.methods import MethodTable
from lymph.core._monitoring.loglevels import LogLevels
from lymph.core._monitoring.recent_answers import entries_of_trace, latest_traces, reach
from lymph.core._monitoring.recent_work import RecentWork
from lymph.core.decorators import rpc
from lymph.core.interfaces import Interface, InterfaceHost
from lymph.core.monitoring.descriptions import descriptions
from lymph.core.monitoring.metrics import Aggregate
from lymph.core.trace import check_id

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
        recent: RecentWork,
    ) -> None:
        super().__init__(container, 'lymph')
        self._metrics = metrics
        self._loglevels = LogLevels(self.spawn)
        self._methods = methods
        self._status = status
        self._interfaces = interfaces
        self._descriptions = Descriptions()
        self._recent = recent

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

    @rpc(raises=(ValueError,), idempotent=True)
    def trace(self, id: str) -> dict[str, Any]:
        """Return what this instance still knows of a trace; see `lymph.core.monitoring.traces`.

        `entries` are units of work in the order of their starts; the last ones of more than 500 are
        left out, successful ones first. `left_out` is how many. `keep` is how many units are kept,
        `since` the Unix time since when all are (null: since the start), `now` the Unix time.
        """
        check_id(id)
        return {**self._told(), **entries_of_trace(self._recent, id)}

    @rpc(idempotent=True)
    def recent(
        self,
        limit: int = 50,
        failed: bool = False,
        slow: float = 0.0,
        ids: list[str] | None = None,
    ) -> dict[str, Any]:
        """Return the latest traces of this instance, the newest first: at most `limit`, up to 200.

        `failed`: only those in which something failed. `slow`: only those in which something took
        so many seconds. `ids`: only these. `left_out` is how many more there are; `keep`, `since`
        and `now` are those of `trace`.
        """
        return {**self._told(), **latest_traces(self._recent, limit, failed, slow, ids)}

    def _told(self) -> dict[str, Any]:
        names = [interface.name for interface in self._interfaces()]
        identity = self.container.identity
        return {'identity': identity, 'name': ', '.join(names), **reach(self._recent)}

    @rpc(idempotent=True)
    def describe_metrics(self) -> list[dict[str, Any]]:
        """Describe metrics: name, kind, help, unit, tags, exported; of others, name and kind."""
        known = [{**each._asdict(), 'tags': list(each.tags)} for each in descriptions()]
        kinds = dict(self.metrics.kinds())
        for each in known:
            kinds.pop(each['name'], None)
        return known + [{'name': name, 'kind': kind} for name, kind in sorted(kinds.items())]

    @rpc(raises=(ValueError,), idempotent=True, check=False)
    def change_loglevel(self, logger: str, level: str, period: float | None = None) -> None:
        """Set the level of an existing logger, for example DEBUG; `root` is the root logger.

        After `period` seconds (by default and at most an hour) the logger gets back its old level.
        """
        self._loglevels.change(logger, level, period)
