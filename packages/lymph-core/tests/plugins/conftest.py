"""Containers whose spans end up in memory."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lymph.core import trace
from lymph.plugins.opentelemetry import OpenTelemetry


@pytest.fixture(autouse=True)
def outside_of_traces():
    """Forget the trace id that an earlier test may have set in this context."""
    token = trace._trace_id.set(None)
    yield
    trace._trace_id.reset(token)


class Traces:
    """The finished spans of all containers that were traced."""

    def __init__(self, world):
        self._world = world
        self._memory = InMemorySpanExporter()

    def trace(self, container, **config):
        """Install the plugin into a container; return the plugin."""
        plugin = container.install_plugin(OpenTelemetry, {'exporter': 'none', **config})
        plugin.provider.add_span_processor(SimpleSpanProcessor(self._memory))
        return plugin

    def container(self, *interfaces, config=None, **options):
        """Return a container that is traced."""
        container = self._world.container(*interfaces, **options)
        self.trace(container, **(config or {}))
        return container

    @property
    def spans(self):
        return list(self._memory.get_finished_spans())

    def named(self, name, kind=None):
        """Return the one finished span of a name, and of a kind such as ``SERVER``."""
        found = [
            span for span in self.spans if span.name == name and kind in (None, span.kind.name)
        ]
        assert len(found) == 1, [(span.name, span.kind.name) for span in self.spans]
        return found[0]


@pytest.fixture
def traces(world):
    """Return the traces of the test."""
    return Traces(world)
