"""The section of the plugin, read and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from lymph.config import ConfigurationError, ConfigView
from lymph.config.printable import quoted
from lymph.config.references import is_reference
from lymph.core.options import refuse_unknown

__all__ = ['EXPORTERS', 'SAMPLERS', 'TracingSettings']

EXPORTERS: Final = ('otlp', 'console', 'none')
#: as in OTEL_TRACES_SAMPLER
SAMPLERS: Final = (
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
)
_PATH: Final = '/v1/traces'
_FLUSH_TIMEOUT: Final = 5.0  # seconds; as long as a graceful stop has at least
_KEYS: Final = (
    *('provider', 'exporter', 'endpoint', 'headers', 'service_name', 'resource'),
    *('sampler', 'ratio', 'flush_timeout'),
)


@dataclass(frozen=True)
class TracingSettings:
    """The keys of the section.

    =============  ===========  =================================================================
    key            default      meaning
    =============  ===========  =================================================================
    provider       own          ``global``: the program makes and exports the spans itself
    exporter       otlp         ``console``, ``none``, or a reference to an exporter
    endpoint       of the SDK   the URL of the collector; without a path, ``/v1/traces`` is added
    headers        of the SDK   header fields of each export
    service_name   interfaces   the name of the service
    resource       none         more attributes of the resource
    sampler        of the SDK   as in ``OTEL_TRACES_SAMPLER``
    ratio          none         the share of traces to keep
    flush_timeout  5            seconds to export what is left when the container stops
    =============  ===========  =================================================================

    What is not set follows the variables of the SDK. Its own numbers are `queue_size`, `batch_size`
    (both spans) and `delay` (seconds).
    """

    own: bool = True
    exporter: str = 'otlp'
    endpoint: str | None = None
    headers: Mapping[str, str] | None = None
    service_name: str | None = None
    resource: Mapping[str, Any] | None = None
    sampler: str | None = None
    ratio: float | None = None
    flush_timeout: float = _FLUSH_TIMEOUT
    queue_size: int = 2048
    batch_size: int = 512
    delay: float = 5.0

    @classmethod
    def from_config(cls, config: ConfigView) -> TracingSettings:
        """Read the section. Raises ConfigurationError, also for a variable of the SDK."""
        refuse_unknown(config, _KEYS)
        own = config.get_choice('provider', ('own', 'global'), 'own') == 'own'
        if not own:
            for key in config:
                if key not in ('class', 'provider'):
                    raise config.error(
                        [key],
                        'has no effect with provider: global, where the program sets up the '
                        'export itself; remove one of the two',
                    )
            return cls(own=False)
        sampler, ratio = _sampler(config)
        queue_size = _number('OTEL_BSP_MAX_QUEUE_SIZE', 2048)
        return cls(
            own=own,
            exporter=_exporter(config),
            endpoint=_endpoint(config),
            headers=_texts(config, 'headers'),
            service_name=config.get_line('service_name', None),
            resource=_resource(config),
            sampler=sampler,
            ratio=ratio,
            flush_timeout=config.get_seconds('flush_timeout', _FLUSH_TIMEOUT, maximum=60),
            queue_size=queue_size,
            batch_size=min(queue_size, _number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512)),
            delay=_number('OTEL_BSP_SCHEDULE_DELAY', 5000) / 1000,
        )


def _exporter(config: ConfigView) -> str:
    key = 'exporter'
    if key not in config:
        found = os.environ.get('OTEL_TRACES_EXPORTER', '').strip() or 'otlp'
        found = 'otlp' if found == 'otlp_proto_http' else found
        if found not in EXPORTERS:
            raise ConfigurationError(
                f'OTEL_TRACES_EXPORTER: expected {", ".join(EXPORTERS)}, found {quoted(found)}; '
                'name any other exporter as exporter: package.module:Name in the section of the '
                'plugin'
            )
        return found
    exporter: str = config.get_line(key)
    if exporter not in EXPORTERS and not is_reference(exporter):
        raise config.error(
            key,
            f'expected {", ".join(EXPORTERS)}, or a reference such as package.module:Exporter, '
            f'found {config.describe(key)}',
        )
    for other in ('endpoint', 'headers'):
        if other in config and exporter != 'otlp':
            raise config.error(other, 'has no effect without exporter: otlp; remove it')
    return exporter


def _endpoint(config: ConfigView) -> str | None:
    text: str | None = config.get_line('endpoint', None)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ('http', 'https') and bool(parts.hostname)
        _ = parts.port  # raises ValueError for one that is not a number
    except ValueError:
        valid = False
    if not valid:
        raise config.error(
            'endpoint',
            'expected the URL of a collector for OTLP over HTTP such as http://127.0.0.1:4318, '
            f'found {config.describe("endpoint")}',
        )
    return parts._replace(path=_PATH).geturl() if parts.path in ('', '/') else text


def _texts(config: ConfigView, key: str) -> dict[str, str] | None:
    if key not in config:
        return None
    view = config.view(key)
    return {name: view.get_line([name]) for name in view}


def _resource(config: ConfigView) -> dict[str, Any]:
    view = config.view('resource')
    found = {}
    for name in view:
        value = view.get_raw([name])
        if not isinstance(value, (str, bool, int, float)):
            raise view.error(
                [name], f'expected a text, a number or a boolean, found {view.describe([name])}'
            )
        found[name] = value
    return found


def _sampler(config: ConfigView) -> tuple[str | None, float | None]:
    """Return the name of the sampler and its ratio, None for what the SDK's variables say."""
    sampler: str | None = config.get_choice('sampler', SAMPLERS, None)
    ratio: float | None = config.get_float('ratio', None, minimum=0, maximum=1)
    if ratio is None:
        if sampler is not None and sampler.endswith('traceidratio'):
            raise config.error('sampler', f'expected ratio beside {sampler}, such as ratio: 0.01')
        return sampler, None
    if sampler is None:
        return 'parentbased_traceidratio', ratio
    if not sampler.endswith('traceidratio'):
        raise config.error('ratio', f'has no effect with sampler: {sampler}; remove one of the two')
    return sampler, ratio


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, '').strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000_000):
        raise ConfigurationError(f'{variable}: expected a number above 0, found {quoted(text)}')
    return int(text)
