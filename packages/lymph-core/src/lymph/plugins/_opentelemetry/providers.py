"""The tracer provider of the plugin, made from its section."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace as traces
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, Tracer, TracerProvider, sampling
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from lymph.config import ConfigView
from lymph.config.printable import object_name
from lymph.config.references import load_reference
from lymph.plugins._opentelemetry.ids import Ids
from lymph.plugins._opentelemetry.settings import TracingSettings

__all__ = ['agree', 'become_global', 'make_exporter', 'make_provider']


def make_provider(
    settings: TracingSettings, facts: Mapping[str, str], processor: SpanProcessor | None
) -> TracerProvider:
    """Return a provider whose spans go to `processor`; `facts` are attributes of the resource."""
    provider = TracerProvider(
        sampler=_sampler(settings.sampler, settings.ratio or 0.0),
        resource=_resource(settings, facts),
        shutdown_on_exit=False,  # the plugin stops it
        id_generator=Ids(),
    )
    if processor is not None:
        provider.add_span_processor(processor)
    return provider


def become_global(provider: TracerProvider) -> None:
    """Make this the provider of the program, unless it has one."""
    if isinstance(traces.get_tracer_provider(), traces.ProxyTracerProvider):
        traces.set_tracer_provider(provider)


def agree(tracer: traces.Tracer) -> traces.Tracer:
    """Return a tracer whose ids agree with lymph's trace ids, if it is one of the SDK."""
    if isinstance(tracer, Tracer):
        tracer.id_generator = Ids()
    return tracer


def make_exporter(settings: TracingSettings, config: ConfigView) -> SpanExporter | None:
    """Return the exporter that the section names, None for none.

    Raises ConfigurationError for a reference to something else, and what its class raises.
    """
    if settings.exporter == 'none':
        return None
    if settings.exporter == 'console':
        return ConsoleSpanExporter()
    if settings.exporter == 'otlp':
        headers = None if settings.headers is None else dict(settings.headers)
        return OTLPSpanExporter(endpoint=settings.endpoint, headers=headers)
    where = config.locate('exporter')
    found: Any = load_reference(settings.exporter, where=where)
    exporter = found() if callable(found) else found
    if not isinstance(exporter, SpanExporter):
        raise config.error(
            'exporter',
            f'expected a SpanExporter or a function that makes one, found {object_name(exporter)}',
        )
    return exporter


def _resource(settings: TracingSettings, facts: Mapping[str, str]) -> Resource:
    attributes: dict[str, Any] = {**facts, **(settings.resource or {})}
    if settings.service_name is not None:
        attributes['service.name'] = settings.service_name
    elif 'service.name' not in (settings.resource or {}) and _is_named_outside():
        attributes.pop('service.name', None)
    return Resource.create(attributes)


def _is_named_outside() -> bool:
    """Tell whether the variables of the SDK name the service."""
    listed = os.environ.get('OTEL_RESOURCE_ATTRIBUTES', '').split(',')
    names = [each.partition('=')[0].strip() for each in listed]
    return bool(os.environ.get('OTEL_SERVICE_NAME')) or 'service.name' in names


def _sampler(name: str | None, ratio: float) -> sampling.Sampler | None:
    """Return a sampler; None for the one that the variables of the SDK name."""
    if name is None:
        return None
    bare = name.removeprefix('parentbased_')
    root: sampling.Sampler = {
        'always_on': sampling.ALWAYS_ON,
        'always_off': sampling.ALWAYS_OFF,
        'traceidratio': sampling.TraceIdRatioBased(ratio),
    }[bare]
    return root if bare == name else sampling.ParentBased(root)
