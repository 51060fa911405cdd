"""Replays or drops dead letters, and tells exactly how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import click
from click.exceptions import Exit

from lymph.cli._arguments.filters import Filters
from lymph.cli._running.confirming import confirm
from lymph.cli._running.dead_letters import choose, find, open_dead_letters, open_letters_and_queues
from lymph.cli.outcomes import FAILED, OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer
from lymph.cli.progress import Progress
from lymph.cli.settings import Settings
from lymph.config import LymphError
from lymph.events.deadletters import DeadLetter, DeadLetters
from lymph.events.queues import Queues

__all__ = ['drop', 'replay']

#: Dead letters from which on a progress bar is worth its lines.
_MANY = 50


@dataclass(frozen=True)
class _Choice:
    """What a command line says about which dead letters to settle, and how."""

    ids: Sequence[str]
    filters: Filters
    everything: bool
    limit: int
    dry_run: bool
    as_json: bool

    def __post_init__(self) -> None:
        given = [bool(self.ids), bool(self.filters), self.everything]
        if sum(given) != 1:
            found = 'more than one of them' if any(given) else 'none'
            raise click.UsageError(f'expected IDs, or filters, or --all; found {found}')

    def queues(self, letters: DeadLetters) -> dict[str, str]:
        """Return the ids of the chosen dead letters with their queues, the oldest first."""
        if self.ids:
            return dict(
                map(_id_and_queue, find(letters, self.ids, whole=True)[: self.limit or None])
            )
        return dict(choose(letters, self.filters, self.limit, _id_and_queue)[0])


def _id_and_queue(letter: DeadLetter) -> tuple[str, str]:
    return letter.id, letter.queue


def replay(settings: Settings, **choice: Any) -> None:
    """Replay what is chosen; raises Exit unless all of it was replayed."""
    chosen = _Choice(**choice)
    with open_letters_and_queues(settings) as (letters, known):
        queues = chosen.queues(letters)
        done = set() if chosen.dry_run else _settle(settings, queues, letters.replay, 'replayed')
        left = set() if chosen.dry_run else queues.keys() - done
        _tell(settings, chosen, queues, done, 'replay')  # first: the look-ups may fail
        gone = _without_queue(left, letters, known)
    if gone:
        names = ', '.join(sorted({queues[id] for id in gone}))
        say(f'{len(gone)} stay, because their queue is gone: {names}')
    _report_taken(len(left - gone))
    if left:
        raise Exit(FAILED)


def drop(settings: Settings, yes: bool, **choice: Any) -> None:
    """Drop what is chosen, after asking; raises Exit when some of it was not there any more."""
    chosen = _Choice(**choice)
    with open_dead_letters(settings) as letters:
        queues = chosen.queues(letters)
        if queues and not yes and not chosen.dry_run:
            confirm(f'drop {_summary(queues)} for good?')
        done = set() if chosen.dry_run else _settle(settings, queues, letters.drop, 'dropped')
    left = set() if chosen.dry_run else queues.keys() - done
    _tell(settings, chosen, queues, done, 'drop')
    _report_taken(len(left))
    if left:
        raise Exit(FAILED)


def _without_queue(ids: set[str], letters: DeadLetters, known: Queues | None) -> set[str]:
    """Return the ids of those dead letters that still exist and whose queue does not.

    Without `Queues`, all that still exist count: such a backend leaves only those without a queue.
    """
    there = {letter.id: letter.queue for letter in letters.find_all(ids).values()} if ids else {}
    names = set(there.values())
    existing = {state.queue for state in known.glance(names)} if known and names else set()
    return {id for id, queue in there.items() if queue not in existing}


def _report_taken(count: int) -> None:
    # RabbitMQ hides from others what one process reads, so they may be there again soon.
    if count:
        say(
            f'{count} were read or settled by another process meanwhile; '
            '`lymph dlq list` shows what is left'
        )


def _settle(
    settings: Settings, queues: dict[str, str], action: Callable[..., int], done_word: str
) -> set[str]:
    """Replay or drop; returns the ids of what was done.

    Whatever ends it early, the user is told how far it came.
    """
    done: set[str] = set()
    try:
        with _progress(settings, len(queues), done_word) as bar:

            def settled(id: str) -> None:
                done.add(id)
                if bar is not None:
                    bar.update(len(done))

            action(*queues, settled=settled)
    except KeyboardInterrupt:
        say(f'interrupted: {len(done)} of {len(queues)} {done_word}')
        raise
    except LymphError as error:
        raise OperationFailed(f'{len(done)} of {len(queues)} {done_word}, then: {error}') from error
    return done


def _tell(
    settings: Settings, chosen: _Choice, queues: dict[str, str], done: set[str], verb: str
) -> None:
    past = {'replay': 'replayed', 'drop': 'dropped'}[verb]
    if chosen.as_json:
        Printer(settings).json(
            {
                'found': len(queues),
                past: len(done),
                'queues': Counter(queues.values()),
                'dry_run': chosen.dry_run,
            }
        )
    elif chosen.dry_run:
        say(f'would {verb} {_summary(queues)}')
    elif len(done) == len(queues):
        say(f'{past} {_summary(queues)}')
    else:
        say(f'{past} {len(done)} of {_summary(queues)}')


def _summary(queues: dict[str, str]) -> str:
    """Return how many there are: `3 dead letters (2 of shop.on_order, 1 of mail.send)`."""
    counts = Counter(queues.values()).most_common()
    listed = f' ({", ".join(f"{count} of {queue}" for queue, count in counts)})' if counts else ''
    return f'{len(queues)} dead letter{"" if len(queues) == 1 else "s"}{listed}'


def _progress(settings: Settings, total: int, word: str) -> AbstractContextManager[Progress | None]:
    """Show a bar if there is much to do; what was done is told afterwards, as always."""
    return Progress(settings, word, total, keep=False) if total >= _MANY else nullcontext()
