"""Prints dead letters: a line for each, or all that is known of some."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from heapq import nsmallest
from typing import Any, TypeVar

from lymph.cli._arguments.filters import Filters
from lymph.cli._arguments.moments import timestamp
from lymph.cli._arguments.prefixes import expand
from lymph.cli._running.asking import open_client
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line, lines
from lymph.cli.settings import Settings
from lymph.config import ConfigurationError
from lymph.config.printable import quoted
from lymph.events.deadletters import DeadLetter, DeadLetters
from lymph.events.queues import Queues

__all__ = ['choose', 'find', 'open_dead_letters', 'open_letters_and_queues', 'run_list', 'run_show']

T = TypeVar('T')
_ADVICE = '`lymph dlq list` shows which there are'
_TITLES = ('ID', 'DIED', 'QUEUE', 'TYPE', 'ATTEMPTS', 'ERROR')


def run_list(settings: Settings, filters: Filters, limit: int, as_json: bool) -> None:
    """Print the oldest dead letters that the filters let through, up to `limit` (0: all)."""
    with open_dead_letters(settings) as letters:
        found, count = _look(letters, filters, limit)
    printer = Printer(settings)
    if as_json:
        _print_json(printer, found)
    elif found:
        printer.listing(_TITLES, map(_row, found))
    if len(found) < count:
        say(f'{len(found)} of {count} dead letters; --limit 0 lists all')
    elif not found and not as_json:
        say(f'no dead letters{" like that" if filters else ""}')


def run_show(settings: Settings, ids: Sequence[str], as_json: bool) -> None:
    """Print all that is known of dead letters; raises OperationFailed if one is not there."""
    with open_dead_letters(settings) as letters:
        found = find(letters, ids)
    printer = Printer(settings)
    if as_json:
        _print_json(printer, found)
    for letter in [] if as_json else found:
        _show(printer, letter)


def _look(letters: DeadLetters, filters: Filters, limit: int) -> tuple[Sequence[DeadLetter], int]:
    """Return the oldest dead letters that match, up to `limit` (0: all), and how many match."""
    if limit and filters.whole_queue:
        return letters.oldest(filters.queue, limit)  # which need not see all of them
    return choose(letters, filters, limit, lambda letter: letter)


@contextmanager
def open_dead_letters(settings: Settings) -> Iterator[DeadLetters]:
    """Open the dead letters of the event system that the configuration names.

    Raises ConfigurationError when it keeps none.
    """
    with open_letters_and_queues(settings) as (letters, _):
        yield letters


@contextmanager
def open_letters_and_queues(settings: Settings) -> Iterator[tuple[DeadLetters, Queues | None]]:
    """Open the dead letters as `open_dead_letters` does, and the queues, if there are any."""
    with open_client(settings) as client:
        events = client.container.events
        if events.dead_letters is None:
            raise ConfigurationError(
                f'container.events: {type(events).__name__} keeps no dead letters'
            )
        yield events.dead_letters, events.queues


def choose(
    letters: DeadLetters, filters: Filters, limit: int, keep: Callable[[DeadLetter], T]
) -> tuple[list[T], int]:
    """Return the oldest dead letters that match, up to `limit` (0: all), and how many match.

    Of each there is what `keep` makes of it, so that many need not fit into memory.
    """
    numbers = itertools.count()
    with closing(letters.scan(filters.queue)) as scan:
        found = (
            (letter.died, next(numbers), keep(letter)) for letter in scan if filters.match(letter)
        )
        oldest = nsmallest(limit, found) if limit else sorted(found)
    return [kept for _, _, kept in oldest], next(numbers)


def find(letters: DeadLetters, ids: Sequence[str], *, whole: bool = False) -> list[DeadLetter]:
    """Return the dead letters with these ids, or whose ids alone begin so, in the order given.

    With `whole`, an id that is a number has to be given as it is. Raises OperationFailed if one is
    not there or several begin so, UsageError for an empty one.
    """
    found = letters.find_all(ids)
    if len(found) < len(set(ids)):
        known: list[str] = []
        with closing(letters.scan()) as scan:
            known.extend(letter.id for letter in scan)
        ids = [expand(id, known, 'dead letter', _ADVICE, whole=whole) for id in ids]
        found = letters.find_all(ids)
    gone = next((id for id in ids if id not in found), None)
    if gone is not None:  # somebody has settled it meanwhile
        raise OperationFailed(f'no dead letter {quoted(gone)}; {_ADVICE}')
    return list({id: found[id] for id in ids}.values())


def _row(letter: DeadLetter) -> Sequence[str | Text]:
    return (
        line(letter.id, 'bold'),
        timestamp(letter.died),
        letter.queue,
        '?' if letter.event is None else letter.event.type,
        str(letter.attempts),
        letter.error,
    )


def _print_json(printer: Printer, found: Sequence[DeadLetter]) -> None:
    """Print dead letters; of an event that JSON cannot hold, its bytes."""
    try:
        printer.json([_facts(letter) for letter in found])
    except OperationFailed:
        printer.json(
            [
                _facts(letter if printer.can_json(_facts(letter)) else replace(letter, event=None))
                for letter in found
            ]
        )


def _show(printer: Printer, letter: DeadLetter) -> None:
    facts = _facts(letter)
    facts['died'] = timestamp(letter.died)
    if letter.emitted is not None:
        facts['emitted'] = timestamp(letter.emitted)
    rows = (
        (line(name, 'bold'), lines(value) if isinstance(value, str) else printer.represented(value))
        for name, value in facts.items()
    )
    printer.table(rows, wrap=False)
    printer.show(line(''))


def _facts(letter: DeadLetter) -> dict[str, Any]:
    """Return what is known; of what is no event, its bytes."""
    event = letter.event
    of_event: dict[str, Any] = {'data': letter.data}
    if event is not None:
        of_event = {
            'type': event.type,
            'event': event.id,
            'source': event.source,
            'trace_id': letter.trace_id,
            'headers': event.headers,
            'body': event.body,
        }
    return {
        'id': letter.id,
        'queue': letter.queue,
        'error': letter.error,
        'attempts': letter.attempts,
        'emitted': letter.emitted,
        'died': letter.died,
        **of_event,
    }
