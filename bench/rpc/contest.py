"""Subjects measured side by side: each a short slice in turn, in several rounds.

What disturbs the machine for a while disturbs all of them alike, so that the ratios of one round
can be compared where the figures of two runs could not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median

from bench.figures import median_ratio, ratio_range
from bench.rpc.pairs import Pair, Subject
from bench.rpc.slices import Result, Slice

__all__ = ['Contest', 'hold']


@dataclass
class Contest:
    """What came out: for each subject and slice one result a round."""

    results: dict[tuple[str, Slice], list[Result]] = field(default_factory=dict)
    idle_memory: dict[str, int] = field(default_factory=dict)  # bytes

    def median(self, subject: str, order: Slice, figure: str) -> float:
        """Return the median of a figure, an attribute of `Result`, over all rounds."""
        return median(self._figures(subject, order, figure))

    def ratio(self, order: Slice, figure: str, subject: str, other: str) -> float:
        """Return the median over all rounds of the figure of `subject` to that of `other`."""
        ours, theirs = (self._figures(name, order, figure) for name in (subject, other))
        return median_ratio(ours, theirs)

    def ratio_range(
        self, order: Slice, figure: str, subject: str, other: str
    ) -> tuple[float, float]:
        """Return the smallest and the largest of these ratios."""
        ours, theirs = (self._figures(name, order, figure) for name in (subject, other))
        return ratio_range(ours, theirs)

    def failures(self) -> dict[str, int]:
        """Return how many calls of which subject failed, without those that had none."""
        failed: dict[str, int] = {}
        for (subject, _), results in self.results.items():
            failed[subject] = failed.get(subject, 0) + sum(result.failed for result in results)
        return {subject: count for subject, count in failed.items() if count}

    def _figures(self, subject: str, order: Slice, figure: str) -> list[float]:
        return [getattr(result, figure) for result in self.results[subject, order]]


def hold(subjects: Sequence[Subject], orders: Sequence[Slice], rounds: int) -> Contest:
    """Start all subjects and measure each with each slice, `rounds` times."""
    contest = Contest()
    with ExitStack() as stack:
        pairs = [stack.enter_context(closing(Pair(subject))) for subject in subjects]
        contest.idle_memory = {pair.subject.name: pair.idle_memory for pair in pairs}
        for number in range(rounds):
            for order in orders:
                # there and back again: nobody always comes after the same neighbour
                for pair in pairs if number % 2 == 0 else reversed(pairs):
                    found = contest.results.setdefault((pair.subject.name, order), [])
                    found.append(pair.measure(order))
    return contest
