"""Lists the queues of the event system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase

from rich.text import Text

from lymph.cli.output import say
from lymph.cli.printing import Printer, line
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings
from lymph.config import ConfigurationError
from lymph.events.queues import Queues, QueueState

__all__ = ['open_queues', 'run_list']

_COLUMNS = ('queue', 'waiting', 'delayed', 'bytes', 'oldest', 'running', 'consumers', 'dead')
_UNITS = ((86400, 'd'), (3600, 'h'), (60, 'min'))


def run_list(
    settings: Settings, patterns: Sequence[str], unconsumed: bool, waiting: bool, as_json: bool
) -> None:
    """Print the queues that match all that is asked for."""
    with open_queues(settings) as queues:
        found = [
            state
            for state in queues.read()
            if (not patterns or any(fnmatchcase(state.queue, each) for each in patterns))
            and not (unconsumed and state.consumers != 0)
            and not (waiting and not state.waiting)
        ]
        note = queues.note
    printer = Printer(settings)
    if as_json:
        printer.json([asdict(state) for state in found])
    elif found:
        header = [line(name.upper(), 'bold') for name in _COLUMNS]
        printer.table([header, *map(_row, found)], wrap=False)
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


def _row(state: QueueState) -> Sequence[Text]:
    numbers = (state.waiting, state.delayed, state.bytes)
    rest = (state.running, state.consumers, state.dead)
    return (
        line(state.queue, 'bold'),
        *map(_number, numbers),
        line(_age(state)),
        *map(_number, rest),
    )


def _number(number: int | None) -> Text:
    return line('-' if number is None else str(number))


def _age(state: QueueState) -> str:
    """Return the age of the oldest event in two digits or more: `12 s`, `3 min`, `5 h`, `40 d`."""
    if state.oldest is None:
        return '-'
    for seconds, unit in _UNITS:
        if state.oldest >= 2 * seconds:
            return f'{state.oldest / seconds:.0f} {unit}'
    return f'{state.oldest:.0f} s'
