"""A trace as rows: calls and their answers together, indented, with what is to be said of them."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._display.trace_rows import duration_text, trace_rows, work_text
from lymph.core.monitoring.traces import Trace, TraceUnit

START = 1000.0


def unit(kind: str, name: str, parent: int | None, depth: int, **facts: Any) -> TraceUnit:
    given = {
        'service': 'shop',
        'instance': '11cdc8d90000',
        'peer': None,
        'started': START,
        'offset': 0.0,
        'duration': 0.5,
        'outcome': 'ok',
        'ok': True,
        'attempt': 1,
    }
    return TraceUnit('id', kind, name, depth=depth, parent=parent, **{**given, **facts})


STOCK = {'service': 'stock', 'instance': '513bd3010000'}


def rows(*units: TraceUnit) -> list[tuple[int, str, str, str, str]]:
    found = trace_rows(Trace('x', units=units), START + 9)
    return [(each.depth, each.outcome, each.service, each.instance, each.work + each.note)
            for each in found]  # fmt: skip


def test_call_and_its_answer_are_one_row_and_what_is_below_moves_up() -> None:
    assert rows(
        unit('http', 'GET /', None, 0, outcome='200'),
        unit('call', 'stock.take', 0, 1),
        unit('rpc', 'stock.take', 1, 2, **STOCK),
        unit('emit', 'taken', 2, 3, **STOCK),
        unit('emit', 'done', 0, 1),
    ) == [
        (0, '200', 'shop', '11cdc8d9', 'GET /'),
        (1, 'ok', 'stock', '513bd301', 'call stock.take'),
        (2, 'ok', 'stock', '513bd301', 'emit taken'),
        (1, 'ok', 'shop', '11cdc8d9', 'emit done'),
    ]


def test_outcomes_of_both_sides_are_shown_where_they_differ() -> None:
    failed = {'outcome': 'failed', 'ok': False}
    found = rows(
        unit('call', 'stock.take', None, 0, **failed),
        unit('rpc', 'stock.take', 0, 1, **STOCK, outcome='OSError', ok=False),
    )
    assert found == [
        (0, 'failed (OSError)', 'stock', '513bd301', 'call stock.take (by shop 11cdc8d9)')
    ]


def test_call_without_an_answer_shows_where_it_went() -> None:
    found = rows(
        unit('http', 'GET /', None, 0),
        unit('call', 'a.b', 0, 1, peer='tcp://10.0.0.1:5', outcome='Timeout', ok=False, attempt=2),
    )
    assert found[1] == (1, 'Timeout', '', 'tcp://10.0.0.1:5', 'call a.b (attempt 2)')


def test_two_answers_to_one_call_are_rows_of_their_own() -> None:
    found = rows(
        unit('call', 'a.b', None, 0),
        unit('rpc', 'a.b', 0, 1, **STOCK),
        unit('rpc', 'a.b', 0, 1),
    )
    assert [row[0] for row in found] == [0, 1, 1]


def test_note_of_a_root_is_shown() -> None:
    (row,) = rows(unit('rpc', 'a.b', None, 0, note='its caller is not known'))
    assert row[4] == 'call a.b (its caller is not known)'


def test_depth_is_bounded() -> None:
    units = [unit('emit', 'a', None if n == 0 else n - 1, n) for n in range(5000)]
    assert max(row[0] for row in rows(*units)) == 24


def test_running_work_lasts_until_now() -> None:
    (row,) = trace_rows(
        Trace('x', units=(unit('event', 'a.b', None, 0, duration=None, ok=None),)), START + 9
    )
    assert row.duration == 9
    assert duration_text(row.duration, row.ok) == '>9s'
    assert duration_text(0.5, False) == '500ms'


@pytest.mark.parametrize(
    ('kind', 'name', 'text'),
    [
        ('rpc', 'a.b', 'call a.b'),
        ('call', 'a.b', 'call a.b'),
        ('http', 'GET /', 'GET /'),
        ('emit', 'lymph.task.mail.send', 'apply mail.send'),
        ('emit', 'taken', 'emit taken'),
        ('task', 'mail.send', 'task mail.send'),
    ],
)
def test_work_is_named(kind: str, name: str, text: str) -> None:
    assert work_text(kind, name) == text
