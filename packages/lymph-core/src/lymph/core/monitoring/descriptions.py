"""What each metric means: its kind, its unit and a sentence, by its name.

A module describes the metrics that it yields when it is imported::

    describe('rpc.running', 'gauge', 'Calls that are being answered.')

Prometheus and the documentation need these facts, and a sample has none of them: it is only a name,
a number and tags.
"""

from __future__ import annotations

import threading
from typing import Final, Literal, NamedTuple

__all__ = ['MetricDescription', 'MetricKind', 'describe', 'description', 'descriptions']

MetricKind = Literal['counter', 'gauge', 'histogram']


class MetricDescription(NamedTuple):
    """The facts about the metric `name`.

    `unit` is ``seconds``, ``bytes`` or empty. `exported` is the name for Prometheus, without the
    suffix of its kind (``_total``, ``_bucket``); empty: made from `name`. `tags` are the names of
    its tags.
    """

    name: str
    kind: MetricKind
    help: str
    unit: str = ''
    tags: tuple[str, ...] = ()
    exported: str = ''


_known: Final[dict[str, MetricDescription]] = {}
_adding = threading.Lock()


def describe(
    name: str,
    kind: MetricKind,
    help: str,
    *,
    unit: str = '',
    tags: tuple[str, ...] = (),
    exported: str = '',
) -> str:
    """Describe a metric and return its name. The parameters are those of `MetricDescription`.

    Raises ValueError if the name has another description already.
    """
    made = MetricDescription(name, kind, help, unit, tags, exported)
    with _adding:
        known = _known.setdefault(name, made)
    if known != made:
        raise ValueError(f'the metric {name} is described twice: {known.help!r} and {help!r}')
    return name


def description(name: str) -> MetricDescription | None:
    """Return the description of a metric, None if it has none."""
    return _known.get(name)


def descriptions() -> list[MetricDescription]:
    """Return the descriptions of all metrics whose modules have been imported, by name."""
    with _adding:
        return sorted(_known.values())
