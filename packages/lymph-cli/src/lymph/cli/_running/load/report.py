"""What is told of a load: one document of figures, and the same figures as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lymph.cli._display.columns import aligned, table
from lymph.cli._running.load.histogram import Durations
from lymph.cli._running.load.outcomes import Tally
from lymph.cli.output import one_line

__all__ = ['figures', 'latency', 'share', 'text']

_ROWS = 16
_WIDTH = 40  # characters of the longest bar
_QUANTILES = {'p50': 0.5, 'p90': 0.9, 'p99': 0.99, 'p99.9': 0.999}
_COLUMNS = ('min', 'mean', *_QUANTILES, 'max')
_UNITS = ((1.0, 's'), (1e-3, 'ms'), (1e-6, 'us'))


def figures(tally: Tally, seconds: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document: `facts`, then what the calls have come to. Times are in seconds."""
    every = tally.all()
    return {
        **facts,
        'calls': tally.calls,
        'failures': tally.failures,
        'seconds': seconds,
        'rate': tally.calls / seconds if seconds else 0.0,
        'outcomes': {
            name: {'calls': each.count, 'error': tally.errors.get(name), **_summary(each)}
            for name, each in sorted(tally.outcomes.items(), key=lambda item: -item[1].count)
            if each.count
        },
        'latency': _summary(every),
        'histogram': [{'up_to': row.up_to, 'calls': row.calls} for row in every.rows(_ROWS)],
    }


def text(document: Mapping[str, Any]) -> str:
    """Return the figures as lines for people."""
    return '\n'.join(filter(None, (_head(document), _outcomes(document), _bars(document))))


def latency(seconds: float | None) -> str:
    """Return a duration with three digits in the unit that fits; ``-`` for None."""
    if seconds is None:
        return '-'
    # 0.9995 ms would be 1e+03 us
    size, unit = next((each for each in _UNITS if seconds >= 0.9995 * each[0]), _UNITS[-1])
    return f'{seconds / size:.3g} {unit}' if seconds < 999.5 else f'{seconds:.0f} s'


def share(part: int, whole: int) -> str:
    """Return a share in percent; only all and nothing are 100 % and 0 %."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return '<0.1%'
    if 99.9 < percent < 100:
        return '>99.9%'
    return f'{percent:.1f}%'


def _summary(histogram: Durations) -> dict[str, float | None]:
    return {
        'min': histogram.least,
        'mean': histogram.mean,
        **{name: histogram.quantile(share) for name, share in _QUANTILES.items()},
        'max': histogram.most,
    }


def _head(document: Mapping[str, Any]) -> str:
    callers = document['concurrency']
    cut = document['cut']
    rate = document['rate']
    return ''.join(
        f'{one_line(line)}\n'
        for line in (
            f'{document["calls"]} calls of {document["subject"]} '
            f'in {latency(document["seconds"])}, {callers} at a time: '
            f'{rate:.{0 if rate >= 100 else 1}f} calls/s',
            f'trace {document["trace_id"]}',
            f'interrupted; {cut} in flight not counted' if document['interrupted'] else '',
        )
        if line
    )


def _outcomes(document: Mapping[str, Any]) -> str:
    outcomes, calls = document['outcomes'], document['calls']
    if not calls:
        return ''
    titles = ('OUTCOME', 'CALLS', 'SHARE', *(name.upper() for name in _COLUMNS))
    rows = [_row(name, each['calls'], calls, each) for name, each in outcomes.items()]
    if len(outcomes) > 1:
        rows.append(_row('all', calls, calls, document['latency']))
    errors = [
        f'{one_line(name)}: {one_line(each["error"])}\n'
        for name, each in outcomes.items()
        if each['error']
    ]
    first = ['\nfirst error of each:\n', *errors] if errors else []
    return ''.join((table(titles, rows), *first))


def _row(name: str, part: int, whole: int, summary: Mapping[str, Any]) -> tuple[str, ...]:
    times = (latency(summary[column]) for column in _COLUMNS)
    return (one_line(name), str(part), share(part, whole), *times)


def _bars(document: Mapping[str, Any]) -> str:
    rows = document['histogram']
    if not rows:
        return ''
    most = max(row['calls'] for row in rows)
    return aligned([('LATENCY', 'CALLS', ''), *_bar_rows(rows, most)])


def _bar_rows(rows: list[Mapping[str, Any]], most: int) -> Iterator[tuple[str, str, str]]:
    for row in rows:
        # whatever is there is seen
        length = -(-row['calls'] * _WIDTH // most)
        yield f'<= {latency(row["up_to"])}', str(row['calls']), '#' * length
