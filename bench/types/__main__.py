"""The command: measure checks and conversions and write the table.

python -m bench.types [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from timeit import Timer
from typing import Any

from bench import cores
from bench.command import Command
from bench.document import table
from bench.machine import describe, load
from bench.types.subjects import SUBJECTS

__all__ = ['main']

_DISTRIBUTIONS = ('lymph-core', 'msgspec')
_FULL = 0.2, 15  # seconds of a slice, rounds
_QUICK = 0.05, 3
_AIMED_AT = 3e-6  # seconds for a dataclass of ten fields
_OF_TEN = SUBJECTS[2]


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the table and, unless it was a quick run, write the page."""
    command = Command('types', __doc__, arguments)
    seconds, rounds = _QUICK if command.quick else _FULL
    before, machine = load(), describe(_DISTRIBUTIONS, sides=False)
    cores.pin(cores.CLIENT)
    found: dict[str, list[tuple[float, float, float]]] = {each.name: [] for each in SUBJECTS}
    for number in range(rounds):
        command.progress(f'round {number + 1} of {rounds}')
        for subject in SUBJECTS:
            functions = subject.checked, subject.converted, subject.by_hand
            a, b, c = (_seconds(each, subject.arguments, seconds) for each in functions)
            found[subject.name].append((a, b, c))
    command.publish(
        f'{machine}\nMedians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'{_table(found)}\n\n{_aim(found)}'
    )


def _seconds(function: Callable[[Any], Any], argument: Any, seconds: float) -> float:
    """Return the seconds of one call, the least of several slices of a round."""
    timer = Timer(lambda: function(argument))
    once = max(timer.timeit(1), 1e-7)
    number = max(1, int(seconds / 5 / once))
    return min(timer.repeat(5, number)) / number


def _table(found: dict[str, list[tuple[float, float, float]]]) -> str:
    rows = []
    for name, times in found.items():
        checked, converted, by_hand = (median(each) for each in zip(*times, strict=True))
        rows.append(
            [
                name,
                *(f'{each * 1e6:,.2f}' for each in (checked, converted, by_hand)),
                f'{median(b / c for _, b, c in times):.2f}',
            ]
        )
    head = ['arguments', 'names µs', 'checked and made µs', 'by hand µs', 'ratio of these two']
    return table(head, rows)


def _aim(found: dict[str, list[tuple[float, float, float]]]) -> str:
    took = median(converted for _, converted, _ in found[_OF_TEN.name])
    reached = 'reached' if took <= _AIMED_AT else 'not reached'
    return (
        f'Aimed at: {_OF_TEN.name} is checked and made in at most {_AIMED_AT * 1e6:g} µs. '
        f'It takes {took * 1e6:.2f} µs: {reached}.'
    )


if __name__ == '__main__':
    main()
