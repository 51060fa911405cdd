"""The records of the processes, and the check of the promises about serial events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

__all__ = ['Gone', 'Record', 'Step', 'broken_promises', 'read_steps']


@dataclass(frozen=True)
class Step:
    """The beginning or the end of a handler."""

    begins: bool
    time: float
    pid: int
    key: str
    n: int


@dataclass
class Gone:
    """When a process was last seen to run (killed or stopped after that), by process id."""

    killed: dict[int, float] = field(default_factory=dict)
    stopped: dict[int, float] = field(default_factory=dict)


@dataclass
class Record:
    """The steps of all processes in their order, and the processes that became ready."""

    steps: list[Step]
    ready: set[int]

    @property
    def begun(self) -> dict[str, set[int]]:
        """The numbers that were begun, by key."""
        found: dict[str, set[int]] = {}
        for step in self.steps:
            if step.begins:
                found.setdefault(step.key, set()).add(step.n)
        return found


def read_steps(log: Path) -> Record:
    """Return the steps recorded so far."""
    record = Record([], set())
    # A reader may see the first part of a write that goes over the end of a page, so what follows
    # the last newline is left for the next time.
    whole, _, _ = (log.read_text() if log.exists() else '').rpartition('\n')
    for line in whole.splitlines():
        kind, *words = line.split()
        if kind == 'ready':
            record.ready.add(int(words[0]))
        elif kind in ('begin', 'end'):
            time, pid, key, n = words
            record.steps.append(Step(kind == 'begin', float(time), int(pid), key, int(n)))
    return record


def broken_promises(record: Record, emitted: Mapping[str, int], gone: Gone) -> list[str]:
    """Return the broken promises in words; `emitted` counts the events of each key."""
    found = []
    for key, count in emitted.items():
        steps = [step for step in record.steps if step.key == key]
        # An event whose process was killed is begun again, so only its first beginning counts here.
        firsts = list(dict.fromkeys(step.n for step in steps if step.begins))
        if sorted(firsts) != list(range(count)):
            missing = sorted(set(range(count)) - set(firsts))
            found.append(f'{key}: of {count} events these were not handled: {missing[:10]}')
        if firsts != sorted(firsts):
            late = next(b for a, b in pairwise(firsts) if b < a)
            found.append(f'{key}: {late} was begun after what is behind it')
        found += _overlaps(key, steps, gone)
    return found


def _overlaps(key: str, steps: list[Step], gone: Gone) -> list[str]:
    found = []
    running: dict[tuple[int, int], Step] = {}
    for step in steps:
        if not step.begins:
            running.pop((step.pid, step.n), None)
            continue
        for other in running.values():
            if not _excused(other, gone):
                found.append(f'{key}: {step} began while {other} ran')
        running[step.pid, step.n] = step
    return found


def _excused(step: Step, gone: Gone) -> bool:
    """Return whether a handler had begun when its process was killed or stopped."""
    ends = (gone.killed.get(step.pid), gone.stopped.get(step.pid))
    return any(end is not None and step.time <= end for end in ends)
