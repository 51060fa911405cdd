"""Drops queues, and tells exactly which and with how many events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from click.exceptions import Exit

from lymph.cli._running.confirming import confirm
from lymph.cli._running.queues import open_queues
from lymph.cli.outcomes import FAILED, OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer
from lymph.cli.settings import Settings
from lymph.config import LymphError
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.events.queues import QueueInUse, Queues, QueueState

__all__ = ['run_drop']


def run_drop(
    settings: Settings,
    names: Sequence[str],
    dry_run: bool,
    forced: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Drop queues, after asking; raises OperationFailed or Exit unless all of them are gone."""
    dropped: list[str] = []
    with open_queues(settings) as queues:
        states = _choose(queues, list(dict.fromkeys(names)), forced)
        if not dry_run:
            if not yes:
                confirm(f'drop {_summary(states)} for good?')
            dropped = _drop(queues, states, forced)
    if as_json:
        chosen = [asdict(state) for state in states]
        Printer(settings).json({'queues': chosen, 'dropped': dropped, 'dry_run': dry_run})
    elif dry_run:
        say(f'would drop {_summary(states)}')
    elif dropped:
        say(f'dropped {_summary([state for state in states if state.queue in dropped])}')
    for state in states:
        if state.dead and not as_json:
            say(f'{_count(state.dead, "dead letter")} of {quoted(state.queue)} stay')
    # `drop` has not found a queue that was there a moment ago.
    if not dry_run and len(dropped) < len(states):
        gone = ', '.join(quoted(state.queue) for state in states if state.queue not in dropped)
        say(f'somebody else has dropped {gone}')
        raise Exit(FAILED)


def _choose(queues: Queues, names: Sequence[str], forced: bool) -> list[QueueState]:
    """Return the queues; raises OperationFailed if one is not there, or may not be dropped."""
    found = {state.queue: state for state in queues.read(names)}
    missing = [name for name in names if name not in found]
    if missing:
        known = [state.queue for state in queues.read()]
        close = close_name(missing[0], known)
        advice = f'did you mean {quoted(close)}?' if close else '`lymph queues` shows which'
        listed = ', '.join(map(quoted, missing))
        raise OperationFailed(f'no queue {listed}; {advice}; nothing was dropped')
    # Checked for all of them first, so that nothing is dropped if one is in use. `drop` checks
    # again, because a consumer may come meanwhile.
    used = [state for state in found.values() if state.consumers and not forced]
    if used:
        raise _in_use(QueueInUse(used[0].queue, used[0].consumers), [])
    return [found[name] for name in names]


def _drop(queues: Queues, states: Sequence[QueueState], forced: bool) -> list[str]:
    dropped: list[str] = []
    try:
        for state in states:
            if queues.drop(state.queue, forced=forced):
                dropped.append(state.queue)
    except QueueInUse as error:
        raise _in_use(error, dropped) from error
    except KeyboardInterrupt:
        say(f'interrupted: {_dropped(dropped)}')
        raise
    except LymphError as error:
        raise OperationFailed(f'{_dropped(dropped)}, then: {error}') from error
    return dropped


def _in_use(error: QueueInUse, dropped: Sequence[str]) -> OperationFailed:
    return OperationFailed(
        f'{error}; end its consumers first, or drop it with --force; {_dropped(dropped)}'
    )


def _dropped(names: Sequence[str]) -> str:
    return f'{", ".join(map(quoted, names)) if names else "nothing"} was dropped'


def _summary(states: Sequence[QueueState]) -> str:
    """Return which there are and what is in them: `the queue 'shop.on_order' with 12 events`."""
    return ', '.join(f'the queue {quoted(state.queue)} with {_events(state)}' for state in states)


def _events(state: QueueState) -> str:
    if state.events is None:
        return 'all events in it'
    running = f' ({state.running} of them running)' if state.running else ''
    return f'{_count(state.events, "event")}{running}'


def _count(number: int, thing: str) -> str:
    return f'{number} {thing}{"" if number == 1 else "s"}'
