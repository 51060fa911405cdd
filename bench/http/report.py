"""The results as text for a page: what is aimed at, and what each server did."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import Contest
from bench.document import table
from bench.http.contenders import BARE, LYMPH, TARGETS
from bench.http.slices import Load, Result
from bench.targets import HEAD, Target

__all__ = ['report']

_Contest = Contest[Load, Result]
_FIGURES = {'rate': 'requests/s', 'cost': 'server CPU of a request'}


def report(contest: _Contest, names: Sequence[str], loads: Sequence[Load]) -> str:
    """Return all tables; `names` are the servers in the order of their rows."""
    parts = [
        '### What is aimed at',
        table(
            ('', *HEAD),
            [_target(contest, target, loads) for target in TARGETS],
        ),
    ]
    for load in loads:
        parts += [f'### {_connections(load.connections)}', _figures(contest, names, load)]
    failures = contest.failures()
    if failures:
        listed = ', '.join(f'{count} of {name}' for name, count in failures.items())
        parts.append(f'Requests that failed: {listed}.')
    return '\n\n'.join(parts)


def _target(contest: _Contest, target: Target, loads: Sequence[Load]) -> list[str]:
    load = next(load for load in loads if load.connections == target.clients)
    what = f'{_FIGURES[target.figure]}, {_connections(target.clients)}'
    return target.row(what, contest, load)


def _figures(contest: _Contest, names: Sequence[str], load: Load) -> str:
    rows = []
    for name in names:
        p50, p99, cost = (contest.median(name, load, key) for key in ('p50', 'p99', 'cost'))
        rows.append(
            [
                name,
                f'{contest.median(name, load, "rate"):,.0f}',
                *(f'{each * 1e3:,.2f}' for each in (p50, p99)),
                f'{cost * 1e6:,.1f}',
                f'{contest.ratio(load, "rate", name, BARE):.2f}',
                f'{contest.ratio(load, "cost", name, LYMPH):.2f}',
            ]
        )
    head = ('', 'requests/s', 'p50 ms', 'p99 ms', 'server CPU µs')
    return table((*head, f'requests/s to {BARE}', f'CPU to {LYMPH}'), rows)


def _connections(number: int) -> str:
    return f'{number} connection{"s" if number > 1 else ""}'
