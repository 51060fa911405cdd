"""What the plugin does: a tracer provider, and the spans for each kind of work."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

from opentelemetry import trace as traces

from lymph.config import ConfigView
from lymph.core.interceptors import Work
from lymph.core.interfaces import Interface
from lymph.core.monitoring.metrics import Aggregate
from lymph.plugins._opentelemetry.calls import CallSpans
from lymph.plugins._opentelemetry.events import EventSpans
from lymph.plugins._opentelemetry.exporting import ThreadedExport
from lymph.plugins._opentelemetry.http import HttpSpans
from lymph.plugins._opentelemetry.providers import (
    agree,
    become_global,
    make_exporter,
    make_provider,
)
from lymph.plugins._opentelemetry.settings import TracingSettings

__all__ = ['SpanMaking']

logger = logging.getLogger(__name__)

_SCOPE = 'lymph'
_OF_A_CLIENT = 1.0  # seconds


class Traced(Protocol):
    """What tracing needs of a container."""

    identity: str
    endpoint: str | None
    metrics: Aggregate

    @property
    def interfaces(self) -> list[Interface]:
        """The installed interfaces."""


class SpanMaking:
    """Makes spans of the work of a container, from `start` to `stop`."""

    def __init__(self, container: Traced, config: ConfigView) -> None:
        self._container = container
        self._config = config
        self._settings = TracingSettings.from_config(config)
        self._export: ThreadedExport | None = None
        self._spans: dict[str, Callable[[Work, Callable[[], Any]], Any]] = {}
        self.provider: traces.TracerProvider = traces.NoOpTracerProvider()

    def start(self) -> None:
        """Make the provider. Raises ConfigurationError for an exporter that cannot be used."""
        container = self._container
        tracer = self._tracer()
        calls = CallSpans(tracer, lambda: container.endpoint)
        opted = os.environ.get('OTEL_SEMCONV_STABILITY_OPT_IN', '').split(',')
        messaging = any(each.strip() in ('messaging', 'messaging/dup') for each in opted)
        events = EventSpans(tracer, container.identity, messaging)
        self._spans = {
            'call': calls.call,
            'try': calls.attempt,
            'rpc': calls.request,
            'emit': events.emit,
            'event': events.handle,
            'task': events.handle,
            'http': HttpSpans(tracer).request,
        }

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Run a unit of work in its span."""
        return self._spans[work.kind](work, proceed)

    def stop(self) -> None:
        """Export what is left, for a bounded time."""
        export, self._export = self._export, None
        if export is not None:
            timeout = self._settings.flush_timeout
            # nobody wants to wait at the end of a command or a program that has only made calls
            export.shutdown(timeout if self._container.interfaces else min(timeout, _OF_A_CLIENT))
            self._container.metrics.remove(export)

    def _tracer(self) -> traces.Tracer:
        settings = self._settings
        if not settings.own:
            self.provider = traces.get_tracer_provider()
            if isinstance(self.provider, traces.ProxyTracerProvider):
                logger.warning(
                    'plugin opentelemetry: provider: global, but the program has not set a tracer '
                    'provider; no spans are made until it does'
                )
            return agree(self.provider.get_tracer(_SCOPE))
        exporter = make_exporter(settings, self._config)
        if exporter is not None:
            self._export = self._exported_by(exporter)
            self._container.metrics.add(self._export)
        provider = make_provider(settings, self._facts(), self._export)
        become_global(provider)
        self.provider = provider
        return provider.get_tracer(_SCOPE)

    def _exported_by(self, exporter: Any) -> ThreadedExport:
        first = [exporter]  # was made to find mistakes in the section at once

        def make() -> Any:
            return first.pop() if first else make_exporter(self._settings, self._config)

        settings = self._settings
        return ThreadedExport(make, settings.queue_size, settings.batch_size, settings.delay)

    def _facts(self) -> dict[str, str]:
        """Return what the resource says of this instance."""
        interfaces = self._container.interfaces
        facts = {'service.instance.id': self._container.identity}
        names = sorted({interface.name for interface in interfaces})
        if names:
            facts['service.name'] = ','.join(names)
        versions = {interface.version for interface in interfaces if interface.version}
        if len(versions) == 1:
            facts['service.version'] = versions.pop()
        return facts
