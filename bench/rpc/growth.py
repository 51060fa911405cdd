"""What a call costs while something else grows: instances, pending calls, connected callers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.rpc.contest import Contest, hold
from bench.rpc.pairs import Subject
from bench.rpc.slices import Slice

__all__ = ['CALLERS', 'Growth', 'measure_growths']

CALLERS = (1, 64)  # calls in flight besides those that only wait


@dataclass(frozen=True)
class Growth:
    """What grows, the sizes it has, and the cost of a call at each size and number of callers.

    `factors` are the medians of the ratios to the cost at the first size.
    """

    what: str
    sizes: tuple[int, ...]
    costs: dict[tuple[int, int], float]  # (size, callers) -> processor seconds of both sides
    factors: dict[tuple[int, int], float]


def _instances(size: int) -> Subject:
    return Subject(str(size), 'lymph', server={'ip': '0.0.0.0'}, client={'instances': size})


def _pending(size: int) -> Subject:
    return Subject(str(size), 'lymph', client={'pending': size})


def _clients(size: int) -> Subject:
    return Subject(str(size), 'lymph', client={'clients': size})


_GROWING: tuple[tuple[str, tuple[int, ...], Callable[[int], Subject]], ...] = (
    ('instances of the service', (1, 10, 100, 1000), _instances),
    ('calls that wait for an answer', (1, 100, 1000, 10000), _pending),
    ('connected callers', (1, 10, 100, 1000), _clients),
)


def measure_growths(seconds: float, rounds: int) -> list[Growth]:
    """Measure all of them, with slices of `seconds`; the sizes of one are interleaved."""
    return [_measure(*growing, seconds, rounds) for growing in _GROWING]


def _measure(
    what: str,
    sizes: tuple[int, ...],
    subject: Callable[[int], Subject],
    seconds: float,
    rounds: int,
) -> Growth:
    orders = {callers: Slice(callers, 1, seconds, seconds / 5) for callers in CALLERS}
    contest = hold([subject(size) for size in sizes], list(orders.values()), rounds)
    _refuse_failures(what, contest)
    cells = [(size, callers) for size in sizes for callers in CALLERS]
    costs = {(s, c): contest.median(str(s), orders[c], 'cost') for s, c in cells}
    factors = {(s, c): contest.ratio(orders[c], 'cost', str(s), str(sizes[0])) for s, c in cells}
    return Growth(what, sizes, costs, factors)


def _refuse_failures(what: str, contest: Contest) -> None:
    failures = contest.failures()
    if failures:
        raise RuntimeError(f'{what}: calls failed (size: count): {failures}')
