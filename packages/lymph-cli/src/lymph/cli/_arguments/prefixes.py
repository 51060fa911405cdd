"""Ids and identities that are given by their beginning, as far as only one begins so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from lymph.cli.outcomes import OperationFailed
from lymph.config.printable import printable, quoted
from lymph.config.suggestions import close_name

__all__ = ['expand', 'listed']

#: How many candidates an error lists, each of them whole.
_MOST = 10
#: Characters of one that is suggested: more than a name has that suggestions are made for.
_SHOWN = 200


def expand(
    given: str,
    known: Iterable[str],
    thing: str,
    advice: str,
    *,
    before: str = '',
    whole: bool = False,
) -> str:
    """Return the one of `known` that is `given`, or else the only one that begins with it.

    `thing` is what they are called in errors, `advice` what to do where none is meant; `before`
    stands in front of each of them there. With `whole`, one that is a number has no beginning: they
    are given in turn, so that the 4 which is gone is not to be taken for 42.

    Raises UsageError where nothing is given, and OperationFailed where several begin so, which are
    listed, or none does.
    """
    if not given:
        raise click.UsageError(f"expected the beginning of a {thing}'s name, found ''")
    names = sorted(set(known))
    # A complete name is chosen even if other names begin with it.
    if given in names:
        return given
    fitting = [name for name in names if name.startswith(given)]
    if whole:
        fitting = [name for name in fitting if not name.isdecimal()]
    if len(fitting) == 1:
        return fitting[0]
    shown = quoted(before + given)
    if fitting:
        candidates = listed([before + name for name in fitting])
        raise OperationFailed(f'{shown}: several {thing}s fit, name one: {candidates}')
    close = close_name(given, names)
    hint = f'did you mean {quoted(before + close, _SHOWN)}? ' if close else ''
    raise OperationFailed(f'no {thing} {shown}; {hint}{advice}')


def listed(names: Sequence[str]) -> str:
    """Return names for an error: the first ones, and how many there are more."""
    shown = ', '.join(map(printable, names[:_MOST]))
    left = len(names) - _MOST
    return f'{shown} and {left} more' if left > 0 else shown
