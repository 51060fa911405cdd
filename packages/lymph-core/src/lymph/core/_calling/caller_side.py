"""What a container offers to the code in it: calls, lookups, events, subscriptions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from logging import DEBUG
from time import monotonic, time
from typing import TYPE_CHECKING, Any, TypeVar

from gevent.lock import RLock

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core._calling.calls import BUILTIN, Call
from lymph.core._calling.emitting import Emitter
from lymph.core._calling.rpc import DEFAULT_IDLE_TIMEOUT, DEFAULT_RETRIES, DEFAULT_TIMEOUT, Rpc
from lymph.core._calling.subscribers import Subscribers
from lymph.core._calling.watching import WatchedChannel, send_watched
from lymph.core._calling.work import CallWork
from lymph.core._monitoring.call_log import CallLog, call_logger
from lymph.core._monitoring.recent_work import DEFAULT_KEEP, RecentWork
from lymph.core._protocol.call_headers import trace_id_in
from lymph.core._system.threads import get_ident
from lymph.core._typing.payloads import Payload, payload_of
from lymph.core._work.chains import Chains, surround
from lymph.core.call_options import (
    DEFAULT_OPTIONS,
    CallKeywords,
    CallOptions,
    wrong_options,
)
from lymph.core.channels import RequestChannel, subject_text
from lymph.core.components import Component, Componentized
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.events import Event
from lymph.core.interceptors import Interceptor
from lymph.core.interfaces import Interface
from lymph.core.messages import EMPTY_MAP, Message
from lymph.core.monitoring.histograms import SECONDS
from lymph.core.services import EndpointInstance, Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import expect_address, scheme_of
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_delay
from lymph.exceptions import CallFacts, Expired, LookupFailure, RpcError, WrongThread

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core._loop.results import AsyncResult
    from lymph.core.components import ComponentParts

__all__ = ['CallerSide']

B = TypeVar('B', bound=Component)
R = TypeVar('R')

_is_logged = call_logger.isEnabledFor
_MESSAGE_TIMEOUT = 60.0  # seconds to wait for the reply to a message of `send_message`


class CallerSide(Componentized):
    """The side of a container that makes calls and emits events.

    `timeout` (seconds) and `retries` are the defaults of calls. `idle_timeout` and
    `connect_timeout` (seconds) limit connections (see `Rpc`). `keep` is how many of its last units
    of work are kept (see `RecentWork`). `call_log` writes lines about calls.

    With `on_demand`, the registry and the event system are started when they are first used: a
    client that only makes calls starts no event system, and one that only emits events starts no
    registry. `events` may then be a function that makes the event system.

    A CallerSide belongs to the native thread that created it. Its methods raise WrongThread when
    another thread calls them, before they have any effect.
    """

    #: the name of this process, unique among all processes
    identity: str

    def __init__(
        self,
        transport: Transport,
        registry: BaseServiceRegistry,
        events: BaseEventSystem | Callable[[], BaseEventSystem],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        idle_timeout: float = DEFAULT_IDLE_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        on_demand: bool = False,
        keep: int = DEFAULT_KEEP,
        call_log: CallLog | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        #: the chains of interceptors around all units of work; for lymph itself
        self.chains = Chains()
        #: its last units of work; for lymph itself
        self.recent = RecentWork(keep)
        self.rpc = Rpc(
            transport,
            lambda: self.registry,
            self._suspect,
            retries=retries,
            idle_timeout=idle_timeout,
            connect_timeout=connect_timeout,
            chains=self.chains,
            recent=self.recent,
            call_log=call_log,
        )
        self._figures = self.rpc.figures
        self._calls = self.chains.of('call')
        self._builtin_calls = self.chains.of('call', builtin=True)
        self._timeout = timeout
        self._thread = get_ident()
        self._registry = registry
        self._made_events = events
        self._on_demand = on_demand
        self._starting = RLock()
        self._ended = False
        self._subscribers = Subscribers(lambda: self.events, self.chains, self.recent)
        self._emitter = Emitter(lambda: self.events, self.chains.of('emit'), self.recent)
        self.metrics.add(self._subscribers.figures)
        self.metrics.add(self._emitter.figures)
        registry.connector = self.rpc.connect
        registry.released = self.rpc.release
        self.add_component(self.rpc)
        self.metrics.add(self.rpc)
        for backend in (registry, events):
            if not isinstance(backend, Component):
                assert on_demand  # `events` is a function only then
            elif on_demand:
                backend.parent = self
            else:
                self.add_component(backend)

    @property
    def registry(self) -> BaseServiceRegistry:
        """The service registry; with `on_demand`, reading it starts the registry if necessary."""
        if self._on_demand:
            self._start_now(self._registry)
        return self._registry

    @property
    def events(self) -> BaseEventSystem:
        """The event system; with `on_demand`, reading it starts the event system if necessary."""
        self._expect_own_thread('an event system was used')
        events = self._events
        if self._on_demand:
            self._start_now(events)
        return events

    @property
    def _events(self) -> BaseEventSystem:
        """The event system, started or not."""
        if not isinstance(self._made_events, BaseEventSystem):
            self._made_events = self._made_events()
            self._made_events.parent = self
        return self._made_events

    def _in_use(self, backend: B | Callable[[], B]) -> B | None:
        """Return a backend, None if it is started on demand and nobody has needed it yet."""
        unused = self._on_demand and backend not in self.components
        return None if unused or not isinstance(backend, Component) else backend

    def add_component(self, component: Component) -> None:
        """Add a component; see `Componentized.add_component`."""
        self._expect_own_thread('a component was added')
        super().add_component(component)

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        options: CallOptions = DEFAULT_OPTIONS,
        **changes: Unpack[CallKeywords],
    ) -> Any:
        """Call a method and return its result. All calls pass here, so tests can mock this method.

        `address` is the name of a service or an endpoint (``tcp://host:port``), `subject` is
        ``interface.method``. `body` maps argument names to values. It may also be such a map
        packed with `lymph.serializers.msgpack.pack`: a call that is made many times is packed
        once. Keywords are those of `CallOptions` and override single fields of `options`.

        Returns or raises within `timeout` seconds: RemoteError for an error that the method
        declares, another RpcError when there is no result; its `executed` tells whether the method
        ran. Raises before anything is sent: SerializationError for arguments that cannot be
        serialized, MessageTooLong, TypeError and ValueError for invalid options, WrongThread.
        """
        if get_ident() != self._thread:
            raise WrongThread(f'{subject} was called')
        if options is not DEFAULT_OPTIONS and not isinstance(options, CallOptions):
            raise wrong_options(options, subject)
        if changes:
            options = options.changed(subject, changes, address)
        if self._calls.steps:
            return self._request_within(address, subject, body, options)
        try:
            call = Call.begin(address, subject, body, options, self._timeout)
        except Expired:
            self._count_late(address, subject, options)
            raise
        calls = self._figures
        calls.begun += 1
        try:
            result = self.rpc.request(call)
        except BaseException as error:
            calls.failed(call, error, monotonic())
            raise
        # inlined `CallFigures.succeeded`, since this runs for every call
        method = calls.methods.get((address, call.subject)) or calls.answered(call)
        ended = call.ended
        seconds = ended - call.deadline + call.timeout
        durations = method.durations
        bucket = bisect_left(SECONDS, seconds)
        durations.counts[bucket] += 1
        durations.sum += seconds
        durations.exemplars[bucket] = call.trace_id, seconds, ended
        if seconds >= calls.least or _is_logged(DEBUG):
            calls.log(call, 'ok', seconds)
        return result

    def _request_within(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None,
        options: CallOptions,
    ) -> Any:
        """Make a call inside the interceptors of calls."""
        call = Call.begin(address, subject, EMPTY_MAP, options, self._timeout, even_late=True)
        builtin = call.subject.startswith(BUILTIN)
        steps = (self._builtin_calls if builtin else self._calls).steps
        work = CallWork(call, body, self.rpc.request)
        self._figures.begun += 1
        try:
            result = surround(steps, work, work.run) if steps else work.run()
        except BaseException as error:
            self._figures.failed(call, error, monotonic())
            raise
        self._figures.succeeded(call, monotonic())
        return result

    def defer(self, call: Callable[[], R], **facts: Unpack[CallFacts]) -> AsyncResult[R]:
        """Run `call` in the background, with the trace id and the deadline of the current work.

        Returns an AsyncResult, which gets what `call` returns or raises. `facts` are keyword
        arguments of `RpcError`: they describe the call in the error that it ends with if the
        container stops.
        """
        self._expect_own_thread('a call was deferred')
        return self.rpc.deferred.start(call, **facts)

    def send_request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
        trace_id: str | None = None,
    ) -> RequestChannel:
        """Send a request once, without retries, and return the channel that receives the reply.

        The parameters are those of `request`. The channel raises Timeout after `timeout` seconds,
        and returns replies of all types as messages, errors included. Raises the errors that
        `request` raises before anything is sent, and LookupFailure, NotConnected and Expired.
        """
        self._expect_own_thread(f'{subject} was called')
        changes: CallKeywords = {'timeout': timeout, 'version': version, 'trace_id': trace_id}
        options = DEFAULT_OPTIONS.changed(subject, changes, address)
        try:
            call = Call.begin(address, subject, body, options, self._timeout)
        except Expired:
            self._count_late(address, subject, options)
            raise
        return send_watched(self.rpc, call, partial(self.rpc.send, call, channel=WatchedChannel))

    def send_message(
        self, address: str, msg: Message, timeout: float = _MESSAGE_TIMEOUT
    ) -> RequestChannel:
        """Send a message unchanged and return the channel that receives the reply.

        The channel raises Timeout if no reply arrives within `timeout` seconds. Raises
        LookupFailure, NotConnected, Expired and MessageTooLong, and then nothing was sent;
        ValueError for an invalid timeout, TypeError for an address that is not text.
        """
        expect_address(address)
        self._expect_own_thread(f'{msg} was sent')
        options = DEFAULT_OPTIONS.changed(subject_text(msg.subject), {'timeout': timeout}, address)
        seconds = options.timeout or _MESSAGE_TIMEOUT
        call = Call(address, msg.subject, msg.packed_body, seconds, DEFAULT_OPTIONS)
        call.trace_id = trace_id_in(msg.packed_headers) or ''

        def send() -> WatchedChannel:
            try:
                return self.rpc.connection_for(call).request(
                    *(msg.id, msg.subject, msg.packed_headers, msg.packed_body),
                    *(call.deadline, seconds, WatchedChannel),
                )
            except RpcError as error:
                call.describe(error)
                raise

        return send_watched(self.rpc, call, send)

    def connect(self, address: str) -> Connection:
        """Return the connection to an endpoint, without waiting until it is up.

        Raises NotConnected for an endpoint that the transport cannot reach, TypeError for an
        address that is not text.
        """
        expect_address(address)
        self._expect_own_thread(f'{address} was connected to')
        return self.rpc.connect(address)

    def lookup(self, address: str) -> Service | ServiceInstance:
        """Return the service with this name, or the instance at this endpoint.

        Raises LookupFailure when the service has no instance. For an endpoint nothing is looked up
        or connected yet; see `EndpointInstance`.
        """
        self._expect_own_thread(f'{address} was looked up')
        if scheme_of(address) is not None:
            return EndpointInstance(address, self.connect, self._identify)
        return self.rpc.registry().get(address)

    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance now.

        Raises LookupFailure when the registry does not answer.
        """
        self._expect_own_thread('services were asked for')
        return self.registry.discover(namespace)

    def emit_event(
        self,
        type: str,
        payload: Payload | None = None,
        *,
        delay: float = 0,
        source: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Emit an event; return when the event system has stored it safely.

        All events pass here, so tests can mock this method. `payload` is a map of parameters, or an
        object that travels as one. The event is delivered after `delay` seconds, at most a hundred
        years. `source` is the identity of this process by default.
        `headers` are sent with it, next to its trace id. Raises EmitFailure when it may be lost,
        SerializationError for a payload that cannot be serialized, TypeError for a payload or
        headers that are not a mapping, ValueError for an invalid delay.
        """
        self._expect_own_thread(f'{type} was emitted')
        if payload is None or isinstance(payload, (dict, Mapping)):
            body: Mapping[str, Any] | None = payload
        else:
            body = payload_of(type, payload)
        if headers is not None and not isinstance(headers, (dict, Mapping)):
            raise TypeError(f'expected the headers of {type} as a dict, found {quoted(headers)}')
        check_delay(delay, type)  # before an event system is started for it
        known = {'trace_id': trace.get_id() or trace.new_id(), **(headers or {})}
        event = Event(type, body, source or self.identity, known, due=time() + delay)
        traced = trace.get_id() is not None or 'trace_id' in (headers or ())
        self._emitter.emit(event, delay, traced)

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None = None
    ) -> Subscription:
        """Subscribe a handler; return the subscription to pass to `unsubscribe`.

        `ended()` is called when a `once` subscription has had its event. Raises SubscriptionError
        when the event system rejects the subscription.
        """
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        return self._subscribers.subscribe(subscription, ended)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription that `subscribe` returned. Unknown subscriptions are ignored."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        self._subscribers.unsubscribe(subscription)

    def _count_late(self, address: str, subject: str, options: CallOptions) -> None:
        """Count a call that could not begin, since no time was left."""
        call = Call.begin(address, subject, EMPTY_MAP, options, self._timeout, even_late=True)
        self._figures.begun += 1
        self._figures.ended(call, 'expired', '', monotonic())

    def _identify(self, endpoint: str) -> str:
        """Ask the process at `endpoint` for its identity; raises RpcError."""
        status = self.request(endpoint, 'lymph.status')
        identity = status.get('identity') if isinstance(status, dict) else None
        if not isinstance(identity, str):
            text = f'{endpoint}: expected an identity in lymph.status, found none'
            raise LookupFailure(text, subject='lymph.status', endpoint=endpoint)
        return identity

    def _expect_own_thread(self, what: str) -> None:
        if get_ident() != self._thread:
            raise WrongThread(what)

    def on_component_start(self, component: Component) -> None:
        """Put an interceptor around all work once it has started."""
        if not isinstance(component, Interface) and isinstance(component, Interceptor):
            self.chains.add(component)

    def on_component_stop(self, component: Component) -> None:
        """Take an interceptor away before it stops."""
        self.chains.remove(component)

    def on_stop(self) -> None:
        """Stop all components; from then on nothing is started on demand."""
        self._ended = True
        super().on_stop()

    def _suspect(self, endpoint: str) -> None:
        """Ask the registry to check an endpoint whose connection was lost. Runs in the hub."""
        if self._registry in self.components:
            self._reported(self._registry.suspect_endpoint, 'told of a lost endpoint', endpoint)

    def _start_now(self, component: Component) -> None:
        if component not in self.components and not self._ended:
            with self._starting:
                if component not in self.components:
                    self._start_and_add(component)
