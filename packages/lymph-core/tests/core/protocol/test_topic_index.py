from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.events._embedded.topic_index import TopicIndex
from lymph.events.topics import matches


def index_of(*patterns):
    index = TopicIndex()
    for pattern in patterns:
        index.add(pattern, pattern)
    return index


def a_pattern(words):
    return st.lists(st.sampled_from(words), min_size=1, max_size=6).map('.'.join)


@given(st.lists(a_pattern(['a', 'b', '*', '#']), max_size=12), a_pattern(['a', 'b', 'c']))
def test_index_finds_exactly_the_matching_values(patterns, topic):
    expected = {pattern for pattern in patterns if matches(pattern, topic)}
    found = index_of(*patterns).find(topic)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_a_value_with_several_patterns_that_match_is_found_once():
    index = TopicIndex()
    for pattern in ('order.*', 'order.#', 'order.paid', 'other'):
        index.add(pattern, 'queue')
    assert index.find('order.paid') == ('queue',)


def test_invalid_pattern_is_rejected():
    with pytest.raises(ValueError, match='words of their own'):
        TopicIndex().add('a*', 1)
