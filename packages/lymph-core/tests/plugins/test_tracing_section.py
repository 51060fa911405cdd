"""The section of the plugin `opentelemetry`, and the variables of the SDK."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import lymph
from lymph.config import ConfigurationError
from lymph.core.assembly import build_container
from lymph.plugins.opentelemetry import OpenTelemetry
from lymph.testing.contracts.sections import NUMBERS, TEXTS, check_refused, check_taken_or_refused

MEMORY = InMemorySpanExporter()
BASE = {
    'container': {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'rpc': {'transport': 'memory'},
    },
    'plugins': {'tracing': {'class': 'opentelemetry'}},
}


#: two plugins in one process
FIRST = """
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.plugins.opentelemetry import OpenTelemetry
from opentelemetry import trace

def start():
    container = ServiceContainer(MemoryTransport(), StaticServiceRegistry(), NullEventSystem())
    plugin = container.install_plugin(OpenTelemetry, {'exporter': 'none'})
    container.start()
    return plugin

providers = [start().provider, start().provider]
print(*(provider is trace.get_tracer_provider() for provider in providers))
"""


class HangingExporter(SpanExporter):
    def __init__(self):
        self.go_on = threading.Lock()
        self.go_on.acquire()

    def export(self, spans):
        self.go_on.acquire()
        return SpanExportResult.SUCCESS


class Shop(lymph.Interface):
    @lymph.rpc()
    def buy(self):
        return 'ok'


@pytest.fixture
def plugin(world):
    """Return a function that returns a running plugin with a section."""

    def start(**section):
        container = world.container((Shop, 'shop', '1.2.3'), start=False)
        plugin = container.install_plugin(OpenTelemetry, {'exporter': 'none', **section})
        container.start()
        return plugin

    return start


@pytest.fixture
def refused(plugin):
    """Return a function that returns the error about a section."""

    def error(**section):
        with pytest.raises(ConfigurationError) as caught:
            plugin(**section)
        text = str(caught.value)
        assert '\n' not in text
        return text

    return error


@pytest.mark.parametrize(
    ('key', 'values'),
    [
        ('provider', TEXTS),
        ('exporter', TEXTS),
        ('endpoint', (*TEXTS, 'collector:4318', 'ftp://x', 'http://', 'http://x:port')),
        ('headers', ('5', 'x', '[x]', '{a: 5}', '{a: [b]}')),
        ('service_name', TEXTS),
        ('resource', ('5', 'x', '[x]', '{a: [b]}', '{a: null}')),
        ('sampler', (*TEXTS, 'sometimes', 'traceidratio')),
        ('ratio', (*NUMBERS, '1.5')),
        ('flush_timeout', (*NUMBERS, '61')),
        ('exporters', ('otlp',)),
    ],
)
def test_invalid_values_are_refused_with_their_place(key, values):
    key = f'plugins.tracing.{key}'
    check_refused(key, values, build_container, BASE)
    check_taken_or_refused(key, build_container, BASE)


@pytest.mark.parametrize(
    ('section', 'expected'),
    [
        ({'ratio': 0.5, 'sampler': 'always_on'}, 'ratio: has no effect with sampler: always_on'),
        ({'sampler': 'traceidratio'}, 'expected ratio beside traceidratio'),
        ({'exporter': 'console', 'endpoint': 'http://x'}, 'endpoint: has no effect without'),
        ({'exporter': 'no.such.module:X'}, "no module 'no'"),
        ({'exporter': 'os:getcwd'}, 'expected a SpanExporter'),
    ],
)
def test_contradictions_and_wrong_references_are_errors(refused, section, expected):
    text = refused(**section)
    assert text.startswith('plugins.opentelemetry.')
    assert expected in text


def test_export_belongs_to_the_program_with_its_own_provider(world):
    container = world.container()
    with pytest.raises(ConfigurationError, match='provider: global'):
        container.install_plugin(OpenTelemetry, {'provider': 'global', 'ratio': 0.5})


@pytest.mark.parametrize('value', ['0', '-1', 'x', '1e9', '99999999999'])
@pytest.mark.parametrize(
    'name', ['OTEL_BSP_MAX_QUEUE_SIZE', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 'OTEL_BSP_SCHEDULE_DELAY']
)
def test_invalid_numbers_in_variables_are_refused(refused, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert refused().startswith(f'{name}: expected a number')


def test_unknown_exporter_in_a_variable_is_refused(world, monkeypatch):
    monkeypatch.setenv('OTEL_TRACES_EXPORTER', 'zipkin')
    with pytest.raises(ConfigurationError, match='OTEL_TRACES_EXPORTER: expected otlp, console'):
        world.container().install_plugin(OpenTelemetry)


def test_variables_of_the_sdk_hold_where_the_section_is_silent(plugin, monkeypatch):
    monkeypatch.setenv('OTEL_TRACES_SAMPLER', 'always_off')
    monkeypatch.setenv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=staging')
    monkeypatch.setenv('OTEL_SERVICE_NAME', 'by-variable')
    provider = plugin().provider
    assert provider.sampler is sampling.ALWAYS_OFF
    assert provider.resource.attributes['deployment.environment.name'] == 'staging'
    assert provider.resource.attributes['service.name'] == 'by-variable'
    provider = plugin(sampler='always_on', service_name='by-section').provider
    assert provider.sampler is sampling.ALWAYS_ON
    assert provider.resource.attributes['service.name'] == 'by-section'


def test_resource_describes_the_instance(plugin):
    made = plugin(resource={'cluster': 'a', 'rack': 5})
    attributes = made.provider.resource.attributes
    assert attributes['service.name'] == 'shop'
    assert attributes['service.version'] == '1.2.3'
    assert attributes['service.instance.id'] == made.container.identity
    assert (attributes['cluster'], attributes['rack']) == ('a', 5)


def test_exporter_of_a_program_gets_the_spans(plugin, monkeypatch):
    MEMORY.clear()
    module = ModuleType('exporters_of_a_test')
    module.MEMORY = MEMORY
    monkeypatch.setitem(sys.modules, module.__name__, module)
    made = plugin(exporter='exporters_of_a_test:MEMORY')
    made.container.request('shop', 'shop.buy')
    made.container.stop()
    assert {span.name for span in MEMORY.get_finished_spans()} == {'shop.buy'}


def test_provider_of_the_first_plugin_is_the_global_one():
    told = subprocess.run([sys.executable, '-c', FIRST], capture_output=True, text=True)
    assert told.stdout == 'True False\n', told.stderr


def test_client_waits_a_second_at_most_for_the_collector(world, monkeypatch):
    exporter = HangingExporter()
    module = ModuleType('exporters_of_a_test')
    module.HANGING = exporter
    monkeypatch.setitem(sys.modules, module.__name__, module)
    container = world.container(start=False)
    container.install_plugin(
        OpenTelemetry, {'exporter': 'exporters_of_a_test:HANGING', 'flush_timeout': 30.0}
    )
    container.start()
    with pytest.raises(lymph.LookupFailure):
        container.request('nobody', 'nobody.take')
    started = time.monotonic()
    container.stop()
    assert time.monotonic() - started < 15
    exporter.go_on.release()


def test_metrics_of_the_export_end_with_the_plugin(plugin):
    made = plugin(exporter='console')
    names = {name for name, _, _ in made.container.metrics}
    assert {'otel.exported', 'otel.failed', 'otel.dropped', 'otel.waiting'} <= names
    made.container.stop()
    assert not {name for name, _, _ in made.container.metrics} & {'otel.exported'}
