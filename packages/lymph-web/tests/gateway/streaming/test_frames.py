"""Events as lines of server-sent events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lymph.core.events import Event
from lymph.serializers.json import plain
from lymph.web._gateway.streaming.frames import behind_frame, event_frame, opening_frame


def event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        'type': 'shop.ordered',
        'body': {'n': 1},
        'source': 'shop',
        'headers': {'trace_id': '7a1d', 'secret': 'x'},
        'id': '0f3c',
    }
    return Event(**{**facts, **changes})


def fields(frame: bytes) -> list[tuple[str, str]]:
    """Read a block as the HTML standard says: any of three line ends, one space after the colon."""
    text = frame.decode()
    assert text.endswith('\n\n')
    lines = text[:-2].replace('\r\n', '\n').replace('\r', '\n').split('\n')
    pairs = [line.partition(':') for line in lines]
    return [(name, value.removeprefix(' ')) for name, _, value in pairs]


def test_event_has_its_id_its_type_and_everything_in_one_line_of_json():
    found = fields(event_frame(event(), plain))
    assert [name for name, _ in found] == ['id', 'event', 'data']
    assert found[0][1] == '0f3c'
    assert found[1][1] == 'shop.ordered'
    assert json.loads(found[2][1]) == {
        'id': '0f3c',
        'type': 'shop.ordered',
        'source': 'shop',
        'trace_id': '7a1d',
        'body': {'n': 1},
    }


@pytest.mark.parametrize('text', ['a\nb', 'a\r\nevent: forged\n\n', '\r', '\u2028', '\x00', 'é€😀'])
def test_text_in_a_body_never_ends_a_line(text):
    found = fields(event_frame(event(body={text: text}), plain))
    assert [name for name, _ in found] == ['id', 'event', 'data']
    assert json.loads(found[2][1])['body'] == {text: text}


@pytest.mark.parametrize('id', ['a\nid: b', 'a\r\n\r\ndata: forged', '\x00', 'a\u2028'])
def test_id_that_is_not_printable_is_only_in_the_data(id):
    found = fields(event_frame(event(id=id), plain))
    assert [name for name, _ in found] == ['event', 'data']
    assert json.loads(found[1][1])['id'] == id


@pytest.mark.parametrize('type', ['a\nb', 'a b', 'a..b', '', 'a.*'])
def test_invalid_event_type_is_refused(type):
    with pytest.raises(ValueError, match='event type'):
        event_frame(event(type=type), plain)


@pytest.mark.parametrize('body', [{'n': float('nan')}, {'n': float('inf')}])
def test_body_without_a_form_in_json_is_null_with_the_reason(body):
    data = json.loads(fields(event_frame(event(body=body), plain))[2][1])
    assert data['body'] is None
    assert data['problem']
    assert data['id'] == '0f3c'


def test_stream_begins_with_the_milliseconds_after_which_clients_reconnect():
    assert fields(opening_frame(2.5)) == [('retry', '2500')]


def test_client_that_fell_behind_learns_how_many_events_it_has_lost():
    assert fields(behind_frame(12)) == [('event', 'lymph.behind'), ('data', '{"lost":12}')]
