"""Making calls: choose an instance, send, wait, and retry where that is safe.

Every call has exactly one outcome by its deadline (see `lymph.exceptions`).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Hashable, Iterator
from time import monotonic
from typing import Any, TypeVar

import gevent

from lymph.core._calling.calls import BUILTIN, Call
from lymph.core._calling.deferring import DeferredCalls
from lymph.core._calling.dialer import Dialer
from lymph.core._calling.figures import CallFigures
from lymph.core._calling.outcomes import outcome, says_idempotent
from lymph.core._calling.reaching import Race
from lymph.core._calling.work import TryWork
from lymph.core._loop.current_call import current_call, marked_work
from lymph.core._monitoring.call_log import CallLog
from lymph.core._monitoring.recent_work import LONGEST, RecentWork, WorkEntry, outcome_of
from lymph.core._protocol.balancing import choose
from lymph.core._protocol.retrying import RetryBudget, backoff, may_retry
from lymph.core._system.refusals import made_before_fork, was_stopped
from lymph.core._work.chains import Chains, surround
from lymph.core.channels import RequestChannel
from lymph.core.components import Component
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.messages import IDEMPOTENT, NACK, id_source
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.core.services import Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import scheme_of
from lymph.discovery.base import BaseServiceRegistry
from lymph.exceptions import Expired, NotConnected, RpcError

__all__ = ['DEFAULT_IDLE_TIMEOUT', 'DEFAULT_RETRIES', 'DEFAULT_TIMEOUT', 'Rpc']

DEFAULT_TIMEOUT = 1.0  # seconds; the manual's default of `RequestChannel.get` and `Proxy`
DEFAULT_RETRIES = 2
DEFAULT_IDLE_TIMEOUT = 300.0  # seconds without a call after which a connection is closed

C = TypeVar('C', bound=RequestChannel)

_LONGEST_USUAL = len(IDEMPOTENT)  # bytes of reply headers to which no interceptor has added any

_chance = random.random

describe('calls.retries', 'counter', 'Attempts after the first one of a call.')
describe(
    'calls.passed_over',
    'counter',
    'Instances that calls avoided: not connected, silent, starting or stopping.',
)


class Rpc(Component):
    """Makes the calls of a container, over connections that all calls share.

    `registry()` returns the registry, and may have to start it. `suspect(endpoint)` is called in
    the hub when a connection was lost. `retries` is the default for calls whose options do not set
    it. A connection that is not up after `connect_timeout` seconds has failed; it is closed after
    `idle_timeout` seconds without a request. `chains` has the interceptors of attempts. `recent`
    keeps what became of them. `call_log` writes lines about calls.
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
        chains: Chains | None = None,
        recent: RecentWork | None = None,
        call_log: CallLog | None = None,
    ) -> None:
        super().__init__()
        chains = chains or Chains()
        self._recent = recent if recent is not None and recent.keep else None
        if recent is not None:
            recent.sources.append(self._in_flight)
        self._tries = chains.of('try')
        self._builtin_tries = chains.of('try', builtin=True)
        #: counts of calls; whoever makes one has to count it
        self.figures = CallFigures(call_log or CallLog())
        #: runs calls in the background
        self.deferred = DeferredCalls()
        #: returns the registry; raises NotConnected after the end
        self.registry = registry
        self._retries = retries
        self._connect_timeout = connect_timeout
        self._dialer = Dialer(transport, suspect, idle_timeout, connect_timeout)
        self._new_id = id_source()
        self._retried = 0
        self._budget = RetryBudget()
        # (address, subject) of methods whose replies say that they are idempotent; the table cannot
        # outgrow the number of methods that the code of this process calls
        self._idempotent: set[tuple[str, bytes]] = set()

    def request(self, call: Call) -> Any:
        """Make a call and return its result, or raise the RpcError it ended with.

        The call is retried up to ``options.retries`` times, by default `retries` of this object:

        - If the attempt certainly did not run (`executed` is ``no``), on another instance if there
          is one.
        - If it may have run, only when it is idempotent: the options say so, or the method said so
          in an earlier reply. At most a tenth of all calls are repeated in this way
          (`RetryBudget`).

        The first retry follows at once, later ones after pauses that grow from about 20 ms to half
        a second. The error is raised when no retries are left, when a retry cannot help
        (`may_retry`), or when the next attempt would begin after the call's deadline. `options`
        with a `version` restrict the call to instances that serve this version.
        """
        retries = call.options.retries
        if retries is None:
            retries = self._retries
        retry = 0
        while True:
            try:
                if self._tries.steps:
                    return self._surrounded(call, retry + 1)
                return self._attempt(call, retry + 1)
            except RpcError as error:
                settled = call.extras is not None and call.extras.settled
                if settled or retry >= retries or not self._may_retry(call, error):
                    raise
                pause = backoff(retry, _chance)
                if monotonic() + pause >= call.deadline:
                    raise
            if pause:
                gevent.sleep(pause)
            retry += 1
            self._retried += 1

    def _attempt(self, call: Call, number: int, connection: Connection | None = None) -> Any:
        """Make one attempt of a call and return its result; raises RpcError."""
        # the first one begins with its call, so the clock need not be read again
        started = call.deadline - call.timeout if number == 1 else monotonic()
        unit = current_call()  # inlined `current_work`, since this runs for every call
        parent: Hashable = None if unit is None else unit.work
        if parent is None:
            parent = marked_work()
        id: bytes | None = None
        try:
            channel: RequestChannel = self.send(call, connection)
            id = channel.id
            channel.started = started
            channel.parent = parent
            try:
                frames = channel.wait()
            except BaseException:
                channel.cancel()
                raise
            headers = frames[3]
            if call.extras is not None:
                call.extras.replied = headers
            if headers == IDEMPOTENT or (
                len(headers) > _LONGEST_USUAL and frames[1] != NACK and says_idempotent(headers)
            ):
                self._idempotent.add((call.address, call.subject))
            elif self._idempotent:
                self._idempotent.discard((call.address, call.subject))
            result = outcome(frames, channel)
        except BaseException as error:
            if call.tried and isinstance(error, RpcError):
                self._dialer.failed(call.tried[-1], error)
            self.keep_attempt(call, id, parent, started, outcome_of(error), number)
            raise
        call.ended = ended = monotonic()
        recent = self._recent
        if recent is not None:  # inlined `keep_attempt`, since this runs for every call
            seconds = ended - started
            peer, name = call.tried[-1] if call.tried else call.address, call.subject
            recent.add(
                ('call', call.trace_id, id, parent, name, peer, started, seconds, 'ok', number)
            )
        return result

    def keep_attempt(
        self,
        call: Call,
        id: bytes | None,
        parent: object,
        started: float,
        outcome: str,
        number: int = 1,
    ) -> None:
        """Keep what became of an attempt; `id` is that of its request, None if none was sent."""
        if self._recent is not None:
            seconds = monotonic() - started
            peer = call.tried[-1] if call.tried else call.address[:LONGEST]
            about = 'call', call.trace_id, id, parent, call.subject[:LONGEST], peer
            self._recent.put((*about, started, seconds, outcome, number))

    def _in_flight(self) -> Iterator[WorkEntry]:
        """Yield the attempts that wait for an answer, for `RecentWork`."""
        for connection in self._dialer.connections:
            for channel in connection.pending.values():
                trace_id = channel.trace_id if channel.started else None
                if trace_id is not None:
                    name, peer = channel.subject[:LONGEST], connection.endpoint
                    known = 'call', trace_id, channel.id, channel.parent, name, peer
                    yield (*known, channel.started, None, '', 1)

    def _surrounded(self, call: Call, number: int) -> Any:
        """Make one attempt of a call inside the interceptors of attempts; raises RpcError.

        Its instance is chosen before, so that interceptors know it.
        """
        builtin = call.subject.startswith(BUILTIN)
        steps = (self._builtin_tries if builtin else self._tries).steps
        if not steps:
            return self._attempt(call, number)
        connection = failure = None
        try:
            connection = self.connection_for(call)
        except RpcError as error:
            call.describe(error)
            failure = error

        def attempt() -> Any:
            if failure is not None:
                raise failure
            if call.deadline <= monotonic():
                raise call.no_time(call.timeout)
            return self._attempt(call, number, connection)

        endpoint = None if connection is None else connection.endpoint
        work = TryWork(call, number, endpoint, attempt)
        try:
            result = surround(steps, work, work.run)
            call.ended = monotonic()  # also if an interceptor has answered itself
            return result
        except RpcError as error:
            if call.extras is not None:
                call.extras.settled = work.settles(error)
            raise
        finally:
            work.end()

    def send(
        self,
        call: Call,
        connection: Connection | None = None,
        channel: type[C] = RequestChannel,  # type: ignore[assignment]  # C is bound to it
    ) -> C:
        """Send a call once, to an instance not tried yet if possible; return its channel.

        `connection` is the one to use, if it was chosen already; `channel` the class of the
        channel. Raises LookupFailure, NotConnected, Expired or MessageTooLong; then nothing was
        sent.
        """
        try:
            return (connection or self.connection_for(call)).request(
                self._new_id(),
                call.subject,
                call.headers(),
                call.packed,
                call.expires,
                call.timeout,
                channel,
            )
        except RpcError as error:
            call.describe(error)
            raise

    def connection_for(self, call: Call) -> Connection:
        """Return the connection for the next attempt of a call; note its endpoint as tried.

        The instance is chosen among those that serve the version of the call, and preferably among
        those not tried yet. Raises LookupFailure when no instance serves it, NotConnected when no
        connection comes up before the deadline, Expired when the registry does not answer by then
        or no time is left to connect.
        """
        address = call.address
        dialer = self._dialer
        # Connecting to another instance counts as a retry only if the caller has set `retries`.
        patient = call.options.retries is None
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
        """Return the connection to an endpoint; make one if there is none. Does not wait.

        Raises NotConnected for an endpoint that the transport cannot reach.
        """
        return self._dialer.connect(endpoint)

    def release(self, endpoint: str) -> None:
        """Close the connection to `endpoint`, which has left the registry, if it is not in use."""
        self._dialer.release(endpoint)

    def stats(self) -> dict[str, Any]:
        """Return facts about connections, unreachable endpoints and the count of deferred calls."""
        return {
            'connections': self._dialer.stats(),
            'unreachable': self._dialer.unreachable(),
            'deferred': self.deferred.running,
        }

    def __iter__(self) -> Iterator[Sample]:
        """Yield counts of calls and connections, as metrics."""
        yield from self.figures
        yield 'calls.retries', self._retried, {}
        yield 'calls.passed_over', self._dialer.times_passed_over, {}
        yield from self._dialer.figures

    def on_stop(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._dialer.close()
        reason = was_stopped('container')
        self.registry = functools.partial(_no_registry, reason)
        self.deferred.close(reason)

    def abandon(self) -> None:
        """In a forked child, refuse calls; connections and calls in flight stay the parent's."""
        self._dialer.abandon()
        self.registry = functools.partial(_no_registry, made_before_fork('container'))

    def _may_retry(self, call: Call, error: RpcError) -> bool:
        """Tell whether to retry a call after `error`; uses up the retry budget where necessary."""
        idempotent = call.options.idempotent or (call.address, call.subject) in self._idempotent
        if not may_retry(error, idempotent) or (call.exhausted and self._has_waited(call)):
            return False
        return error.executed == 'no' or self._budget.spend(self.figures.begun)

    def _has_waited(self, call: Call) -> bool:
        """Tell whether the call has waited about as long as a connection may take to come up.

        If no instance was reachable in that time, another attempt would hardly find one.
        """
        return call.deadline - monotonic() <= call.timeout - 0.9 * self._connect_timeout

    def _look_up(self, name: str, deadline: float) -> Service:
        """Ask the registry; raises Expired when it does not answer by `deadline`."""
        late = Expired(f'{name}: the registry did not answer by the deadline of the call')
        with gevent.Timeout(max(0.001, deadline - monotonic()), late):
            return self.registry().get(name)

    def _load(self, instance: ServiceInstance) -> int:
        return self._dialer.load(instance.endpoint)

    def _usable(self, instance: ServiceInstance) -> bool:
        return self._dialer.usable(instance.endpoint)


def _no_registry(reason: str) -> BaseServiceRegistry:
    raise NotConnected(reason)
