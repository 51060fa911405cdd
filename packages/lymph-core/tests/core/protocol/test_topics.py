from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.events.topics import (
    check_pattern,
    check_topic,
    compile_pattern,
    matches,
    matches_any,
)

TABLE = [
    ('order.paid', ['order.paid'], ['order', 'order.paid.late', 'orderXpaid', 'Order.paid']),
    ('order.*', ['order.paid', 'order.x'], ['order', 'order.paid.late', 'orders.paid']),
    ('*', ['order'], ['order.paid']),
    ('*.*', ['order.paid'], ['order', 'a.b.c']),
    ('order.#', ['order', 'order.paid', 'order.paid.late'], ['orders', 'an.order']),
    ('#', ['a', 'a.b', 'a.b.c'], []),
    ('#.late', ['late', 'a.late', 'a.b.late', 'late.late'], ['late.a', 'latest']),
    ('a.#.b', ['a.b', 'a.x.b', 'a.x.y.b', 'a.b.b'], ['a', 'b', 'a.b.c']),
    ('#.*', ['a', 'a.b'], []),
    ('*.#.*', ['a.b', 'a.b.c'], ['a']),
    ('#.#', ['a', 'a.b'], []),
    ('#.a.#.b.#', ['a.b', 'x.a.y.b.z', 'b.a.b'], ['b.a', 'a', 'b']),
]


@pytest.mark.parametrize(('pattern', 'inside', 'outside'), TABLE)
def test_pattern_matches_only_its_topics(pattern, inside, outside):
    assert [topic for topic in inside if not matches(pattern, topic)] == []
    assert [topic for topic in outside if matches(pattern, topic)] == []


def reference(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """The definition, implemented word by word without regard to speed."""
    if not pattern:
        return not topic
    if pattern[0] == '#':
        return any(reference(pattern[1:], topic[n:]) for n in range(len(topic) + 1))
    return bool(topic) and pattern[0] in ('*', topic[0]) and reference(pattern[1:], topic[1:])


@given(
    st.lists(st.sampled_from(['a', 'b', '*', '#']), min_size=1, max_size=7),
    st.lists(st.sampled_from(['a', 'b', 'c']), min_size=1, max_size=7),
)
def test_matching_agrees_with_the_definition(pattern, topic):
    expected = reference(tuple(pattern), tuple(topic))
    assert matches('.'.join(pattern), '.'.join(topic)) is expected


def test_matching_agrees_with_the_definition_for_all_short_patterns():
    topics = [t for n in (1, 2, 3) for t in itertools.product('ab', repeat=n)]
    for pattern in (p for n in (1, 2, 3, 4) for p in itertools.product('ab*#', repeat=n)):
        for topic in topics:
            assert matches('.'.join(pattern), '.'.join(topic)) is reference(pattern, topic)


def test_many_wildcards_do_not_cause_exponential_work():
    # trying every way to share 60 words among 30 wildcards would not end in this life
    assert not matches('.'.join(['#', 'a'] * 30), '.'.join(['a'] * 60 + ['b']))


def test_topic_may_match_any_of_several_patterns():
    assert matches_any(['order.*', 'invoice.#'], 'invoice')
    assert not matches_any(['order.*', 'invoice.#'], 'order')
    assert not matches_any([], 'order')


def test_a_pattern_is_compiled_once():
    assert compile_pattern('a.*.c') is compile_pattern('a.*.c')
    assert compile_pattern('a.b').exact
    assert not compile_pattern('a.*').exact


@pytest.mark.parametrize('topic', ['a', 'a.b', 'task_done', 'Ünïcode.日本', 'a-b:c/d', 'x' * 255])
def test_valid_topics_are_accepted(topic):
    assert check_topic(topic) == topic
    assert check_pattern(topic) == topic


NEITHER = ['', '.', 'a.', '.a', 'a..b', 'a b', ' a', 'a.\n', 'a\x00', 'x' * 256, None, 7, b'a']


@pytest.mark.parametrize('text', NEITHER)
def test_invalid_topics_and_patterns_are_rejected(text):
    with pytest.raises(ValueError, match=r'^expected an event type'):
        check_topic(text)
    with pytest.raises(ValueError, match=r'^expected a topic'):
        check_pattern(text)


@pytest.mark.parametrize('pattern', ['*', '#', 'a.*', '#.a', '*.#'])
def test_topic_with_wildcards_is_rejected(pattern):
    assert check_pattern(pattern) == pattern
    with pytest.raises(ValueError, match='without wildcards'):
        check_topic(pattern)


@pytest.mark.parametrize('pattern', ['a*', '*a', 'a.b#', '##', '**', 'a.*b.c'])
def test_wildcard_within_a_word_is_rejected(pattern):
    with pytest.raises(ValueError, match='words of their own'):
        check_pattern(pattern)
    with pytest.raises(ValueError, match='without wildcards'):
        check_topic(pattern)


def test_a_topic_is_measured_in_bytes():
    with pytest.raises(ValueError, match='at most 255 bytes'):
        check_topic('ü' * 128)
