"""The command: measure command lines and write the tables.

python -m bench.cli [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.cli.contenders import standing
from bench.cli.report import report
from bench.cli.runs import Order, Run
from bench.contest import Contest
from bench.document import replace_section
from bench.machine import describe, load

__all__ = ['main']

_DISTRIBUTIONS = (
    *('lymph-cli', 'click', 'gevent', 'zerorpc', 'nameko', 'eventlet', 'faststream', 'typer'),
)
_SECTION = 'bench-cli'
_FULL, _QUICK = 15, 3  # rounds


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    parser = argparse.ArgumentParser(prog='python -m bench.cli', description=__doc__)
    parser.add_argument('--quick', action='store_true', help='under a minute; writes no page')
    parser.add_argument('--page', type=Path, default=Path('docs/performance.md'))
    options = parser.parse_args(arguments)
    rounds = _QUICK if options.quick else _FULL
    before = load()
    contest: Contest[Order, Run] = Contest()
    with standing() as commands:
        contest.hold(commands, [Order()], rounds, tell=_tell)
    text = (
        f'{describe(_DISTRIBUTIONS, sides=False)}\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'{report(contest, [command.name for command in commands])}'
    )
    sys.stdout.write(f'{text}\n')
    if not options.quick:
        replace_section(options.page, _SECTION, text)


def _tell(line: str) -> None:
    sys.stderr.write(f'bench-cli: {line}\n')


if __name__ == '__main__':
    main()
