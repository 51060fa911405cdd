"""Traces for OpenTelemetry: a span for each unit of work, and its context in what is sent.

::

    plugins:
        opentelemetry:
            endpoint: http://collector:4318

Needs ``pip install 'lymph-core[opentelemetry]'``. docs/tracing.md is the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lymph.config.lazy import lazy
from lymph.core._calling.caller_side import CallerSide
from lymph.core.interceptors import Interceptor, Work
from lymph.core.plugins import Plugin
from lymph.plugins._sections import as_view

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ['OpenTelemetry']

_new_tracing = lazy('lymph.plugins._opentelemetry.tracing:SpanMaking')  # needs the extra

_NEEDED = ('opentelemetry.sdk', 'opentelemetry.exporter.otlp.proto.http')


class OpenTelemetry(Plugin, Interceptor):
    """Makes a span for each call, request, event, task and HTTP request of its container.

    Put it first in the section `plugins`, so that its spans cover what other plugins do. Its keys
    are those of `lymph.plugins._opentelemetry.settings.TracingSettings`. Raises ConfigurationError
    for an invalid section, and if OpenTelemetry is not installed.
    """

    def __init__(self, container: CallerSide, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(container, config)
        view = as_view(self.config, 'opentelemetry')
        if not all(map(_is_installed, _NEEDED)):
            raise view.error(
                [],
                'traces need the SDK of OpenTelemetry, which is not installed; '
                "pip install 'lymph-core[opentelemetry]'",
            )
        self._tracing = _new_tracing(container, view)

    @property
    def provider(self) -> TracerProvider:
        """The tracer provider, once the plugin has started."""
        provider: TracerProvider = self._tracing.provider
        return provider

    def on_start(self) -> None:
        """Make the tracer provider. Raises ConfigurationError for an unusable exporter."""
        super().on_start()
        self._tracing.start()

    def on_stop(self) -> None:
        """Export the spans that are left, for at most `flush_timeout` seconds."""
        self._tracing.stop()
        super().on_stop()

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Run a unit of work in its span."""
        return self._tracing.intercept(work, proceed)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
