from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._arguments.filters import Filters
from lymph.core.events import Event
from lymph.events.deadletters import DeadLetter


def letter(**facts: Any) -> DeadLetter:
    event = Event('order.paid', {'n': 1}, headers={'trace_id': 'abc'})
    known = {'queue': 'shop.on_order', 'event': event, 'error': 'ValueError: No Money', 'died': 100}
    return DeadLetter(id='1', data=b'', attempts=3, emitted=90, **{**known, **facts})


@pytest.mark.parametrize(
    ('filters', 'matches'),
    [
        ({}, True),
        ({'queue': 'shop.on_order'}, True),
        ({'queue': 'shop'}, False),
        ({'types': ('order.*',)}, True),
        ({'types': ('other', 'order.paid')}, True),
        ({'types': ('order',)}, False),
        ({'since': 100.0}, True),
        ({'since': 100.1}, False),
        ({'older': 100.0}, False),
        ({'older': 100.1}, True),
        ({'trace': 'abc'}, True),
        ({'trace': 'ab'}, False),
        ({'error': 'no money'}, True),
        ({'error': 'KeyError'}, False),
        ({'queue': 'shop.on_order', 'error': 'KeyError'}, False),
    ],
)
def test_all_conditions_must_hold(filters: dict[str, Any], matches: bool) -> None:
    assert Filters(**filters).match(letter()) is matches
    assert bool(Filters(**filters)) is bool(filters)


def test_invalid_event_has_neither_type_nor_trace() -> None:
    broken = letter(event=None)
    assert not Filters(types=('#',)).match(broken)
    assert not Filters(trace='abc').match(broken)
    assert Filters(queue='shop.on_order', error='value').match(broken)
