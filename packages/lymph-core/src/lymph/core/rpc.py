"""Calls out: find an instance, send, wait, and try again where that can do no harm.

Every call has exactly one outcome by its deadline (see `lymph.exceptions`). A call that surely did
not run is tried on another instance while its time and its retries last.
"""

from __future__ import annotations

import contextvars
import functools
import math
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import AsyncResult

from lymph.core import deadlines, trace
from lymph.core.channels import RequestChannel
from lymph.core.components import Component
from lymph.core.connections import Connection
from lymph.core.dialer import Dialer
from lymph.core.messages import Message, id_source
from lymph.core.outcomes import outcome
from lymph.core.protocol.balancing import choose
from lymph.core.protocol.retrying import backoff, may_retry
from lymph.core.services import Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import scheme_of
from lymph.core.versioning import Version, parse_version
from lymph.core.workers import Workers
from lymph.discovery.base import BaseServiceRegistry
from lymph.exceptions import ConnectionLost, Expired, LookupFailure, NotConnected, RpcError
from lymph.serializers.msgpack import pack

__all__ = ['DEFAULT_IDLE_TIMEOUT', 'DEFAULT_RETRIES', 'DEFAULT_TIMEOUT', 'Rpc']

DEFAULT_TIMEOUT = 1.0  # seconds; the manual's default of `RequestChannel.get` and `Proxy`
DEFAULT_RETRIES = 2
DEFAULT_IDLE_TIMEOUT = 300.0  # seconds without a call after which a connection is closed

_REASONS = 3  # that one error tells, of instances that cannot be reached

_version = functools.lru_cache(maxsize=256)(parse_version)
_chance = random.random
_STOPPED = 'this container is stopped'
_FORKED = 'this container was started before a fork; make a new one in this process'


class _Call:
    """One call, for as long as it is tried."""

    __slots__ = (
        'address',
        'deadline',
        'known',
        'packed',
        'subject',
        'timeout',
        'tried',
        'unreached',
        'version',
        'wanted',
    )

    def __init__(
        self, address: str, subject: bytes, packed: bytes, timeout: float, version: str | None
    ) -> None:
        self.address = address
        self.subject = subject
        self.packed = packed
        self.timeout = timeout  # seconds
        self.deadline = time.monotonic() + timeout
        self.version = version
        self.wanted: Version | None = None if version is None else _version(version)
        self.tried: tuple[str, ...] = ()  # endpoints
        self.known = 0  # instances there were to choose from at the last try
        self.unreached: dict[str, str] = {}  # endpoint -> why

    def not_connected(self, endpoint: str, error: NotConnected) -> NotConnected:
        """Return what `error`, at `endpoint`, means for the whole call."""
        if not self.known:
            return error
        self.unreached[endpoint] = str(error)
        count = len(self.unreached)
        known = '1 instance' if self.known == 1 else f'{self.known} instances'
        found = 'none reachable' if count >= self.known else f'{count} not reachable'
        reasons = '; '.join([*self.unreached.values()][:_REASONS])
        return NotConnected(f'{known} of {self.address} known, {found}: {reasons}')


class Rpc(Component):
    """The caller's half of a container.

    `registry` returns the registry when it is needed; `suspect(endpoint)` is called in the hub when
    a connection was lost. `timeout` (seconds) and `retries` are the defaults of all calls.
    """

    def __init__(
        self,
        transport: Transport,
        registry: Callable[[], BaseServiceRegistry],
        suspect: Callable[[str], None],
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        idle_timeout: float = DEFAULT_IDLE_TIMEOUT,
    ) -> None:
        super().__init__()
        self.timeout = timeout
        self.retries = retries
        self._registry = registry
        self._dialer = Dialer(transport, suspect, idle_timeout)
        self._deferred = Workers()
        self._awaited: set[AsyncResult[Any]] = set()  # of deferred calls
        self._new_id = id_source()

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
        retries: int | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Call `subject` (``interface.method``) of a service and return its result.

        `address` is a service name or an endpoint. `timeout` in seconds bounds the whole call, all
        retries included, and never exceeds what the current work has left. Raises an RpcError, or
        SerializationError before anything is sent.
        """
        call = self._call(address, subject, body, timeout, version)
        retries_left = self.retries if retries is None else retries
        retry = 0
        while True:
            try:
                channel = self._send(call)
                try:
                    frames = channel.wait()
                finally:
                    channel.cancel()
                return outcome(frames, channel)
            except RpcError as error:
                if retry >= retries_left or not may_retry(error, idempotent):
                    raise
                pause = backoff(retry, _chance)
                if time.monotonic() + pause >= call.deadline:
                    raise
            if pause:
                gevent.sleep(pause)
            retry += 1

    def defer(self, call: Callable[[], Any], body: Mapping[str, Any] | None) -> AsyncResult[Any]:
        """Run `call` in the background; the AsyncResult gets its outcome.

        A `body` that cannot be serialized is an error here and now (SerializationError).
        """
        pack(body or {})
        result: AsyncResult[Any] = AsyncResult()

        def run() -> None:
            try:
                result.set(call())
            except Exception as error:  # noqa: BLE001 - whoever gets the result gets the error
                result.set_exception(error)
            finally:
                self._awaited.discard(result)

        self._awaited.add(result)
        if not self._deferred.try_start(contextvars.copy_context().run, run):
            self._awaited.discard(result)
            result.set_exception(NotConnected(_STOPPED))
        return result

    def send_request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> RequestChannel:
        """Send one request, without retries; it ends as a Timeout after `timeout` seconds."""
        return self._send(self._call(address, subject, body, timeout, version))

    def send_message(self, address: str, message: Message, timeout: float) -> RequestChannel:
        """Send a request as it is; its reply, if any, must arrive within `timeout` seconds."""
        call = _Call(address, message.subject, message.packed_body, timeout, None)
        endpoint = self._choose(call)
        try:
            connection = self._dialer.connect(endpoint)
            connection.wait_up(call.deadline)
            return connection.request(
                message.id,
                message.subject,
                message.packed_headers,
                message.packed_body,
                call.deadline,
                timeout,
            )
        except NotConnected as error:
            raise call.not_connected(endpoint, error) from error.__cause__

    def connect(self, endpoint: str) -> Connection:
        """Return the connection to an endpoint; it may still be on its way up."""
        return self._dialer.connect(endpoint)

    def release(self, endpoint: str) -> None:
        """Hear that the registry has no instance at `endpoint` any more."""
        self._dialer.release(endpoint)

    def lookup(self, address: str) -> Service | ServiceInstance:
        """Return the instance at an endpoint, or the service of that name.

        Raises LookupFailure when nobody offers the service.
        """
        if scheme_of(address) is not None:
            return ServiceInstance(address, address, connector=self.connect)
        return self._registry().get(address)

    def stats(self) -> dict[str, Any]:
        """Return what an operator asks of the caller's half."""
        return {'connections': self._dialer.stats(), 'deferred': self._deferred.running}

    def on_stop(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._dialer.close()
        self._registry = functools.partial(_no_registry, _STOPPED)
        awaited, self._awaited = self._awaited, set()
        self._deferred.kill()
        for result in awaited:
            if not result.ready():  # its greenlet was ended between two tries, or before it began
                result.set_exception(ConnectionLost(_STOPPED))

    def abandon(self) -> None:
        """Refuse in a forked child; the connections and the calls in flight stay the parent's."""
        self._dialer.abandon(_FORKED)
        self._registry = functools.partial(_no_registry, _FORKED)

    def _call(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None,
        timeout: float | None,
        version: str | None,
    ) -> _Call:
        """Return a call with the time that the current work leaves it."""
        packed = pack({} if body is None else body)
        timeout = self.timeout if timeout is None else timeout
        budget = deadlines.remaining(timeout)
        if not 0 < budget < math.inf:
            if budget <= 0:
                raise Expired(f'{subject}: no time left for the call')
            raise ValueError(f'{subject}: expected a timeout in seconds, found {timeout!r}')
        return _Call(address, subject.encode(), packed, budget, version)

    def _choose(self, call: _Call) -> str:
        """Return the endpoint for the next try and remember it as tried."""
        address = call.address
        if scheme_of(address) is not None:
            return address
        service = self._registry().known(address) or self._look_up(address, call.deadline)
        instances = service.match(call.wanted)
        if not instances:
            versions = ', '.join(sorted({i.version or 'none' for i in service}))
            raise LookupFailure(
                f'no instance of {address} serves {call.wanted} (versions: {versions})'
            )
        call.known = len(instances)
        if call.tried:
            instances = tuple(i for i in instances if i.endpoint not in call.tried) or instances
        endpoint = choose(instances, self._load, self._usable, _chance).endpoint
        call.tried = (*call.tried, endpoint)
        return endpoint

    def _look_up(self, name: str, deadline: float) -> Service:
        """Ask the registry, for as long as the call has time."""
        late = Expired(f'{name}: the registry did not answer by the deadline of the call')
        with gevent.Timeout(max(0.001, deadline - time.monotonic()), late):
            return self._registry().get(name)

    def _load(self, instance: ServiceInstance) -> int:
        return self._dialer.load(instance.endpoint)

    def _usable(self, instance: ServiceInstance) -> bool:
        return self._dialer.usable(instance.endpoint)

    def _send(self, call: _Call) -> RequestChannel:
        """Send the call to the next instance that is to be tried."""
        endpoint = self._choose(call)
        try:
            connection = self._dialer.connect(endpoint)
            connection.wait_up(call.deadline)
            headers: dict[str, Any] = {
                'trace_id': trace.get_id() or trace.new_id(),
                'timeout': call.deadline - time.monotonic(),
            }
            if call.version is not None:
                headers['version'] = call.version
            return connection.request(
                self._new_id(),
                call.subject,
                pack(headers),
                call.packed,
                call.deadline,
                call.timeout,
            )
        except NotConnected as error:
            raise call.not_connected(endpoint, error) from error.__cause__


def _no_registry(reason: str) -> BaseServiceRegistry:
    raise NotConnected(reason)
