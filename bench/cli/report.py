"""The results as text for a page: what is aimed at, and what each command took."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.cli.contenders import BASE, TARGETS, Target
from bench.cli.runs import Order, Run
from bench.contest import Contest
from bench.document import table

__all__ = ['report']

_Contest = Contest[Order, Run]
_MS = 1000.0


def report(contest: _Contest, names: Sequence[str]) -> str:
    """Return all tables."""
    parts = [
        '### What is aimed at',
        table(
            ('', 'aimed at', 'median', 'smallest', 'largest', 'reached'),
            [_target(contest, target) for target in TARGETS],
        ),
        '### Whole processes',
        table(
            ('', f'CPU to `{BASE}`', 'CPU ms', 'smallest CPU ms', 'ms'),
            [_figures(contest, name) for name in names],
        ),
    ]
    failures = contest.failures()
    if failures:
        listed = ', '.join(f'{count} of {name}' for name, count in failures.items())
        parts.append(f'Runs that failed: {listed}.')
    return '\n\n'.join(parts)


def _target(contest: _Contest, target: Target) -> list[str]:
    value = contest.ratio(Order(), 'cpu', target.command, BASE)
    low, high = contest.ratio_range(Order(), 'cpu', target.command, BASE)
    return [
        f'CPU of `{target.command}` to `{BASE}`',
        f'≤ {target.limit:g}',
        *(f'{each:.1f}' for each in (value, low, high)),
        'yes' if value <= target.limit else 'no',
    ]


def _figures(contest: _Contest, name: str) -> list[str]:
    cpu, wall = (contest.figures(name, Order(), figure) for figure in ('cpu', 'wall'))
    ratio = contest.ratio(Order(), 'cpu', name, BASE)
    return [
        f'`{name}`' if ',' not in name else name,
        f'{ratio:.1f}',
        *(f'{each * _MS:,.0f}' for each in (median(cpu), min(cpu), median(wall))),
    ]
