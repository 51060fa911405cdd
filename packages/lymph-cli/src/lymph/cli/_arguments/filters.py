"""Which dead letters are meant: conditions on a command line that all have to hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from lymph.cli._arguments.moments import Moment
from lymph.config.printable import quoted
from lymph.core.limits import TRACE_ID
from lymph.core.trace import is_valid
from lymph.events.topics import check_pattern, matches_any

if TYPE_CHECKING:
    from lymph.events.deadletters import DeadLetter

__all__ = ['Filters', 'filter_options']


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions; None and () leave out nothing. Times are Unix times in seconds."""

    queue: str | None = None
    types: tuple[str, ...] = ()
    since: float | None = None
    older: float | None = None
    trace: str | None = None
    error: str | None = None

    def __bool__(self) -> bool:
        return self != Filters()

    @property
    def whole_queue(self) -> bool:
        """Whether everything is meant that one queue gave up, or all of them."""
        return self == Filters(queue=self.queue)

    def match(self, letter: DeadLetter) -> bool:
        """Tell whether all conditions hold for a dead letter."""
        return (
            self.queue in (None, letter.queue)
            and (not self.types or _has_type(letter, self.types))
            and (self.since is None or letter.died >= self.since)
            and (self.older is None or letter.died < self.older)
            and self.trace in (None, letter.trace_id)
            and (self.error is None or self.error.lower() in letter.error.lower())
        )


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that make up `filters`, which it gets as one keyword."""

    @wraps(command)
    def filtered(
        *args: Any,
        queue: str | None,
        types: tuple[str, ...],
        since: float | None,
        older: float | None,
        trace: str | None,
        error: str | None,
        **kwargs: Any,
    ) -> Any:
        filters = Filters(queue, types, since, older, trace, error)
        return command(*args, filters=filters, **kwargs)

    for option in reversed(_OPTIONS):
        filtered = option(filtered)
    return filtered


def _has_type(letter: DeadLetter, types: tuple[str, ...]) -> bool:
    return letter.event is not None and matches_any(types, letter.event.type)


def _checked(
    context: click.Context, option: click.Parameter, types: tuple[str, ...]
) -> tuple[str, ...]:
    for each in types:
        try:
            check_pattern(each)
        except ValueError as error:
            raise click.BadParameter(str(error), context, option) from error
    return types


def _trace_id(context: click.Context, option: click.Parameter, trace_id: str | None) -> str | None:
    if trace_id is None or is_valid(trace_id):
        return trace_id
    raise click.BadParameter(
        f'expected 1 to {TRACE_ID} letters, digits and ._:-, found {quoted(trace_id)}',
        context,
        option,
    )


_OPTIONS = (
    click.option('--queue', metavar='NAME', help='Only those that this queue gave up.'),
    click.option(
        '--type',
        'types',
        multiple=True,
        metavar='TYPE',
        callback=_checked,
        help='Only events of this type; * and # as in `subscribe`. May be given again.',
    ),
    click.option('--since', type=Moment(), help='Only those given up since then: 2h, 2024-02-29.'),
    click.option('--older', type=Moment(), help='Only those given up before that: 3d, 2024-02-29.'),
    click.option(
        '--trace', metavar='ID', callback=_trace_id, help='Only events with this trace id.'
    ),
    click.option('--error', metavar='TEXT', help='Only those whose error contains this text.'),
)
