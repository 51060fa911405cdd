"""Ratios that are aimed at, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contest import Contest, OrderT, OutcomeT

__all__ = ['HEAD', 'Target']

#: The head of a table of targets, from its second column on.
HEAD = ('aimed at', 'median of ratios', 'smallest', 'largest', 'reached')


@dataclass(frozen=True)
class Target:
    """A ratio of `figure`, an attribute of the results, with `clients` that ask at once."""

    clients: int
    figure: str
    subject: str
    other: str
    limit: float
    at_least: bool = True

    def row(self, what: str, contest: Contest[OrderT, OutcomeT], order: OrderT) -> list[str]:
        """Return the row of a table; `what` tells which figure this is."""
        ratio = contest.ratio(order, self.figure, self.subject, self.other)
        ends = contest.ratio_range(order, self.figure, self.subject, self.other)
        reached = ratio >= self.limit if self.at_least else ratio <= self.limit
        return [
            f'{self.subject} to {self.other}: {what}',
            f'{"≥" if self.at_least else "≤"} {self.limit:g}',
            *(f'{each:.2f}' for each in (ratio, *ends)),
            'yes' if reached else 'no',
        ]
