"""The results as text for a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.document import table
from bench.events.backlog_standing import Drained, Filled, Queues

__all__ = ['report']

_RATE = 1000.0  # events a second, emitted and handled
_P50 = 5e-3  # seconds
_MIB = 1 << 20


def report(filled: Sequence[Filled], drained: Drained, rounds: Sequence[Sequence[Queues]]) -> str:
    """Return all tables; `rounds` holds for each number of queues a result a round."""
    return '\n\n'.join(
        [
            '### What is aimed at',
            _aims(filled, drained, rounds),
            '### As it grows',
            _growth(filled),
            '### As it is emptied',
            _draining(drained),
            '### With more queues',
            _queues(rounds),
        ]
    )


def _aims(filled: Sequence[Filled], drained: Drained, rounds: Sequence[Sequence[Queues]]) -> str:
    rate = _median(rounds[0], lambda one: one.rate)
    p50 = _median(rounds[0], lambda one: one.delays.p50)
    worst = max([*(one.other.p50 for one in filled), drained.other.p50])
    rows = [
        _aim('events a second emitted and handled', '≥', _RATE, rate, rate >= _RATE),
        _aim('p50 ms from emit to handler, 100/s', '≤', _P50 * 1e3, p50 * 1e3, p50 <= _P50),
        _aim('the same beside the backlog', '≤', _P50 * 1e3, worst * 1e3, worst <= _P50),
    ]
    return table(('', 'aimed at', 'measured', 'reached'), rows)


def _aim(words: str, sign: str, limit: float, found: float, reached: bool) -> list[str]:
    shown = f'{found:,.0f}' if found >= 100 else f'{found:.2f}'
    return [words, f'{sign} {limit:,.0f}', shown, 'yes' if reached else 'no']


def _growth(filled: Sequence[Filled]) -> str:
    head = (
        'events',
        'emitted/s',
        'CPU µs',
        'file bytes an event',
        'log MiB',
        'emitter MiB',
        'first event ms',
        'other p50 ms',
        'other p99 ms',
    )
    rows = [
        [
            f'{one.events:,}',
            f'{one.rate:,.0f}',
            f'{one.cpu * 1e6:.1f}',
            f'{one.file:,.0f}',
            f'{one.log / _MIB:.1f}',
            f'{one.resident / _MIB:.1f}',
            f'{one.first * 1e3:.1f}',
            f'{one.other.p50 * 1e3:.2f}',
            f'{one.other.p99 * 1e3:.2f}',
        ]
        for one in filled
    ]
    return table(head, rows)


def _draining(one: Drained) -> str:
    head = (
        'events',
        'handled/s',
        'CPU µs',
        'consumer MiB',
        'other p50 ms',
        'other p99 ms',
        'file MiB before',
        'and after',
        'seconds to shrink',
    )
    row = [
        f'{one.events:,}',
        f'{one.rate:,.0f}',
        f'{one.cpu * 1e6:.1f}',
        f'{one.resident / _MIB:.1f}',
        f'{one.other.p50 * 1e3:.2f}',
        f'{one.other.p99 * 1e3:.2f}',
        f'{one.full / _MIB:.1f}',
        f'{one.left / _MIB:.1f}',
        f'{one.shrinking:.1f}',
    ]
    return table(head, [row])


def _queues(rounds: Sequence[Sequence[Queues]]) -> str:
    first_emit = _median(rounds[0], lambda one: one.emit)
    first_handle = _median(rounds[0], lambda one: one.handle)
    rows = []
    for each in rounds:
        emit, handle = _median(each, lambda one: one.emit), _median(each, lambda one: one.handle)
        rows.append(
            [
                f'{each[0].queues:,}',
                f'{_median(each, lambda one: one.rate):,.0f}',
                f'{emit * 1e6:.1f}',
                f'{emit / first_emit:.2f}',
                f'{handle * 1e6:.1f}',
                f'{handle / first_handle:.2f}',
                f'{_median(each, lambda one: one.delays.p50) * 1e3:.2f}',
                f'{_median(each, lambda one: one.idle):.3%}',
            ]
        )
    head = (
        'queues',
        'events/s',
        'emit CPU µs',
        'times the first',
        'handle CPU µs',
        'times the first',
        'p50 ms',
        'idle CPU',
    )
    return table(head, rows)


def _median(results: Sequence[Queues], figure: Callable[[Queues], float]) -> float:
    return median(figure(one) for one in results)
