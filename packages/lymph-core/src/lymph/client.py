"""A client: a container that makes calls and emits events, and serves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from lymph.config import Configuration
from lymph.core._declaring.calling import CallsServices
from lymph.core.container import ServiceContainer

__all__ = ['Client']


class Client(CallsServices):
    """Calls services and emits events without being a service.

    Registry and event system are started when they are first used. Close a client, or use it as a
    context manager.
    """

    def __init__(self, container: ServiceContainer) -> None:
        self.container: ServiceContainer = container
        container.start(register=False)

    @classmethod
    def from_config(cls, config: Configuration | None = None, **overrides: Any) -> Client:
        """Make a client from a configuration; None is the default one, with the embedded backends.

        Raises ConfigurationError.
        """
        section = None if config is None else config.view('container')
        return cls(ServiceContainer.from_config(section, on_demand=True, **overrides))

    def emit(
        self, event_type: str, payload: Mapping[str, Any] | None = None, delay: float = 0
    ) -> None:
        """Emit an event and return when it is safe; it is delivered after `delay` seconds.

        Raises EmitFailure when that is not certain, SerializationError for a payload that cannot
        travel.
        """
        self.container.emit_event(event_type, payload, delay=delay)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self.container.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
