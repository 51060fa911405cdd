"""Subjects measured side by side: each a short slice in turn, in several rounds.

What disturbs the machine for a while disturbs all of them alike, so that the ratios of one round
can be compared where the figures of two runs could not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, Protocol, TypeVar

from bench.figures import median_ratio, ratio_range

__all__ = ['Contest', 'OrderT', 'Outcome', 'OutcomeT', 'Standing']

OrderT = TypeVar('OrderT', bound=Hashable)


class Outcome(Protocol):
    """What came of a slice; its figures are further attributes."""

    @property
    def failed(self) -> int:
        """How often a subject failed at what it was to do."""


OutcomeT = TypeVar('OutcomeT', bound=Outcome)
_TakenT = TypeVar('_TakenT', contravariant=True)
_GivenT = TypeVar('_GivenT', covariant=True)


class Standing(Protocol[_TakenT, _GivenT]):
    """A subject that stands ready."""

    @property
    def name(self) -> str:
        """What it is called."""

    def measure(self, order: _TakenT) -> _GivenT:
        """Do a slice."""


@dataclass
class Contest(Generic[OrderT, OutcomeT]):
    """What came out: for each subject and slice one result a round."""

    results: dict[tuple[str, OrderT], list[OutcomeT]] = field(default_factory=dict)

    def hold(
        self,
        standing: Sequence[Standing[OrderT, OutcomeT]],
        orders: Sequence[OrderT],
        rounds: int,
        concern: Callable[[str, OrderT], bool] = lambda name, order: True,
        tell: Callable[[str], object] = lambda line: None,
    ) -> None:
        """Measure each subject with each slice that concerns it, `rounds` times."""
        for number in range(rounds):
            tell(f'round {number + 1} of {rounds}')
            for order in orders:
                # there and back again: nobody always comes after the same neighbour
                for each in standing if number % 2 == 0 else reversed(standing):
                    if concern(each.name, order):
                        found = self.results.setdefault((each.name, order), [])
                        found.append(each.measure(order))

    def median(self, subject: str, order: OrderT, figure: str) -> float:
        """Return the median of a figure, an attribute of the results, over all rounds."""
        return median(self.figures(subject, order, figure))

    def ratio(self, order: OrderT, figure: str, subject: str, other: str) -> float:
        """Return the median over all rounds of the figure of `subject` to that of `other`."""
        ours, theirs = (self.figures(name, order, figure) for name in (subject, other))
        return median_ratio(ours, theirs)

    def ratio_range(
        self, order: OrderT, figure: str, subject: str, other: str
    ) -> tuple[float, float]:
        """Return the smallest and the largest of these ratios."""
        ours, theirs = (self.figures(name, order, figure) for name in (subject, other))
        return ratio_range(ours, theirs)

    def failures(self) -> dict[str, int]:
        """Return how often which subject failed, without those that never did."""
        failed: dict[str, int] = {}
        for (subject, _), results in self.results.items():
            failed[subject] = failed.get(subject, 0) + sum(result.failed for result in results)
        return {subject: count for subject, count in failed.items() if count}

    def figures(self, subject: str, order: OrderT, figure: str) -> list[float]:
        """Return a figure of all rounds, in their order."""
        return [getattr(result, figure) for result in self.results[subject, order]]
