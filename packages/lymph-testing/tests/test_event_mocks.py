"""Events kept for the test, as test cases that use them."""

from __future__ import annotations

import unittest
from unittest.mock import call

import pytest
from hamcrest import has_entries, starts_with

import lymph
from lymph.core.container import ServiceContainer
from lymph.exceptions import SerializationError
from lymph.testing import EventMockTestCase, RPCServiceTestCase
from lymph.testing.contracts._events.delays import NO_DELAYS


class Upper(lymph.Interface):
    def on_start(self):
        self.handled = []
        self.emit('started')

    @lymph.rpc()
    def upper(self, text, delay=0):
        self.emit('upper_done', {'text': text}, delay=delay)
        return text.upper()

    @lymph.event('upper_done')
    def on_done(self, event):
        self.handled.append(event['text'])
        self.emit('handled', {'text': event['text']})


class UpperTest(RPCServiceTestCase, EventMockTestCase):
    service_class = Upper

    def setUp(self):
        super().setUp()
        self.assert_events_emitted(call('started'))
        self.events.clear()

    def test_events_are_recorded_in_order(self):
        self.client.upper(text='a')
        self.client.upper(text='b', delay=3)
        self.assert_events_emitted(
            call('upper_done', {'text': 'a'}), call('upper_done', {'text': 'b'}, delay=3)
        )
        assert [event.type for event in self.events] == ['upper_done'] * 2
        assert self.events[0]['text'] == 'a'
        assert self.events[1].delay == 3
        assert self.events[0].source == 'upper'

    def test_events_are_not_delivered(self):
        self.client.upper(text='a')
        self.emit('upper_done', {'text': 'last'})
        self.assert_eventually_true(lambda: 'last' in self.service.handled)
        assert self.service.handled == ['last']

    def test_events_of_the_test_are_delivered_and_those_they_cause_recorded(self):
        self.emit('upper_done', {'text': 'x'})
        self.assert_eventually_true(lambda: self.events)
        self.assert_events_emitted(call('handled', {'text': 'x'}))

    def test_matchers_can_replace_payloads_and_values(self):
        self.client.upper(text='abc')
        self.assert_events_emitted(call('upper_done', {'text': starts_with('a')}))
        self.assert_events_emitted(call('upper_done', has_entries(text='abc')))

    def test_unexpected_events_are_explained(self):
        self.client.upper(text='a')
        with pytest.raises(
            self.failureException,
            match=r"event 1 is not as expected: payload\.text: expected 'b', found 'a'",
        ):
            self.assert_events_emitted(call('upper_done', {'text': 'b'}))
        with pytest.raises(self.failureException, match='expected 0 events, found 1'):
            self.assert_events_emitted()

    def test_invalid_events_fail_as_without_the_mock(self):
        with pytest.raises(SerializationError):
            self.service.emit('upper_done', {'text': object()})
        with pytest.raises(ValueError, match='upper'):
            self.service.emit('upper.*', {})
        for delay in NO_DELAYS:
            with pytest.raises(ValueError, match='delay'):
                self.service.emit('upper_done', {}, delay=delay)
            with pytest.raises(ValueError, match='delay'):
                self.emit('upper_done', {}, delay=delay)
        with pytest.raises(TypeError):
            self.service.emit('upper_done', 'text')
        self.assert_events_emitted()


class Queue(lymph.Interface):
    @lymph.rpc()
    def queue(self):
        self.work.apply(count=1)

    @lymph.task()
    def work(self, count):
        raise AssertionError('a task ran that was to be kept')


class QueueTest(RPCServiceTestCase, EventMockTestCase):
    service_class = Queue

    def test_a_task_is_an_event(self):
        self.client.queue()
        self.assert_events_emitted(call('lymph.task.queue.work', {'count': 1}))


class OtherOrderTest(EventMockTestCase, RPCServiceTestCase):
    service_class = Upper

    def test_events_of_the_start_are_recorded_in_either_order_of_bases(self):
        self.assert_events_emitted(call('started'))


@pytest.mark.parametrize(
    'bases',
    [
        (EventMockTestCase,),
        (EventMockTestCase, unittest.TestCase),
        (unittest.TestCase, EventMockTestCase),
    ],
)
def test_it_is_a_test_case_and_a_mixin_in_either_order(bases):
    real = ServiceContainer.emit_event

    class Inner(*bases):
        def runTest(self):
            assert self.events == []
            ServiceContainer.emit_event(None, 'a', {'b': 1})
            self.assert_events_emitted(call('a', {'b': 1}))

    result = unittest.TestResult()
    Inner().run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.errors + result.failures
    assert ServiceContainer.emit_event is real
