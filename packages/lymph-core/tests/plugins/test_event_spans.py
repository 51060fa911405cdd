"""Spans of events and tasks: producers, attempts, and the links between these."""

from __future__ import annotations

import pytest
from gevent.event import Event as Flag
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id

import lymph
from lymph.core import trace
from lymph.testing.waiting import eventually

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'


class Stock(lymph.Interface):
    failures = 2

    def on_start(self):
        self.taken = Flag()
        self.billed = Flag()
        self.traces = []

    @lymph.event('stock.taken', retry=3)
    def on_taken(self, event):
        self.traces.append(trace.get_id())
        if event.attempt <= self.failures:
            raise ValueError('broken')
        self.bill.apply(article='nails')
        self.taken.set()

    @lymph.task()
    def bill(self, article):
        self.billed.set()

    @lymph.rpc()
    def take(self):
        self.emit('stock.taken', {'article': 'secret-article'})


class Everyone(lymph.Interface):
    def on_start(self):
        self.heard = Flag()

    @lymph.event('news', broadcast=True)
    def on_news(self, event):
        self.heard.set()


def finished(traces, count):
    eventually(lambda: len(traces.spans) >= count)
    return traces.spans


def test_attempts_are_children_of_the_producer_and_linked_to_earlier_ones(traces):
    container = traces.container(Stock)
    traces.container().request('stock', 'stock.take', trace_id=TRACE)
    assert container.interfaces[0].taken.wait(10)
    eventually(lambda: len([s for s in traces.spans if s.kind is SpanKind.CONSUMER]) == 3)
    producer = traces.named('send stock.taken', 'PRODUCER')
    assert producer.parent == traces.named('stock.take', 'SERVER').context
    attempts = [span for span in traces.spans if span.kind is SpanKind.CONSUMER]
    assert [span.parent.span_id for span in attempts] == [producer.context.span_id] * 3
    assert [span.attributes['lymph.attempt'] for span in attempts] == [1, 2, 3]
    linked = [[link.context.span_id for link in span.links] for span in attempts]
    first, second, _ = (span.context.span_id for span in attempts)
    assert linked == [[], [first], [first, second]]
    assert [span.status.status_code.name for span in attempts] == ['ERROR', 'ERROR', 'UNSET']
    assert attempts[0].attributes['error.type'] == 'ValueError'
    assert [event.name for event in attempts[0].events] == ['exception']
    assert {format_trace_id(span.context.trace_id) for span in traces.spans} == {TRACE}
    assert container.interfaces[0].traces == [TRACE] * 3
    assert all('secret-article' not in span.to_json() for span in traces.spans)


def test_task_is_a_child_of_the_handler_that_has_queued_it(traces):
    container = traces.container(Stock)
    worker = traces.container(Stock, worker=True)
    container.interfaces[0].failures = 0
    container.emit_event('stock.taken', {})
    assert worker.interfaces[0].billed.wait(10)
    handled = [span for span in finished(traces, 4) if span.kind is SpanKind.CONSUMER]
    handler, task = sorted(handled, key=lambda span: span.start_time)
    queued = traces.named('send lymph.task.stock.bill')
    assert queued.parent == handler.context
    assert task.parent.span_id == queued.context.span_id
    assert task.attributes['lymph.handler'] == 'stock.bill'


def test_each_instance_has_a_span_of_its_own_for_a_broadcast_event(traces):
    hosts = [traces.container(Everyone) for _ in range(2)]
    traces.container().emit_event('news', {})
    for host in hosts:
        assert host.interfaces[0].heard.wait(10)
    handled = [span for span in finished(traces, 3) if span.kind is SpanKind.CONSUMER]
    assert len({span.context.span_id for span in handled}) == 2
    assert len({span.parent.span_id for span in handled}) == 1


def test_event_joins_the_trace_of_the_spans_of_a_program(traces):
    host = traces.container(Everyone)
    emitter = traces.container()
    tracer = traces.trace(traces._world.container()).provider.get_tracer('program')
    with tracer.start_as_current_span('main') as main:
        emitter.emit_event('news', {})
    assert host.interfaces[0].heard.wait(10)
    handled = next(s for s in finished(traces, 3) if s.kind is SpanKind.CONSUMER)
    assert handled.context.trace_id == main.get_span_context().trace_id
    assert 'lymph.trace_id' not in handled.attributes


def test_trace_that_the_emitter_names_is_kept(traces):
    host = traces.container(Everyone)
    tracer = traces.trace(traces._world.container()).provider.get_tracer('program')
    with tracer.start_as_current_span('main'):
        traces.container().emit_event('news', {}, headers={'trace_id': 'order:5'})
    assert host.interfaces[0].heard.wait(10)
    handled = next(s for s in finished(traces, 3) if s.kind is SpanKind.CONSUMER)
    assert handled.attributes['lymph.trace_id'] == 'order:5'


def test_event_that_cannot_be_emitted_is_an_error(traces):
    with pytest.raises(lymph.exceptions.SerializationError):
        traces.container().emit_event('news', {'value': object()})
    span = traces.named('send news')
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes['error.type'] == 'SerializationError'


@pytest.mark.parametrize('opted', ['', 'http,database', 'messaging', 'http, messaging/dup'])
def test_messaging_attributes_are_set_where_a_program_opts_in(traces, monkeypatch, opted):
    monkeypatch.setenv('OTEL_SEMCONV_STABILITY_OPT_IN', opted)
    host = traces.container(Everyone)
    traces.container().emit_event('news', {})
    assert host.interfaces[0].heard.wait(10)
    sent = finished(traces, 2) and traces.named('send news')
    handled = next(s for s in traces.spans if s.kind is SpanKind.CONSUMER)
    found = {name: value for name, value in sent.attributes.items() if 'messaging' in name}
    if 'messaging' not in opted:
        assert found == {}
        assert sent.attributes['lymph.event.type'] == 'news'
        return
    assert found == {
        'messaging.system': 'lymph',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'news',
        'messaging.message.id': sent.attributes['lymph.event.id'],
    }
    assert handled.attributes['messaging.operation.type'] == 'process'
    assert handled.attributes['messaging.message.id'] == found['messaging.message.id']
