"""Calls out: find an instance, send, wait, and try again where that can do no harm.

Every call has exactly one outcome by its deadline (see `lymph.exceptions`). A call that surely did
not run is tried on another instance while its time and its retries last.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import AsyncResult

from lymph.core._calling.calls import Call
from lymph.core._calling.deferring import DeferredCalls
from lymph.core._calling.dialer import Dialer
from lymph.core._calling.outcomes import outcome
from lymph.core._calling.reaching import Race
from lymph.core._protocol.balancing import choose
from lymph.core._protocol.retrying import RetryBudget, backoff, may_retry
from lymph.core.channels import RequestChannel
from lymph.core.components import Component
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.messages import IDEMPOTENT, Message, id_source
from lymph.core.services import EndpointInstance, Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import scheme_of
from lymph.discovery.base import BaseServiceRegistry
from lymph.exceptions import Expired, LookupFailure, NotConnected, RpcError

__all__ = ['DEFAULT_IDLE_TIMEOUT', 'DEFAULT_RETRIES', 'DEFAULT_TIMEOUT', 'Rpc']

DEFAULT_TIMEOUT = 1.0  # seconds; the manual's default of `RequestChannel.get` and `Proxy`
DEFAULT_RETRIES = 2
DEFAULT_IDLE_TIMEOUT = 300.0  # seconds without a call after which a connection is closed

_chance = random.random
_STOPPED = 'this container is stopped'
_FORKED = 'this container was started before a fork; make a new one in this process'


class Rpc(Component):
    """The caller's half of a container.

    `registry` returns the registry when it is needed; `suspect(endpoint)` is called in the hub when
    a connection was lost. `timeout` (seconds) and `retries` are the defaults of all calls. A
    connection that is not up after `connect_timeout` seconds is given up.
    """

    def __init__(
        self,
        transport: Transport,
        registry: Callable[[], BaseServiceRegistry],
        suspect: Callable[[str], None],
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        idle_timeout: float = DEFAULT_IDLE_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        super().__init__()
        self.timeout = timeout
        self.retries = retries
        self._registry = registry
        self._connect_timeout = connect_timeout
        self._dialer = Dialer(transport, suspect, idle_timeout, connect_timeout)
        self._deferred = DeferredCalls()
        self._new_id = id_source()
        self._calls = 0
        self._budget = RetryBudget()
        # (address, subject) of methods that have said so: as many as this process's code calls
        self._idempotent: set[tuple[str, str]] = set()

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
        retries included, and never exceeds what the current work has left. Instances that cannot be
        connected to are passed over, in any number unless `retries` is given. A call that may have
        run is only tried again if `idempotent` says that this does no harm, or its method has said
        so in an earlier reply. Raises an RpcError; before anything is sent SerializationError, or
        MessageTooLong.
        """
        call = self._begin(address, subject, body, timeout, version)
        call.patient = retries is None
        retries_left = self.retries if retries is None else retries
        retry = 0
        self._calls += 1
        while True:
            try:
                channel = self._send(call)
                try:
                    frames = channel.wait()
                except BaseException:
                    channel.cancel()
                    raise
                if frames[3] == IDEMPOTENT:
                    self._idempotent.add((address, subject))
                elif self._idempotent:
                    self._idempotent.discard((address, subject))
                return outcome(frames, channel)
            except RpcError as error:
                if call.tried:
                    self._dialer.failed(call.tried[-1], error)
                if retry >= retries_left or not self._may_retry(call, error, idempotent):
                    raise
                pause = backoff(retry, _chance)
                if time.monotonic() + pause >= call.deadline:
                    raise
            if pause:
                gevent.sleep(pause)
            retry += 1

    def defer(self, call: Callable[[], Any]) -> AsyncResult[Any]:
        """Run `call` in the background; the AsyncResult gets its outcome."""
        return self._deferred.start(call)

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
        return self._send(self._begin(address, subject, body, timeout, version))

    def send_message(self, address: str, message: Message, timeout: float) -> RequestChannel:
        """Send a request as it is; its reply, if any, must arrive within `timeout` seconds."""
        call = Call(address, message.subject, message.packed_body, timeout, None)
        return self._reach(call).request(
            message.id,
            message.subject,
            message.packed_headers,
            message.packed_body,
            call.deadline,
            timeout,
        )

    def connect(self, endpoint: str) -> Connection:
        """Return the connection to an endpoint; it may still be on its way up."""
        return self._dialer.connect(endpoint)

    def release(self, endpoint: str) -> None:
        """Hear that the registry has no instance at `endpoint` any more."""
        self._dialer.release(endpoint)

    def lookup(self, address: str) -> Service | ServiceInstance:
        """Return the instance at an endpoint, or the service of that name.

        Raises LookupFailure when nobody offers the service. An endpoint is not connected to before
        something of it is used; see `EndpointInstance`.
        """
        if scheme_of(address) is not None:
            return EndpointInstance(address, self.connect, self._identify)
        return self._registry().get(address)

    def _identify(self, endpoint: str) -> str:
        """Return the identity of the process that answers at `endpoint`; raises RpcError."""
        status = self.request(endpoint, 'lymph.status')
        identity = status.get('identity') if isinstance(status, dict) else None
        if not isinstance(identity, str):
            raise LookupFailure(f'{endpoint}: expected an identity in lymph.status, found none')
        return identity

    def stats(self) -> dict[str, Any]:
        """Return what an operator asks of the caller's half."""
        return {
            'connections': self._dialer.stats(),
            'unreachable': self._dialer.unreachable(),
            'deferred': self._deferred.running,
        }

    def on_stop(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._dialer.close()
        self._registry = functools.partial(_no_registry, _STOPPED)
        self._deferred.close(_STOPPED)

    def abandon(self) -> None:
        """Refuse in a forked child; the connections and the calls in flight stay the parent's."""
        self._dialer.abandon(_FORKED)
        self._registry = functools.partial(_no_registry, _FORKED)

    def _may_retry(self, call: Call, error: RpcError, idempotent: bool) -> bool:
        """Tell whether to try a call again, by what its caller or its method said of repeating."""
        idempotent = idempotent or (call.address, call.subject.decode()) in self._idempotent
        if not may_retry(error, idempotent) or (call.exhausted and self._has_waited(call)):
            return False
        return error.executed == 'no' or self._budget.spend(self._calls)

    def _has_waited(self, call: Call) -> bool:
        """Tell whether a call has had the time of a connection; then there is no use in more."""
        return call.deadline - time.monotonic() <= call.timeout - 0.9 * self._connect_timeout

    def _begin(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None,
        timeout: float | None,
        version: str | None,
    ) -> Call:
        seconds = self.timeout if timeout is None else timeout
        return Call.begin(address, subject, body, seconds, version)

    def _reach(self, call: Call) -> Connection:
        """Return the connection for the next try and remember its endpoint as tried."""
        address = call.address
        dialer = self._dialer
        if scheme_of(address) is not None:
            connection = dialer.ready(address)
            return connection or Race(dialer, call, (address,), call.patient).run()
        service = self._registry().known(address) or self._look_up(address, call.deadline)
        instances = service.match(call.wanted)
        if not instances:
            raise service.lacks(call.wanted)
        call.known = len(instances)
        if call.tried:
            instances = tuple(i for i in instances if i.endpoint not in call.tried) or instances
        connection = dialer.ready(choose(instances, self._load, self._usable, _chance).endpoint)
        if connection is None:
            dialer.passed_over.clear()
            race = Race(dialer, call, (i.endpoint for i in instances), call.patient)
            try:
                connection = race.run()
            finally:
                call.tried = (*call.tried, *call.unreached)
        elif dialer.passed_over:
            dialer.approach()
        call.tried = (*call.tried, connection.endpoint)
        return connection

    def _look_up(self, name: str, deadline: float) -> Service:
        """Ask the registry, for as long as the call has time."""
        late = Expired(f'{name}: the registry did not answer by the deadline of the call')
        with gevent.Timeout(max(0.001, deadline - time.monotonic()), late):
            return self._registry().get(name)

    def _load(self, instance: ServiceInstance) -> int:
        return self._dialer.load(instance.endpoint)

    def _usable(self, instance: ServiceInstance) -> bool:
        return self._dialer.usable(instance.endpoint)

    def _send(self, call: Call) -> RequestChannel:
        """Send the call to the next instance that is to be tried."""
        return self._reach(call).request(
            self._new_id(),
            call.subject,
            call.headers(),
            call.packed,
            call.deadline,
            call.timeout,
        )


def _no_registry(reason: str) -> BaseServiceRegistry:
    raise NotConnected(reason)
