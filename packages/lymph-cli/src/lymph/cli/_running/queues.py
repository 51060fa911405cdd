"""Lists the queues of the event system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase

from lymph.cli._arguments.durations import short_duration
from lymph.cli._running.asking import open_client
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.config import ConfigurationError
from lymph.events.queues import Queues, QueueState

__all__ = ['open_queues', 'run_list']

_COLUMNS = ('queue', 'waiting', 'delayed', 'bytes', 'oldest', 'running', 'consumers', 'dead')


def run_list(
    settings: Settings, patterns: Sequence[str], unconsumed: bool, waiting: bool, as_json: bool
) -> None:
    """Print the queues that match all that is asked for."""
    with open_queues(settings) as queues:
        found = [
            state
            for state in queues.read()
            if (not patterns or any(fnmatchcase(state.queue, each) for each in patterns))
            # None (the backend cannot tell) matches neither option.
            and not (unconsumed and state.consumers != 0)
            and not (waiting and not state.waiting)
        ]
        # `note` is about the last `read`, so it has to be read after it.
        note = queues.note
    printer = Printer(settings)
    if as_json:
        printer.json([asdict(state) for state in found])
    elif found:
        printer.listing([name.upper() for name in _COLUMNS], map(_row, found))
    else:
        say(f'no queues{" like that" if patterns or unconsumed or waiting else ""}')
    if note:
        say(note)


@contextmanager
def open_queues(settings: Settings) -> Iterator[Queues]:
    """Open the queues of the event system that the configuration names.

    Raises ConfigurationError when it has none.
    """
    with open_client(settings) as client:
        events = client.container.events
        if events.queues is None:
            raise ConfigurationError(f'container.events: {type(events).__name__} has no queues')
        yield events.queues


def _row(state: QueueState) -> Sequence[str | Text]:
    facts = asdict(state)
    if state.oldest is not None:
        facts['oldest'] = short_duration(state.oldest)
    name, *cells = ['' if facts[name] is None else str(facts[name]) for name in _COLUMNS]
    return line(name, 'bold'), *cells
