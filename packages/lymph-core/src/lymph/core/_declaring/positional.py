"""Names positional arguments after the parameters of the method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter
from typing import Any

__all__ = ['by_name']


def by_name(
    called: str,
    parameters: Iterable[Parameter],
    args: tuple[Any, ...],
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the arguments of a call by name, as they are sent.

    Type checkers accept positional arguments where the signature does, so typed calls accept them
    too. Raises TypeError for too many, and for one that is also given by name; `called`
    names the method in it.
    """
    names = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    if len(args) > len(names):
        listed = ', '.join(names) or 'none'
        raise TypeError(
            f'{called}: expected at most {len(names)} arguments without a name ({listed}),'
            f' found {len(args)}'
        )
    named = dict(zip(names, args, strict=False))
    for name in named:
        if name in arguments:
            raise TypeError(f'{called}: {name!r} is given twice: without and with its name')
    return {**named, **arguments}
