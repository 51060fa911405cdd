"""How a load fares while it lasts, in a few words."""

from __future__ import annotations

from lymph.cli._running.load.outcomes import Tally
from lymph.cli._running.load.report import latency

__all__ = ['Faring']

_SHOWN = 3  # outcomes other than ok
_SPAN = 0.75  # seconds over which the rate is measured at least


class Faring:
    """Makes the words from the tally: the rate of late, p50, p99, and calls by outcome."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        # calls and seconds at two earlier times; the rate is that since the first of them
        self._before = self._middle = (0, 0.0)

    def words(self, seconds: float) -> str:
        """Return the words at a time after the start."""
        every = self._tally.all()
        return '  '.join(
            (
                f'{self._rate(every.count, seconds):.0f}/s',
                f'p50 {latency(every.quantile(0.5))}',
                f'p99 {latency(every.quantile(0.99))}',
                *self._counts(),
            )
        )

    def _rate(self, calls: int, seconds: float) -> float:
        if seconds - self._middle[1] >= _SPAN:
            self._before, self._middle = self._middle, (calls, seconds)
        passed = seconds - self._before[1]
        return (calls - self._before[0]) / passed if passed > 0 else 0.0

    def _counts(self) -> list[str]:
        (name, ok), *failed = ((name, each.count) for name, each in self._tally.outcomes.items())
        failed.sort(key=lambda each: -each[1])
        rest = sum(count for _, count in failed[_SHOWN:])
        shown = [(name, ok), *failed[:_SHOWN], *([('others', rest)] if rest else [])]
        return [f'{each} {count}' for each, count in shown]
