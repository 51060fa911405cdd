"""Which event types clients get: only those that the list allows."""

from __future__ import annotations

import pytest

from lymph.events.topics import compile_pattern
from lymph.web._gateway.streaming.topics import AllowedEvents, topic_for

ALLOWED = AllowedEvents(['shop.*', 'order.#', 'lymph.task.shop.pay', '#.late'])


@pytest.mark.parametrize(
    ('asked', 'topics'),
    [
        (['shop.ordered'], ['shop.ordered']),
        (['shop.ordered', 'shop.paid'], ['shop.ordered', 'shop.paid']),
        (['shop.ordered', 'shop.ordered'], ['shop.ordered']),
        (['shop.*'], ['shop.*']),
        (['shop.ordered', 'shop.*'], ['shop.*']),
        (['order'], ['order']),
        (['order.paid.late', 'order.#', '#.late'], ['order.#', '#.late']),
        (['lymph.task.shop.pay'], ['lymph.task.shop.pay']),
    ],
)
def test_client_gets_what_the_list_allows(asked, topics):
    assert [topic.text for topic in ALLOWED.choose(asked)] == topics


@pytest.mark.parametrize(
    'asked',
    [
        'shop',
        'shop.ordered.now',
        'orders',
        'Shop.ordered',
        'shop.#',
        '*.ordered',
        'order.*',
        '#',
        '*',
        '#.#.late',
        'lymph.task.shop.pay.more',
        'lymph.task.shop.late',
        'lymph.late',
    ],
)
def test_types_that_the_list_does_not_allow_are_refused(asked):
    with pytest.raises(LookupError, match='there is no event type'):
        ALLOWED.choose(['shop.ordered', asked])


@pytest.mark.parametrize(
    'asked', ['', 'shop.', '.', 'shop..x', 'shop.a b', 'shop.\n', 'a*', 'x' * 300]
)
def test_invalid_types_are_refused(asked):
    with pytest.raises(ValueError, match='expected'):
        ALLOWED.choose([asked])


def test_client_asks_for_1_to_32_types():
    assert len(ALLOWED.choose([f'shop.{number}' for number in range(32)])) == 32
    with pytest.raises(ValueError, match='at most 32 event types, found 33'):
        ALLOWED.choose([f'shop.{number}' for number in range(33)])
    with pytest.raises(ValueError, match=r'as in \?type='):
        ALLOWED.choose([])


def test_event_that_several_topics_match_is_sent_for_the_first_one():
    topics = [compile_pattern(text) for text in ('shop.*', '#.late', '#')]
    assert topic_for('shop.late', topics) == 'shop.*'
    assert topic_for('order.paid.late', topics) == '#.late'
    assert topic_for('other', topics) == '#'
    assert topic_for('other', topics[:2]) is None


def test_no_pattern_matches_what_lymph_sends_to_itself():
    everything = AllowedEvents(['#', '*.*.*.*'])
    topics = everything.choose(['#'])
    for type in ('lymph.task.shop.pay', 'lymph.serial.shop.x.1', 'lymph.x'):
        assert topic_for(type, topics) is None
        with pytest.raises(LookupError):
            everything.choose([type])
    assert topic_for('lymphatic', topics) == '#'
