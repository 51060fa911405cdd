"""Whether the registry, the broker and the partitioner of a container are reached.

These are metrics, and facts for an operator. A backend without a server has neither. `broker` is
the server of the event system. A partitioner is told of only where it has a connection of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from lymph.core.failures import described, log_failure
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.log_limits import Reminder
from lymph.core.monitoring.metrics import Sample

__all__ = ['BackendStates', 'Stated']

logger = logging.getLogger(__name__)

_BACKENDS: Final = {
    'registry': 'the registry',
    'broker': 'the server of the event system',
    'partitioner': 'the partitioner, where it has a connection of its own,',
}

for _name, _words in _BACKENDS.items():
    describe(f'{_name}.connected', 'gauge', f'Whether {_words} is reached: 1 or 0.')
    describe(
        f'{_name}.connected_since',
        'gauge',
        f'The Unix time since which {_words} is reached; absent while it is not.',
        unit='seconds',
    )
    describe(
        f'{_name}.reconnects', 'counter', f'How often {_words} was reached again after a loss.'
    )


class Stated(Protocol):
    """A backend that tells the state of its connection."""

    def connection_state(self) -> ConnectionState | None:
        """Return the state; None if there is no server. Never waits."""


class BackendStates:
    """Yields ``registry.connected`` and so on; each of `backends` returns a backend, or None.

    The names of the backends are ``registry``, ``broker`` and ``partitioner``.
    """

    def __init__(self, **backends: Callable[[], Stated | None]) -> None:
        self._backends = backends
        self._reminder = Reminder()

    def state(self, name: str) -> ConnectionState | None:
        """Return the state of a backend; None if it has no server, or its code fails.

        Never waits; may be called by another native thread.
        """
        backend = self._backends[name]()
        try:
            return None if backend is None else backend.connection_state()
        except Exception as error:  # noqa: BLE001 - it may be somebody else's code
            if self._reminder.due(time.monotonic()):
                log_failure(logger, error, '%s cannot tell its state', described(backend))
            return None

    def facts(self) -> dict[str, dict[str, Any] | None]:
        """Return the states of all backends, in serializable types."""
        states = {name: self.state(name) for name in self._backends}
        return {name: state and state._asdict() for name, state in states.items()}

    def __iter__(self) -> Iterator[Sample]:
        """Yield the states as metrics."""
        for name in self._backends:
            state = self.state(name)
            if state is None:
                continue
            yield f'{name}.connected', int(state.connected), {}
            if state.connected:
                yield f'{name}.connected_since', state.since, {}
            yield f'{name}.reconnects', state.reconnects, {}
