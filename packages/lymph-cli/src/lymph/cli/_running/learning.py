"""Descriptions of metrics that other processes have, such as those of HTTP, checked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from lymph.core.monitoring.descriptions import MetricKind, describe

if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = ['learn_descriptions']

_MOST: Final = 10_000
_LONGEST: Final = 500  # characters of a text
_KINDS: Final[dict[object, MetricKind]] = {
    'counter': 'counter',
    'gauge': 'gauge',
    'histogram': 'histogram',
}


def learn_descriptions(answer: Any) -> dict[str, MetricKind]:
    """Describe the metrics in an answer to ``lymph.describe_metrics`` in this process.

    Returns the kinds of those that are not lymph's: these have no description. What is of another
    form is left out; what is described here already stays as it is.
    """
    kinds: dict[str, MetricKind] = {}
    for each in answer[:_MOST] if isinstance(answer, list) else ():
        if not isinstance(each, dict):
            continue
        name, kind = each.get('name'), _kind(each.get('kind'))
        if kind is None or not _is_text(name):
            continue
        if 'help' not in each:
            kinds[name] = kind
            continue
        help, unit, exported = each['help'], each.get('unit'), each.get('exported')
        tags = each.get('tags')
        known = isinstance(tags, list) and all(map(_is_text, tags))
        if _is_text(help) and _is_text(unit) and _is_text(exported) and known:
            with contextlib.suppress(ValueError):
                describe(name, kind, help, unit=unit, tags=tuple(tags or ()), exported=exported)
    return kinds


def _kind(value: Any) -> MetricKind | None:
    return _KINDS.get(value) if isinstance(value, str) else None


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST
