"""A client: a container that only asks."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from lymph.config import Configuration
from lymph.core._declaring.proxies import ErrorMap, Proxy
from lymph.core.container import ServiceContainer
from lymph.core.interfaces import remote_method

__all__ = ['Client']


class Client:
    """Calls services and emits events without being a service.

    Registry and event system are reached when they are first needed. To be closed, or used as a
    context manager.
    """

    def __init__(self, container: ServiceContainer) -> None:
        self.container = container
        container.start(register=False)

    @classmethod
    def from_config(cls, config: Configuration | None = None, **overrides: Any) -> Client:
        """Make a client from a configuration; None is the default one, with the embedded backends.

        Raises ConfigurationError.
        """
        section = None if config is None else config.view('container')
        return cls(ServiceContainer.from_config(section, on_demand=True, **overrides))

    def request(
        self,
        address: str,
        method: str | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
        subject: str | None = None,
        **params: Any,
    ) -> Any:
        """Call `method` of a service and return the result; see `Interface.request`."""
        called = remote_method(method, subject)
        return self.container.request(
            address, called, {**(body or {}), **params}, timeout=timeout, version=version
        )

    def proxy(
        self,
        address: str,
        namespace: str | None = None,
        timeout: float | None = None,
        version: str | None = None,
        error_map: ErrorMap | None = None,
    ) -> Proxy:
        """Return a proxy for a service; the arguments are those of `Proxy`."""
        return Proxy(self.container, address, namespace, timeout, version, error_map)

    def emit(
        self, event_type: str, payload: Mapping[str, Any] | None = None, delay: float = 0
    ) -> None:
        """Emit an event, delivered not before `delay` seconds; raises EmitFailure."""
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
