"""Handlers and subscriptions of interfaces work with the event system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

import pytest
from gevent.queue import Queue

from lymph.core import trace
from lymph.core.components import Component
from lymph.core.container import ServiceContainer
from lymph.core.decorators import event as handles
from lymph.core.decorators import task
from lymph.core.events import Event
from lymph.core.greenlets import Greenlet
from lymph.core.interfaces import Interface
from lymph.core.plugins import Plugin
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.exceptions import Timeout
from lymph.testing.contracts._events.harness import EventSystemHarness

__all__ = ['InterfacesContract']


class InterfacesContract(EventSystemHarness):
    """Tests of decorated handlers, subscriptions at run time and trace ids, in containers."""

    def setup_method(self) -> None:
        """Prepare a test without containers."""
        super().setup_method()
        self._network, self._registry = MemoryNetwork(), StaticServiceRegistryHub()
        self._containers: list[ServiceContainer] = []

    def teardown_method(self) -> None:
        """Stop the containers as well."""
        for container in self._containers:
            container.stop()
        super().teardown_method()

    def host(
        self,
        cls: type[Interface],
        name: str = 'shop',
        worker: bool = False,
        plugins: Sequence[type[Plugin]] = (),
    ) -> Any:
        """Return an interface in a started container of its own, named after this test."""
        [interface] = self.host_all({name: cls}, worker, plugins)
        return interface

    def host_all(
        self,
        classes: dict[str, type[Interface]],
        worker: bool = False,
        plugins: Sequence[type[Plugin]] = (),
    ) -> list[Any]:
        """Return interfaces in one started container, in the order in which they start."""
        container = ServiceContainer(
            MemoryTransport(network=self._network),
            self._registry.create_registry(),
            self.make_event_system(),
            ContainerSettings(block_threshold=0, drain_timeout=0),
            worker=worker,
        )
        self._containers.append(container)
        for plugin in plugins:
            container.install_plugin(plugin)
        interfaces = [
            container.install_interface(cls, self.queue(name)) for name, cls in classes.items()
        ]
        container.start()
        return interfaces

    def declare(
        self, *topics: str, handler: str = 'on_event', queue: str | None = None, **options: Any
    ) -> type[Interface]:
        """Return an interface whose one handler appends its events to `heard`."""

        def on_event(self: Any, event: Event) -> None:
            self.heard.put((event, trace.get_id()))
            self.fail(event)

        on_event.__name__ = handler
        patterns = [self.topic(topic) for topic in topics or ('thing',)]
        decorate = handles(*patterns, queue_name=queue, **options)
        return type('Shop', (_Hearing,), {handler: decorate(on_event)})

    # Declared handlers.

    def test_a_handler_without_a_queue_name_has_that_of_interface_and_method(self) -> None:
        """The default name of a queue is `<interface>.<method>`."""
        shop = self.host(self.declare('thing', 'other.*'))
        assert shop.container.events.has_queue(f'{self.queue("shop")}.on_event')
        shop.emit(self.topic('other.one'), {'n': 1})
        assert _number(shop) == 1

    def test_a_queue_name_stands_in_place_of_the_method(self) -> None:
        """With `queue_name`, the queue is called `<interface>.<queue_name>`."""
        shop = self.host(self.declare(queue='named'))
        assert shop.container.events.has_queue(f'{self.queue("shop")}.named')
        assert not shop.container.events.has_queue(f'{self.queue("shop")}.on_event')
        assert not shop.container.events.has_queue('named')
        shop.emit(self.topic('thing'), {'n': 1})
        assert _number(shop) == 1

    def test_instances_of_an_interface_share_the_queue_that_they_name(self) -> None:
        """Two instances with the same `queue_name` handle each event once in total."""
        cls = self.declare(queue='named')
        first, second = self.host(cls), self.host(cls)
        for n in range(10):
            first.emit(self.topic('thing'), {'n': n})
        self.eventually(lambda: len(first.heard) + len(second.heard) == 10)
        self.settle()
        heard = [*_numbers(first), *_numbers(second)]
        assert sorted(heard) == list(range(10))

    def test_interfaces_that_name_the_same_queue_each_get_every_event(self) -> None:
        """Interfaces with the same `queue_name` have separate queues."""
        first = self.host(self.declare(queue='named'), 'first')
        second = self.host(self.declare(queue='named'), 'second')
        for n in range(3):
            first.emit(self.topic('thing'), {'n': n})
        assert sorted(_number(first) for _ in range(3)) == [0, 1, 2]
        assert sorted(_number(second) for _ in range(3)) == [0, 1, 2]

    def test_handlers_that_are_called_like_what_a_backend_keeps_get_their_events(self) -> None:
        """Names of handlers do not collide with names that backends use internally."""
        names = ('dead', 'delay', 'delayed', 'retry', 'ready', 'bell', 'events', 'owners')
        types = [self.declare(handler=name) for name in names]
        shop = self.host(type('Shop', tuple(types), {}), 'dead')
        shop.emit(self.topic('thing'), {'n': 1})
        shop.emit(self.topic('thing'), {'n': 2}, delay=0.1)
        assert sorted(_number(shop) for _ in range(16)) == [1] * 8 + [2] * 8
        letters = shop.container.events.dead_letters
        assert not any(each.queue.startswith(self.queue('dead')) for each in letters.scan())

    @pytest.mark.parametrize('named', [False, True])
    def test_every_instance_handles_a_declared_broadcast(self, named: bool) -> None:
        """With `broadcast`, each instance handles each event once, with or without `queue_name`."""
        cls = self.declare(broadcast=True, queue='named' if named else None)
        first, second = self.host(cls), self.host(cls)
        first.emit(self.topic('thing'), {'n': 1})
        assert [_number(first), _number(second)] == [1, 1]
        self.settle()
        assert [_numbers(first), _numbers(second)] == [[], []]

    def test_a_handler_declared_for_one_event_is_given_one(self) -> None:
        """With `once`, a handler gets the first event only."""
        shop = self.host(self.declare(once=True))
        for n in range(3):
            shop.emit(self.topic('thing'), {'n': n})
        assert _number(shop) == 0
        self.settle()
        assert _numbers(shop) == []

    # While containers start.

    @pytest.mark.parametrize('options', [{}, {'broadcast': True}, {'once': True}])
    def test_what_an_interface_emits_to_itself_in_on_start_comes_when_it_has_started(
        self, options: dict[str, bool]
    ) -> None:
        """Events emitted in `on_start` are handled after `on_start` has returned."""
        test, early = self, []

        class EmittingShop(self.declare(**options)):  # type: ignore[misc]
            def on_start(self) -> None:
                self.emit(test.topic('thing'), {'n': 1})
                test.settle()
                early.append(len(self.heard))

        shop = self.host(EmittingShop)
        assert _number(shop) == 1
        assert early == [0]

    def test_interfaces_of_one_process_emit_to_each_other_while_they_start(self) -> None:
        """No event is lost if interfaces emit to each other in `on_start`, in either order."""
        test = self

        def saying(to: str, n: int, hears: str) -> type[Interface]:
            class Saying(test.declare(hears)):  # type: ignore[misc]
                def on_start(self) -> None:
                    self.emit(test.topic(to), {'n': n})

            return Saying

        first, second = self.host_all(
            {'first': saying('second', 1, hears='first'), 'second': saying('first', 2, 'second')}
        )
        assert (_number(first), _number(second)) == (2, 1)

    def test_what_a_component_emits_while_it_starts_comes_to_its_interface(self) -> None:
        """An event that a component emits in `on_start` reaches the handler of its interface."""
        test = self

        class Part(Component):
            shop: Interface

            def on_start(self) -> None:
                self.shop.emit(test.topic('thing'), {'n': 1})

        class ShopWithPart(self.declare()):  # type: ignore[misc]
            def apply_config(self, config: Mapping[str, Any]) -> None:
                part = Part()
                part.shop = self
                self.add_component(part)

        assert _number(self.host(ShopWithPart)) == 1

    def test_events_to_subscriptions_made_in_on_start_are_delivered(self) -> None:
        """`on_start` may subscribe and then emit to that subscription."""
        test = self

        class SubscribingShop(_Hearing):
            def on_start(self) -> None:
                self.subscribe(test.topic('thing'))(self.hear)
                self.emit(test.topic('thing'), {'n': 1})

        assert _number(self.host(SubscribingShop)) == 1

    @pytest.mark.parametrize('worker', [False, True])
    def test_a_task_that_is_called_in_on_start_is_run_by_a_worker(self, worker: bool) -> None:
        """A task called in `on_start` runs in a worker, which may start later."""
        started: list[bool] = []

        class TaskingShop(_Hearing):
            def on_start(self) -> None:
                if not started:
                    started.append(True)
                    self.work.apply(n=1)

            @task()
            def work(self, n: int) -> None:
                self.heard.put((Event('work', {'n': n}), None))

        shop = self.host(TaskingShop, worker=worker)
        assert _number(shop if worker else self.host(TaskingShop, worker=True)) == 1

    def test_what_a_worker_emits_in_on_start_waits_for_an_instance(self) -> None:
        """The queues of an interface collect events before its first instance starts."""
        test = self

        class WorkingShop(self.declare()):  # type: ignore[misc]
            def on_start(self) -> None:
                if self.container.worker:
                    self.emit(test.topic('thing'), {'n': 1})

        self.host(WorkingShop, worker=True)
        assert _number(self.host(WorkingShop)) == 1

    # At run time.

    def test_a_function_hears_from_its_subscription_to_its_end(self) -> None:
        """A function that subscribes at run time gets events until it is unsubscribed."""
        shop = self.host(_Hearing)
        heard: Queue[int] = Queue()
        always: Queue[int] = Queue()

        @shop.subscribe(self.topic('thing'), self.topic('more.#'))  # type: ignore[untyped-decorator]
        def on_event(event: Event) -> None:
            heard.put(event['n'])

        @shop.subscribe(self.topic('#'))  # type: ignore[untyped-decorator]
        def on_any(interface: Interface, event: Event) -> None:
            assert interface is shop
            always.put(event['n'])

        shop.emit(self.topic('thing'), {'n': 1})
        assert heard.get(timeout=self.patience) == 1
        shop.emit(self.topic('more.and.more'), {'n': 2})
        assert heard.get(timeout=self.patience) == 2
        shop.unsubscribe(on_event)
        shop.emit(self.topic('thing'), {'n': 3})
        assert [always.get(timeout=self.patience) for _ in range(3)] == [1, 2, 3]
        self.settle()
        assert heard.empty()

    def test_every_instance_hears_what_it_subscribed_to_at_runtime(self) -> None:
        """Subscriptions made at run time are not shared between instances."""
        shops = [self.host(_Hearing), self.host(_Hearing)]
        for shop in shops:
            shop.subscribe(self.topic('thing'))(shop.hear)
        shops[0].emit(self.topic('thing'), {'n': 1})
        assert [_number(shop) for shop in shops] == [1, 1]

    def test_the_next_event_is_waited_for(self) -> None:
        """`get_next_event` returns the first event of any of the given types."""
        shop = self.host(_Hearing)
        types = (self.topic('thing'), self.topic('other'))

        def emitted() -> bool:  # until the waiting one hears it
            shop.emit(self.topic('other'), {'n': 1})
            return waiting.ready()

        waiting = Greenlet.spawn(shop.get_next_event, *types, timeout=self.patience)
        self.eventually(emitted)
        event = waiting.get()
        assert (event.type, event['n']) == (self.topic('other'), 1)

    def test_get_next_event_times_out_and_leaves_nothing_behind(self) -> None:
        """`get_next_event` raises Timeout, which names the types, and ends its subscription."""
        shop = self.host(_Hearing)
        with pytest.raises(Timeout, match=self.topic('thing')):
            shop.get_next_event(self.topic('thing'), timeout=0.05)
        subscriptions = [value for name, value, _ in shop.metrics if name == 'events.subscriptions']
        assert subscriptions == [0]

    # Trace ids.

    def test_the_trace_of_an_emitter_is_that_of_the_handler(self) -> None:
        """A handler runs with the trace id of the context that emitted the event."""
        shop, emitter = self.host(self.declare()), self.host(_Hearing, 'emitter')
        _traced('mine', emitter.emit, self.topic('thing'), {'n': 1})
        event, trace_id = shop.heard.get(timeout=self.patience)
        assert (event.headers['trace_id'], trace_id) == ('mine', 'mine')

    def test_a_trace_outlives_a_delay_and_another_attempt(self) -> None:
        """Delayed and retried events keep their trace id."""
        shop = self.host(self.declare(retry=1))
        shop.fail = _fail_at_first
        _traced('mine', shop.emit, self.topic('thing'), {'n': 1}, delay=0.2)
        heard = [shop.heard.get(timeout=self.patience) for _ in range(2)]
        assert [(event.attempt, trace_id) for event, trace_id in heard] == [
            (1, 'mine'),
            (2, 'mine'),
        ]

    def test_a_trace_goes_on_with_what_a_handler_emits(self) -> None:
        """An event that a handler emits has the trace id of the event it handles."""
        first = self.host(self.declare('first'), 'first')
        second = self.host(self.declare('second'), 'second')
        first.fail = lambda event: first.emit(self.topic('second'), {'n': 2})
        _traced('mine', first.emit, self.topic('first'), {'n': 1})
        assert second.heard.get(timeout=self.patience)[1] == 'mine'

    def test_an_event_that_is_emitted_outside_of_any_trace_begins_one(self) -> None:
        """An event emitted without a trace id gets a new one."""
        shop = self.host(self.declare())
        _traced(None, shop.emit, self.topic('thing'), {'n': 1})
        event, trace_id = shop.heard.get(timeout=self.patience)
        assert trace_id
        assert event.headers['trace_id'] == trace_id


class _Hearing(Interface):
    """A handler that records its events with the trace id of its context."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard: Queue[tuple[Event, str | None]] = Queue()
        self.fail: Callable[[Event], object] = lambda event: None

    def hear(self, event: Event) -> None:
        self.heard.put((event, trace.get_id()))


def _number(shop: Any) -> Any:
    return shop.heard.get(timeout=InterfacesContract.patience)[0]['n']


def _numbers(shop: Any) -> list[Any]:
    return [_number(shop) for _ in range(len(shop.heard))]


def _traced(trace_id: str | None, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Call a function in a new context with the trace id `trace_id`."""

    def call() -> None:
        if trace_id is not None:
            trace.set_id(trace_id)
        function(*args, **options)

    Context().run(Greenlet.spawn, call).get()


def _fail_at_first(event: Event) -> None:
    if event.attempt == 1:
        raise RuntimeError('not yet')
