"""Interfaces: the base class of the services that authors write.

Source: the manual, section 5.1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

from gevent.queue import Empty, Queue

from lymph.core import trace
from lymph.core._declaring.callables import check_flags
from lymph.core._declaring.calling import CallsServices
from lymph.core._declaring.checking import check_class
from lymph.core._declaring.declarations import EventDeclaration, RpcDeclaration, declared
from lymph.core._declaring.proxies import Caller, Proxy
from lymph.core._declaring.subscribing import takes_interface
from lymph.core._declaring.tasks import Task
from lymph.core._typing.payloads import Payload
from lymph.core._typing.plans import event_plan
from lymph.core._work.handling import HandlerWork
from lymph.core.call_options import seconds_to_wait
from lymph.core.components import Component, Componentized
from lymph.core.events import Event
from lymph.discovery.base import RPC
from lymph.events.base import Subscription
from lymph.exceptions import SubscriptionError, Timeout

__all__ = [
    'Interface',
    'InterfaceHost',
    'Proxy',
    'Service',
    'configure',
    'parts_of',
]

#: takes the event, or the interface and the event
Handler = TypeVar('Handler', bound=Callable[[Any], Any] | Callable[[Any, Any], Any])
_serial = itertools.count(1)


# The framework's own operations are functions: methods could clash with those of a subclass.


def configure(interface: Interface, section: Mapping[str, Any]) -> None:
    """Set an interface's section of the configuration and call `apply_config` with it."""
    interface._section = section  # noqa: SLF001 - this module's own class
    interface.apply_config(section)


def parts_of(interface: Interface) -> Componentized:
    """Return the component that holds those added with `Interface.add_component`."""
    return interface._parts  # noqa: SLF001 - this module's own class


class InterfaceHost(Caller, Protocol):
    """What an interface needs of its container."""

    identity: str

    def emit_event(
        self,
        type: str,
        payload: Payload | None = None,
        *,
        delay: float = 0,
        source: str | None = None,
    ) -> None:
        """Emit an event."""

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None = None
    ) -> Subscription:
        """Subscribe a handler; return the subscription to pass to `unsubscribe`.

        `ended()` is called when a `once` subscription has had its event.
        """

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""


class Interface(CallsServices, Component):
    """A set of methods, event handlers and tasks, hosted by a container under a name.

    Subclasses declare methods with `lymph.rpc` and `lymph.raw_rpc`, event handlers with
    `lymph.event`, tasks with `lymph.task` and proxies with `lymph.proxy`. The default `name` is the
    name of the class in lower case.
    """

    #: registry namespaces in which the interface is registered
    namespaces: ClassVar[tuple[str, ...]] = (RPC,)

    methods: ClassVar[Mapping[str, RpcDeclaration]] = {}
    event_handlers: ClassVar[Mapping[str, EventDeclaration]] = {}
    tasks: ClassVar[Mapping[str, Task[Any]]] = {}

    container: InterfaceHost
    name: str
    version: str | None
    _section: Mapping[str, Any]
    _parts: Componentized
    _subscriptions: dict[Any, Subscription]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_class(cls)
        cls.methods = MappingProxyType(declared(cls, RpcDeclaration))
        cls.event_handlers = MappingProxyType(declared(cls, EventDeclaration))
        cls.tasks = MappingProxyType(declared(cls, Task))

    def __init__(
        self, container: InterfaceHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__()
        if isinstance(container, Component):
            self.parent = (
                container  # until `add_component` sets it: `__init__` may use pool and error hook
            )
        self.container = container
        self.name = name or type(self).__name__.lower()
        self.version = version
        self._section = {}
        self._parts = Componentized()
        self._parts.parent = self
        self._subscriptions = {}

    @property
    def config(self) -> Mapping[str, Any]:
        """The interface's section of the configuration, as passed to `apply_config`."""
        return self._section

    @config.setter
    def config(self, section: Mapping[str, Any]) -> None:
        """Replace the section without calling `apply_config`."""
        self._section = section

    def add_component(self, component: Component) -> None:
        """Add a component whose parent is this interface.

        It starts before the interface and stops after it. If the interface is running or starting,
        the component starts at once. Errors are those of `Componentized.add_component`.
        """
        self._parts.add_component(component)

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Called with the interface's section of the configuration, before anything starts.

        Raise `lymph.ConfigurationError` for an invalid section.
        """

    def instance_facts(self) -> dict[str, Any]:
        """Return facts to add to the `ServiceInstance` under which this interface is registered.

        Called after `on_start`; for example ``{'http_port': 8080}``.
        """
        return {}

    def on_start(self) -> None:
        """Called when the service starts, before it is registered and before events arrive.

        The queues of the handlers and tasks of all interfaces of the process exist already: events
        emitted here are delivered when everything has started. Functions subscribed here with
        `subscribe` get their events at once. An error ends the start of the container.
        """

    def on_stop(self) -> None:
        """Called when the service stops, after the last call and event were handled."""

    def emit(self, event_type: str, payload: Payload | None = None, delay: float = 0) -> None:
        """Emit an event; return when the event system has stored it safely.

        `payload` is a map of parameters, or an object that travels as one, such as a dataclass.
        Handlers get the event after `delay` seconds at the earliest. Raises EmitFailure when the
        event may be lost, SerializationError for a payload that cannot be serialized, TypeError for
        one that is not a mapping, ValueError for an invalid delay.
        """
        self.container.emit_event(event_type, payload, delay=delay, source=self.name)

    def subscribe(
        self,
        *event_types: str,
        sequential: bool = True,
        broadcast: bool = False,
        once: bool = False,
        retry: int = 0,
        check: bool = True,
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that subscribes a function to events until this instance stops.

        A function with one parameter is called with the event, a function with two with the
        interface and the event. The queue belongs to this instance: if several instances
        subscribe, each of them gets the event. `sequential`, `once`, `retry` and `check` are those
        of `lymph.event`. Raises TypeError for flags that are not booleans, SubscriptionError
        without an event type. The decorator raises SubscriptionError for a function that cannot be
        a handler (async, generator, other parameters) or is subscribed already, and when the event
        system rejects the subscription, ConfigurationError for an annotation that cannot be
        checked.
        """
        if not event_types:
            raise SubscriptionError('expected at least one event type to subscribe to')
        check_flags(sequential=sequential, broadcast=broadcast, once=once, check=check)

        def subscribe(func: Handler) -> Handler:
            if func in self._subscriptions:
                raise SubscriptionError(f'{func!r} is subscribed already; unsubscribe it first')
            with_interface = takes_interface(func)
            called: Callable[..., Any] = func
            name = getattr(func, '__name__', 'handler')
            handler = (lambda event: called(self, event)) if with_interface else called
            skip = int(with_interface)
            plan = event_plan(f'{self.name}.{name}', func, skip) if check else None
            queue = f'{self.name}.{name}.{self.container.identity}.{next(_serial)}'
            self._subscriptions[func] = self.container.subscribe(
                Subscription(
                    queue,
                    event_types,
                    handler if plan is None else plan.around(handler),
                    sequential=sequential,
                    broadcast=broadcast,
                    once=once,
                    retry=retry,
                    durable=False,
                    work=HandlerWork(f'{self.name}.{name}', self, runtime=True),
                ),
                lambda: self._subscriptions.pop(func, None),
            )
            return func

        return subscribe

    def unsubscribe(self, func: Callable[..., object]) -> None:
        """End the subscription of a function made with `subscribe`; others are ignored."""
        subscription = self._subscriptions.pop(func, None)
        if subscription is not None:
            self.container.unsubscribe(subscription)

    def get_next_event(self, *event_types: str, timeout: float | None = None) -> Event:
        """Wait for the next event of these types, up to `timeout` seconds (None: for ever).

        Raises Timeout if none arrives in time; at once for a timeout of 0 or less, so that callers
        can pass what is left of a time budget. Raises SubscriptionError without an event type,
        ValueError for a timeout that is not a number of seconds.
        """
        types = ', '.join(map(str, event_types))
        seconds = (
            None if timeout is None else seconds_to_wait(timeout, f'the next event of {types}')
        )
        arrived: Queue[Event] = Queue()

        def on_event(event: Event) -> None:
            arrived.put(event)

        on_event.__name__ = 'get_next_event'  # in the name of its queue
        # not `self.subscribe`: a subclass may have a method of its own under this name
        Interface.subscribe(self, *event_types, once=True)(on_event)
        try:
            return arrived.get(timeout=None if seconds is None else max(0, seconds))
        except Empty:
            assert seconds is not None  # otherwise it is never empty
            text = f'no event of type {types} within {seconds:.3g} s'
            raise Timeout(text, timeout=timeout, trace_id=trace.get_id()) from None
        finally:
            Interface.unsubscribe(self, on_event)


Service = Interface
