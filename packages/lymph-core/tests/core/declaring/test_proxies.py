from __future__ import annotations

import copy
import functools

import pytest

import lymph
from lymph.core.call_options import DEFAULT_OPTIONS
from lymph.exceptions import LookupFailure, RemoteError, Timeout
from lymph.serializers.msgpack import pack, unpack


class Container:
    """Records the requests that it gets."""

    def __init__(self):
        self.asked = []
        self.bodies = []
        self.options = []
        self.error = None

    def request(self, address, subject, body=None, *, options=DEFAULT_OPTIONS):
        arguments = unpack(body) if isinstance(body, bytes) else body
        self.asked.append((address, subject, arguments, options.timeout, options.version))
        self.bodies.append(body)
        self.options.append(options)
        if self.error is not None:
            raise self.error
        return 'result'

    def defer(self, call, **facts):
        return ('deferred', call())


@pytest.fixture
def container():
    return Container()


def test_attribute_of_a_proxy_calls_the_remote_method(container):
    assert lymph.Proxy(container, 'echo').upper(text='x') == 'result'
    assert container.asked == [('echo', 'echo.upper', {'text': 'x'}, None, None)]


def test_namespace_timeout_and_version_apply_to_every_call(container):
    proxy = lymph.Proxy(container, 'tcp://there:1', 'echo', timeout=3, version='1.2')
    proxy.upper()
    assert container.asked == [('tcp://there:1', 'echo.upper', {}, 3, '1.2')]


def test_arguments_may_have_any_name(container):
    lymph.Proxy(container, 'echo').upper(self=1, address=2, subject=3, timeout=4, args=5, call=6)
    assert container.asked[0][2] == {
        'self': 1,
        'address': 2,
        'subject': 3,
        'timeout': 4,
        'args': 5,
        'call': 6,
    }


@pytest.mark.parametrize('call', [lambda m: m('x'), lambda m: m.defer('x')], ids=['call', 'defer'])
def test_positional_arguments_are_rejected(container, call):
    with pytest.raises(
        TypeError, match=r"echo\.upper: arguments travel by name, found 'x' without"
    ):
        call(lymph.Proxy(container, 'echo').upper)
    assert container.asked == []


def test_deferred_call_sends_the_same_request(container):
    deferred = lymph.Proxy(container, 'echo', timeout=3).upper.defer(text='x')
    assert deferred == ('deferred', 'result')
    assert container.asked == [('echo', 'echo.upper', {'text': 'x'}, 3, None)]


def test_arguments_of_a_deferred_call_are_packed_once(container):
    proxy = lymph.Proxy(container, 'echo')
    proxy.upper.defer(text='x')
    assert container.bodies == [pack({'text': 'x'})]
    with pytest.raises(lymph.SerializationError, match='at text'):
        proxy.upper.defer(text=object())


def test_remote_errors_are_mapped_to_local_classes_by_name(container):
    proxy = lymph.Proxy(container, 'echo', error_map={'ValueError': LookupError})
    container.error = RemoteError.named('ValueError', 'no good')
    with pytest.raises(LookupError, match='no good') as caught:
        proxy.upper()
    assert caught.value.__cause__ is container.error
    with pytest.raises(LookupError):
        proxy.upper.defer()


@pytest.mark.parametrize('error', [RemoteError.named('KeyError', 'x'), Timeout('late')])
def test_errors_that_are_not_mapped_are_unchanged(container, error):
    container.error = error
    with pytest.raises(type(error)) as caught:
        lymph.Proxy(container, 'echo', error_map={'ValueError': LookupError}).upper()
    assert caught.value is error


def test_proxy_for_an_endpoint_needs_a_namespace(container):
    with pytest.raises(ValueError, match='a proxy for tcp://there:1 needs a namespace'):
        lymph.Proxy(container, 'tcp://there:1')


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ({'address': None}, 'expected the name of a service or an endpoint as text, found None'),
        ({'namespace': 3}, 'a proxy for echo: expected the namespace, .* as text, found 3'),
        ({'error_map': [KeyError]}, 'expected the error_map as a mapping, .*, found .<class'),
        ({'error_map': {KeyError: KeyError}}, 'names of remote errors .* as text, found <class'),
        ({'error_map': {'KeyError': 'KeyError'}}, "for 'KeyError' in its error_map, found 'KeyE"),
        ({'error_map': {'KeyError': KeyError('gone')}}, r"expected a class .* found KeyError\('go"),
        ({'error_map': {'KeyError': str}}, 'expected a class of exceptions .*, found <class'),
    ],
)
def test_invalid_arguments_of_a_proxy_raise_when_it_is_created(container, arguments, text):
    arguments = {'address': 'echo', **arguments}
    for make in (functools.partial(lymph.Proxy, container), lymph.proxy):
        with pytest.raises(TypeError, match=text):
            make(**arguments)


def test_malformed_version_is_rejected_before_the_first_call(container):
    with pytest.raises(ValueError, match='expected a version like'):
        lymph.Proxy(container, 'echo', version='x')


def test_private_names_are_not_methods(container):
    proxy = lymph.Proxy(container, 'echo')
    with pytest.raises(AttributeError):
        _ = proxy._private
    assert not hasattr(proxy, '__len__')
    assert container.asked == []
    assert copy.copy(proxy).upper() == 'result'


def test_proxy_creates_each_method_once(container):
    proxy = lymph.Proxy(container, 'echo')
    assert proxy.upper is proxy.upper


def test_repr_of_a_proxy_names_its_address(container):
    assert repr(lymph.Proxy(container, 'echo')) == '<Proxy for echo at echo>'
    assert 'tcp://x:1' in repr(lymph.Proxy(container, 'tcp://x:1', 'echo'))


class Echo(lymph.Interface):
    @lymph.rpc(raises=ValueError)
    def upper(self, text):
        if not text:
            raise ValueError('empty')
        return text.upper()


class Asks(lymph.Interface):
    echo = lymph.proxy('echo', timeout=5)
    second = lymph.proxy('echo', error_map={'ValueError': LookupError}, timeout=5)
    nobody = lymph.proxy('nobody', version='1.2')


def test_a_proxy_is_declared_as_a_class_attribute(world):
    world.container((Echo, 'echo'))
    one = world.container((Asks, 'asks')).interfaces[0]
    other = world.container((Asks, 'asks')).interfaces[0]
    assert one.echo.upper(text='x') == 'X'
    assert one.echo is one.echo is not other.echo
    with pytest.raises(LookupError, match='empty'):
        one.second.upper(text='')
    with pytest.raises(RemoteError.ValueError):
        one.echo.upper(text='')
    with pytest.raises(LookupFailure):
        one.nobody.upper(text='x')


def test_a_declared_proxy_can_be_replaced_on_an_interface(world):
    asks = world.container((Asks, 'asks')).interfaces[0]
    asks.echo = 'a double'
    assert asks.echo == 'a double'
