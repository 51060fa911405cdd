"""Makes one list of the latest traces of many instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lymph.core import trace
from lymph.core._traces.data import TraceSummary
from lymph.core._traces.reading import MOST, TRACED, read_number, read_text

__all__ = ['newest', 'summaries']


def newest(answers: Sequence[tuple[str, Mapping[str, Any]]], limit: int) -> list[str]:
    """Return the ids of the traces that started last; `answers` are those to `lymph.recent`."""
    return [each.trace_id for each in summaries(answers)[:limit]]


def summaries(answers: Sequence[tuple[str, Mapping[str, Any]]]) -> list[TraceSummary]:
    """Return a summary of each trace, the newest first.

    `answers` are pairs: the services of an instance, and its answer to `lymph.recent`.
    """
    parts: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for service, answer in answers:
        told = answer.get('traces')
        for part in told[:MOST] if isinstance(told, list) else ():
            if _is_valid(part):
                parts.setdefault(part['trace_id'], []).append((service, part))
    found = [_merged(id, told) for id, told in parts.items()]
    return sorted(found, key=lambda each: each.started, reverse=True)


def _is_valid(part: object) -> bool:
    return (
        isinstance(part, Mapping)
        and trace.is_valid(part.get('trace_id'))
        and read_text(part, 'kind') in TRACED
        and read_text(part, 'name') is not None
        and read_number(part, 'started') is not None
        and read_number(part, 'ended') is not None
    )


def _merged(id: str, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> TraceSummary:
    # A root before all others: clocks differ, and what it has caused cannot have started earlier.
    service, first = min(parts, key=lambda each: (not each[1].get('root'), each[1]['started']))
    started = min(part['started'] for _, part in parts)
    duration = read_number(first, 'duration')
    return TraceSummary(
        id,
        first['kind'],
        read_text(first, 'name') or '',
        service,
        first.get('root') is True,
        read_text(first, 'outcome') or 'unknown',
        None if duration is None else first.get('ok') is True,
        duration,
        started,
        max(part['ended'] for _, part in parts) - started,
        _sum(parts, 'units'),
        _sum(parts, 'failures'),
        _sum(parts, 'running'),
        len(parts),
    )


def _sum(parts: Sequence[tuple[str, Mapping[str, Any]]], key: str) -> int:
    return sum(int(read_number(part, key) or 0) for _, part in parts)
