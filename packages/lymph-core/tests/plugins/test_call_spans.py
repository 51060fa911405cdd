"""Spans of calls: their ids, parents, attributes and outcomes."""

from __future__ import annotations

import subprocess
import sys

import gevent
import pytest
from opentelemetry import baggage, context
from opentelemetry import trace as otel
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id

import lymph
from lymph.core import trace
from lymph.core.interceptors import Work
from lymph.plugins._opentelemetry.ids import trace_id_of
from lymph.plugins._opentelemetry.spans import begin
from lymph.testing.waiting import eventually

TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'


#: a program that sets up the SDK by itself
GLOBAL = f"""
import logging
import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.plugins.opentelemetry import OpenTelemetry
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

class Stock(lymph.Interface):
    @lymph.rpc()
    def take(self):
        return 'nails'

def start():
    container = ServiceContainer(MemoryTransport(), StaticServiceRegistry(), NullEventSystem(),
                                 ContainerSettings(block_threshold=0, drain_timeout=0))
    container.install_interface(Stock)
    container.install_plugin(OpenTelemetry, {{'provider': 'global'}})
    container.start()
    return container

warnings = []
handler = logging.Handler()
handler.emit = lambda record: warnings.append(record.getMessage())
logging.getLogger('lymph').addHandler(handler)
start().stop()
print('warned', len([text for text in warnings if 'provider: global' in text]))
memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
container = start()
assert container.request('stock', 'stock.take', trace_id='{TRACE}') == 'nails'
container.stop()
for span in memory.get_finished_spans():
    print(span.kind.name, span.name, trace.format_trace_id(span.context.trace_id))
"""


class Stock(lymph.Interface):
    refusals = 0

    @lymph.rpc()
    def take(self, article='nails'):
        return article

    @lymph.rpc(raises=(KeyError,))
    def find(self):
        raise KeyError('nails')

    @lymph.rpc()
    def fail(self):
        raise ValueError('broken')

    @lymph.rpc()
    def wait(self):
        gevent.sleep(30)

    @lymph.rpc()
    def context(self):
        found = otel.get_current_span().get_span_context()
        return [format_trace_id(found.trace_id), int(found.trace_flags), trace.get_id()]

    @lymph.rpc()
    def in_background(self):
        seen = []
        greenlet = self.spawn(lambda: seen.append(otel.get_current_span().get_span_context()))
        greenlet.join(5)
        return seen[0] == otel.get_current_span().get_span_context()


class Overloaded(Stock, lymph.Interceptor):
    kinds = ('rpc',)

    def intercept(self, work, proceed):
        if self.refusals:
            self.refusals -= 1
            raise lymph.Refused('not now', 'overloaded')
        return proceed()


class Shop(lymph.Interface):
    @lymph.rpc()
    def buy(self):
        return self.request('stock', 'stock.take', article='nails')

    @lymph.rpc()
    def ask(self):
        return self.request('stock', 'stock.context')


class Nesting(lymph.Interface):
    @lymph.rpc()
    def work(self):
        with self.tracer.start_as_current_span('inner'):
            return self.request('stock', 'stock.take')


class Tenant(lymph.Interface):
    @lymph.rpc()
    def of_caller(self):
        return baggage.get_baggage('tenant')


class Sending(lymph.Plugin, lymph.Interceptor):
    """Sends the headers of its section with each call."""

    kinds = ('call',)

    def intercept(self, work, proceed):
        work.headers.update(self.config)
        return proceed()


def failing(container, *args, **options):
    with pytest.raises(lymph.exceptions.RpcError) as caught:
        container.request(*args, **options)
    return caught.value


def event_names(span):
    return [event.name for event in span.events]


def test_a_call_is_a_client_span_and_the_request_its_child(traces):
    traces.container(Stock)
    caller = traces.container()
    assert caller.request('stock', 'stock.take', trace_id=TRACE) == 'nails'
    client = traces.named('stock.take', 'CLIENT')
    server = traces.named('stock.take', 'SERVER')
    assert format_trace_id(client.context.trace_id) == TRACE
    assert client.parent is None
    assert server.parent.span_id == client.context.span_id
    assert server.parent.is_remote
    facts = {
        'rpc.system.name': 'lymph',
        'rpc.method': 'stock.take',
        'rpc.response.status_code': 'ok',
    }
    assert dict(client.attributes).items() >= {**facts, 'server.address': 'stock'}.items()
    assert dict(server.attributes).items() >= facts.items()
    assert 'error.type' not in {**client.attributes, **server.attributes}
    assert client.status.status_code is server.status.status_code is StatusCode.UNSET


def test_calls_of_a_handler_are_children_of_its_span(traces):
    traces.container(Stock)
    traces.container(Shop)
    assert traces.container().request('shop', 'shop.buy') == 'nails'
    buying = traces.named('shop.buy', 'SERVER')
    assert traces.named('stock.take', 'CLIENT').parent == buying.context
    assert len({span.context.trace_id for span in traces.spans}) == 1


def test_endpoints_are_addresses_and_ports(traces):
    caller = traces.container()
    failing(caller, 'tcp://127.0.0.1:1', 'stock.take', timeout=0.2, retries=0)
    attributes = traces.named('stock.take').attributes
    assert (attributes['server.address'], attributes['server.port']) == ('127.0.0.1', 1)


def test_one_span_covers_all_attempts_of_a_call(traces):
    stock = traces.container((Overloaded, 'stock')).interfaces[0]
    stock.refusals = 2
    assert traces.container().request('stock', 'stock.take', retries=3) == 'nails'
    client = traces.named('stock.take', 'CLIENT')
    assert event_names(client) == ['lymph.attempt.failed'] * 2
    assert [event.attributes['error.type'] for event in client.events] == ['overloaded'] * 2
    assert client.attributes['lymph.attempt'] == 3
    assert client.attributes['rpc.response.status_code'] == 'ok'
    requests = [span for span in traces.spans if span.kind is SpanKind.SERVER]
    assert [span.parent.span_id for span in requests] == [client.context.span_id] * 3
    assert [span.attributes['rpc.response.status_code'] for span in requests] == [
        *('overloaded', 'overloaded', 'ok')
    ]
    assert [span.status.status_code.name for span in requests] == ['ERROR', 'ERROR', 'UNSET']


@pytest.mark.parametrize(
    ('method', 'arguments', 'status', 'kind', 'server_status', 'server_kind', 'kept'),
    [
        ('find', {}, 'error', 'KeyError', 'UNSET', 'KeyError', []),
        ('fail', {}, 'failed', 'failed', 'ERROR', 'ValueError', ['exception']),
        ('take', {'x': 1}, *('invalid_arguments',) * 2, 'UNSET', 'invalid_arguments', []),
    ],
)
def test_failures_are_marked_on_both_sides(
    traces, method, arguments, status, kind, server_status, server_kind, kept
):
    traces.container(Stock)
    failing(traces.container(), 'stock', f'stock.{method}', arguments)
    client = traces.named(f'stock.{method}', 'CLIENT')
    server = traces.named(f'stock.{method}', 'SERVER')
    assert client.attributes['rpc.response.status_code'] == status
    assert server.attributes['rpc.response.status_code'] == status
    assert client.attributes['error.type'] == kind
    assert server.attributes['error.type'] == server_kind
    assert client.status.status_code is StatusCode.ERROR
    assert server.status.status_code.name == server_status
    assert event_names(server) == kept
    assert 'exception' not in event_names(client)


def test_exception_is_kept_with_its_traceback_and_no_variables(traces):
    traces.container(Stock)
    failing(traces.container(), 'stock', 'stock.fail')
    [kept] = traces.named('stock.fail', 'SERVER').events
    assert kept.attributes['exception.type'] == 'ValueError'
    assert kept.attributes['exception.message'] == 'broken'
    assert 'in fail' in kept.attributes['exception.stacktrace']


def test_unknown_service_and_timeout_are_told_apart(traces):
    traces.container(Stock)
    caller = traces.container()
    failing(caller, 'nobody', 'nobody.take')
    failing(caller, 'stock', 'stock.wait', timeout=0.1)
    assert traces.named('nobody.take').attributes['error.type'] == 'lookup_failure'
    assert traces.named('stock.wait', 'CLIENT').attributes['error.type'] == 'timeout'


def test_cancelled_call_is_no_error_of_the_service(traces, cancellable):
    traces.container(cancellable)
    failing(traces.container(), 'cancellable', 'cancellable.wait', timeout=0.1)
    eventually(lambda: traces.named('cancellable.wait', 'SERVER'))
    server = traces.named('cancellable.wait', 'SERVER')
    assert server.attributes['rpc.response.status_code'] == 'cancelled'
    assert server.status.status_code is StatusCode.UNSET


def test_arguments_and_results_are_not_in_spans(traces):
    traces.container(Stock)
    traces.container().request('stock', 'stock.take', {'article': 'secret-article'})
    assert all('secret-article' not in span.to_json() for span in traces.spans)


def test_builtin_calls_make_no_spans(traces):
    stock = traces.container(Stock)
    traces.container().request(stock.endpoint, 'lymph.ping', {'payload': ''})
    assert traces.spans == []


def test_other_trace_ids_lead_to_the_same_trace_everywhere(traces):
    traces.container(Stock)
    traces.container().request('stock', 'stock.take', trace_id='order:5')
    client = traces.named('stock.take', 'CLIENT')
    assert client.context.trace_id == trace_id_of('order:5') == traces.spans[0].context.trace_id
    assert [span.attributes['lymph.trace_id'] for span in traces.spans] == ['order:5'] * 2


def test_trace_id_of_lymph_is_that_of_the_current_span(traces):
    traces.container(Stock)
    traces.container(Shop)
    of_span, flags, of_lymph = traces.container().request('shop', 'shop.ask')
    assert of_span == of_lymph
    assert flags & 1


def test_call_joins_the_trace_of_the_spans_of_a_program(traces):
    traces.container(Stock)
    caller = traces.container()
    tracer = traces.trace(traces.container()).provider.get_tracer('program')
    with tracer.start_as_current_span('main') as main:
        of_span, _, of_lymph = caller.request('stock', 'stock.context')
    assert of_span == of_lymph == format_trace_id(main.get_span_context().trace_id)
    assert traces.named('stock.context', 'CLIENT').parent == main.get_span_context()


def test_spans_of_handlers_nest_in_that_of_the_request(traces, world):
    traces.container(Stock)
    host = world.container(Nesting)
    host.interfaces[0].tracer = traces.trace(host).provider.get_tracer('own')
    traces.container().request('nesting', 'nesting.work')
    inner = traces.named('inner')
    assert inner.parent == traces.named('nesting.work', 'SERVER').context
    assert traces.named('stock.take', 'CLIENT').parent == inner.context


def test_background_work_keeps_the_span(traces):
    traces.container(Stock)
    assert traces.container().request('stock', 'stock.in_background') is True


def test_share_of_traces_that_a_sampler_keeps_is_right(traces):
    plugin = traces.trace(traces._world.container(), ratio=0.01)
    tracer = plugin.provider.get_tracer('test')
    count = 40_000
    for _ in range(count):
        work = Work('rpc', 'stock.take')
        work.trace_id = trace.new_id()
        begin(
            tracer, work, 'x', SpanKind.SERVER, otel.set_span_in_context(otel.INVALID_SPAN), {}
        ).end()
    # 6 standard deviations to each side
    assert 0.007 * count <= len(traces.spans) <= 0.013 * count


def test_trace_that_is_not_sampled_is_sampled_nowhere_downstream(traces):
    traces.container(Stock)
    traces.container(Shop)
    caller = traces.container(config={'ratio': 0})
    of_span, flags, of_lymph = caller.request('shop', 'shop.ask')
    assert of_span == of_lymph
    assert flags == 0
    assert traces.spans == []


def test_service_without_the_plugin_keeps_the_trace_and_loses_the_parent(traces, world):
    traces.container(Stock)
    world.container(Shop)
    traces.container().request('shop', 'shop.buy')
    first = traces.named('shop.buy', 'CLIENT')
    last = traces.named('stock.take', 'SERVER')
    assert last.context.trace_id == first.context.trace_id
    assert last.parent is None


@pytest.mark.parametrize(
    'parent',
    [
        *(5, None, '', f'00-{TRACE}', 'x' * 9000),
        *(f'00-{"0" * 32}-{SPAN}-01', f'00-{TRACE}-{"0" * 16}-01', f'ff-{TRACE}-{SPAN}-01'),
    ],
    ids=lambda parent: repr(parent)[:60],
)
def test_malformed_parents_are_ignored(traces, world, parent):
    traces.container(Stock)
    caller = world.container()
    caller.install_plugin(Sending, {'traceparent': parent})
    assert caller.request('stock', 'stock.take', trace_id=TRACE) == 'nails'
    span = traces.named('stock.take', 'SERVER')
    assert span.parent is None
    assert format_trace_id(span.context.trace_id) == TRACE


def test_baggage_of_a_program_travels(traces):
    traces.container(Tenant)
    token = context.attach(baggage.set_baggage('tenant', 'ada'))
    try:
        assert traces.container().request('tenant', 'tenant.of_caller') == 'ada'
    finally:
        context.detach(token)


def test_program_with_its_own_provider_gets_spans_whose_ids_agree():
    told = subprocess.run([sys.executable, '-c', GLOBAL], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    warned, *spans = told.stdout.splitlines()
    assert warned == 'warned 1'
    assert sorted(spans) == [f'CLIENT stock.take {TRACE}', f'SERVER stock.take {TRACE}']


@pytest.mark.parametrize('reason', [['x'], 5, 'own_reason'], ids=repr)
def test_refusals_with_any_reason_stay_the_outcome(traces, world, reason):
    class Refusing(lymph.Plugin, lymph.Interceptor):
        kinds = ('rpc',)

        def intercept(self, work, proceed):
            raise lymph.Refused('no', reason)

    traces.container(Stock).install_plugin(Refusing)
    error = failing(traces.container(), 'stock', 'stock.take', retries=0)
    assert isinstance(error, lymph.Refused)
    assert traces.named('stock.take', 'SERVER').kind is SpanKind.SERVER


def test_sdk_that_is_disabled_changes_no_call(traces, monkeypatch):
    monkeypatch.setenv('OTEL_SDK_DISABLED', 'true')
    traces.container(Stock)
    assert traces.container().request('stock', 'stock.take', trace_id=TRACE) == 'nails'
    assert traces.spans == []


def test_headers_without_room_change_no_call(traces):
    traces.container(Stock)
    caller = traces.container()
    caller.install_plugin(Sending, {'large': 'x' * 15_200})
    assert caller.request('stock', 'stock.take') == 'nails'
