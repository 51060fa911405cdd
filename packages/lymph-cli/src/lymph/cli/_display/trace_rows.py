"""A trace as rows of a table: a call and the work of the service that answers it are one row."""

from __future__ import annotations

from typing import Final, NamedTuple

from lymph.cli._display.numbers import seconds_text
from lymph.core.monitoring.traces import Trace, TraceUnit

__all__ = ['TraceRow', 'duration_text', 'trace_rows', 'work_text']

_IDENTITY: Final = 8  # characters
_DEEPEST: Final = 24  # a chain of calls may have thousands

#: how the types of the events begin that start tasks
_TASK: Final = 'lymph.task.'

_WORDS: Final = {'rpc': 'call', 'http': ''}


class TraceRow(NamedTuple):
    """One row; `depth` is how far it is indented, `note` what is said behind `work`.

    `duration` is how long it has been running so far if `ok` is None.
    """

    offset: float
    duration: float
    outcome: str
    ok: bool | None
    service: str
    instance: str
    depth: int
    work: str
    note: str = ''


def trace_rows(trace: Trace, now: float) -> list[TraceRow]:
    """Return the rows of a trace at the Unix time `now`, in the order of its tree."""
    answers = _answers(trace.units)
    depths: list[int] = []
    rows: list[TraceRow] = []
    for index, unit in enumerate(trace.units):
        depth = 0 if unit.parent is None else depths[unit.parent] + 1
        if unit.parent is not None and answers.get(unit.parent) == index:
            depths.append(depth - 1)  # it has the row of its call
            continue
        depths.append(depth)
        answer = answers.get(index)
        rows.append(_row(unit, None if answer is None else trace.units[answer], depth, now))
    return rows


def duration_text(seconds: float, ok: bool | None) -> str:
    """Return how long work took: `1.2ms`, or `>12s` if it is still running."""
    return f'{">" if ok is None else ""}{seconds_text(seconds)}'


def work_text(kind: str, name: str) -> str:
    """Return what a unit of work does: `call stock.take`, `GET /orders`, `apply mail.send`."""
    if kind == 'emit' and name.startswith(_TASK):
        return f'apply {name.removeprefix(_TASK)}'
    return f'{_WORDS.get(kind, kind)} {name}'.strip()


def _answers(units: tuple[TraceUnit, ...]) -> dict[int, int]:
    """Return the only answer to each call that has one."""
    found: dict[int, list[int]] = {}
    for index, unit in enumerate(units):
        if unit.parent is not None and units[unit.parent].kind == 'call':
            found.setdefault(unit.parent, []).append(index)
    return {
        call: below[0]
        for call, below in found.items()
        if len(below) == 1 and units[below[0]].kind == 'rpc'
    }


def _row(unit: TraceUnit, answer: TraceUnit | None, depth: int, now: float) -> TraceRow:
    done_by = unit if answer is None else answer
    service, instance = done_by.service, done_by.instance[:_IDENTITY]
    outcome, notes = unit.outcome, [unit.note] if unit.note else []
    if unit.kind == 'call':
        if answer is None:
            service, instance = '', unit.peer or ''
        elif answer.outcome != outcome:
            outcome = f'{outcome} ({answer.outcome})'
        if unit.parent is None:
            notes.insert(0, f'by {unit.service} {unit.instance[:_IDENTITY]}')
    if unit.attempt > 1:
        notes.insert(0, f'attempt {unit.attempt}')
    return TraceRow(
        unit.offset,
        max(0.0, now - unit.started) if unit.duration is None else unit.duration,
        outcome,
        unit.ok,
        service,
        instance,
        min(depth, _DEEPEST),
        work_text(unit.kind, unit.name),
        f' ({"; ".join(notes)})' if notes else '',
    )
