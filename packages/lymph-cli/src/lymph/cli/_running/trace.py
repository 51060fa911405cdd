"""Shows what happened to one trace, as a tree."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import click
import gevent

from lymph.cli._arguments.moments import timestamp
from lymph.cli._display.numbers import seconds_text
from lymph.cli._display.trace_rows import TraceRow, duration_text, trace_rows
from lymph.cli._running.asking import open_client
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.traces import Trace, TraceSource, find_trace
from lymph.events.null import NullEventSystem

__all__ = ['run', 'say_problems']

_PAUSE: Final = 0.25  # seconds between two rounds of questions
_BAR: Final = 24  # characters


def run(settings: Settings, trace_id: str, wait: float, timeout: float, as_json: bool) -> None:
    """Print what the instances know of a trace; wait up to `wait` seconds until it has ended.

    Raises UsageError for an invalid id, LookupFailure without a registry, OperationFailed if
    nothing is known of the trace.
    """
    if not trace.is_valid(trace_id):
        raise click.UsageError(f'expected a trace id of {trace.RULE}, found {quoted(trace_id)}')
    with open_client(settings, events=NullEventSystem()) as client:
        found = _find(client.container, trace_id, wait, timeout)
    printer = Printer(settings)
    if as_json:
        printer.json(found)
    elif found.units:
        _print_tree(printer, found)
    say_problems(found.sources)
    if found.left_out:
        say(f'{found.left_out} units of work are left out: an instance tells 500 of a trace')
    if not found.units:
        raise OperationFailed(_unknown(found))


def _find(container: ServiceContainer, trace_id: str, wait: float, timeout: float) -> Trace:
    until = time.monotonic() + wait
    while True:
        found = find_trace(container, trace_id, timeout)
        left = until - time.monotonic()
        if left <= 0 or (found.units and not found.running):
            return found
        gevent.sleep(min(_PAUSE, left))


def _print_tree(printer: Printer, found: Trace) -> None:
    rows = trace_rows(found, time.time())
    titles = ['START', 'DURATION', 'OUTCOME', 'SERVICE', 'INSTANCE', 'WORK']
    cells = [_cells(row) for row in rows]
    if printer.color:
        titles.insert(-1, 'TIME')
        for row, each in zip(rows, cells, strict=True):
            each.insert(-1, _bar(row, found.duration))
    printer.listing(titles, cells)
    say(_summary(found))


def _cells(row: TraceRow) -> list[str | Text]:
    return [
        f'+{seconds_text(row.offset)}',
        duration_text(row.duration, row.ok),
        line(row.outcome, _style(row.ok)),
        row.service,
        row.instance,
        Text.assemble('  ' * row.depth, line(row.work + row.note)),
    ]


def _style(ok: bool | None) -> str:
    return 'yellow' if ok is None else '' if ok else 'red'


def _bar(row: TraceRow, total: float) -> Text:
    """Return when a unit was at work, as a part of the whole time."""
    first = min(int(_BAR * row.offset / total), _BAR - 1) if total else 0
    length = _BAR - first
    if row.ok is not None and total:
        length = max(1, min(length, round(_BAR * row.duration / total)))
    return line(' ' * first + '=' * length, _style(row.ok))


def _summary(found: Trace) -> str:
    instances = len({unit.instance for unit in found.units})
    began = '' if found.started is None else f' at {timestamp(found.started)}'
    return ', '.join(
        [
            f'trace {found.trace_id}: {found.outcome}',
            f'began{began}',
            f'{seconds_text(found.duration)} in all',
            f'{_count(len(found.units), "unit")} of work in {_count(instances, "instance")}',
            *([f'{found.failures} failed'] if found.failures else []),
            *([f'{found.running} running'] if found.running else []),
        ]
    )


def _count(number: int, word: str) -> str:
    return f'{number} {word}' if number == 1 else f'{number} {word}s'


def say_problems(sources: Sequence[TraceSource]) -> None:
    """Name the instances that have told nothing."""
    for source in sources:
        if source.problem:
            say(f'{source.service} at {source.endpoint}: {source.problem}')
        elif source.keep == 0:
            say(f'{source.service} at {source.endpoint}: container.trace.keep is 0')


def _unknown(found: Trace) -> str:
    text = f'nothing is known of trace {found.trace_id}'
    asked = [source for source in found.sources if not source.problem]
    if not asked:
        return f'{text}: no instance {"has answered" if found.sources else "is running"}'
    text += f'; asked {_count(len(asked), "instance")}'
    since = [source.since for source in asked if source.since is not None]
    if since:
        return (
            f'{text}, one of which remembers only the last {seconds_text(time.time() - max(since))}'
            ' (container.trace.keep)'
        )
    return f'{text}, none of which has forgotten anything since its start'
