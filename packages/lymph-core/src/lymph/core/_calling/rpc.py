"""Making calls: choose an instance, send, wait, and try again where that can do no harm.

Every call has exactly one outcome by its deadline (see `lymph.exceptions`).
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import gevent

from lymph.core._calling.calls import Call
from lymph.core._calling.deferring import DeferredCalls
from lymph.core._calling.dialer import Dialer
from lymph.core._calling.outcomes import outcome
from lymph.core._calling.reaching import Race
from lymph.core._protocol.balancing import choose
from lymph.core._protocol.retrying import RetryBudget, backoff, may_retry
from lymph.core._system.refusals import made_before_fork, was_stopped
from lymph.core.channels import RequestChannel
from lymph.core.components import Component
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.messages import IDEMPOTENT, id_source
from lymph.core.services import Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import scheme_of
from lymph.discovery.base import BaseServiceRegistry
from lymph.exceptions import Expired, NotConnected, RpcError

__all__ = ['DEFAULT_IDLE_TIMEOUT', 'DEFAULT_RETRIES', 'DEFAULT_TIMEOUT', 'Rpc']

DEFAULT_TIMEOUT = 1.0  # seconds; the manual's default of `RequestChannel.get` and `Proxy`
DEFAULT_RETRIES = 2
DEFAULT_IDLE_TIMEOUT = 300.0  # seconds without a call after which a connection is closed

_chance = random.random


class Rpc(Component):
    """Makes the calls of a container, over connections that calls share.

    `registry()` returns the registry when it is needed. `suspect(endpoint)` is called in the hub
    when a connection was lost. `retries` holds for calls whose options do not say otherwise. A
    connection is given up when it is not up after `connect_timeout` seconds, and closed when
    nothing was sent on it for `idle_timeout` seconds.
    """

    def __init__(
        self,
        transport: Transport,
        registry: Callable[[], BaseServiceRegistry],
        suspect: Callable[[str], None],
        *,
        retries: int = DEFAULT_RETRIES,
        idle_timeout: float = DEFAULT_IDLE_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        super().__init__()
        #: runs calls in the background
        self.deferred = DeferredCalls()
        #: returns the registry; raises NotConnected after the end
        self.registry = registry
        self._retries = retries
        self._connect_timeout = connect_timeout
        self._dialer = Dialer(transport, suspect, idle_timeout, connect_timeout)
        self._new_id = id_source()
        self._calls = 0
        self._budget = RetryBudget()
        # (address, subject) of methods that have said so: as many as this process's code calls
        self._idempotent: set[tuple[str, bytes]] = set()

    def request(self, call: Call) -> Any:
        """Make a call and return its result, or raise the RpcError it ended with.

        A try that surely did not run (`executed` is ``no``) is repeated on another instance. One
        that may have run is repeated if the call's options say ``idempotent`` or the method did in
        an earlier reply, for a tenth of all calls at most (`RetryBudget`). The first repetition
        follows at once, the next ones after pauses that grow from about 20 ms to half a second.
        The error is raised when the retries are used up, when repeating cannot help (`may_retry`),
        or when the next try would begin after the call's deadline.
        """
        retries = call.options.retries
        if retries is None:
            retries = self._retries
        retry = 0
        self._calls += 1
        while True:
            try:
                channel = self.send(call)
                try:
                    frames = channel.wait()
                except BaseException:
                    channel.cancel()
                    raise
                if frames[3] == IDEMPOTENT:
                    self._idempotent.add((call.address, call.subject))
                elif self._idempotent:
                    self._idempotent.discard((call.address, call.subject))
                return outcome(frames, channel)
            except RpcError as error:
                if call.tried:
                    self._dialer.failed(call.tried[-1], error)
                if retry >= retries or not self._may_retry(call, error):
                    raise
                pause = backoff(retry, _chance)
                if time.monotonic() + pause >= call.deadline:
                    raise
            if pause:
                gevent.sleep(pause)
            retry += 1

    def send(self, call: Call) -> RequestChannel:
        """Send a call to the next instance that is to be tried; its channel gets the reply.

        Raises LookupFailure, NotConnected or Expired, and MessageTooLong; then nothing was sent.
        """
        try:
            return self.connection_for(call).request(
                self._new_id(),
                call.subject,
                call.headers(),
                call.packed,
                call.deadline,
                call.timeout,
            )
        except RpcError as error:
            call.describe(error)
            raise

    def connection_for(self, call: Call) -> Connection:
        """Return the connection for the next try of a call, and note its endpoint as tried.

        Instances of a version that serves the call compete, those before all that were not tried
        yet. Raises LookupFailure when there are none, NotConnected when none can be connected to
        within the time of the call, Expired when the registry does not answer in that time.
        """
        address = call.address
        dialer = self._dialer
        patient = call.options.retries is None  # then any number of instances may be connected to
        if '://' in address and scheme_of(address) is not None:
            return dialer.ready(address) or Race(dialer, call, (address,), patient).run()
        service = self.registry().known(address)
        if service is None:
            service = self._look_up(address, call.deadline)
        instances = service.match(call.wanted)
        if not instances:
            raise service.lacks(call.wanted)
        call.known = len(instances)
        if call.tried:
            instances = tuple(i for i in instances if i.endpoint not in call.tried) or instances
        connection = dialer.ready(choose(instances, self._load, self._usable, _chance).endpoint)
        if connection is None:
            dialer.passed_over.clear()
            race = Race(dialer, call, (i.endpoint for i in instances), patient)
            try:
                connection = race.run()
            finally:
                call.tried = (*call.tried, *call.unreached)
        elif dialer.passed_over:
            dialer.approach()
        call.tried = (*call.tried, connection.endpoint)
        return connection

    def connect(self, endpoint: str) -> Connection:
        """Return the connection to an endpoint, made now if there is none. Does not wait.

        Raises NotConnected for an endpoint that the transport cannot reach.
        """
        return self._dialer.connect(endpoint)

    def release(self, endpoint: str) -> None:
        """Close the connection to `endpoint`, where the registry has no instance any more."""
        self._dialer.release(endpoint)

    def stats(self) -> dict[str, Any]:
        """Return the connections, the endpoints that cannot be reached and what is deferred."""
        return {
            'connections': self._dialer.stats(),
            'unreachable': self._dialer.unreachable(),
            'deferred': self.deferred.running,
        }

    def on_stop(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._dialer.close()
        reason = was_stopped('container')
        self.registry = functools.partial(_no_registry, reason)
        self.deferred.close(reason)

    def abandon(self) -> None:
        """Refuse in a forked child; the connections and the calls in flight stay the parent's."""
        self._dialer.abandon()
        self.registry = functools.partial(_no_registry, made_before_fork('container'))

    def _may_retry(self, call: Call, error: RpcError) -> bool:
        """Tell whether to try a call again, by what its caller or its method said of repeating."""
        idempotent = call.options.idempotent or (call.address, call.subject) in self._idempotent
        if not may_retry(error, idempotent) or (call.exhausted and self._has_waited(call)):
            return False
        return error.executed == 'no' or self._budget.spend(self._calls)

    def _has_waited(self, call: Call) -> bool:
        """Tell whether a call has had the time of a connection; then there is no use in more."""
        return call.deadline - time.monotonic() <= call.timeout - 0.9 * self._connect_timeout

    def _look_up(self, name: str, deadline: float) -> Service:
        """Ask the registry, for as long as the call has time."""
        late = Expired(f'{name}: the registry did not answer by the deadline of the call')
        with gevent.Timeout(max(0.001, deadline - time.monotonic()), late):
            return self.registry().get(name)

    def _load(self, instance: ServiceInstance) -> int:
        return self._dialer.load(instance.endpoint)

    def _usable(self, instance: ServiceInstance) -> bool:
        return self._dialer.usable(instance.endpoint)


def _no_registry(reason: str) -> BaseServiceRegistry:
    raise NotConnected(reason)
