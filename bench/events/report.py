"""The results as text for a page: what is aimed at, who did what."""

from __future__ import annotations

from statistics import median

from bench.contest import Contest
from bench.document import table
from bench.events.contenders import EMBEDDED, LYMPH, SUBJECTS, TARGETS, Orders, Target
from bench.events.slices import Result, Slice

__all__ = ['report']

_Contest = Contest[Slice, Result]


def report(contest: _Contest, orders: Orders) -> str:
    """Return all tables."""
    names = [subject.name for subject in SUBJECTS]
    parts = ['### What is aimed at', _targets(contest, orders)]
    for title, order in (
        ('64 emitters', orders.many),
        ('1 emitter', orders.one),
    ):
        parts += [f'### {title}', _figures(contest, order, names)]
    for title, order in (
        ('200 events a second', orders.broker_pace),
        ('100 events a second', orders.embedded_pace),
    ):
        taking_part = [name for name in names if orders.concern(name, order)]
        parts += [f'### {title}', _delays(contest, order, taking_part)]
    failures = contest.failures()
    if failures:
        listed = ', '.join(f'{count} of {name}' for name, count in failures.items())
        parts.append(f'Emits that failed, and are in no figure: {listed}.')
    return '\n\n'.join(parts)


def _targets(contest: _Contest, orders: Orders) -> str:
    rows = [_target(contest, target, getattr(orders, target.order)) for target in TARGETS]
    head = ('', 'aimed at', 'median', 'smallest', 'largest', 'reached')
    return table(head, rows)


def _target(contest: _Contest, target: Target, order: Slice) -> list[str]:
    if target.other is None:
        values = contest.figures(target.subject, order, target.figure)
        value, low, high = (
            each / target.unit for each in (median(values), min(values), max(values))
        )
    else:
        value = contest.ratio(order, target.figure, target.subject, target.other)
        low, high = contest.ratio_range(order, target.figure, target.subject, target.other)
    reached = value >= target.limit if target.at_least else value <= target.limit
    digits = ',.0f' if target.limit >= 100 else '.2f'
    return [
        target.what,
        f'{"≥" if target.at_least else "≤"} {target.limit:,g}',
        *(format(each, digits) for each in (value, low, high)),
        'yes' if reached else 'no',
    ]


def _figures(contest: _Contest, order: Slice, names: list[str]) -> str:
    rows = []
    for name in names:
        rows.append(
            [
                name,
                f'{contest.median(name, order, "rate"):,.0f}',
                *_milliseconds(contest, order, name, 'emit_p50', 'emit_p99'),
                *_costs(contest, order, name),
                f'{contest.ratio(order, "rate", LYMPH, name):.2f}',
                f'{contest.ratio(order, "cost", name, LYMPH):.2f}',
            ]
        )
    head = (
        *('', 'handled/s', 'emit p50 ms', 'emit p99 ms', 'emitter CPU µs', 'handler CPU µs'),
        *('broker CPU µs', 'handled/s of lymph to this', 'CPU of this to lymph'),
    )
    return table(head, rows)


def _delays(contest: _Contest, order: Slice, names: list[str]) -> str:
    figures = ('delay_p50', 'delay_p99', 'emit_p50', 'emit_p99')
    rows = [
        [
            name,
            f'{contest.median(name, order, "rate"):,.0f}',
            *_milliseconds(contest, order, name, *figures),
            *_costs(contest, order, name),
        ]
        for name in names
    ]
    head = (
        *('', 'handled/s', 'delay p50 ms', 'delay p99 ms', 'emit p50 ms', 'emit p99 ms'),
        *('emitter CPU µs', 'handler CPU µs', 'broker CPU µs'),
    )
    return table(head, rows)


def _milliseconds(contest: _Contest, order: Slice, name: str, *figures: str) -> list[str]:
    return [f'{contest.median(name, order, figure) * 1e3:,.2f}' for figure in figures]


def _costs(contest: _Contest, order: Slice, name: str) -> list[str]:
    values = [
        f'{contest.median(name, order, figure) * 1e6:,.0f}'
        for figure in ('emitter_cost', 'handler_cost', 'broker_cost')
    ]
    return [*values[:2], '' if name == EMBEDDED else values[2]]
