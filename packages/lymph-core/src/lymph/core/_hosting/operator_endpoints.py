"""The endpoints of a container that are for operators: its log, its metrics, and its backdoor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, NamedTuple

from lymph.config import Location
from lymph.core._hosting.entering import BackdoorSettings, OpenBackdoor, open_backdoor
from lymph.core._hosting.publishing import (
    OpenPublisher,
    announced_endpoint,
    publish_log,
    publish_metrics,
)
from lymph.core.monitoring.metrics import Sample

__all__ = ['Announced', 'OperatorEndpoints']


class Announced(NamedTuple):
    """The endpoints to announce; None if not open."""

    log: str | None
    monitoring: str | None
    backdoor: str | None


class OperatorEndpoints:
    """Opens the log, the metrics and the backdoor of one container where they are configured.

    `names()` returns the names that prompts of the backdoor define.
    """

    def __init__(
        self, identity: str, names: Callable[[], dict[str, Any]], metrics: Iterable[Sample]
    ) -> None:
        #: where the backdoor listens; None: there is none
        self.backdoor: BackdoorSettings | None = None
        self._identity = identity
        self._names = names
        self._metrics = metrics
        self._log: OpenPublisher | None = None
        self._monitoring: OpenPublisher | None = None
        self._open_backdoor: OpenBackdoor | None = None

    def open_log(self, setting: str | None, where: Location | str) -> None:
        """Publish the log at the endpoint `setting`, whose place is `where`.

        Raises ConfigurationError for an address that cannot be used.
        """
        if setting is not None:
            self._log = publish_log(setting, self._identity, where)

    def open(self, monitoring: str | None, interval: float, where: Location | str) -> None:
        """Publish the metrics at the endpoint `monitoring` and open the backdoor.

        `where` is the place of that setting, `interval` is in seconds. Raises ConfigurationError
        for an address that cannot be used.
        """
        if monitoring is not None:
            self._monitoring = publish_metrics(
                monitoring, self._identity, self._metrics, interval, where
            )
        if self.backdoor is not None:
            self._open_backdoor = open_backdoor(self.backdoor, self._identity, self._names)

    def announced(self, announced_host: Callable[[str], str]) -> Announced:
        """Return the endpoints to announce.

        `announced_host(ip)` returns the host to announce for an address.
        """
        found = (
            None if opened is None else announced_endpoint(opened.endpoint, announced_host)
            for opened in (self._log, self._monitoring, self._open_backdoor)
        )
        return Announced(*found)

    def close(self) -> None:
        """Close what is open; the log last, with what the others have logged."""
        with ExitStack() as steps:
            for opened in (self._log, self._monitoring, self._open_backdoor):
                if opened is not None:
                    steps.callback(opened.close)
