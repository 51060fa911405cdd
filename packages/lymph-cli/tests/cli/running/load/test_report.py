"""The figures of a load, as a document and as text."""

from __future__ import annotations

import pytest

from lymph.cli._running.load.faring import Faring
from lymph.cli._running.load.outcomes import Tally
from lymph.cli._running.load.report import figures, latency, share, text
from lymph.exceptions import Refused, Timeout

FACTS = {
    'subject': 'echo.upper',
    'trace_id': 'abc',
    'concurrency': 4,
    'interrupted': False,
    'cut': 0,
}


def tally_of_ten() -> Tally:
    tally = Tally()
    for number in range(8):
        tally.succeeded(0.001 * (number + 1))
    tally.failed(Timeout('no reply\x1b[2J'), 1.0)
    tally.failed(Refused('all 2 handlers are busy', 'overloaded'), 0.0005)
    return tally


def test_text_has_the_figures_of_the_document() -> None:
    document = figures(tally_of_ten(), 2.0, FACTS)
    assert (document['calls'], document['failures'], document['rate']) == (10, 2, 5.0)
    shown = text(document).splitlines()
    assert shown[0] == '10 calls of echo.upper in 2 s, 4 at a time: 5.0 calls/s'
    assert shown[1] == 'trace abc'
    rows = {line.split('  ')[0]: line.split()[-12:] for line in shown if '%' in line}
    assert list(rows) == ['ok', 'timeout', 'refused: overloaded', 'all']
    assert rows['ok'][-2:] == ['8', 'ms']
    assert rows['all'][-2:] == ['1', 's']
    assert 'refused: overloaded: all 2 handlers are busy' in shown
    assert 'timeout: no reply\\x1b[2J' in shown
    bars = [line for line in shown if line.startswith('<= ')]
    assert sum(int(line.split()[3]) for line in bars) == 10


def test_load_without_calls_is_reported_in_one_line() -> None:
    document = figures(Tally(), 0.0, {**FACTS, 'interrupted': True, 'cut': 3})
    assert document['latency']['p50'] is None
    assert text(document).splitlines() == [
        '0 calls of echo.upper in 0 us, 4 at a time: 0.0 calls/s',
        'trace abc',
        'interrupted; 3 in flight not counted',
    ]


@pytest.mark.parametrize(
    ('seconds', 'words'),
    [
        (None, '-'),
        (0.0, '0 us'),
        (0.000_001_5, '1.5 us'),
        (0.000_999_4, '999 us'),
        (0.000_999_6, '1 ms'),
        (0.012_34, '12.3 ms'),
        (0.9996, '1 s'),
        (59.96, '60 s'),
        (3600.0, '3600 s'),
    ],
)
def test_latency_has_three_digits_and_a_unit(seconds: float | None, words: str) -> None:
    assert latency(seconds) == words


@pytest.mark.parametrize(
    ('part', 'whole', 'words'),
    [
        (0, 0, '0.0%'),
        (0, 5, '0.0%'),
        (1, 100_000, '<0.1%'),
        (99_999, 100_000, '>99.9%'),
        (5, 5, '100.0%'),
        (1, 3, '33.3%'),
    ],
)
def test_hundred_percent_is_shown_only_for_all_calls(part: int, whole: int, words: str) -> None:
    assert share(part, whole) == words


def test_text_of_a_running_load_has_rate_latencies_and_outcomes() -> None:
    tally = tally_of_ten()
    words = Faring(tally).words(2.0)
    assert words.startswith('5/s  p50 ')
    assert words.endswith('ok 8  timeout 1  refused: overloaded 1')


def test_rate_is_that_of_the_last_seconds() -> None:
    tally = Tally()
    faring = Faring(tally)
    rates = []
    for second in range(5):
        for _ in range(100 if second < 2 else 10):
            tally.succeeded(0.001)
        rates.append(faring.words(second + 1.0).split('/')[0])
    assert rates[0] == '100'
    assert rates[-1] == '10'
