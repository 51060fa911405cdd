"""The queues of the event system.

All that the backend can tell is read rarely, since it may have to read each dead letter for it;
what is cheap to find out is read each time. A backend without queues leaves those of the metrics.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from lymph.core._overview.samples import InstanceFigures
from lymph.events.queues import Queues, QueueState

__all__ = ['QueueStates', 'measured_queues', 'with_glances']

#: seconds between two complete readings, and how many times as long as one takes they are apart
_ALL_EVERY: Final = 15.0
_APART: Final = 20
_COUNTED: Final = ('waiting', 'delayed', 'bytes', 'oldest', 'running', 'consumers', 'dead')


class QueueStates:
    """Reads the states of the queues again and again."""

    def __init__(self) -> None:
        self._states: tuple[QueueState, ...] | None = None
        self._due = 0.0  # `time.monotonic` of the next complete reading

    def read(self, queues: Queues) -> tuple[QueueState, ...]:
        """Return the states, sorted by name. Waits, and raises what `Queues.read` does."""
        began = time.monotonic()
        if self._states is None or began >= self._due:
            self._states = tuple(queues.read())
            now = time.monotonic()
            self._due = now + max(_ALL_EVERY, _APART * (now - began))
        else:
            glances = queues.glance([each.queue for each in self._states])
            self._states = with_glances(self._states, glances)
        return self._states


def with_glances(
    known: Iterable[QueueState], glances: Iterable[QueueState]
) -> tuple[QueueState, ...]:
    """Return newer states, with the older figures where the newer ones are not known."""
    newer = {each.queue: each for each in glances}
    return tuple(_updated(each, newer[each.queue]) for each in known if each.queue in newer)


def _updated(known: QueueState, glance: QueueState) -> QueueState:
    counted = {name: getattr(glance, name) for name in _COUNTED}
    changed = {name: value for name, value in counted.items() if value is not None}
    if not glance.waiting and glance.waiting is not None:
        changed['oldest'] = None  # none waits any more
    return replace(known, **changed)


def measured_queues(all_figures: Iterable[InstanceFigures]) -> tuple[QueueState, ...]:
    """Return the queues that instances have in their metrics; each says the same of a queue."""
    found: dict[str, dict[str, float]] = {}
    for figures in all_figures:
        for name in _COUNTED:
            for queue, number in figures.numbers.get(f'queues.{name}', {}).items():
                counted = found.setdefault(queue, {})
                counted[name] = max(number, counted.get(name, number))
    return tuple(_state(queue, counted) for queue, counted in sorted(found.items()))


def _state(queue: str, counted: Mapping[str, float]) -> QueueState:
    def whole(name: str) -> int | None:
        return None if name not in counted else int(counted[name])

    return QueueState(
        queue,
        waiting=whole('waiting'),
        delayed=whole('delayed'),
        bytes=whole('bytes'),
        oldest=counted.get('oldest'),
        running=whole('running'),
        consumers=whole('consumers'),
        dead=whole('dead'),
    )
