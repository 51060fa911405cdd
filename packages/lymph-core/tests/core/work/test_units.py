"""Resources of a unit of work, without a container: `unit()` is what a test of a user opens."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from io import StringIO

import gevent
import pytest
from gevent.event import Event

import lymph
from lymph.core.components import Component
from lymph.core.plugins import Plugin
from lymph.core.resources import unit
from lymph.testing.waiting import eventually


class Base:
    """Records what is opened and closed; `fails` names the steps that raise."""

    def __init__(self):
        self.log = []
        self.fails = {}

    def step(self, name):
        self.log.append(name)
        if name in self.fails:
            raise self.fails[name]


class Store(Base):
    @lymph.resource
    def connection(self):
        """The connection of the unit."""
        self.step('open connection')
        try:
            yield 'connection'
        except BaseException as error:
            self.log.append(f'connection: {type(error).__name__}')
            raise
        finally:
            self.step('close connection')

    @lymph.resource
    def session(self):
        self.step(f'open session on {self.connection}')
        try:
            yield 'session'
        except BaseException as error:
            self.log.append(f'session: {type(error).__name__}')
            raise
        finally:
            self.step('close session')

    @lymph.resource
    def buffer(self):
        return StringIO('text')


OPENED = ['open connection', 'open session on connection']
CLOSED = ['close session', 'close connection']


@pytest.fixture
def store():
    return Store()


def fail(owner, name, error):
    """Use a resource in a unit that fails."""
    with unit():
        getattr(owner, name)
        raise error


def test_resource_is_opened_at_its_first_use_and_closed_at_the_end(store):
    with unit():
        assert store.log == []
        assert store.connection == store.connection == 'connection'
        assert store.log == ['open connection']
    assert store.log == ['open connection', 'close connection']


def test_resources_are_closed_in_reverse_order(store):
    with unit():
        assert store.session == 'session'
        assert store.log == OPENED
    assert store.log == OPENED + CLOSED


def test_a_context_manager_is_entered_and_its_value_used(store):
    with unit():
        buffer = store.buffer
        assert buffer.read() == 'text'
    assert buffer.closed


def test_a_wrapped_context_manager_is_a_resource():
    class Wrapped(Base):
        @lymph.resource
        @contextlib.contextmanager
        def handle(self):
            yield 'handle'
            self.step('closed')

    wrapped = Wrapped()
    with unit():
        assert wrapped.handle == 'handle'
    assert wrapped.log == ['closed']


@pytest.mark.parametrize(
    'error', [ValueError('no'), StopIteration(), gevent.Timeout(1), SystemExit()]
)
def test_each_resource_gets_the_error_that_the_unit_raises(store, error):
    with pytest.raises(type(error)) as raised:
        fail(store, 'session', error)
    assert raised.value is error
    assert store.log[2:] == [
        f'session: {type(error).__name__}',
        'close session',
        f'connection: {type(error).__name__}',
        'close connection',
    ]


def test_a_resource_cannot_suppress_the_error_of_its_unit():
    class Careless(Base):
        @lymph.resource
        def outer(self):
            try:
                yield
            except ValueError:
                self.step('outer heard of it')

        @lymph.resource
        def inner(self):
            assert self.outer is None
            with contextlib.suppress(ValueError):
                yield

    careless = Careless()
    with pytest.raises(ValueError, match='no'):
        fail(careless, 'inner', ValueError('no'))
    assert careless.log == ['outer heard of it']


def test_error_while_closing_after_success_is_raised_and_passed_to_the_others(store):
    store.fails['close session'] = OSError('commit failed')
    with pytest.raises(OSError, match='commit failed'), unit():
        assert store.session
    assert store.log[2:] == ['close session', 'connection: OSError', 'close connection']


def test_error_while_closing_after_an_error_is_logged_and_the_first_is_raised(store, caplog):
    store.fails['close session'] = OSError('rollback failed')
    with pytest.raises(ValueError, match='no'):
        fail(store, 'session', ValueError('no'))
    assert store.log[-1] == 'close connection'
    assert store.fails['close session'].__context__.args == ('no',)
    (record,) = [each for each in caplog.records if each.name == 'lymph.core.resources']
    assert record.levelno == logging.ERROR
    assert record.getMessage() == 'Store.session could not be closed'


def test_error_while_closing_a_resource_of_a_component_reaches_the_error_hook():
    class Database(Component):
        @lymph.resource
        def session(self):
            try:
                yield
            finally:
                raise OSError('rollback failed')

    heard = []
    database = Database()
    database.error_hook.install(lambda error, **details: heard.append((error, details)))
    with pytest.raises(ValueError, match='no'):
        fail(database, 'session', ValueError('no'))
    ((error, details),) = heard
    assert str(error) == 'rollback failed'
    del details['trace_id']  # of whichever work came before
    assert details == {'component': database, 'resource': 'Database.session'}


def test_error_while_opening_is_raised_at_each_use_and_leaves_nothing_to_close(store):
    store.fails['open session on connection'] = OSError('refused')
    with unit():
        for _ in range(2):
            with pytest.raises(OSError, match='refused'):
                assert store.session
        store.fails.clear()
        assert store.session == 'session'
    assert store.log == ['open connection', *['open session on connection'] * 3, *CLOSED]


def test_a_timeout_while_a_resource_is_opened_leaves_nothing_to_close():
    class Slow(Base):
        @lymph.resource
        def handle(self):
            self.step('open')
            Event().wait()
            yield

    slow = Slow()
    with unit(), pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        assert slow.handle
    assert slow.log == ['open']


def test_greenlets_of_one_unit_open_a_resource_once():
    class Slow(Base):
        @lymph.resource
        def handle(self):
            self.step('open')
            self.opening.set()
            self.go_on.wait(5)
            yield object()
            self.step('close')

    slow = Slow()
    slow.opening, slow.go_on = Event(), Event()
    with unit():
        users = [
            gevent.spawn(contextvars.copy_context().run, lambda: slow.handle) for _ in range(3)
        ]
        assert slow.opening.wait(5)
        slow.go_on.set()
        gevent.joinall(users, 5, raise_error=True)
        assert len({id(user.value) for user in users}) == 1
        assert slow.handle is users[0].value
    assert slow.log == ['open', 'close']


def test_a_greenlet_that_waits_opens_the_resource_if_the_first_fails():
    class Slow(Base):
        @lymph.resource
        def handle(self):
            self.log.append('open')
            if len(self.log) == 1:
                self.go_on.wait(5)
                raise OSError('refused')
            yield 'handle'

    slow = Slow()
    slow.go_on = Event()
    with unit():
        first, second = (
            gevent.spawn(contextvars.copy_context().run, lambda: slow.handle) for _ in range(2)
        )
        eventually(lambda: slow.log)
        slow.go_on.set()
        gevent.joinall([first, second], 5)
        assert isinstance(first.exception, OSError)
        assert second.value == 'handle'


def test_a_resource_that_is_opened_after_the_end_of_its_unit_is_closed_at_once():
    class Slow(Base):
        @lymph.resource
        def handle(self):
            self.step('open')
            self.go_on.wait(5)
            try:
                yield
            finally:
                self.step('close')

    slow = Slow()
    slow.go_on = Event()
    with unit():
        user = gevent.spawn(contextvars.copy_context().run, lambda: slow.handle)
        eventually(lambda: slow.log)
    slow.go_on.set()
    user.join(5)
    assert slow.log == ['open', 'close']
    assert isinstance(user.exception, lymph.ResourceError)
    assert str(user.exception) == 'Slow.handle: its unit of work ended while it was opened'


def test_resources_that_use_each_other_are_refused():
    class Circle(Base):
        @lymph.resource
        def first(self):
            yield self.second

        @lymph.resource
        def second(self):
            yield self.first

    circle = Circle()
    with unit(), pytest.raises(lymph.ResourceError) as refused:
        assert circle.first
    told = 'Circle.first uses itself: Circle.first -> Circle.second -> Circle.first'
    assert str(refused.value) == told


def test_two_greenlets_that_wait_for_each_other_are_refused():
    class Circle(Base):
        @lymph.resource
        def first(self):
            self.ready.wait(5)
            yield self.second

        @lymph.resource
        def second(self):
            self.ready.wait(5)
            yield self.first

    circle = Circle()
    circle.ready = Event()
    with unit():
        users = [
            gevent.spawn(contextvars.copy_context().run, getattr, circle, name)
            for name in ('first', 'second')
        ]
        gevent.sleep(1e-6)
        circle.ready.set()
        gevent.joinall(users, 5)
        assert any(isinstance(user.exception, lymph.ResourceError) for user in users)


def test_a_resource_is_refused_outside_of_a_unit(store):
    with pytest.raises(lymph.ResourceError, match=r'Store.session: expected a unit of work'):
        assert store.session


def test_a_resource_is_refused_after_its_unit(store):
    with unit():
        late = contextvars.copy_context()
        assert store.connection
    with pytest.raises(lymph.ResourceError, match='after its unit of work had ended'):
        late.run(lambda: store.connection)


def test_closing_may_open_other_resources_but_not_use_closed_ones():
    class Late(Base):
        @lymph.resource
        def early(self):
            yield
            self.step(f'close early, {self.audit}')
            with pytest.raises(lymph.ResourceError, match='after it had been closed'):
                assert self.late

        @lymph.resource
        def late(self):
            yield

        @lymph.resource
        def audit(self):
            yield 'audit'
            self.step('close audit')

    late = Late()
    with unit():
        assert late.early is late.late is None
    assert late.log == ['close early, audit', 'close audit']


def test_nested_units_have_their_own_resources(store):
    with unit():
        assert store.connection
        with unit():
            assert store.connection
        assert store.connection
    assert store.log == [
        'open connection',
        *['open connection', 'close connection'],
        'close connection',
    ]


def test_each_object_has_its_own_resource(store):
    other = Store()
    with unit():
        assert store.connection is other.connection
    assert store.log == other.log == ['open connection', 'close connection']


def test_a_subclass_overrides_a_resource_and_may_use_the_one_of_its_base():
    class Traced(Store):
        @lymph.resource
        def connection(self):
            yield f'traced {super().connection}'

    traced = Traced()
    with unit():
        assert traced.session == 'session'
    assert traced.log == ['open connection', 'open session on traced connection', *CLOSED]


def test_an_attribute_of_the_object_replaces_the_resource(store):
    store.connection = 'fake'
    assert store.connection == 'fake'


def test_class_attribute_is_the_declaration_of_the_resource():
    assert isinstance(Store.connection, lymph.core.resources.Resource)
    assert Store.connection.__doc__ == 'The connection of the unit.'
    assert repr(Store.connection) == '<resource Store.connection>'


def test_generator_must_yield_exactly_once():
    class Wrong:
        @lymph.resource
        def never(self):
            yield from ()

        @lymph.resource
        def twice(self):
            yield 1
            yield 2

        @lymph.resource
        def nothing(self):
            return 5

    wrong = Wrong()
    with unit():
        with pytest.raises(lymph.ResourceError, match=r'Wrong.never: expected .* once, found no'):
            assert wrong.never
        with pytest.raises(lymph.ResourceError, match='returns a context manager, found 5'):
            assert wrong.nothing
    told = r'Wrong.twice: expected .* once, found a second'
    with pytest.raises(lymph.ResourceError, match=told), unit():
        assert wrong.twice


def test_invalid_resource_is_rejected_where_it_is_declared():
    async def waits(self):
        yield

    def takes(self, more):
        yield

    @lymph.rpc()
    def called(self):
        pass

    for func, told in (
        (waits, 'expected a method to declare as resource, found an async function'),
        (staticmethod(takes), 'expected a method to declare as resource, found a staticmethod'),
        (property(takes), 'found a property'),
        (5, 'found 5'),
        (takes, 'to take only self'),
        (called, 'is declared as rpc already'),
    ):
        with pytest.raises(TypeError, match=told):
            lymph.resource(func)
    with pytest.raises(TypeError, match=r'write @lymph.resource without parentheses'):
        lymph.resource()


def test_unit_of_an_abandoned_generator_does_not_affect_other_units(store):
    def streamed():
        with unit():
            yield store.connection

    stream = streamed()
    assert contextvars.copy_context().run(next, stream) == 'connection'
    other = Store()
    with unit():
        assert other.connection
        stream.close()
        assert store.log == ['open connection', 'connection: GeneratorExit', 'close connection']
        assert other.connection == 'connection'
    assert other.log == ['open connection', 'close connection']


def test_an_alias_is_the_same_resource():
    class Aliased(Store):
        other = Store.connection

    aliased = Aliased()
    with unit():
        assert aliased.other == aliased.connection == 'connection'
    assert aliased.log == ['open connection', 'close connection']


def test_resource_under_a_reserved_name_is_rejected():
    def handle(self):
        yield

    for base, name in (
        (Component, 'pool'),
        (Plugin, 'config'),
        (lymph.Interface, 'container'),
        (lymph.Interface, 'on_start'),
    ):
        with pytest.raises(TypeError, match=rf'Wrong.{name}: components use this name themselves'):
            type('Wrong', (base,), {name: lymph.resource(handle)})


def test_a_decorator_above_a_resource_is_refused():
    def above(func):
        return lambda self: func

    with pytest.raises(TypeError, match='write @resource above other decorators'):

        class Wrong(lymph.Interface):
            @above
            @lymph.resource
            def session(self):
                yield
