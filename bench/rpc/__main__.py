"""The command: measure calls and write the tables.

python -m bench.rpc [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

from bench.command import Command
from bench.machine import describe, load
from bench.rpc.contenders import orders, subjects
from bench.rpc.contest import hold
from bench.rpc.growth import measure_growths
from bench.rpc.report import report

__all__ = ['main']

_DISTRIBUTIONS = ('lymph-core', 'gevent', 'pyzmq', 'msgpack', 'zerorpc', 'grpcio', 'protobuf')
# seconds of a slice, rounds of the contest, rounds of each growth
_FULL = 0.5, 11, 7
_QUICK = 0.15, 3, 3


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    command = Command('rpc', __doc__, arguments)
    seconds, rounds, growth_rounds = _QUICK if command.quick else _FULL
    before = load()
    taking_part, slices = subjects(), orders(seconds)
    command.progress(
        f'{len(taking_part)} subjects, {rounds} rounds of {len(slices)} slices of {seconds} s'
    )
    contest = hold(taking_part, slices, rounds)
    command.progress('growth')
    growths = measure_growths(seconds, growth_rounds)
    tables = report(contest, [subject.name for subject in taking_part], slices, growths)
    text = (
        f'{describe(_DISTRIBUTIONS)}\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n{tables}'
    )
    command.publish(text)


if __name__ == '__main__':
    main()
