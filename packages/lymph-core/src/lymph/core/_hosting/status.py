"""What an operator is told of a container: the answer to `lymph.status`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any, Protocol

from lymph.core._calling.rpc import Rpc
from lymph.core._hosting.backend_states import BackendStates
from lymph.core._hosting.handlers import Handlers
from lymph.core._hosting.process_facts import process_facts
from lymph.core._hosting.recent_errors import RecentErrors
from lymph.core._hosting.server import RequestServer
from lymph.core._loop.hooks import Hook
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core.interfaces import Interface
from lymph.core.reasons import STARTING
from lymph.core.transport.base import Listener, Transport
from lymph.core.workers import Workers

__all__ = ['Reported', 'Status']


class Reported(Protocol):
    """What a Status needs of its container."""

    identity: str
    endpoint: str | None
    worker: bool
    draining: bool
    rpc: Rpc

    @property
    def operations(self) -> str | None:
        """Where the operations port is; None if there is none."""

    backend_states: BackendStates

    @property
    def interfaces(self) -> Iterable[Interface]:
        """The installed interfaces, without the built-in one."""

    @property
    def workers(self) -> Workers:
        """They run the handlers of calls and events."""

    @property
    def error_hook(self) -> Hook:
        """Called for errors that nothing else handles."""


class Status:
    """Collects facts about one container, and remembers its last errors."""

    def __init__(
        self,
        container: Reported,
        transport: Transport,
        server: RequestServer,
        handlers: Handlers,
        watchdog: Watchdog | None,
    ) -> None:
        self._container = container
        self._transport = transport
        self._server = server
        self._handlers = handlers
        self._watchdog = watchdog
        self._began = time.monotonic()
        self._errors = RecentErrors()
        container.error_hook.install(self._errors)

    def facts(self, listener: Listener | None) -> dict[str, Any]:
        """Return facts in serializable types; `listener` is None until the container listens."""
        container, workers = self._container, self._container.workers
        return {
            'identity': container.identity,
            'endpoint': container.endpoint,
            'listening': None if listener is None else listener.endpoint,
            'operations': container.operations,
            'pid': os.getpid(),
            'uptime': time.monotonic() - self._began,
            'draining': container.draining,
            'starting': self._server.refusing is STARTING,
            'interfaces': [
                {'name': i.name, 'version': i.version, 'class': type(i).__qualname__}
                for i in container.interfaces
            ],
            'handlers': {
                'running': workers.running,
                'pool_size': workers.size,
                'cancelled': self._server.cancelled,
            },
            'callers': len(self._server.links),
            'listener': None if listener is None else _listener_facts(listener),
            'buffered': self._transport.buffered,
            'rpc': container.rpc.stats(),
            'worker': container.worker,
            'tasks': list(self._handlers.tasks),
            'loop': None if self._watchdog is None else self._watchdog.facts(),
            'errors': self._errors.facts(),
            **container.backend_states.facts(),
            **process_facts(),
        }


def _listener_facts(listener: Listener) -> dict[str, Any]:
    return {
        'endpoint': listener.endpoint,
        'accepting': listener.trouble is None,
        'reason': listener.trouble,
        'dropped': listener.dropped,
    }
