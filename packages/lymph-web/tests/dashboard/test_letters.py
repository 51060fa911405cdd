"""Dead letters: a list, one with its payload, replaying and dropping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lymph.events.null import NullEventSystem
from lymph.exceptions import LymphError
from lymph.testing.waiting import eventually

LETTERS = '/data/dead-letters'


@pytest.fixture
def broken(world: Any) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that emits events which fail, and returns their dead letters."""
    shop = world.shop()
    world.asking = world.dashboard()

    def emit(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
        before = len(letters(world.asking))
        for body in bodies:
            shop.emit_event('shop.broken', body)
        eventually(lambda: len(letters(world.asking)) == before + len(bodies), 10)
        return letters(world.asking)

    return emit


def letters(asking: Any, query: str = '') -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asking.ask(f'{LETTERS}{query}').json['letters']
    return found


def test_dead_letters_are_listed_with_queue_type_error_and_trace(world: Any, broken: Any) -> None:
    [letter] = broken({'n': 1})
    assert (letter['queue'], letter['type']) == ('shop.on_broken', 'shop.broken')
    assert "cannot use {'n': 1}" in letter['error']
    assert (letter['attempts'], len(letter['trace_id'])) == (1, 32)
    assert 'body' not in letter


def test_list_is_of_one_queue_and_bounded(world: Any, broken: Any) -> None:
    broken({'n': 1}, {'n': 2})
    assert len(letters(world.asking, '?queue=shop.on_broken')) == 2
    assert letters(world.asking, '?queue=other') == []
    answer = world.asking.ask(f'{LETTERS}?limit=1').json
    assert (len(answer['letters']), answer['count']) == (1, 2)


def test_payload_of_a_dead_letter_is_shown(world: Any, broken: Any) -> None:
    [letter] = broken({'n': 1, 'bytes': b'\xff'})
    shown = world.asking.ask(f'{LETTERS}/one?id={quote(letter["id"])}').json
    assert shown['event']['body'] == {'n': 1, 'bytes': {'$bytes': '/w=='}}
    assert shown['event']['headers']['trace_id'] == letter['trace_id']


def test_event_without_a_form_in_json_is_shown_as_bytes(world: Any, broken: Any) -> None:
    [letter] = broken({'n': float('nan')})
    shown = world.asking.ask(f'{LETTERS}/one?id={quote(letter["id"])}').json
    assert 'no form in JSON' in shown['problem']
    assert shown['data']


def test_dead_letter_that_is_gone_is_not_found(world: Any, broken: Any) -> None:
    assert world.asking.ask(f'{LETTERS}/one?id=none').status == 404


def test_one_is_replayed_and_dies_again(world: Any, broken: Any) -> None:
    first, second = broken({'n': 1}, {'n': 2})
    answer = world.asking.post(f'{LETTERS}/replay', {'ids': [first['id']]})
    assert answer.json == {'found': 1, 'done': 1}
    eventually(lambda: len(letters(world.asking)) == 2, 10)
    assert second['id'] in {each['id'] for each in letters(world.asking)}
    assert first['id'] not in {each['id'] for each in letters(world.asking)}


def test_all_of_a_queue_are_dropped_and_no_others(world: Any, broken: Any) -> None:
    broken({'n': 1}, {'n': 2})
    nothing = world.asking.post(f'{LETTERS}/drop', {'queue': 'other'})
    assert nothing.json == {'found': 0, 'done': 0}
    answer = world.asking.post(f'{LETTERS}/drop', {'queue': 'shop.on_broken'})
    assert answer.json == {'found': 2, 'done': 2}
    assert letters(world.asking) == []


@pytest.mark.parametrize(
    'asked',
    [
        {},
        {'ids': []},
        {'ids': 'all'},
        {'ids': [1]},
        {'ids': ['x'] * 1001},
        {'queue': 5},
        {'queue': 'shop.on_broken', 'ids': ['1']},
        {'queue': 'shop.on_broken', 'yes': True},
    ],
)
@pytest.mark.parametrize('action', ['replay', 'drop'])
def test_request_that_is_not_clear_settles_nothing(
    world: Any, broken: Any, action: str, asked: Any
) -> None:
    broken({'n': 1})
    assert world.asking.post(f'{LETTERS}/{action}', asked).status == 400
    assert len(letters(world.asking)) == 1


@pytest.mark.parametrize(
    'query', ['?limit=0', '?limit=x', '?limit=201', '?limit=1&limit=2', '?a=1']
)
def test_query_that_cannot_be_used_is_refused(asking: Any, query: str) -> None:
    assert asking.ask(f'{LETTERS}{query}').status == 400


def test_event_system_without_dead_letters_is_told(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = world.dashboard()
    monkeypatch.setattr(asking.dashboard.container, '_made_events', NullEventSystem())
    answer = asking.ask(LETTERS, Accept='application/json')
    assert answer.status == 404
    assert 'keeps no dead letters' in answer.json['detail']


def test_event_system_that_is_away_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = world.dashboard()

    def fail(*_arguments: Any) -> Any:
        raise LymphError('the broker is away')

    monkeypatch.setattr(type(asking.dashboard.container.events.dead_letters), 'oldest', fail)
    answer = asking.ask(LETTERS, Accept='application/json')
    assert (answer.status, 'the broker is away' in answer.json['detail']) == (503, True)
