"""The command: measure calls and write the tables.

python -m bench.rpc [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.document import replace_section
from bench.machine import describe, load
from bench.rpc.contenders import orders, subjects
from bench.rpc.contest import hold
from bench.rpc.growth import measure_growths
from bench.rpc.report import report

__all__ = ['main']

_DISTRIBUTIONS = ('lymph-core', 'gevent', 'pyzmq', 'msgpack', 'zerorpc', 'grpcio', 'protobuf')
_SECTION = 'bench-rpc'
# seconds of a slice, rounds of the contest, rounds of each growth
_FULL = 0.5, 11, 7
_QUICK = 0.15, 3, 3


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    parser = argparse.ArgumentParser(prog='python -m bench.rpc', description=__doc__)
    parser.add_argument('--quick', action='store_true', help='under a minute; writes no page')
    parser.add_argument('--page', type=Path, default=Path('docs/performance.md'))
    options = parser.parse_args(arguments)
    seconds, rounds, growth_rounds = _QUICK if options.quick else _FULL
    before = load()
    taking_part, slices = subjects(), orders(seconds)
    _tell(f'{len(taking_part)} subjects, {rounds} rounds of {len(slices)} slices of {seconds} s')
    contest = hold(taking_part, slices, rounds)
    _tell('growth')
    growths = measure_growths(seconds, growth_rounds)
    tables = report(contest, [subject.name for subject in taking_part], slices, growths)
    text = (
        f'{describe(_DISTRIBUTIONS)}\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n{tables}'
    )
    sys.stdout.write(f'{text}\n')
    if not options.quick:
        replace_section(options.page, _SECTION, text)


def _tell(line: str) -> None:
    sys.stderr.write(f'bench-rpc: {line}\n')


if __name__ == '__main__':
    main()
