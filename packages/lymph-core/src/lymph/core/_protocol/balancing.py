"""Choosing the instance for a call: the less loaded of two that are picked at random.

Pure: loads, health and randomness are arguments. Two random choices keep the most loaded instance
close to the average although no caller knows the load of all (Mitzenmacher, "The Power of Two
Choices", 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ['choose']

T = TypeVar('T')


def choose(
    candidates: Sequence[T],
    load: Callable[[T], int],
    usable: Callable[[T], bool],
    chance: Callable[[], float],
) -> T:
    """Return the candidate to call.

    `load` returns the number of calls in flight. Candidates for which `usable` returns False are
    avoided; if none is usable, one of them is returned. `chance` returns numbers in [0, 1).
    `candidates` must not be empty.
    """
    count = len(candidates)
    if count == 1:
        return candidates[0]
    first = int(chance() * count)
    second = int(chance() * (count - 1))
    # Skip `first`, so that the two differ and the others are equally likely.
    if second >= first:
        second += 1
    one, other = candidates[first], candidates[second]
    if usable(one):
        if usable(other) and load(other) < load(one):
            return other
        return one
    if usable(other):
        return other
    # Neither of the two may be called, but perhaps another one.
    rest = [candidate for candidate in candidates if usable(candidate)]
    return rest[int(chance() * len(rest))] if rest else one
