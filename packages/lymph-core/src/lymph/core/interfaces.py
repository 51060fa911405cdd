"""The base class of what authors write. Source: the manual, section 5.1."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from gevent.queue import Empty, Queue

from lymph.core import trace
from lymph.core._declaring.calling import CallsServices
from lymph.core._declaring.declarations import EventDeclaration, RpcDeclaration, declared
from lymph.core._declaring.proxies import Caller, Proxy
from lymph.core._declaring.tasks import Task
from lymph.core.components import Component, Componentized
from lymph.core.events import Event
from lymph.discovery.base import RPC
from lymph.events.base import Subscription
from lymph.exceptions import SubscriptionError, Timeout

__all__ = ['Interface', 'InterfaceHost', 'Proxy', 'Service', 'configure', 'parts_of']

Handler = TypeVar('Handler', bound=Callable[..., Any])
_serial = itertools.count(1)


# Functions, as a subclass may have methods of any name.


def configure(interface: Interface, section: Mapping[str, Any]) -> None:
    """Give an interface its section of the configuration."""
    interface._section = section  # noqa: SLF001 - this module's own class
    interface.apply_config(section)


def parts_of(interface: Interface) -> Componentized:
    """Return what holds the components that were added to an interface."""
    return interface._parts  # noqa: SLF001 - this module's own class


def _parameters(func: Handler) -> int:
    """Return the number of a function's parameters; 1 for builtins that do not tell them."""
    try:
        return len(inspect.signature(func).parameters)
    except ValueError:
        return 1


class InterfaceHost(Caller, Protocol):
    """What an interface needs of its container."""

    identity: str

    def emit_event(
        self,
        type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        delay: float = 0,
        source: str | None = None,
    ) -> None:
        """Emit an event."""

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None = None
    ) -> Subscription:
        """Subscribe a handler; returns what `unsubscribe` takes.

        `ended()` is called when a `once` subscription has ended by itself.
        """

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""


class Interface(CallsServices, Component):
    """A set of methods and event handlers, hosted by a container under a name.

    Subclasses declare methods with `lymph.rpc`, `lymph.raw_rpc`, `lymph.event` and `lymph.task`,
    and proxies with `lymph.proxy`.
    """

    #: registry namespaces in which the interface is made known
    namespaces: ClassVar[tuple[str, ...]] = (RPC,)

    methods: ClassVar[Mapping[str, RpcDeclaration]] = {}
    event_handlers: ClassVar[Mapping[str, EventDeclaration]] = {}
    tasks: ClassVar[Mapping[str, Task]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.methods = declared(cls, RpcDeclaration)
        cls.event_handlers = declared(cls, EventDeclaration)
        cls.tasks = declared(cls, Task)

    def __init__(
        self, container: InterfaceHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__()
        if isinstance(container, Component):
            self.parent = (
                container  # before it is added: what it uses until then is its container's
            )
        self.container: InterfaceHost = container
        self.name = name or type(self).__name__.lower()
        self.version = version
        self._section: Mapping[str, Any] = {}
        self._parts = Componentized()
        self._parts.parent = self
        self._subscriptions: dict[Any, Subscription] = {}

    @property
    def config(self) -> Mapping[str, Any]:
        """The interface's section of the configuration, as `apply_config` gets it."""
        return self._section

    @config.setter
    def config(self, section: Mapping[str, Any]) -> None:
        """Replace the section; `apply_config` is not called."""
        self._section = section

    def add_component(self, component: Component) -> None:
        """Add a component, which has this interface as its parent.

        It starts before the interface and stops after it. If the interface runs or is starting, it
        starts at once; see `Componentized.add_component`.
        """
        self._parts.add_component(component)

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Called with the interface's section of the configuration before anything starts."""

    def instance_facts(self) -> dict[str, Any]:
        """Return facts to add to the `ServiceInstance` under which this interface is registered.

        Called after `on_start`; for example ``{'http_port': 8080}``.
        """
        return {}

    def on_start(self) -> None:
        """Called when the service is started, before it can be found and before events arrive.

        The queues of its handlers and tasks exist already, those of all interfaces of the process:
        what is emitted here arrives when everything has started. What is subscribed here with
        `subscribe` gets its events at once.
        """

    def on_stop(self) -> None:
        """Called when the service is stopped, after the last call and event were handled."""

    def emit(
        self, event_type: str, payload: Mapping[str, Any] | None = None, delay: float = 0
    ) -> None:
        """Emit an event, delivered not before `delay` seconds; returns when it is safe.

        Raises EmitFailure when that is not certain, SerializationError for a payload that cannot
        travel.
        """
        self.container.emit_event(event_type, payload, delay=delay, source=self.name)

    def subscribe(
        self,
        *event_types: str,
        sequential: bool = True,
        broadcast: bool = False,
        once: bool = False,
        retry: int = 0,
    ) -> Callable[[Handler], Handler]:
        """Subscribe a function to events from now on until this instance stops.

        A function of one parameter is called with the event, one of two with the interface and the
        event. The queue is this instance's own: of several instances each gets the event. What is
        returned raises SubscriptionError for a function that is subscribed already, as does this
        without an event type.
        """
        if not event_types:
            raise SubscriptionError('expected at least one event type to subscribe to')

        def subscribe(func: Handler) -> Handler:
            if func in self._subscriptions:
                raise SubscriptionError(f'{func!r} is subscribed already; unsubscribe it first')
            takes_interface = _parameters(func) == 2
            name = getattr(func, '__name__', 'handler')
            queue = f'{self.name}.{name}.{self.container.identity}.{next(_serial)}'
            self._subscriptions[func] = self.container.subscribe(
                Subscription(
                    queue,
                    event_types,
                    (lambda event: func(self, event)) if takes_interface else func,
                    sequential=sequential,
                    broadcast=broadcast,
                    once=once,
                    retry=retry,
                    durable=False,
                ),
                lambda: self._subscriptions.pop(func, None),
            )
            return func

        return subscribe

    def unsubscribe(self, func: Callable[..., Any]) -> None:
        """End a subscription made with `subscribe`; unknown functions are ignored."""
        subscription = self._subscriptions.pop(func, None)
        if subscription is not None:
            self.container.unsubscribe(subscription)

    def get_next_event(self, *event_types: str, timeout: float | None = None) -> Event:
        """Wait for the next event of these types, up to `timeout` seconds (None: for ever).

        Raises Timeout, also for what a budget has left when it is used up: 0 or less.
        """
        arrived: Queue[Event] = Queue()

        def on_event(event: Event) -> None:
            arrived.put(event)

        self.subscribe(*event_types, once=True)(on_event)
        try:
            return arrived.get(timeout=None if timeout is None else max(0, timeout))
        except Empty:
            assert timeout is not None  # otherwise it is never empty
            types = ', '.join(event_types)
            text = f'no event of type {types} within {float(timeout):.3g} s'
            raise Timeout(text, timeout=timeout, trace_id=trace.get_id()) from None
        finally:
            self.unsubscribe(on_event)


Service = Interface
