"""The results as text for a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.discovery.standing import Changes, Lookups, Subject
from bench.document import table

__all__ = ['AIMED_AT', 'report']

AIMED_AT = 2e-6  # seconds that a cached lookup may take beside the call it serves


def report(lookups: dict[Subject, list[Lookups]], changes: dict[Subject, list[Changes]]) -> str:
    """Return all tables; each subject has one result a round."""
    longest = max(_median(each, lambda one: one.in_call) for each in lookups.values())
    reached = 'reached' if longest < AIMED_AT else 'not reached'
    return '\n\n'.join(
        [
            '### Lookups',
            _lookups(lookups),
            f'Aimed at: a cached lookup takes less than {AIMED_AT * 1e6:g} µs of the call it'
            f' serves. It takes {longest * 1e6:.2f} µs at most: {reached}.',
            '### From start to found, from `kill -9` to gone',
            _changes(changes),
        ]
    )


def _lookups(results: dict[Subject, list[Lookups]]) -> str:
    rows = []
    for subject, each in results.items():
        cached, in_call, cold, call = (
            _median(each, figure)
            for figure in (
                lambda one: one.cached,
                lambda one: one.in_call,
                lambda one: one.cold,
                lambda one: one.call,
            )
        )
        rows.append(
            [
                subject.registry,
                f'{subject.instances:,}',
                f'{1 / cached:,.0f}',
                f'{1 / cold:,.0f}',
                f'{cold * 1e3:,.2f}',
                f'{in_call * 1e6:.2f}',
                f'{call * 1e6:,.0f}',
                f'{in_call / call:.2%}',
            ]
        )
    head = (
        '',
        'instances',
        'cached lookups/s',
        'cold lookups/s',
        'cold ms',
        'in a call µs',
        'the call µs',
        'share',
    )
    return table(head, rows)


def _changes(results: dict[Subject, list[Changes]]) -> str:
    rows = []
    for subject, each in results.items():
        row = [subject.registry, f'{subject.instances:,}']
        for times in ([one.found for one in each], [one.gone for one in each]):
            row += [f'{value * 1e3:,.1f}' for value in (median(times), min(times), max(times))]
        rows.append(row)
    head = (
        '',
        'instances',
        'found ms',
        'smallest',
        'largest',
        'gone ms',
        'smallest',
        'largest',
    )
    return table(head, rows)


def _median(results: Sequence[Lookups], figure: Callable[[Lookups], float]) -> float:
    return median(figure(one) for one in results)
