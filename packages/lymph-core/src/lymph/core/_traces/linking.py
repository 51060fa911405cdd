"""Finds what caused each unit of work.

=================  ==============================================================================
unit               caused by
=================  ==============================================================================
call, emit         the unit of the same instance that its `parent` names
rpc                the call with the same id
event, task, feed  the emission whose id is its `parent`
http               nothing that is known here
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lymph.core._traces.reading import Told

__all__ = ['causes', 'missing']

_MADE: Final = ('call', 'emit')  # inside a unit of work of the same process
_HANDLED: Final = ('event', 'task', 'feed')

_NOTES: Final = {
    'call': 'what made this call is not known',
    'emit': 'what emitted this event is not known',
    'rpc': 'its caller is not known',
    'event': 'its emission is not known',
    'task': 'its start is not known',
    'feed': 'its emission is not known',
}


def causes(units: Sequence[Told]) -> list[int | None]:
    """Return for each unit the index of the one that caused it; None for a root.

    Following these always ends at a root, whatever ids the units have.
    """
    calls: dict[str, int] = {}
    emissions: dict[str, int] = {}
    works: dict[tuple[int, str], list[int]] = {}
    for index, unit in enumerate(units):
        if unit.id is None:
            continue
        if unit.kind == 'call':
            calls.setdefault(unit.id, index)
        elif unit.kind == 'emit':
            emissions.setdefault(unit.id, index)
        else:
            works.setdefault((unit.source, unit.id), []).append(index)

    def cause(unit: Told) -> int | None:
        if unit.kind == 'rpc':
            return None if unit.id is None else calls.get(unit.id)
        if unit.parent is None:
            return None
        if unit.kind in _HANDLED:
            return emissions.get(unit.parent)
        found = works.get((unit.source, unit.parent)) if unit.kind in _MADE else None
        return None if found is None else _latest(units, found, unit)

    found = [cause(unit) for unit in units]
    _cut_circles(found)
    return found


def missing(unit: Told) -> str:
    """Return why a unit that is a root has no cause; empty if nothing has caused it."""
    if unit.kind in _MADE and unit.parent is None:
        return ''
    return _NOTES.get(unit.kind, '')


def _latest(units: Sequence[Told], found: Sequence[int], unit: Told) -> int:
    """Return the last of several units of one id that had begun before `unit`.

    An event that comes back from the dead letters is handled again under the same id.
    """
    before = [index for index in found if units[index].started <= unit.started]
    return max(before or found, key=lambda index: units[index].started)


def _cut_circles(parents: list[int | None]) -> None:
    """Make a root of one unit in each circle; only ids of a misbehaving peer make circles."""
    settled = [False] * len(parents)
    for start in range(len(parents)):
        path: list[int] = []
        seen: set[int] = set()
        index: int | None = start
        while index is not None and not settled[index]:
            if index in seen:
                parents[index] = None
                break
            seen.add(index)
            path.append(index)
            index = parents[index]
        for each in path:
            settled[each] = True
