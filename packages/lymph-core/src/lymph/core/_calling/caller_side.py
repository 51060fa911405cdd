"""What a container offers to the code in it: calls, lookups, events, subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gevent.lock import RLock

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core._calling.calls import Call
from lymph.core._calling.rpc import DEFAULT_IDLE_TIMEOUT, DEFAULT_RETRIES, DEFAULT_TIMEOUT, Rpc
from lymph.core._hosting.subscriptions import HandlerStats, hosted
from lymph.core._protocol.call_headers import trace_id_in
from lymph.core._system.threads import get_ident
from lymph.core.call_options import DEFAULT_OPTIONS, CallKeywords, CallOptions
from lymph.core.channels import RequestChannel, subject_text
from lymph.core.components import Component, Componentized
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.events import Event
from lymph.core.messages import Message
from lymph.core.services import EndpointInstance, Service, ServiceInstance
from lymph.core.transport.base import Transport
from lymph.core.transport.endpoints import expect_address, scheme_of
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_delay
from lymph.exceptions import LookupFailure, RpcError, WrongThread

if TYPE_CHECKING:
    from gevent.event import AsyncResult
    from typing_extensions import Unpack

__all__ = ['CallerSide']

_MESSAGE_TIMEOUT = 60.0  # seconds for which the reply to a bare message is waited for


class CallerSide(Componentized):
    """The side of a container that makes calls and emits events.

    `timeout` (seconds) and `retries` are the defaults of calls, `idle_timeout` and
    `connect_timeout` (seconds) bound connections (see `Rpc`).

    With `on_demand`, registry and event system are started when they are first used: a client that
    only makes calls starts no event system, and one that only emits starts no registry. `events`
    may then be a function that makes the event system.

    It belongs to the native thread that made it. In other threads all methods raise WrongThread
    before anything happens.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rpc = Rpc(
            transport,
            lambda: self.registry,
            self._suspect,
            retries=retries,
            idle_timeout=idle_timeout,
            connect_timeout=connect_timeout,
        )
        self._timeout = timeout
        self._thread = get_ident()
        self._registry = registry
        self._made_events = events
        self._on_demand = on_demand
        self._starting = RLock()
        self._ended = False
        self._handlers: dict[Subscription, HandlerStats] = {}
        registry.connector = self.rpc.connect
        registry.released = self.rpc.release
        self.add_component(self.rpc)
        for backend in (registry, events):
            if not isinstance(backend, Component):
                assert on_demand  # otherwise it is made at once
            elif on_demand:
                backend.parent = self
            else:
                self.add_component(backend)

    @property
    def registry(self) -> BaseServiceRegistry:
        """The service registry, started if it has to be."""
        if self._on_demand:
            self._start_now(self._registry)
        return self._registry

    @property
    def events(self) -> BaseEventSystem:
        """The event system, started if it has to be."""
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
        """Call a method and return its result; the one way out for calls, where tests mock.

        `address` is the name of a service or an endpoint (``tcp://host:port``), `subject` is
        ``interface.method``. `body` has the arguments by their names, also packed with
        `lymph.serializers.msgpack.pack`, for calls that are repeated. The keywords are those of
        `CallOptions`; they change single ones of `options`.

        Returns or raises within `timeout` seconds: RemoteError for an error that the method
        declares, other RpcErrors when there is no result, with `executed` telling whether the
        method ran. Before anything is sent it raises SerializationError for arguments that cannot
        travel, MessageTooLong, TypeError and ValueError for invalid options, WrongThread.
        """
        if get_ident() != self._thread:
            raise WrongThread(f'{subject} was called')
        if changes:
            options = options.changed(subject, changes, address)
        return self.rpc.request(Call.begin(address, subject, body, options, self._timeout))

    def defer(self, call: Callable[[], Any], **facts: Any) -> AsyncResult[Any]:
        """Run `call` in the background, with the trace id and the deadline of the current work.

        The AsyncResult gets what it returns or raises. `facts` are what is known of the call, for
        the error it ends with when it is cut short: keyword arguments of `RpcError`.
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
        """Send a request once and return the channel its reply, of whatever type, arrives on.

        The parameters are those of `request`. The channel ends as a Timeout after `timeout`
        seconds. Raises what `request` raises before anything is sent, LookupFailure, NotConnected
        and Expired.
        """
        self._expect_own_thread(f'{subject} was called')
        changes: CallKeywords = {'timeout': timeout, 'version': version, 'trace_id': trace_id}
        options = DEFAULT_OPTIONS.changed(subject, changes, address)
        return self.rpc.send(Call.begin(address, subject, body, options, self._timeout))

    def send_message(
        self, address: str, msg: Message, timeout: float = _MESSAGE_TIMEOUT
    ) -> RequestChannel:
        """Send a message as it is and return the channel its reply arrives on.

        The reply, if any, must arrive within `timeout` seconds. Raises LookupFailure, NotConnected,
        Expired and MessageTooLong when nothing was sent, ValueError for an invalid timeout,
        TypeError for an address that is not text.
        """
        expect_address(address)
        self._expect_own_thread(f'{msg} was sent')
        options = DEFAULT_OPTIONS.changed(subject_text(msg.subject), {'timeout': timeout}, address)
        seconds = options.timeout or _MESSAGE_TIMEOUT
        call = Call(address, msg.subject, msg.packed_body, seconds, DEFAULT_OPTIONS)
        try:
            return self.rpc.connection_for(call).request(
                msg.id, msg.subject, msg.packed_headers, msg.packed_body, call.deadline, seconds
            )
        except RpcError as error:
            call.trace_id = trace_id_in(msg.packed_headers) or ''
            call.describe(error)
            raise

    def connect(self, address: str) -> Connection:
        """Return the connection to an endpoint; it may still be on its way up.

        Raises NotConnected for an endpoint that the transport cannot reach, TypeError for anything
        but text.
        """
        expect_address(address)
        self._expect_own_thread(f'{address} was connected to')
        return self.rpc.connect(address)

    def lookup(self, address: str) -> Service | ServiceInstance:
        """Return the service of a name, or the instance at an endpoint.

        Raises LookupFailure when nobody offers the service. An endpoint is connected to when
        something of its instance is used; see `EndpointInstance`.
        """
        self._expect_own_thread(f'{address} was looked up')
        if scheme_of(address) is not None:
            return EndpointInstance(address, self.connect, self._identify)
        return self.rpc.registry().get(address)

    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance now.

        Raises LookupFailure when the registry cannot be asked.
        """
        self._expect_own_thread('services were asked for')
        return self.registry.discover(namespace)

    def emit_event(
        self,
        type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        delay: float = 0,
        source: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Emit an event and return when the event system has made it safe.

        The one way out for events, where tests mock. `delay` is in seconds, up to a hundred years;
        `source` is this process unless it is given. Raises EmitFailure when the event may be lost,
        SerializationError for a payload that cannot travel, TypeError for one that is no mapping,
        ValueError for an invalid delay.
        """
        self._expect_own_thread(f'{type} was emitted')
        if payload is not None and not isinstance(payload, (dict, Mapping)):
            raise TypeError(f'expected the payload of {type} as a dict, found {quoted(payload)}')
        check_delay(delay, type)  # before an event system is started for it
        known = {'trace_id': trace.get_id() or trace.new_id(), **(headers or {})}
        self.events.emit(Event(type, payload, source or self.identity, known), delay)

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None = None
    ) -> Subscription:
        """Subscribe a handler and return the subscription that `unsubscribe` takes.

        `ended()` is called when a `once` subscription has ended by itself. Raises SubscriptionError
        when the event system rejects the subscription.
        """
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        stats = HandlerStats(subscription.queue_name)

        def end() -> None:
            self._forget(wrapped)
            if ended is not None:
                ended()

        wrapped = hosted(subscription, stats, end)
        self._handlers[wrapped] = stats  # before its first event, which may be its last
        self.metrics.add(stats)
        try:
            self.events.subscribe(wrapped)
        except BaseException:
            self._forget(wrapped)
            raise
        return wrapped

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription that `subscribe` returned; others are ignored."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        if subscription in self._handlers:
            self.events.unsubscribe(subscription)
            self._forget(subscription)

    def _identify(self, endpoint: str) -> str:
        """Return the identity of the process that answers at `endpoint`; raises RpcError."""
        status = self.request(endpoint, 'lymph.status')
        identity = status.get('identity') if isinstance(status, dict) else None
        if not isinstance(identity, str):
            text = f'{endpoint}: expected an identity in lymph.status, found none'
            raise LookupFailure(text, subject='lymph.status', endpoint=endpoint)
        return identity

    def _forget(self, subscription: Subscription) -> None:
        """Remove the handler of a subscription from the metrics."""
        stats = self._handlers.pop(subscription, None)
        if stats is not None:
            self.metrics.remove(stats)

    def _expect_own_thread(self, what: str) -> None:
        if get_ident() != self._thread:
            raise WrongThread(what)

    def on_stop(self) -> None:
        """Stop all parts; from then on nothing is started on demand."""
        self._ended = True
        super().on_stop()

    def _suspect(self, endpoint: str) -> None:
        """Ask the registry to look again at an endpoint that was lost. Runs in the hub."""
        if self._registry in self.components:
            self._reported(self._registry.suspect_endpoint, 'told of a lost endpoint', endpoint)

    def _start_now(self, component: Component) -> None:
        if component not in self.components and not self._ended:
            with self._starting:
                if component not in self.components:
                    self._start_and_add(component)
