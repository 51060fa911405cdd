"""The operations port of one container, opened where it is configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lymph.config.lazy import lazy
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core._operations.settings import OperationsSettings

__all__ = ['HostedOperations']


class OpenPort(Protocol):
    """What a container needs of its open operations port."""

    address: str

    def close(self) -> None:
        """Close the port and end its thread. Idempotent."""


# Imported on first use: most containers of tests and all clients have no such port.
_open: Callable[..., OpenPort] = lazy('lymph.core._operations.port:open_port')


class HostedOperations:
    """Opens and closes the port; `settings` are None if there is to be none.

    `sources()` returns the fields of `lymph.core._operations.sources:OperationsSources` except
    `watchdog`.
    """

    def __init__(
        self,
        settings: OperationsSettings | None,
        watchdog: Watchdog | None,
        sources: Callable[[], dict[str, Any]],
    ) -> None:
        self.settings = settings
        self._watchdog = watchdog
        self._sources = sources
        self._open: OpenPort | None = None

    @property
    def address(self) -> str | None:
        """Where the port is, such as ``http://127.0.0.1:9090``; None while it is not open."""
        return None if self._open is None else self._open.address

    def open(self) -> None:
        """Open the port unless it is open, or not configured. Raises ConfigurationError."""
        if self.settings is not None and self._open is None:
            self._open = _open(self.settings, watchdog=self._watchdog, **self._sources())

    def abandon(self) -> None:
        """In a forked child, forget the port, which abandons itself: it is the parent's."""
        self._open = None

    def close(self) -> None:
        """Close the port if it is open."""
        port, self._open = self._open, None
        if port is not None:
            port.close()
