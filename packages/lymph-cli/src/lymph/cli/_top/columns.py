"""The columns of the tables: how wide, what is in them, and what they are sorted by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lymph.cli._arguments.durations import short_duration
from lymph.cli._display.columns import EMPTY
from lymph.cli._display.numbers import (
    bytes_text,
    count_text,
    rate_text,
    seconds_text,
    share_text,
)
from lymph.core.monitoring.overview import (
    InstanceState,
    Load,
    MethodLoad,
    ServiceState,
)

__all__ = ['COLUMNS', 'NAME', 'Column', 'main_load', 'shown_columns']

#: what the first column of each table is called for `--sort`
NAME: Final = 'name'
#: columns that the name gets at least: a third of the terminal, between these
_NAME_WIDTHS: Final = (12, 36)

Number = float | None


class Column(NamedTuple):
    """A column: `value` of an item is what it is sorted by, `text` what is shown.

    On a narrow terminal, columns with the highest `rank` are left out first, and one that is
    `optional` if no item has a value. `style` is that of a cell.
    """

    name: str
    title: str
    width: int
    rank: int
    value: Callable[[Any], Number]
    text: Callable[[Any], str]
    optional: bool = False
    style: Callable[[Any], str] = lambda _item: ''


def main_load(item: ServiceState | InstanceState) -> Load:
    """Return the load of what a service mainly does: calls, else HTTP requests, else events."""
    loads = (item.calls, item.http, item.events)
    return next((each for each in loads if each.total is not None), item.calls)


def shown_columns(columns: Sequence[Column], rows: Sequence[Any], width: int) -> list[Column]:
    """Return the columns that fit beside the name on a terminal that is `width` wide.

    `rows` have the items of the whole table, also those that are not on the screen.
    """
    wanted = [
        each
        for each in columns
        if not each.optional or any(each.value(row.item) is not None for row in rows)
    ]
    left = width - min(max(width // 3, _NAME_WIDTHS[0]), _NAME_WIDTHS[1])
    chosen = set()
    for each in sorted(wanted, key=lambda column: column.rank):
        left -= each.width + 1
        if left < 0:
            break
        chosen.add(each.name)
    return [each for each in wanted if each.name in chosen]


def _column(
    name: str,
    title: str,
    width: int,
    rank: int,
    value: Callable[[Any], Number],
    text: Callable[[Number], str],
    **more: Any,
) -> Column:
    return Column(name, title, width, rank, value, lambda item: text(value(item)), **more)


def _load(part: str) -> Callable[[Any], Number]:
    def value(item: Any) -> Number:
        load = item.load if isinstance(item, MethodLoad) else main_load(item)
        number: Number = getattr(load, part)
        return number

    return value


def _errors_style(item: Any) -> str:
    share = _load('error_share')(item)
    return '' if not share else 'red' if share >= 0.01 else 'yellow'


def _instances(item: Any) -> Number:
    return len(item.instances) if isinstance(item, ServiceState) else None


def _instances_text(item: Any) -> str:
    if isinstance(item, ServiceState):
        total = len(item.instances)
        return str(total) if item.up == total else f'{item.up}/{total}'
    return str(item.status)


def _instances_style(item: Any) -> str:
    if isinstance(item, ServiceState):
        return '' if item.up == len(item.instances) else 'red'
    return '' if item.status == 'up' else 'red'


def _age_text(seconds: Number) -> str:
    return EMPTY if seconds is None else short_duration(seconds)


def _delay_style(item: Any) -> str:
    return 'yellow' if (item.loop_delay or 0) >= 0.1 else ''


def _attribute(name: str) -> Callable[[Any], Number]:
    def value(item: Any) -> Number:
        number: Number = getattr(item, name)
        return number

    return value


def _queue_column(name: str, title: str, rank: int, style: str = '') -> Column:
    value = _attribute(name)
    return _column(
        *(name, title, 8, rank, value, count_text),
        style=lambda item: style if style and value(item) else '',
    )


_LOADS: Final = (
    _column('rate', 'RATE/S', 7, 0, _load('rate'), rate_text),
    _column('errors', 'ERR', 6, 1, _load('error_share'), share_text, style=_errors_style),
    _column('p50', 'P50', 6, 4, _load('p50'), seconds_text),
    _column('p99', 'P99', 6, 2, _load('p99'), seconds_text),
)

_SERVICES: Final = (
    Column(
        *('instances', 'UP', 9, 3, _instances, _instances_text),
        style=_instances_style,
    ),
    *_LOADS,
    _column('running', 'RUN', 5, 5, _load('running'), count_text),
    _column(*('http', 'HTTP/S', 7, 7, lambda item: item.http.rate, rate_text), optional=True),
    _column(*('events', 'EVENT/S', 7, 8, lambda item: item.events.rate, rate_text), optional=True),
    _column('loop', 'LOOP', 6, 6, _attribute('loop_delay'), seconds_text, style=_delay_style),
    _column('memory', 'MEM', 6, 9, _attribute('memory'), bytes_text),
    _column('cpu', 'CPU', 5, 10, _attribute('cpu'), share_text),
)

_METHODS: Final = (
    *_LOADS,
    _column('mean', 'MEAN', 6, 5, _load('mean'), seconds_text),
    _column('running', 'RUN', 5, 3, _load('running'), count_text),
    _column('refused', 'REFUSED/S', 9, 6, _load('refused'), rate_text),
    _column('total', 'TOTAL', 7, 7, _load('total'), count_text),
)

_QUEUES: Final = (
    _queue_column('waiting', 'WAITING', 0),
    _queue_column('delayed', 'DELAYED', 4),
    _column('oldest', 'OLDEST', 7, 1, _attribute('oldest'), _age_text),
    _queue_column('running', 'RUNNING', 5),
    Column(
        *('consumers', 'CONSUMERS', 9, 3),
        _attribute('consumers'),
        lambda item: count_text(item.consumers),
        style=lambda item: 'yellow' if item.consumers == 0 and item.waiting else '',
    ),
    _queue_column('dead', 'DEAD', 2, 'red'),
)

#: the columns of each table, beside the name
COLUMNS: Final[Mapping[str, Sequence[Column]]] = {
    'services': _SERVICES,
    'methods': _METHODS,
    'queues': _QUEUES,
}
