"""The results as text for a page: what was aimed at, who did what, what grows."""

from __future__ import annotations

from collections.abc import Sequence

from bench.document import table
from bench.rpc.contenders import BIG, LYMPH, SMALL, TARGETS
from bench.rpc.contest import Contest
from bench.rpc.growth import CALLERS, Growth
from bench.rpc.slices import Slice
from bench.targets import HEAD, Target

__all__ = ['report']

_SIZES = {SMALL: 'small', BIG: '64 KiB'}
_FIGURES = {'rate': 'calls a second', 'p50': 'p50'}


def report(
    contest: Contest, names: Sequence[str], orders: Sequence[Slice], growths: Sequence[Growth]
) -> str:
    """Return all tables; `names` are the subjects in the order of their rows."""
    parts = ['### What is aimed at', _targets(contest, names, orders)]
    for order in orders:
        plural = 's' if order.callers > 1 else ''
        parts.append(f'### {order.callers} caller{plural}, {_SIZES[order.size]} payloads')
        parts.append(_figures(contest, names, order))
    failures = contest.failures()
    if failures:
        listed = ', '.join(f'{count} of {name}' for name, count in failures.items())
        parts.append(f'Calls that failed, and are in no figure: {listed}.')
    parts += ['### Idle memory of the service', _memory(contest, names)]
    for growth in growths:
        parts += [f'### More {growth.what}', _growth(growth)]
    return '\n\n'.join(parts)


def _targets(contest: Contest, names: Sequence[str], orders: Sequence[Slice]) -> str:
    small = {order.callers: order for order in orders if order.size == SMALL}
    rows = [
        _target(contest, target, small[target.clients])
        for target in TARGETS
        if target.subject in names and target.other in names
    ]
    return table(('small payloads', *HEAD), rows)


def _target(contest: Contest, target: Target, order: Slice) -> list[str]:
    plural = 's' if target.clients > 1 else ''
    what = f'{_FIGURES[target.figure]}, {target.clients} caller{plural}'
    return target.row(what, contest, order)


def _figures(contest: Contest, names: Sequence[str], order: Slice) -> str:
    rows = []
    for name in names:
        values = {
            figure: contest.median(name, order, figure)
            for figure in ('rate', 'p50', 'p99', 'client_cost', 'server_cost')
        }
        rows.append(
            [
                name,
                f'{values["rate"]:,.0f}',
                *(f'{values[key] * 1e6:,.0f}' for key in ('p50', 'p99')),
                *(f'{values[key] * 1e6:,.1f}' for key in ('client_cost', 'server_cost')),
                f'{contest.ratio(order, "rate", LYMPH, name):.2f}',
                f'{contest.ratio(order, "cost", name, LYMPH):.2f}',
            ]
        )
    head = (
        *('', 'calls/s', 'p50 µs', 'p99 µs', 'client CPU µs', 'server CPU µs'),
        *('calls/s of lymph to this', 'CPU of this to lymph'),
    )
    return table(head, rows)


def _memory(contest: Contest, names: Sequence[str]) -> str:
    rows = [[name, f'{contest.idle_memory[name] / 2**20:.1f}'] for name in names]
    return table(('', 'resident MiB'), rows)


def _growth(growth: Growth) -> str:
    head = [growth.what]
    for callers in CALLERS:
        plural = 's' if callers > 1 else ''
        head += [f'CPU µs, {callers} caller{plural}', 'times the first']
    rows = []
    for size in growth.sizes:
        row = [f'{size:,}']
        for callers in CALLERS:
            cell = size, callers
            row += [f'{growth.costs[cell] * 1e6:.1f}', f'{growth.factors[cell]:.2f}']
        rows.append(row)
    return table(head, rows)
