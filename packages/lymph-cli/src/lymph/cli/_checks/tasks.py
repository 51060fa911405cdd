"""The check `tasks`: does somebody take what waits in the queues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings
from lymph.events.queues import QueueState

__all__ = ['TasksCheck', 'queue_findings']


class TasksCheck(Check):
    """Looks for queues that nobody consumes."""

    about = 'queues of tasks and events without a consumer'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look at the queues of tasks, which is cheap, and then at all others.

        Raises NotChecked for an event system that tells nothing of its queues.
        """
        queues = around.events.queues
        if queues is None:
            raise NotChecked('the event system tells nothing of its queues')
        try:
            fleet = around.fleet()
        except NotChecked:
            fleet = ()  # what waits can be told without
        told = (each for answer in fleet for each in answer.sequence('tasks'))
        tasks = frozenset(each for each in told if isinstance(each, str))
        yield from queue_findings(queues.glance(sorted(tasks)) if tasks else (), tasks)
        others = (state for state in queues.read() if state.queue not in tasks)
        yield from queue_findings(others, tasks)


def queue_findings(states: Iterable[QueueState], tasks: frozenset[str]) -> Iterator[Finding]:
    """Yield queues of tasks that no worker takes, and others in which events wait for nobody."""
    for state in states:
        # None: the backend cannot tell. A temporary queue ends with its instance.
        if state.consumers != 0 or state.temporary:
            continue
        waiting = (state.waiting or 0) + (state.delayed or 0)
        # Running instances call this task, so it needs a worker even while nothing waits. Another
        # queue may be left over from a handler that is gone: it matters only with events in it.
        if state.queue in tasks:
            yield Finding(
                f'a worker for the tasks of {state.queue}',
                f'none, and {_count(waiting, "task")} waiting',
                'start one with the configuration of the instances: lymph worker',
            )
        elif waiting:
            yield Finding(
                f'a consumer of the queue {state.queue}',
                f'none, and {_count(waiting, "event")} waiting',
                'start its service (lymph instance; lymph worker for a task), or, if nobody has '
                f'that handler any more: lymph queues drop {state.queue}',
            )


def _count(number: int, thing: str) -> str:
    return f'{number} {thing}{"" if number == 1 else "s"}'
