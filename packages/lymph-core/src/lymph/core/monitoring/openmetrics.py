"""Metrics as text for Prometheus and what reads its formats.

===============  ==================================================================================
`OPENMETRICS`    OpenMetrics 1.0, with units, and exemplars that carry trace ids
`CLASSIC`        the text format of Prometheus, version 0.0.4
===============  ==================================================================================

A metric with a description (`lymph.core.monitoring.descriptions`) is named after it: `rpc.handled`
becomes ``lymph_rpc_handled_total``. Others keep their name, with underscores for characters that
Prometheus does not take: `orders.placed` becomes ``orders_placed``, or ``orders_placed_total`` if
it is known to be a counter.

A page is always valid: what would make it invalid is left out, and `Page.left_out` says why.

Source: the OpenMetrics specification 1.0.0; "Exposition formats" in the manual of Prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from lymph.core import trace
from lymph.core._monitoring.exported_names import Labels
from lymph.core._monitoring.families import MetricFamily, PageLine
from lymph.core._monitoring.grouping import PAUSE, grouped
from lymph.core.monitoring.descriptions import MetricKind
from lymph.core.monitoring.histograms import Exemplar
from lymph.core.monitoring.metrics import Sample

__all__ = ['CLASSIC', 'OPENMETRICS', 'Page', 'chosen_format', 'render']

OPENMETRICS: Final = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
CLASSIC: Final = 'text/plain; version=0.0.4; charset=utf-8'

_EXEMPLAR: Final = 128  # characters of the names and values of an exemplar's labels


class Page(NamedTuple):
    """A page of metrics, and what is not on it.

    `left_out` is the number of samples that would have made the page invalid; `reasons` has one for
    each metric that they belong to, at most 100 of them.
    """

    text: str
    left_out: int
    reasons: dict[str, str]


def render(
    samples: Iterable[Sample],
    content_type: str = OPENMETRICS,
    kinds: Mapping[str, MetricKind] | None = None,
    pause: Callable[[], object] = bool,
) -> Page:
    """Return samples as a page. `content_type` is `OPENMETRICS` or `CLASSIC`.

    `kinds` are those of metrics without a description (`Aggregate.kinds`); others are of an unknown
    kind, unless they are histograms that `Histogram` has yielded. `pause()` is called after about
    a millisecond of work each time: a thread may let others run there. Raises ValueError for
    another content type.
    """
    if content_type not in (OPENMETRICS, CLASSIC):
        raise ValueError(f'expected {OPENMETRICS} or {CLASSIC}, found {content_type}')
    classic = content_type == CLASSIC
    families, left_out = grouped(samples, kinds or {}, pause)
    lines: list[str] = []
    for family, samples_of_it in families:
        lines += _head(family, classic)
        for start in range(0, len(samples_of_it), PAUSE):
            lines += [_line(family, line, classic) for line in samples_of_it[start : start + PAUSE]]
            pause()
    if not classic:
        lines.append('# EOF')
    return Page('\n'.join(lines) + '\n' if lines else '', left_out.count, left_out.reasons)


def chosen_format(accept: str | None) -> str:
    """Return the content type that a client prefers; `accept` is the value of its header field.

    `OPENMETRICS` unless the client names text (``text/plain``, or ``text/html`` as browsers do) and
    prefers it.
    """
    openmetrics, text = 0.0, 0.0
    for part in (accept or '').lower().split(','):
        media, *parameters = (each.strip() for each in part.split(';'))
        quality = _quality(parameters)
        if media == 'application/openmetrics-text':
            openmetrics = max(openmetrics, quality)
        elif media in ('text/plain', 'text/html', 'text/*'):
            text = max(text, quality)
    return CLASSIC if text > openmetrics else OPENMETRICS


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition('=')
        if name.strip() == 'q':
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0


def _head(family: MetricFamily, classic: bool) -> list[str]:
    name, kind, unit = family.name, str(family.kind), family.unit
    if classic:
        # there, the suffix of a counter is part of the name of its family
        name, unit = name + '_total' if kind == 'counter' else name, ''
        kind = 'untyped' if kind == 'unknown' else kind
    help = ' '.join(family.help.split())
    help = help.replace('\\', '\\\\') if classic else _escaped(help)
    return [
        *([f'# HELP {name} {help}'] if help else []),
        f'# TYPE {name} {kind}',
        *([f'# UNIT {name} {unit}'] if unit else []),
    ]


def _line(family: MetricFamily, line: PageLine, classic: bool) -> str:
    text = f'{family.name}{line.suffix}{_braces(line.labels)} {_number(line.value)}'
    return text if classic or line.exemplar is None else text + _exemplar(line.exemplar)


def _braces(labels: Labels) -> str:
    if not labels:
        return ''
    return '{' + ','.join(f'{name}="{_escaped(text)}"' for name, text in labels) + '}'


def _exemplar(exemplar: Exemplar) -> str:
    """Return the end of a line; empty for a trace id that is invalid, or too long for that."""
    trace_id = exemplar.trace_id
    if not trace.is_valid(trace_id) or len('trace_id') + len(trace_id) > _EXEMPLAR:
        return ''
    labels = _braces((('trace_id', trace_id),))
    return f' # {labels} {_number(float(exemplar.value))} {exemplar.at:.3f}'


def _escaped(text: str) -> str:
    if text.isidentifier():  # most are, and need nothing
        return text
    return text.replace('\\', '\\\\').replace('\n', '\\n').replace('"', '\\"')


def _number(value: int | float) -> str:
    if isinstance(value, int):
        return str(int(value))  # also for booleans, and for counts of buckets
    if math.isnan(value):
        return 'NaN'
    if math.isinf(value):
        return '+Inf' if value > 0 else '-Inf'
    return repr(value)
