"""What a gateway needs of its container."""

from __future__ import annotations

from typing import Protocol

from lymph.core.interfaces import InterfaceHost
from lymph.discovery.base import BaseServiceRegistry

__all__ = ['CallingHost']


class CallingHost(InterfaceHost, Protocol):
    """Calls and finds services."""

    #: where the process itself answers calls; None unless it listens
    endpoint: str | None
    registry: BaseServiceRegistry
