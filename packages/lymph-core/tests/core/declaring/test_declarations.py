from __future__ import annotations

import functools
from itertools import product

import pytest

import lymph
from lymph.core._declaring.declarations import EventDeclaration, RpcDeclaration, declared
from lymph.core._declaring.tasks import Task
from lymph.patterns.serial_events import serial_event

DECORATORS = {
    'rpc': lymph.rpc(),
    'raw_rpc': lymph.raw_rpc(),
    'event': lymph.event('a'),
    'task': lymph.task(),
    'serial_event': serial_event('a'),
}


class Base(lymph.Interface):
    @lymph.rpc(raises=(KeyError, ValueError), idempotent=True)
    def call(self, text):
        """Say what it does.

        In two paragraphs.
        """
        return text

    @lymph.raw_rpc()
    def raw(self, channel, text=None):
        channel.reply(text)

    @lymph.event('a.*', 'b', sequential=True, retry=3)
    def on_a(self, event):
        return event

    @lymph.task(broadcast=True, retry=2)
    def work(self, number):
        return number


def test_declarations_are_found_by_kind():
    assert set(Base.methods) == {'call', 'raw'}
    assert set(Base.event_handlers) == {'on_a'}
    assert set(Base.tasks) == {'work'}
    assert declared(Base, Task) == Base.tasks


def test_declaration_has_the_arguments_of_its_decorator():
    call, raw = Base.methods['call'], Base.methods['raw']
    assert isinstance(call, RpcDeclaration)
    assert (call.raw, call.raises) == (False, (KeyError, ValueError))
    assert call.idempotent
    assert call.help == 'Say what it does.\n\nIn two paragraphs.'
    assert (raw.raw, raw.raises, raw.idempotent, raw.help) == (True, (), False, '')
    on_a = Base.event_handlers['on_a']
    assert isinstance(on_a, EventDeclaration)
    assert (on_a.event_types, on_a.sequential, on_a.retry) == (('a.*', 'b'), True, 3)
    work = Base.tasks['work']
    assert (work.name, work.sequential, work.broadcast, work.retry) == ('work', False, True, 2)


def test_declared_method_stays_a_plain_function():
    assert Base.call(None, 'x') == 'x'
    assert Base.on_a(None, 'event') == 'event'


def test_raises_may_be_a_single_class():
    @lymph.rpc(raises=ValueError)
    def method(self):
        pass

    assert method._lymph_declaration.raises == (ValueError,)


def test_subclass_inherits_declarations_and_adds_its_own():
    class Derived(Base):
        @lymph.rpc()
        def more(self):
            pass

    assert set(Derived.methods) == {'call', 'raw', 'more'}
    assert set(Derived.event_handlers) == {'on_a'}
    assert set(Derived.tasks) == {'work'}
    assert set(Base.methods) == {'call', 'raw'}


def test_override_replaces_the_declaration():
    class Derived(Base):
        def raw(self, channel, text=None):
            pass

        @lymph.rpc(raises=OSError)
        def call(self, text, more):
            pass

        work = None

        @lymph.event('c')
        def on_a(self, event):
            pass

    assert set(Derived.methods) == {'call'}
    assert Derived.methods['call'].raises == (OSError,)
    assert Derived.methods['call'].signature.problem({'text': 1, 'more': 2}) is None
    assert Derived.event_handlers['on_a'].event_types == ('c',)
    assert Derived.tasks == {}


def test_declarations_of_several_bases_are_merged():
    class Other:
        @lymph.rpc()
        def other(self):
            pass

    class Both(Other, Base):
        pass

    assert set(Both.methods) == {'call', 'raw', 'other'}


def test_a_decorator_around_a_declared_method_keeps_the_declaration():
    def loud(func):
        @functools.wraps(func)
        def wrapper(self, text):
            return func(self, text).upper()

        return wrapper

    class Loud(lymph.Interface):
        @loud
        @lymph.rpc()
        def call(self, text):
            return text

    assert set(Loud.methods) == {'call'}
    assert Loud.call(None, 'x') == 'X'


def test_attributes_with_dynamic_getattr_declare_nothing():
    class Anything:
        def __getattr__(self, name):
            raise RuntimeError('not now')

    class Odd(lymph.Interface):
        anything = Anything()

    assert Odd.methods == {}


@pytest.mark.parametrize(('outer', 'inner'), list(product(DECORATORS, DECORATORS)))
def test_method_cannot_be_declared_twice(outer, inner):
    def method(self, event):
        pass

    with pytest.raises(TypeError, match=r'method is declared as \w+ already; a method is one of'):
        DECORATORS[outer](DECORATORS[inner](method))


@pytest.mark.parametrize(
    ('decorator', 'said'),
    [
        (lymph.rpc, r'write @lymph.rpc\(\) with parentheses'),
        (lymph.task, r'write @lymph.task\(\) with parentheses'),
        (lymph.event, r'write @lymph.event\("type"\)'),
    ],
)
def test_decorator_without_parentheses_is_rejected(decorator, said):
    with pytest.raises(TypeError, match=said):

        @decorator
        def method(self):
            pass


def test_raw_rpc_without_parentheses_is_rejected():
    with pytest.raises(TypeError, match=r'write @lymph.raw_rpc\(\) with parentheses'):

        @lymph.raw_rpc
        def method(self, channel):
            pass


@pytest.mark.parametrize('raises', [[ValueError], 'ValueError', (ValueError, 'x'), (5,), int])
def test_raises_accepts_only_exception_classes(raises):
    with pytest.raises(TypeError, match='expected exception classes in raises, found'):
        lymph.rpc(raises=raises)


@pytest.mark.parametrize(
    ('arguments', 'options', 'error'),
    [
        ((), {}, 'expected at least one event type'),
        ((5,), {}, 'write @lymph.event'),
        (('',), {}, 'expected'),
        (('a..b',), {}, 'expected'),
        (('a',), {'retry': -1}, 'expected retry >= 0, found -1'),
    ],
)
def test_event_handlers_with_invalid_options_are_rejected(arguments, options, error):
    with pytest.raises((TypeError, ValueError), match=error):
        lymph.event(*arguments, **options)


def test_task_accepts_only_whole_numbers_for_retry():
    with pytest.raises(ValueError, match='expected retry >= 0, found -1'):
        lymph.task(retry=-1)


def test_raw_method_must_take_a_channel():
    with pytest.raises(TypeError, match=r'method: expected the parameters self and channel'):

        @lymph.raw_rpc()
        def method(self):
            pass


def test_event_handler_must_take_the_event():
    with pytest.raises(TypeError, match=r'on_a: expected the parameters self and event'):

        @lymph.event('a')
        def on_a(self):
            pass


async def coroutine(self, event): ...


async def asynchronous_generator(self, event):
    yield


def generator(self, event):
    yield


def method(self, event): ...


@pytest.mark.parametrize('kind', DECORATORS)
@pytest.mark.parametrize(
    ('func', 'found'),
    [
        (coroutine, 'an async function; write `def`'),
        (asynchronous_generator, 'an async function'),
        (functools.partial(coroutine), 'an async function'),
        (generator, 'a generator function'),
        (staticmethod(method), 'a staticmethod; methods take self'),
        (classmethod(method), 'a classmethod'),
        (property(method), 'a property'),
        (functools.partial(method), 'which is not a function'),
        (Base, 'a class'),
        (None, 'None, which is not a function'),
        ('name', 'which is not a function'),
    ],
)
def test_anything_but_a_method_is_rejected_by_the_decorator(kind, func, found):
    with pytest.raises(TypeError, match=f'expected a method to declare as {kind}, found .*{found}'):
        DECORATORS[kind](func)


@pytest.mark.parametrize(
    ('decorator', 'advice'),
    [
        (lymph.rpc, r'write @lymph.rpc\(\)'),
        (lymph.raw_rpc, r'write @lymph.raw_rpc\(\)'),
        (lymph.task, r'write @lymph.task\(\)'),
        (lymph.event, r'write @lymph.event\("type"\)'),
        (serial_event, r'write @serial_event\("type"\)'),
    ],
)
@pytest.mark.parametrize('func', [method, staticmethod(method), classmethod(method)])
def test_decorator_without_parentheses_says_how_to_write_it(decorator, advice, func):
    with pytest.raises(TypeError, match=advice):
        decorator(func)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'retry': '3'}, 'expected retry as a whole number'),
        ({'retry': True}, 'expected retry as a whole number'),
        ({'retry': -1}, 'expected retry >= 0'),
        ({'queue_name': 5}, 'expected queue_name as text'),
        ({'queue_name': ''}, "expected queue_name as printable text, found ''"),
        ({'queue_name': 'a\nb'}, 'expected queue_name as printable text'),
    ],
)
def test_options_of_a_wrong_type_are_rejected(options, expected):
    with pytest.raises((TypeError, ValueError), match=expected):
        lymph.event('a', **options)


def test_wrapped_function_is_accepted_as_a_method():
    @functools.wraps(coroutine)
    def wrapper(self, event):
        return event

    for decorator in (lymph.rpc(), lymph.event('a')):
        wrapper.__dict__.pop('_lymph_declaration', None)
        assert decorator(wrapper) is wrapper
