from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._overview.samples import read_figures, read_samples


def test_numbers_are_found_by_name_and_what_they_are_about():
    figures = read_figures(
        [
            ['rpc.handled', 3, {'method': 'shop.price', 'zone': 'a'}],
            ['events.handled', 2, {'queue': 'shop.on_paid'}],
            ['process.memory', 1.5, {}],
        ]
    )
    assert figures.number('rpc.handled', 'shop.price') == 3
    assert figures.number('events.handled', 'shop.on_paid') == 2
    assert figures.number('process.memory') == 1.5
    assert figures.number('rpc.handled', 'shop.other') is None
    assert figures.number('rpc.failed') is None


def test_two_versions_of_a_method_are_added_up():
    sample = ['rpc.handled', 3, {'method': 'shop.price'}]
    assert read_figures([sample, sample]).number('rpc.handled', 'shop.price') == 6


def test_answers_with_a_status_from_500_on_are_errors():
    answered = [
        ['http.answered', count, {'interface': 'web', 'status': status}]
        for status, count in (('200', 5), ('404', 3), ('500', 2), ('503', 1))
    ]
    figures = read_figures(answered)
    assert figures.number('http.answered', 'web') == 11
    assert figures.number('http.errors', 'web') == 3


def test_buckets_are_found_by_their_bounds():
    figures = read_figures(
        [
            ['rpc.duration.bucket', 1, {'method': 'shop.price', 'le': '0.001'}],
            ['rpc.duration.bucket', 4, {'method': 'shop.price', 'le': '+Inf'}],
            ['rpc.duration.bucket', 4, {'method': 'shop.price', 'le': 'nonsense'}],
            ['rpc.duration.bucket', 4, {'method': 'shop.price', 'le': 'nan'}],
            ['rpc.duration.bucket', 4, {'method': 'shop.price'}],
        ]
    )
    assert figures.buckets == {'rpc.duration': {'shop.price': {0.001: 1, float('inf'): 4}}}


def test_a_peer_cannot_make_more_names_and_buckets_than_are_read():
    names = [['rpc.handled', 1, {'method': f'a.m{n}'}] for n in range(10_000)]
    assert len(read_figures(names).numbers['rpc.handled']) == 2000
    histograms = [
        ['rpc.duration.bucket', 1, {'method': f'a.m{n // 1000}', 'le': f'{n}'}]
        for n in range(5_000)
    ]
    found = read_figures(histograms).buckets['rpc.duration']
    assert {len(buckets) for buckets in found.values()} == {200}
    many = [['rpc.duration.bucket', 1, {'method': f'a.m{n}', 'le': '1'}] for n in range(10_000)]
    assert len(read_figures(many).buckets['rpc.duration']) == 2000


def test_names_are_bounded():
    figures = read_figures([['rpc.handled', 1, {'method': 'a' * 10_000}]])
    (name,) = figures.numbers['rpc.handled']
    assert len(name) == 512


@pytest.mark.parametrize(
    'answer',
    [
        None,
        'metrics',
        {'rpc.handled': 1},
        [None],
        [['rpc.handled', 1]],
        [['rpc.handled', 1, None]],
        [['rpc.handled', '1', {'method': 'a.b'}]],
        [['rpc.handled', True, {'method': 'a.b'}]],
        [['rpc.handled', float('nan'), {'method': 'a.b'}]],
        [['rpc.handled', float('inf'), {'method': 'a.b'}]],
        [['rpc.handled', 1, {'method': 5}]],
        [['rpc.handled', 1, {'method': 'lymph.status'}]],
        [['rpc.handled', 10**400, {'method': 'a.b'}]],
        [[7, 1, {'method': 'a.b'}]],
        [['stranger.handled', 1, {}]],
    ],
)
def test_what_is_of_another_form_is_left_out(answer):
    figures = read_figures(answer)
    assert (figures.numbers, figures.buckets) == ({}, {})


def test_samples_are_all_that_have_the_right_form():
    samples = [
        ['orders', 3, {'zone': 'a', 'shard': 1}],
        ['orders', float('nan'), {}],
        ['orders', float('inf'), {}],
        ['orders', True, {}],
        ['orders', 3, {1: 'a'}],
        ['o' * 1000, 3, {}],
        [5, 3, {}],
        ['orders', 3],
        'orders',
    ]
    assert list(read_samples(samples)) == [('orders', 3, {'zone': 'a', 'shard': 1})]
    assert list(read_samples(None)) == []


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
NAMES = st.sampled_from(['rpc.handled', 'rpc.duration.bucket', 'http.answered', 'loop.blocks'])
TAGS = st.dictionaries(st.sampled_from(['method', 'interface', 'status', 'le', '']), SCALARS)


@given(st.lists(st.tuples(NAMES | SCALARS, SCALARS, TAGS | SCALARS) | SCALARS, max_size=5))
def test_no_answer_raises(answer):
    read_figures(answer)
    list(read_samples(answer))
