"""The latencies of one method: its buckets as bars. Pure."""

from __future__ import annotations

from lymph.cli._display.numbers import count_text, rate_text, seconds_text, share_text
from lymph.cli._top.cells import padded
from lymph.cli.printing import Text
from lymph.core.monitoring.overview import MethodLoad

__all__ = ['latency_lines']

_LABEL = 9  # columns
_COUNT = 7
_SHARE = 6


def latency_lines(method: MethodLoad | None, columns: int, lines: int, unicode: bool) -> list[Text]:
    """Return the figures of a method, and a bar for each bucket between the fullest ends."""
    if method is None:
        return [Text('it is not there any more; press escape', 'yellow')]
    load = method.load
    head = [
        Text(
            f'rate {rate_text(load.rate)}/s  errors {share_text(load.error_share)}  '
            f'refused {rate_text(load.refused)}/s  running {count_text(load.running)}  '
            f'total {count_text(load.total)}'
        ),
        Text(
            f'p50 {seconds_text(load.p50)}  p99 {seconds_text(load.p99)}  '
            f'mean {seconds_text(load.mean)}'
        ),
        Text(),
    ]
    if not method.buckets:
        return [*head, Text('this instance measures no latencies', 'dim')]
    used = [number for number, (_, count) in enumerate(method.buckets) if count]
    if not used:
        return [*head, Text('no work ended since the last look', 'dim')]
    shown = method.buckets[used[0] : used[-1] + 1]
    total = sum(count for _, count in shown)
    most = max(count for _, count in shown)
    room = max(1, columns - _LABEL - _COUNT - _SHARE - 3)
    bars = []
    for bound, count in shown:
        label = 'above' if bound is None else f'<= {seconds_text(bound)}'
        bar = ('█' if unicode else '#') * round(room * count / most)
        if count and not bar:
            bar = '▏' if unicode else '.'
        bars.append(
            Text.assemble(
                padded(label, _LABEL, right=True),
                padded(count_text(count), _COUNT, right=True),
                padded(share_text(count / total), _SHARE, right=True),
                '  ',
                Text(bar, 'cyan'),
            )
        )
    return [*head, *bars][:lines]
