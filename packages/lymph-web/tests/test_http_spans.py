"""Spans of HTTP requests by the plugin `opentelemetry`, and one trace from a client to a task."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from opentelemetry import trace as otel
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from werkzeug.exceptions import abort
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Response

import lymph
from lymph.core import trace
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.plugins.opentelemetry import OpenTelemetry
from lymph.testing.waiting import eventually
from lymph.web.interfaces import WebServiceInterface
from lymph.web.tracing import trace_headers

TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'
PARENT = f'00-{TRACE}-{SPAN}-01'


class Shop(WebServiceInterface):
    url_map = Map(
        [
            Rule('/buy/<article>', endpoint='buy'),
            *(
                Rule(f'/{name}', endpoint=name)
                for name in ('onwards', 'apart', 'fail', 'teapot', 'refuse')
            ),
        ]
    )

    def buy(self, request, article):
        return Response(self.request('stock', 'stock.take', article=article))

    def onwards(self, request):
        with self.tracer.start_as_current_span('inner'):
            return Response('', headers={f'Sent-{k}': v for k, v in trace_headers(request).items()})

    def apart(self, request):
        sent = gevent.spawn(trace_headers, request).get()
        return Response('', headers={f'Sent-{k}': v for k, v in sent.items()})

    def fail(self, request):
        raise ValueError('broken')

    def teapot(self, request):
        abort(418)

    def refuse(self, request):
        raise lymph.Timeout('late')


class Stock(lymph.Interface):
    def on_start(self):
        self.billed = Event()

    @lymph.rpc()
    def take(self, article):
        self.emit('stock.taken', {'article': article})
        return trace.get_id()

    @lymph.event('stock.taken', retry=3)
    def on_taken(self, event):
        if event.attempt == 1:
            raise ValueError('again')
        self.bill.apply(article=event['article'])

    @lymph.task()
    def bill(self, article):
        self.billed.set()


class World:
    """Containers that are traced into one memory."""

    def __init__(self):
        self.memory = InMemorySpanExporter()
        self._network = MemoryNetwork()
        self._registries = StaticServiceRegistryHub()
        self._events = LocalEventSystemHub()
        self._containers = []

    def start(self, cls, worker=False, **section):
        """Run an interface; return it."""
        container = ServiceContainer(
            MemoryTransport(network=self._network),
            self._registries.create_registry(),
            LocalEventSystem(self._events),
            ContainerSettings(block_threshold=0, drain_timeout=0),
            worker=worker,
        )
        self._containers.append(container)
        interface = container.install_interface(cls)
        plugin = container.install_plugin(OpenTelemetry, {'exporter': 'none', **section})
        container.start()
        plugin.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        interface.tracer = plugin.provider.get_tracer('test')
        return interface

    @property
    def spans(self):
        return sorted(self.memory.get_finished_spans(), key=lambda span: span.start_time)

    def stop(self):
        for container in self._containers:
            container.stop()


@pytest.fixture
def world():
    world = World()
    yield world
    world.stop()


@pytest.fixture
def get(world):
    """Ask a traced shop."""
    return Client(world.start(Shop).application).get


def test_one_trace_from_a_client_over_call_event_and_retry_to_a_task(world, get):
    world.start(Stock)
    worker = world.start(Stock, worker=True)
    answer = get('/buy/nails', headers={'traceparent': PARENT})
    assert answer.text == TRACE
    assert worker.billed.wait(10)
    eventually(lambda: len(world.spans) == 8)
    found = [
        (span.kind.name, span.name, span.parent and format_span_id(span.parent.span_id))
        for span in world.spans
    ]
    request, call, take, emit, first, second, queue, task = world.spans
    ids = [format_span_id(span.context.span_id) for span in world.spans]
    assert found == [
        ('SERVER', 'GET /buy/<article>', SPAN),
        ('CLIENT', 'stock.take', ids[0]),
        ('SERVER', 'stock.take', ids[1]),
        ('PRODUCER', 'send stock.taken', ids[2]),
        ('CONSUMER', first.name, ids[3]),
        ('CONSUMER', first.name, ids[3]),
        ('PRODUCER', 'send lymph.task.stock.bill', ids[5]),
        ('CONSUMER', task.name, ids[6]),
    ]
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert [span.status.status_code.name for span in world.spans] == [
        *('UNSET',) * 4,
        'ERROR',
        *('UNSET',) * 3,
    ]
    assert {format_trace_id(span.context.trace_id) for span in world.spans} == {TRACE}
    assert all(span.context.trace_flags.sampled for span in world.spans)
    assert (request.kind, call.kind, queue.kind) == (
        *(SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER),
    )
    assert emit.parent == take.context


def test_span_describes_the_request(world, get):
    get('/buy/nails?card=secret', headers={'User-Agent': 'mine'}, base_url='http://shop.test:8080')
    span = next(span for span in world.spans if span.kind is SpanKind.SERVER)
    assert (
        dict(span.attributes).items()
        >= {
            'http.request.method': 'GET',
            'http.route': '/buy/<article>',
            'url.path': '/buy/nails',
            'url.scheme': 'http',
            'network.protocol.version': '1.1',
            'server.address': 'shop.test',
            'server.port': 8080,
            'user_agent.original': 'mine',
            'lymph.handler': 'shop.buy',
        }.items()
    )
    assert 'secret' not in span.to_json()


@pytest.mark.parametrize(
    ('path', 'status', 'name', 'failed', 'kind'),
    [
        ('/fail', 500, 'GET /fail', 'ERROR', 'ValueError'),
        ('/teapot', 418, 'GET /teapot', 'UNSET', None),
        ('/refuse', 504, 'GET /refuse', 'ERROR', 'Timeout'),
        ('/nowhere', 404, 'GET', 'UNSET', None),
    ],
)
def test_failed_requests_have_their_status(world, get, path, status, name, failed, kind):
    assert get(path).status_code == status
    [span] = world.spans
    assert span.name == name
    assert span.attributes['http.response.status_code'] == status
    assert span.attributes.get('error.type') == kind
    assert span.status.status_code is getattr(StatusCode, failed)


def test_unknown_methods_have_one_name(world):
    client = Client(world.start(Shop).application)
    client.open('/fail', method='BREW')
    [span] = world.spans
    assert span.name == 'HTTP /fail'
    assert span.attributes['http.request.method'] == '_OTHER'
    assert span.attributes['http.request.method_original'] == 'BREW'


def test_answer_and_further_requests_have_the_spans_of_the_server(world, get):
    answer = get('/onwards', headers={'traceparent': PARENT, 'tracestate': 'a=1'})
    request, inner = world.spans
    assert answer.headers['traceparent'] == (
        f'00-{TRACE}-{format_span_id(request.context.span_id)}-01'
    )
    assert answer.headers['Sent-traceparent'] == (
        f'00-{TRACE}-{format_span_id(inner.context.span_id)}-01'
    )
    assert answer.headers['Sent-tracestate'] == 'a=1'
    assert answer.headers['Sent-X-Trace-Id'] == TRACE


def test_greenlet_without_the_context_sends_the_span_of_the_request(world, get):
    sent = get('/apart').headers['Sent-traceparent']
    [request] = world.spans
    assert sent.split('-')[2] == format_span_id(request.context.span_id)


def test_request_without_a_parent_begins_a_trace_with_the_id_of_lymph(world, get):
    answer = get('/onwards')
    request = world.spans[0]
    assert request.parent is None
    assert format_trace_id(request.context.trace_id) == answer.headers['X-Trace-Id']
    assert 'traceparent' not in answer.headers
    assert answer.headers['Sent-traceparent'].split('-')[1] == answer.headers['X-Trace-Id']


def test_client_that_does_not_sample_is_followed(world, get):
    world.start(Stock)
    answer = get('/onwards', headers={'traceparent': PARENT[:-1] + '0'})
    assert answer.headers['Sent-traceparent'].endswith('-00')
    get('/buy/nails', headers={'traceparent': PARENT[:-1] + '0'})
    assert world.spans == []


def test_no_span_is_left_current_after_a_request(get):
    get('/buy/nails')
    get('/fail')
    assert otel.get_current_span() is otel.INVALID_SPAN
