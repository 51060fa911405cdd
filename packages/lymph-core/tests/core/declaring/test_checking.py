"""What a class of interfaces declares is checked when the class is made."""

from __future__ import annotations

import abc
import contextlib
import functools
import types

import pytest

import lymph
from lymph.core._declaring.checking import _OFFERED, own_names
from lymph.core.components import Component
from lymph.core.interfaces import Interface
from lymph.exceptions import ConfigurationError
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually

DECORATORS = {
    'rpc': lymph.rpc(),
    'raw_rpc': lymph.raw_rpc(),
    'event': lymph.event('a'),
    'task': lymph.task(),
    'serial_event': serial_event('a'),
}


def plain(func):
    """Decorate without `functools.wraps`."""

    def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper


def wrapping(func):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper


def make_async(func):
    @functools.wraps(func)
    async def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper


def forgetful(func):
    """Return nothing, as a decorator whose author forgot to."""


class Called:
    """A decorator that is a class, and no descriptor."""

    __slots__ = ('func',)

    def __init__(self, func):
        self.func = func

    def __call__(self, *args, **kwargs):
        return self.func(*args, **kwargs)


class Updated:
    """The same, with the attributes of the function."""

    def __init__(self, func):
        functools.update_wrapper(self, func)

    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)


class Transparent:
    """A decorator that is bound like a function and passes on the function's attributes."""

    def __init__(self, func):
        self.__dict__['inner'] = func

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __call__(self, *args, **kwargs):
        return self.inner(*args, **kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)


def names(cls):
    return [*cls.methods, *cls.event_handlers, *cls.tasks]


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize(
    'other',
    [
        staticmethod,
        classmethod,
        property,
        functools.cached_property,
        functools.partial,
        functools.partialmethod,
        functools.singledispatchmethod,
        plain,
        make_async,
        forgetful,
        Called,
        Updated,
    ],
)
def test_decorator_that_breaks_or_loses_the_declaration_below_it_is_rejected(kind, other):
    with pytest.raises(TypeError, match=rf'^\S*Shop\.take: .*\b{kind}\b.*write [^\n]*$'):

        class Shop(Interface):
            @other
            @DECORATORS[kind]
            def take(self, event):
                return event


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize('other', [wrapping, functools.lru_cache, Transparent, abc.abstractmethod])
def test_decorator_that_keeps_the_declaration_may_be_above_it_except_for_tasks(kind, other):
    def declare():
        class Shop(Interface):
            @other
            @DECORATORS[kind]
            def take(self, event):
                return event

        return Shop

    if kind == 'task' and other is not abc.abstractmethod:
        with pytest.raises(TypeError, match=r'take: .* hides the task; write @task above'):
            declare()
    else:
        assert 'take' in declare().__dict__


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize('other', [plain, wrapping, functools.lru_cache, Transparent])
def test_declaration_above_another_decorator_is_named_after_the_attribute(kind, other):
    class Shop(Interface):
        @DECORATORS[kind]
        @other
        def take(self, event):
            return event

        take_too = DECORATORS[kind](lambda self, event: event)

    assert names(Shop) == (['take', 'take_too'] if kind != 'serial_event' else [])


@pytest.mark.parametrize('kind', DECORATORS)
def test_declaration_between_two_decorators_that_lose_it_is_rejected(kind):
    with pytest.raises(
        TypeError, match=rf'^\S*Shop\.wrapper: this {kind} is declared in the class'
    ):

        class Shop(Interface):
            @plain
            @DECORATORS[kind]
            @plain
            def take(self, event):
                return event


@pytest.mark.parametrize('kind', DECORATORS)
def test_cached_coroutine_and_generator_functions_are_rejected(kind):
    @functools.lru_cache
    async def wait(self, event): ...

    @functools.cache
    def generate(self, event):
        yield event

    for func, found in (wait, 'an async function'), (generate, 'a generator function'):
        with pytest.raises(
            TypeError, match=f'expected a method to declare as {kind}, found {found}'
        ):
            DECORATORS[kind](func)


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize(
    'func', [[].append, str.upper, object.__init__, Interface.__init__], ids=str
)
def test_objects_that_cannot_be_declared_are_rejected_in_one_line(kind, func):
    if func is Interface.__init__:
        func = types.MethodType(func, object())
    with pytest.raises(TypeError, match=f'expected a method to declare as {kind}, found [^\n]*$'):
        DECORATORS[kind](func)


@pytest.mark.parametrize('kind', DECORATORS)
def test_check_must_be_true_or_false(kind):
    events = ('a',) if 'event' in kind else ()
    declare = serial_event if kind == 'serial_event' else getattr(lymph, kind)
    with pytest.raises(TypeError, match=r"^expected check as True or False, found 'no'$"):
        declare(*events, check='no')(lambda self, event: None)


FLAGS = {
    'rpc': ['idempotent', 'cancel'],
    'raw_rpc': ['cancel'],
    'event': ['sequential', 'broadcast', 'once'],
    'task': ['sequential', 'broadcast'],
}


@pytest.mark.parametrize(
    ('kind', 'flag'), [(kind, flag) for kind, flags in FLAGS.items() for flag in flags]
)
def test_flags_must_be_true_or_false(kind, flag):
    events = ('a',) if kind == 'event' else ()
    for value in 'no', 0, []:
        with pytest.raises(TypeError, match=rf'^expected {flag} as True or False, found .*$'):
            getattr(lymph, kind)(*events, **{flag: value})


@pytest.mark.parametrize('flag', ['sequential', 'broadcast', 'once', 'check'])
def test_flags_of_a_subscription_at_run_time_must_be_true_or_false(flag):
    with pytest.raises(TypeError, match=rf"^expected {flag} as True or False, found 'no'$"):
        Interface.subscribe(object(), 'a', **{flag: 'no'})


@pytest.mark.parametrize('kind', ['event', 'serial_event'])
def test_handler_with_more_required_parameters_than_the_event_is_rejected(kind):
    with pytest.raises(TypeError, match='expected no parameters but self and event without a def'):

        @DECORATORS[kind]
        def on_a(self, event, more):
            pass


@pytest.mark.parametrize(
    ('key', 'found'),
    [
        ('account', "expected a function key.interface, event., found 'account'"),
        (property(lambda self: 1), 'found <property'),
        (make_async(lambda interface, event: 1), 'found an async function'),
        (functools.partial(make_async(lambda interface, event: 1)), 'found an async function'),
        (lambda interface: 1, 'expected the parameters interface and event'),
        (functools.partial(lambda interface: 1), 'expected the parameters interface and event'),
        (lambda interface, event, more: 1, 'expected no parameters but interface and event'),
    ],
)
def test_serial_event_key_that_is_not_callable_is_rejected(key, found):
    with pytest.raises(TypeError, match=found):
        serial_event('a', key=key)


def test_serial_event_key_may_be_a_static_method():
    class Shop(Interface):
        @staticmethod
        def account(interface, event):
            return event['account']

        @serial_event('paid', key=account)
        def on_paid(self, event):
            pass


# Names.


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize('name', sorted(n for n in own_names(Interface) if not n.startswith('__')))
def test_declaration_under_a_reserved_name_is_rejected(kind, name):
    method = DECORATORS[kind](lambda self, event: event)
    with pytest.raises(TypeError, match=rf'^Shop\.{name}: interfaces use this name themselves'):
        type('Shop', (Interface,), {name: method})


@pytest.mark.parametrize('name', sorted(_OFFERED))
def test_helper_methods_of_interfaces_may_be_overridden_by_declarations(world, name):
    shop = type('Shop', (Interface,), {name: lymph.rpc()(lambda self: name)})
    (interface,) = world.container((shop, 'shop')).interfaces
    assert world.container().request('shop', f'shop.{name}') == name
    if name != 'get_next_event':
        with pytest.raises(lymph.Timeout):
            interface.get_next_event('a', timeout=0)


def test_place_is_not_reserved(world):
    class Orders(Interface):
        @lymph.rpc()
        def place(self, article):
            return article

    world.container((Orders, 'orders'))
    assert world.container().request('orders', 'orders.place', {'article': 'sock'}) == 'sock'


def test_every_attribute_that_the_framework_sets_on_an_interface_is_reserved(world):
    (interface,) = world.container((Interface, 'shop')).interfaces
    assert vars(interface).keys() <= own_names(Interface).keys()


@pytest.mark.parametrize('name', ['version', 'tasks', 'container', 'pool', 'emit', 'on_start'])
def test_proxy_or_resource_under_a_reserved_name_is_rejected(name):
    for declaration in (
        lymph.proxy('other'),
        lymph.resource(lambda self: contextlib.nullcontext()),
    ):
        said = f'{name}: .* give the {declaration.kind} another one'
        with pytest.raises(TypeError, match=said):
            type('Shop', (Interface,), {name: declaration})


@pytest.mark.parametrize('name', ['version', 'tasks', 'methods', 'metrics', 'parent'])
def test_method_that_hides_an_attribute_set_by_the_framework_is_rejected(name):
    with pytest.raises(TypeError, match=f'{name}: interfaces use this name .* choose another'):
        type('Shop', (Interface,), {name: lambda self: 1})


@pytest.mark.parametrize('value', [property(lambda self: '1'), functools.cached_property(len)])
def test_property_without_a_setter_under_an_attribute_of_the_framework_is_rejected(value):
    with pytest.raises(TypeError, match=r'version: .* found a .*property without a setter'):
        type('Shop', (Interface,), {'version': value})


@pytest.mark.parametrize('name', ['__init__', '__repr__', '__call__'])
def test_special_methods_cannot_be_declared(name):
    with pytest.raises(TypeError, match=f'{name}: Python uses this name itself'):
        type('Shop', (Interface,), {name: lymph.rpc()(lambda self: 1)})


@pytest.mark.parametrize('name', ['a.b', '', 'a\nb'])
def test_name_that_cannot_be_sent_in_a_request_is_rejected(name):
    with pytest.raises(
        TypeError, match='expected the name of a rpc as printable text without dots'
    ):
        type('Shop', (Interface,), {name: lymph.rpc()(lambda self: 1)})


@pytest.mark.parametrize('hook', ['on_start', 'on_stop', 'apply_config', 'instance_facts'])
def test_hook_of_an_interface_that_is_a_generator_or_async_is_rejected(hook):
    def generate(self, *args):
        yield

    async def wait(self, *args): ...

    for func in (generate, wait):
        with pytest.raises(TypeError, match=f'{hook}: lymph calls this method itself, and it is a'):
            type('Shop', (Interface,), {hook: func})


@pytest.mark.parametrize('name', ['emit', 'on_drain'])
def test_method_that_lymph_calls_cannot_be_replaced_by_one_that_is_async(name):
    async def wait(self, *args): ...

    said = f'{name}: lymph calls this method itself, and it is an async function'
    with pytest.raises(TypeError, match=said):
        type('Shop', (Interface,), {name: wait})


@pytest.mark.parametrize('base', [Component, lymph.Plugin, Interface])
def test_hook_of_any_component_that_is_a_generator_or_async_is_rejected(base):
    with pytest.raises(TypeError, match=r'^\S*Audit\.on_stop: lymph calls .*, and it is an async'):

        class Audit(base):
            async def on_stop(self):
                pass


def test_hooks_and_attributes_of_the_framework_may_be_overridden():
    class Shop(Interface):
        namespaces = ('http',)

        def on_start(self):
            super().on_start()

        def emit(self, event_type, payload=None, delay=0):
            super().emit(event_type, payload, delay)

        @property
        def config(self):
            return {}

        @property
        def version(self):
            return '1'

        @version.setter
        def version(self, value):
            pass

    assert names(Shop) == []


def test_class_can_be_created_again_from_its_own_namespace():
    class Shop(Interface):
        @lymph.task()
        def take(self):
            pass

    again = type('Shop', (Interface,), dict(vars(Shop)))
    assert names(again) == ['take']


# Two declarations of one name.


@pytest.mark.parametrize(
    ('options', 'other'),
    [
        ({'queue_name': 'take'}, lymph.task()),
        ({'queue_name': 'take'}, lymph.event('b')),
        ({'queue_name': 'take'}, serial_event('b')),
        ({'queue_name': 'take.3'}, serial_event('b')),
        ({'queue_name': 'same'}, lymph.event('b', queue_name='same')),
    ],
)
def test_two_handlers_of_one_queue_are_rejected(options, other):
    with pytest.raises(
        TypeError,
        match=r'Shop: expected a queue of its own for each handler, found .* for \w+ and \w+; give',
    ):

        class Shop(Interface):
            @lymph.event('a', **options)
            def on_a(self, event):
                pass

            @other
            def take(self, event):
                pass


def test_queue_of_an_inherited_handler_cannot_be_used_again():
    class Base(Interface):
        @lymph.event('a', queue_name='work')
        def on_a(self, event):
            pass

    with pytest.raises(
        TypeError, match="expected a queue of its own for each handler, found 'work'"
    ):

        class Shop(Base):
            @lymph.task()
            def work(self):
                pass


@pytest.mark.parametrize(('first', 'second'), [('rpc', 'rpc'), ('rpc', 'event'), ('task', 'rpc')])
def test_name_declared_twice_in_a_class_is_rejected(first, second):
    with pytest.raises(TypeError, match=r'take: declared twice, as .*; give one of them another'):

        class Shop(Interface):
            @DECORATORS[first]
            def take(self, event):
                pass

            @DECORATORS[second]
            def take(self, event):  # noqa: F811 - the mistake
                pass


def test_second_definition_without_a_declaration_is_rejected():
    with pytest.raises(TypeError, match='take: a second definition replaces the rpc'):

        class Shop(Interface):
            @lymph.rpc()
            def take(self):
                pass

            def take(self):  # noqa: F811 - the mistake
                pass


def test_declaration_deleted_in_the_class_body_is_not_declared():
    class Shop(Interface):
        @lymph.rpc()
        def take(self):
            pass

        del take

    assert names(Shop) == []


def test_declaration_lost_in_a_plain_base_class_is_rejected():
    class Mixin:
        @plain
        @lymph.rpc()
        def take(self):
            pass

    with pytest.raises(TypeError, match=r'Mixin\.take: the decorator above @rpc returns plain'):

        class Shop(Mixin, Interface):
            pass


# What runs.


class Twice(Interface):
    """Its functions are all called `wrapper`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.done = []

    @lymph.task()
    @plain
    def first(self, n):
        self.done.append(('first', n))

    @lymph.task()
    @plain
    def second(self, n):
        self.done.append(('second', n))

    alias = second

    @lymph.event('a')
    @plain
    def on_a(self, event):
        self.done.append(('on_a', event['n']))

    @lymph.raw_rpc()
    @plain
    def answer(self, channel, text):
        channel.reply(text)

    @lymph.rpc()
    def upper(self, text):
        return text.upper()

    shout = upper


def test_tasks_whose_functions_share_a_name_each_run_their_own_function(world):
    service, worker = (
        world.container((Twice, 'twice'), worker=worker).interfaces[0] for worker in (False, True)
    )
    for task in (service.first, service.second, service.alias):
        task.apply(n=1)
    service.emit('a', {'n': 2})
    eventually(lambda: len(worker.done) == 3 and service.done == [('on_a', 2)])
    assert sorted(worker.done) == [('first', 1), ('second', 1), ('second', 1)]
    queues = [task.queue(name) for name, task in Twice.tasks.items()]
    assert queues == ['alias', 'first', 'second']


def test_alias_of_a_method_can_be_called_under_its_own_name(world):
    world.container((Twice, 'twice'))
    caller = world.container()
    for name in ('upper', 'shout'):
        assert caller.request('twice', f'twice.{name}', {'text': 'a'}) == 'A'
    assert caller.request('twice', 'twice.answer', {'text': 'a'}) == 'a'


def test_attribute_that_replaces_a_declared_method_is_an_error_at_startup(world):
    class Shop(Interface):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.status = 'open'

        @lymph.rpc()
        def status(self):
            return 'open'

    with pytest.raises(
        ConfigurationError, match=r"Shop\.status is declared .* self\.status to 'open'"
    ):
        world.container((Shop, 'shop'))


class Hidden(Interface):
    """Its handlers are async and generator functions that a decorator hides."""

    @lymph.event('a')
    @plain
    async def on_a(self, event): ...

    @lymph.task()
    @plain
    def work(self):
        yield

    @serial_event('b')
    @plain
    async def on_b(self, event): ...


def test_hidden_async_handler_fails_instead_of_losing_its_events(world):
    service, worker = (
        world.container((Hidden, 'hidden'), worker=worker).interfaces[0] for worker in (False, True)
    )
    errors = []
    for each in (service, worker):
        each.container.error_hook.install(lambda error, **details: errors.append(str(error)))
    service.emit('a')
    service.emit('b')
    service.work.apply()
    eventually(lambda: len(errors) == 3)
    assert sorted(each.partition(', which')[0] for each in errors) == [
        'expected the work to be done, found a coroutine',
        'expected the work to be done, found a coroutine',
        'expected the work to be done, found a generator',
    ]
    assert len(world.event_hub.dead_letters.read()) == 3
