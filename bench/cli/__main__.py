"""The command: measure command lines and write the tables.

python -m bench.cli [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

from bench.cli.contenders import standing
from bench.cli.report import report
from bench.cli.runs import Order, Run
from bench.command import Command
from bench.contest import Contest
from bench.machine import describe, load

__all__ = ['main']

_DISTRIBUTIONS = (
    *('lymph-cli', 'click', 'gevent', 'zerorpc', 'nameko', 'eventlet', 'faststream', 'typer'),
)
_FULL, _QUICK = 15, 3  # rounds


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    command = Command('cli', __doc__, arguments)
    rounds = _QUICK if command.quick else _FULL
    before = load()
    contest: Contest[Order, Run] = Contest()
    with standing() as measured:
        contest.hold(measured, [Order()], rounds, tell=command.progress)
    text = (
        f'{describe(_DISTRIBUTIONS, sides=False)}\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'{report(contest, [each.name for each in measured])}'
    )
    command.publish(text)


if __name__ == '__main__':
    main()
