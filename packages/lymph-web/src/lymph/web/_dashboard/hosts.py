"""What a dashboard needs of its container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.events.base import BaseEventSystem
from lymph.web.interfaces import WebHost

__all__ = ['DashboardHost']


class DashboardHost(WebHost, Protocol):
    """Calls and finds services, and has an event system."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        options: CallOptions = DEFAULT_OPTIONS,
        timeout: float | None = None,
        retries: int | None = None,
    ) -> Any:
        """Make a call; see `ServiceContainer.request`."""
