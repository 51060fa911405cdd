"""Metrics of a container as a whole: its handlers, its listener, the bytes in its connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lymph.core._hosting.server import RequestServer
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.core.transport.base import Listener, Transport
from lymph.core.workers import Workers

__all__ = ['ContainerFigures']

describe(
    'pool.size', 'gauge', 'Handlers that may run at once: `pool_size`; no series without a limit.'
)
describe('pool.running', 'gauge', 'Handlers of calls and events that run now.')
describe('pool.refused', 'counter', 'Calls that were refused because `pool_size` handlers ran.')
describe(
    'connections.buffered',
    'gauge',
    'Incomplete and unsent messages that all connections hold, those of callers too.',
    unit='bytes',
)
describe(
    'connections.max_buffered',
    'gauge',
    'The limit for such messages: `rpc.max_buffered`.',
    unit='bytes',
)
describe('listener.accepting', 'gauge', 'Whether the endpoint takes new callers: 1 or 0.')
describe('listener.dropped', 'counter', 'Messages at the endpoint that belonged to no connection.')


class ContainerFigures:
    """The metrics of one container; `listener` returns None until it listens."""

    def __init__(
        self,
        workers: Workers,
        server: RequestServer,
        transport: Transport,
        listener: Callable[[], Listener | None],
    ) -> None:
        self._workers = workers
        self._server = server
        self._transport = transport
        self._listener = listener

    def __iter__(self) -> Iterator[Sample]:
        workers, transport, listener = self._workers, self._transport, self._listener()
        if workers.size is not None:
            yield 'pool.size', workers.size, {}
        yield 'pool.running', workers.running, {}
        yield 'pool.refused', self._server.overloaded, {}
        buffered = transport.buffered
        if buffered is not None:
            yield 'connections.buffered', buffered, {}
            yield 'connections.max_buffered', transport.max_buffered, {}
        if listener is not None:
            yield 'listener.accepting', int(listener.trouble is None), {}
            yield 'listener.dropped', listener.dropped, {}
