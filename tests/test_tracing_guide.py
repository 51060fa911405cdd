"""The section and the service of docs/tracing.md work as the guide shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.plugins._opentelemetry.outcomes import __doc__ as OUTCOMES
from lymph.plugins._opentelemetry.settings import _KEYS
from lymph.plugins.opentelemetry import OpenTelemetry

GUIDE = (Path(__file__).parents[1] / 'docs' / 'tracing.md').read_text()


def block(language: str) -> str:
    found = re.search(rf'^```{language}\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


@pytest.fixture
def container():
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        NullEventSystem(),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    yield container
    container.stop()


def test_section_and_service_of_the_guide_make_spans_in_one_trace(container, monkeypatch):
    section = Configuration(yaml.safe_load(block('yaml'))).view(['plugins', 'opentelemetry'])
    assert section['ratio'] == 0.01
    section.set('ratio', 1.0)
    section.set('flush_timeout', 0.1)
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(trace, 'get_tracer', lambda name: provider.get_tracer(name))
    names: dict[str, Any] = {'__name__': 'guide'}
    exec(compile(block('python'), 'tracing.md', 'exec', dont_inherit=True), names)
    container.install_interface(names['Stock'], 'stock')
    plugin = container.install_plugin(OpenTelemetry, section)
    container.start()
    plugin.provider.add_span_processor(SimpleSpanProcessor(memory))
    assert container.request('stock', 'stock.take', {'article': 'nails'}) == 5
    spans = {(span.name, span.kind.name): span for span in memory.get_finished_spans()}
    assert set(spans) == {
        *(('count', 'INTERNAL'), ('stock.take', 'SERVER'), ('stock.take', 'CLIENT')),
    }
    assert spans['count', 'INTERNAL'].parent == spans['stock.take', 'SERVER'].context


def test_guide_has_all_keys_of_the_section():
    listed = re.search(r'## Configuration\n(.*?)\n## ', GUIDE, re.DOTALL)
    assert listed
    cells = [row.split(' | ')[0] for row in listed[1].splitlines() if row.startswith('| `')]
    assert {key for cell in cells for key in re.findall(r'`(\w+)`', cell)} == set(_KEYS)


def test_guide_names_the_status_codes_of_the_code():
    table = re.search(r'\| outcome \|.*?\n\n', GUIDE, re.DOTALL)
    assert table
    codes = set(re.findall(r'`(\w+)`', table[0]))
    for code in ('ok', 'error', 'failed', 'cancelled'):
        assert code in codes
        assert re.search(rf'\b{code}\b', OUTCOMES or '')
