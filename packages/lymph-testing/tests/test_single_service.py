"""A service in its test case, called through the whole stack."""

from __future__ import annotations

import unittest

import pytest

import lymph
from lymph.core import trace
from lymph.core.messages import Message
from lymph.core.transport.memory import Faults
from lymph.exceptions import LookupFailure, RemoteError, Timeout
from lymph.testing import RPCServiceTestCase


class Echo(lymph.Interface):
    stopped = 0

    def apply_config(self, config):
        self.suffix = config.get('format.suffix', '')
        self.root = config.root

    def on_start(self):
        self.done = []

    def on_stop(self):
        Echo.stopped += 1

    @lymph.rpc(raises=(ValueError,))
    def upper(self, text):
        if not text:
            raise ValueError('no text')
        self.emit('upper_done', {'text': text})
        return text.upper() + self.suffix

    @lymph.rpc()
    def trace(self):
        return trace.get_id()

    @lymph.event('upper_done')
    def on_done(self, event):
        self.done.append(event['text'])


class EchoTest(RPCServiceTestCase):
    service_class = Echo
    service_config = {'format': {'suffix': '!'}}  # noqa: RUF012 - as the manual writes it

    def test_the_client_calls_the_service(self):
        assert self.client.upper(text='foo') == 'FOO!'

    def test_a_declared_error_arrives_as_such(self):
        with pytest.raises(RemoteError.ValueError, match='no text'):
            self.client.upper(text='')

    def test_a_proxy_takes_options(self):
        proxy = self.get_proxy(timeout=0.05, error_map={'ValueError': ValueError})
        with pytest.raises(ValueError, match='no text'):
            proxy.upper(text='')
        self.in_process.network.faults = Faults(drop=1.0)
        with pytest.raises(Timeout):
            proxy.upper(text='x')

    def test_request_returns_the_reply_unchanged(self):
        reply = self.request('echo.upper', {'text': 'foo'})
        assert (reply.type, reply.body) == (Message.REP, 'FOO!')
        assert self.request('echo.upper', {'text': ''}).type == Message.ERROR
        refused = self.request('echo.nothing', timeout=5)
        assert (refused.type, refused.headers['reason']) == (Message.NACK, 'unknown_method')

    def test_request_takes_the_options_of_a_call_that_is_sent_once(self):
        assert self.request('echo.trace', trace_id='mine').body == 'mine'
        with pytest.raises(LookupFailure, match=r'no instance of echo serves 2\.0\.0'):
            self.request('echo.trace', version='2')
        for name in ('retries', 'idempotent'):
            with pytest.raises(TypeError, match=rf'has no {name}; an argument of the method'):
                self.request('echo.trace', **{name: 3})

    def test_request_returns_a_channel_that_receives_the_reply(self):
        sent = self.request('echo.upper', {'text': 'foo'})
        reply = sent.get(timeout=5)
        assert isinstance(reply, Message)
        assert (reply.type, reply.body) == (Message.REP, 'FOO!')
        assert sent.get() is reply
        assert self.request('upper', text='bar').get().body == 'BAR!'

    def test_a_request_without_a_reply_is_a_timeout_when_it_is_waited_for(self):
        self.client.upper(text='connected')
        self.in_process.network.faults = Faults(drop=1.0)
        with pytest.raises(Timeout):
            self.request('upper', text='x', timeout=0.05).get()

    def test_an_event_reaches_the_service(self):
        self.emit('upper_done', {'text': 'a'})
        self.assert_eventually_equal(lambda: self.service.done, ['a'])

    def test_events_of_the_service_are_delivered(self):
        self.client.upper(text='b')
        self.assert_eventually_equal(lambda: self.service.done, ['b'])

    def test_service_and_container_are_attributes(self):
        assert self.service.suffix == '!'
        assert self.container.interfaces == [self.service]
        assert self.service.root.get('interfaces.echo.format.suffix') == '!'

    def test_trace_id_of_the_test_is_sent(self):
        trace.set_id('of-the-test')
        assert self.client.trace() == 'of-the-test'


class NamedTest(RPCServiceTestCase):
    service_class = Echo
    service_name = 'megaphone'

    def test_the_service_can_have_another_name(self):
        assert self.request('megaphone.upper', {'text': 'a'}).body == 'A'
        with pytest.raises(LookupFailure):
            self.lymph_client.request('echo', 'echo.upper', {'text': 'a'})


def outcome(case: unittest.TestCase) -> unittest.TestResult:
    result = unittest.TestResult()
    case.run(result)
    return result


def test_everything_is_stopped_after_each_test():
    containers = []

    class Inner(RPCServiceTestCase):
        service_class = Echo

        def runTest(self):
            containers.append((self.container, self.lymph_client.container))
            raise AssertionError('a failure')

    before = Echo.stopped
    result = outcome(Inner())
    assert len(result.failures) == 1
    assert Echo.stopped == before + 1
    (pair,) = containers
    assert all(container.join(0) for container in pair)


def test_a_service_that_does_not_start_is_an_error_and_leaves_nothing():
    class Broken(Echo):
        def on_start(self):
            raise OSError('no disk')

    class Inner(RPCServiceTestCase):
        service_class = Broken

        def runTest(self):
            raise AssertionError('not reached')

    result = outcome(Inner())
    assert 'no disk' in result.errors[0][1]
    assert not result.failures


@pytest.mark.parametrize('wrong', [None, object, Echo.upper])
def test_test_case_without_a_service_class_is_an_error(wrong):
    class Inner(RPCServiceTestCase):
        service_class = wrong

        def runTest(self):
            raise AssertionError('not reached')

    message = 'Inner.service_class: expected a subclass of lymph.Interface, found'
    assert message in outcome(Inner()).errors[0][1]
