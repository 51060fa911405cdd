"""A client: a container that makes calls and emits events, and serves nothing."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from lymph.config import Configuration
from lymph.config.lazy import lazy
from lymph.core._declaring.calling import CallsServices
from lymph.core._typing.payloads import Payload
from lymph.core.container import ServiceContainer
from lymph.core.interceptors import Interceptor

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.settings import ContainerParts

__all__ = ['Client']

_install_plugins = lazy('lymph.core.assembly:install_plugins')  # few clients have plugins
_CALLERS = frozenset({'call', 'try', 'emit'})  # the kinds of work that a client does


class Client(CallsServices):
    """Calls services and emits events without being a service.

    The registry and the event system are started when they are first used. Call `close`, or use the
    client as a context manager. `request` and `proxy` are the same as those of `Interface`.
    """

    def __init__(self, container: ServiceContainer) -> None:
        self.container: ServiceContainer = container
        container.start(register=False)

    @classmethod
    def from_config(
        cls,
        config: Configuration | None = None,
        *,
        plugins: bool = True,
        **overrides: Unpack[ContainerParts],
    ) -> Client:
        """Make a client from a configuration; None stands for one with the embedded backends.

        Of the section `plugins`, those that intercept calls or emitted events are installed, unless
        `plugins` is false. `overrides` are those of `ServiceContainer.from_config`. Raises
        ConfigurationError, and what a plugin raises.
        """
        section = None if config is None else config.view('container')
        container = ServiceContainer.from_config(section, on_demand=True, **overrides)
        if plugins and config is not None and 'plugins' in config:
            _install_plugins(container, config.view('plugins'), _intercepts_callers)
        return cls(container)

    def emit(self, event_type: str, payload: Payload | None = None, delay: float = 0) -> None:
        """Emit an event; return when the event system has stored it safely.

        `payload` is a map of parameters, or an object that travels as one, such as a dataclass.
        Handlers get the event after `delay` seconds at the earliest. Raises EmitFailure when the
        event may be lost, SerializationError for a payload that cannot be serialized, TypeError for
        one that is not a mapping, ValueError for an invalid delay.
        """
        self.container.emit_event(event_type, payload, delay=delay)

    def close(self) -> None:
        """Close all connections and stop the backends. Idempotent."""
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


def _intercepts_callers(cls: type) -> bool:
    return issubclass(cls, Interceptor) and not _CALLERS.isdisjoint(cls.kinds)
