"""The options of a call: their valid values, and that every way to call takes all of them."""

from __future__ import annotations

import inspect
import re
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

import lymph
from lymph.client import Client
from lymph.core import trace
from lymph.core.call_options import (
    DEFAULT_OPTIONS,
    CallKeywords,
    CallOptions,
    seconds_to_wait,
)
from lymph.core.messages import REP, REQ, Message
from lymph.exceptions import ConnectionLost, Expired, LookupFailure, NotConnected, Refused, Timeout

README = Path(__file__).parents[2] / 'README.md'
NAMES = [field.name for field in fields(CallOptions)]

WRONG = [
    ({'timeout': '3'}, "expected a timeout in seconds, found '3'"),
    ({'timeout': float('nan')}, 'expected a timeout in seconds, found nan'),
    ({'timeout': float('inf')}, 'expected a timeout in seconds, found inf'),
    ({'timeout': 10**400}, 'expected a timeout in seconds, found 1000'),
    ({'timeout': True}, 'expected a timeout in seconds, found True'),
    ({'timeout': []}, 'expected a timeout in seconds, found []'),
    ({'version': 'x'}, "expected a version like 1.2 or 1.2.3, found 'x'"),
    ({'version': 1.2}, "expected a version like '1.2' as text, found 1.2"),
    ({'retries': 'x'}, "expected retries as a whole number, 0 or more, found 'x'"),
    ({'retries': -1}, 'expected retries as a whole number, 0 or more, found -1'),
    ({'retries': 1.5}, 'expected retries as a whole number, 0 or more, found 1.5'),
    ({'retries': True}, 'expected retries as a whole number, 0 or more, found True'),
    ({'idempotent': 'no'}, "expected idempotent as True or False, found 'no'"),
    ({'idempotent': None}, 'expected idempotent as True or False, found None'),
    ({'trace_id': 'a b'}, "expected a trace id of 1 to 128 letters, digits and ._:-, found 'a b'"),
    ({'trace_id': 7}, 'expected a trace id of 1 to 128 letters, digits and ._:-, found 7'),
]


class Echo(lymph.Interface):
    """Its answers, or the number of its calls, show which options a call had."""

    calls = 0
    gate = Event()

    @lymph.rpc()
    def trace(self):
        return trace.get_id()

    @lymph.rpc()
    def wait(self):
        self.gate.wait(30)

    @lymph.raw_rpc()
    def refuse(self, channel):
        self.calls += 1
        channel.nack(reason='overloaded')

    @lymph.rpc()
    def cut(self):
        self.calls += 1
        self.container.world.network.cut()

    @lymph.rpc()
    def arguments(self, retries, timeout=None, **others):
        return {'retries': retries, 'timeout': timeout, **others}

    @lymph.rpc()
    def upper(self, text):
        return text.upper()


class Holder:
    """Has a declared proxy, as an interface does."""

    def __init__(self, container):
        self.container = container


def declared(caller, options):
    class Declares(Holder):
        echo = lymph.proxy('echo', **options)

    return Declares(caller.container).echo


# Ways to give options to one call ...
SINGLE = {
    'interface': lambda c, m, options: c.request('echo', f'echo.{m}', **options),
    'client': lambda c, m, options: c.client.request('echo', f'echo.{m}', **options),
    'container': lambda c, m, options: c.container.request('echo', f'echo.{m}', **options),
    'with_options': lambda c, m, options: getattr(c.proxy('echo').with_options(**options), m)(),
    'deferred': lambda c, m, options: (
        getattr(c.proxy('echo').with_options(**options), m).defer().get(timeout=10)
    ),
}
# ... and to all calls of a proxy.
KEPT = {
    'Proxy': lambda c, m, options: getattr(lymph.Proxy(c.container, 'echo', **options), m)(),
    'interface proxy': lambda c, m, options: getattr(c.proxy('echo', **options), m)(),
    'client proxy': lambda c, m, options: getattr(c.client.proxy('echo', **options), m)(),
    'declared proxy': lambda c, m, options: getattr(declared(c, options), m)(),
    'deferred proxy': lambda c, m, options: (
        getattr(c.proxy('echo', **options), m).defer().get(timeout=10)
    ),
}
WAYS = {**SINGLE, **KEPT}


@pytest.fixture
def echo(world):
    container = world.container((Echo, 'echo', '1.5'))
    container.world = world
    return container.interfaces[0]


@pytest.fixture
def caller(world, echo):
    container = world.container((lymph.Interface, 'caller'), rpc_timeout=20)
    caller = container.interfaces[0]
    caller.client = Client(world.container(on_demand=True, start=False, rpc_timeout=20))
    return caller


@pytest.mark.parametrize('way', WAYS)
def test_every_way_to_call_takes_every_option(way, caller, echo):
    def call(method, **options):
        return WAYS[way](caller, method, options)

    assert call('trace', trace_id='mine') == 'mine'
    with pytest.raises(Timeout, match=r'within 0\.02 s'):
        call('wait', timeout=0.02)
    with pytest.raises(LookupFailure, match=r'no instance of echo serves 2\.0\.0'):
        call('trace', version='2')
    for retries in (0, 3):
        echo.calls = 0
        with pytest.raises(Refused):
            call('refuse', retries=retries)
        assert echo.calls == retries + 1
    for idempotent in (False, True):
        echo.calls = 0
        with pytest.raises(ConnectionLost):
            call('cut', retries=1, idempotent=idempotent)
        assert echo.calls == 1 + idempotent


@pytest.mark.parametrize('way', WAYS)
def test_invalid_option_is_an_error_of_one_line_before_anything_is_sent(way, caller):
    for options, text in WRONG:
        with pytest.raises(ValueError, match=re.escape(text)) as caught:
            WAYS[way](caller, 'trace', options)
        assert '\n' not in str(caught.value)
    for container in (caller.container, caller.client.container):
        assert container.rpc.stats()['connections'] == []


@pytest.mark.parametrize(('options', 'text'), WRONG, ids=[str(o)[:40] for o, _ in WRONG])
def test_options_are_checked_when_they_are_created(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        CallOptions(**options)


@pytest.mark.parametrize('options', [{'timeout': 3}, None, 5, CallOptions], ids=str)
@pytest.mark.parametrize('changes', [{}, {'timeout': 3}], ids=str)
def test_options_of_a_wrong_type_are_rejected_in_one_line(options, changes, caller):
    text = r'echo\.trace: expected options such as CallOptions\(timeout=3\), found [^\n]+'
    with pytest.raises(TypeError) as caught:
        caller.container.request('echo', 'echo.trace', options=options, **changes)
    assert re.fullmatch(text, str(caught.value))


@pytest.mark.parametrize('body', [[], '', 0, set(), ['x']], ids=repr)
def test_arguments_of_a_wrong_type_are_rejected_even_if_they_are_empty(body, caller):
    with pytest.raises(TypeError, match='expected the arguments as a dict, found'):
        caller.request('echo', 'echo.trace', body)


@pytest.mark.parametrize('timeout', ['3', float('nan'), True, [], 1j], ids=repr)
def test_wait_timeout_that_is_not_a_number_is_rejected_in_one_line(timeout, caller):
    waiting = caller.container.send_request('echo', 'echo.wait')
    for wait, what in (
        (waiting.get, r'echo\.wait at memory://\w+'),
        (
            lambda timeout: caller.get_next_event('a', 'b', timeout=timeout),
            'the next event of a, b',
        ),
    ):
        with pytest.raises(ValueError, match=what) as caught:
            wait(timeout)
        assert re.fullmatch(
            f'{what}: expected a timeout in seconds, found [^\n]+', str(caught.value)
        )


@pytest.mark.parametrize('timeout', [10**400, float('inf'), 1e300], ids=['int', 'inf', 'float'])
def test_wait_may_have_a_timeout_of_any_length(timeout, caller):
    assert caller.container.send_request('echo', 'echo.trace').get(timeout).type == REP
    assert seconds_to_wait(timeout, 'it') == -seconds_to_wait(-timeout, 'it') == 1e10


class Seconds(float):
    """A custom number type, which cannot be formatted."""

    def __format__(self, form):
        raise TypeError(form)


@pytest.mark.parametrize('timeout', [1, 0.5, Fraction(1, 2), 1e9, Seconds(2)])
def test_timeout_may_be_any_kind_of_number(timeout):
    assert CallOptions(timeout=timeout).timeout == timeout


@pytest.mark.parametrize('timeout', [Fraction(1, 25), Seconds(0.04)])
def test_call_ends_in_time_whatever_the_type_of_its_timeout(timeout, caller):
    for call in WAYS.values():
        call(caller, 'trace', {'timeout': 10})  # so that none of the time is spent on connecting
        with pytest.raises(Timeout, match=r'within 0\.04 s') as caught, gevent.Timeout(10):
            call(caller, 'wait', {'timeout': timeout})
        assert caught.value.timeout == pytest.approx(0.04)
    container, message = caller.container, Message(REQ, 'echo.wait', {})
    for sent in (
        container.send_request('echo', 'echo.wait', timeout=timeout),
        container.send_message('echo', message, timeout=timeout),
    ):
        with pytest.raises(Timeout):
            sent.get(timeout=None)
    with pytest.raises(Timeout):
        container.send_request('echo', 'echo.wait').get(timeout=timeout)
    with pytest.raises(Timeout):
        caller.get_next_event('nothing', timeout=timeout)


@pytest.mark.parametrize('timeout', [0, -1, -0.5])
def test_call_whose_time_is_used_up_has_expired(timeout, caller):
    """Callers with a time budget pass what is left of it, which may be 0 or less."""
    for way, call in SINGLE.items():
        with pytest.raises(Expired, match=r'echo\.\w+: no time left for the call'):
            call(caller, 'trace', {'timeout': timeout})
        assert way
    for call in KEPT.values():
        with pytest.raises(ValueError, match='expected a timeout above 0 seconds, found'):
            call(caller, 'trace', {'timeout': timeout})


def test_call_whose_time_is_used_up_names_the_trace_id_it_would_have_had(caller):
    echo = caller.proxy('echo', trace_id='mine')
    for changes, expected in (({}, 'mine'), ({'trace_id': 'other'}, 'other')):
        with pytest.raises(Expired) as caught:
            echo.with_options(timeout=0, **changes)
        assert caught.value.trace_id == expected


def test_invalid_option_is_reported_even_if_the_time_is_used_up(caller):
    for call in SINGLE.values():
        with pytest.raises(ValueError, match='expected a trace id of'):
            call(caller, 'trace', {'timeout': 0, 'trace_id': 'a b'})


@pytest.mark.parametrize('timeout', [float('nan'), float('inf'), '3', True])
def test_invalid_timeout_of_a_message_is_rejected(timeout, caller):
    message = Message(REQ, 'echo.wait', {})
    with pytest.raises(ValueError, match=r'^echo\.wait: expected a timeout in seconds, found'):
        caller.container.send_message('echo', message, timeout=timeout)


def test_errors_begin_with_the_name_of_the_call(caller):
    for call in (caller.request, caller.client.request, caller.container.request):
        with pytest.raises(ValueError, match=r"^echo\.upper: expected retries as .* found 'x'"):
            call('echo', 'echo.upper', {'text': 'x'}, retries='x')
    with pytest.raises(ValueError, match=r'the method that is called like an option goes into bo'):
        caller.request('echo', 'echo.arguments', retries='many')


def test_errors_quote_the_method_cut_and_printable(caller):
    for options in ({'timeout': 'x'}, {'timeout': 0}, {'retry': 1}):
        with pytest.raises((ValueError, TypeError, Expired)) as caught:
            caller.container.request('echo', 'echo.\n\ud800' + 'x' * 10_000, **options)
        assert str(caught.value).startswith(r'echo.\n\ud800xx')
        assert len(str(caught.value)) < 500


def test_unknown_option_is_rejected_with_a_suggestion(caller):
    with pytest.raises(TypeError, match=r"found 'retry'; did you mean 'retries'\?"):
        caller.proxy('echo').with_options(retry=3)
    with pytest.raises(TypeError, match=r"echo\.upper: expected options of a call .*'text'; arg"):
        caller.container.request('echo', 'echo.upper', text='x')


def test_with_options_keeps_options_that_are_not_given(caller):
    base = caller.proxy('echo', timeout=5, version='1.2', trace_id='base')
    changed = base.with_options(trace_id='changed', timeout=None)
    assert (base.trace(), changed.trace()) == ('base', 'changed')
    with pytest.raises(LookupFailure):
        changed.with_options(version='2').trace()
    assert base.with_options(version=None, trace_id=None).trace() not in (None, 'base')


def test_remote_method_called_with_options_is_called_by_request(caller):
    with pytest.raises(TypeError, match=r'with_options\(timeout=3\); a remote method of this name'):
        caller.proxy('echo').with_options()
    with pytest.raises(Refused) as caught:
        caller.request('echo', 'echo.with_options')
    assert caught.value.reason == 'unknown_method'


def test_deferred_call_that_is_cut_short_names_its_trace_id(caller):
    waiting = caller.proxy('echo', trace_id='mine').wait.defer()
    caller.container.stop()
    with pytest.raises((ConnectionLost, NotConnected)) as caught:
        waiting.get(timeout=10)
    assert caught.value.trace_id == 'mine'


def test_options_are_keyword_only(caller):
    with pytest.raises(TypeError, match='positional'):
        caller.container.request('echo', 'echo.trace', {}, 3)


# Arguments of the method that are called like options.


def test_arguments_called_like_options_go_into_the_body(caller):
    arguments = {'retries': 3, 'timeout': 4, 'version': 5, 'idempotent': 6, 'trace_id': 7}
    for call in (caller.request, caller.client.request, caller.container.request):
        assert call('echo', 'echo.arguments', arguments, retries=0, trace_id='a') == arguments
    assert caller.proxy('echo').arguments(**arguments) == arguments
    assert caller.proxy('echo').arguments.defer(**arguments).get(timeout=10) == arguments


def test_argument_that_was_taken_for_an_option_is_explained(caller):
    with pytest.raises(Refused, match=r"missing argument 'retries'.* goes into body") as caught:
        caller.request('echo', 'echo.arguments', retries=3)
    assert caught.value.reason == 'invalid_arguments'


def test_option_that_was_taken_for_an_argument_is_explained(caller):
    with pytest.raises(Refused, match=r"unexpected argument 'timeout' .*with_options\(timeout="):
        caller.proxy('echo').upper(text='x', timeout=3)


# One surface.


@pytest.mark.parametrize(
    'function',
    [CallOptions, lymph.Interface.request, Client.request, lymph.Interface.proxy, Client.proxy,
     lymph.Proxy, lymph.proxy],
)  # fmt: skip
def test_signatures_name_all_options_with_their_defaults(function):
    parameters = inspect.signature(function).parameters
    for field in fields(CallOptions):
        assert parameters[field.name].default == field.default, field.name


def test_keywords_for_type_checkers_are_the_options():
    assert list(CallKeywords.__annotations__) == NAMES


def test_readme_has_a_table_of_all_options():
    section = README.read_text().split('## Options of a call\n')[1].split('\n## ')[0]
    rows = re.findall(r'^\| `(\w+)` \|[^|]*\| `?([^|`]*)`? \|', section, re.MULTILINE)
    assert rows == [(field.name, str(field.default)) for field in fields(CallOptions)]


def test_options_are_immutable():
    with pytest.raises(FrozenInstanceError):
        DEFAULT_OPTIONS.timeout = 3
    assert CallOptions() == DEFAULT_OPTIONS
