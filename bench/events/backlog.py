"""The command: fill an embedded store with a million events, empty it, and write the tables.

python -m bench.events.backlog [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.document import replace_section
from bench.events.backlog_report import report
from bench.events.backlog_standing import fill_and_drain, measure_queues
from bench.machine import describe, load

__all__ = ['main']

_DISTRIBUTIONS = ('lymph-core', 'gevent', 'msgpack')
_SECTION = 'bench-backlog'
_QUEUES = 1, 10, 100, 1000


@dataclass(frozen=True)
class _Extent:
    """How much is measured; `idle` in seconds, the others are events and rounds."""

    sizes: tuple[int, ...]
    events: int
    paced: int
    idle: float
    rounds: int


_FULL = _Extent((1000, 10_000, 100_000, 1_000_000), 20_000, 300, 2.0, 3)
_QUICK = _Extent((1000, 20_000), 2000, 50, 0.5, 1)


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    parser = argparse.ArgumentParser(prog='python -m bench.events.backlog', description=__doc__)
    parser.add_argument('--quick', action='store_true', help='20,000 events; writes no page')
    parser.add_argument('--page', type=Path, default=Path('docs/performance.md'))
    options = parser.parse_args(arguments)
    extent = _QUICK if options.quick else _FULL
    before = load()
    _tell(f'{extent.sizes[-1]:,} events')
    filled, drained = fill_and_drain(extent.sizes, extent.paced)
    queues = []
    for number in _QUEUES:
        _tell(f'{number} queues')
        queues.append(
            [
                measure_queues(number, extent.events, extent.paced, extent.idle)
                for _ in range(extent.rounds)
            ]
        )
    text = (
        f'{describe(_DISTRIBUTIONS)}\nMedians of {extent.rounds} rounds with more queues;'
        f' load of the machine before: {before:.1f}.\n\n{report(filled, drained, queues)}'
    )
    sys.stdout.write(f'{text}\n')
    if not options.quick:
        replace_section(options.page, _SECTION, text)


def _tell(line: str) -> None:
    sys.stderr.write(f'bench-backlog: {line}\n')


if __name__ == '__main__':
    main()
