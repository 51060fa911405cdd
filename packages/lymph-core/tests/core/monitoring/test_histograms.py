from __future__ import annotations

import time

import pytest

from lymph.core.monitoring.histograms import (
    SECONDS,
    BucketCount,
    Exemplar,
    Histogram,
    quantile,
    summed,
)
from lymph.serializers.msgpack import pack, unpack


def samples(histogram):
    return {
        (name, tags.get('le')): value
        for name, value, tags in histogram
        if name != f'{histogram.name}.sum'
    }


def test_counts_of_buckets_are_cumulative():
    histogram = Histogram('duration', {'method': 'a.b'}, bounds=(1, 2.5))
    for value in (0.5, 1, 2, 7):
        histogram.observe(value)
    assert list(histogram) == [
        ('duration.bucket', 2, {'method': 'a.b', 'le': '1'}),
        ('duration.bucket', 3, {'method': 'a.b', 'le': '2.5'}),
        ('duration.bucket', 4, {'method': 'a.b', 'le': '+Inf'}),
        ('duration.count', 4, {'method': 'a.b'}),
        ('duration.sum', 10.5, {'method': 'a.b'}),
    ]


def test_buckets_for_seconds_reach_from_50_us_to_a_minute():
    assert SECONDS[0] == 50e-6
    assert SECONDS[-1] == 60
    histogram = Histogram('duration')
    histogram.observe(49e-6)
    assert samples(histogram)['duration.bucket', '5e-05'] == 1


@pytest.mark.parametrize('bounds', [(), (1, 1), (2, 1)])
def test_bounds_that_do_not_ascend_are_rejected(bounds):
    with pytest.raises(ValueError, match='duration: expected bounds in ascending order, found'):
        Histogram('duration', bounds=bounds)


def test_the_last_value_with_a_trace_id_is_the_exemplar_of_its_bucket():
    histogram = Histogram('duration', bounds=(1, 2))
    before = time.time()
    histogram.observe(1.5, 'first')
    histogram.observe(1.25, 'second')
    histogram.observe(1.75)
    lower, upper, rest = [value for name, value, _ in histogram if name.endswith('bucket')]
    assert lower.exemplar is None
    assert rest.exemplar is None
    assert upper.exemplar[:2] == Exemplar('second', 1.25, 0)[:2]
    assert upper.exemplar.at == pytest.approx(before, abs=60)


def test_the_count_of_a_bucket_is_a_number_to_the_serializer():
    count = BucketCount(3, Exemplar('a', 1.0, 2.0))
    assert unpack(pack({'count': count})) == {'count': 3}


@pytest.mark.parametrize(
    ('fraction', 'expected'), [(0, 0), (0.25, 0.5), (0.5, 1), (0.75, 1.5), (0.9, 1.8), (1, 2)]
)
def test_quantiles_are_estimated_within_their_bucket(fraction, expected):
    assert quantile(fraction, [(1, 2), (2, 4), (float('inf'), 4)]) == pytest.approx(expected)


def test_a_quantile_above_all_bounds_is_the_greatest_of_them():
    assert quantile(0.99, [(1, 0), (2, 1), (float('inf'), 100)]) == 2


@pytest.mark.parametrize('buckets', [[], [(1, 0), (float('inf'), 0)]])
def test_no_values_have_no_quantile(buckets):
    assert quantile(0.5, buckets) is None


def test_samples_of_one_series_are_added_up():
    first, second = Histogram('duration', bounds=(1,)), Histogram('duration', bounds=(1,))
    first.observe(0.5, 'first')
    second.observe(0.25, 'second')
    second.observe(3)
    samples = [*first, *second, ('running', 1, {'a': 'x', 'b': 'y'}), ('running', 2, {'a': 'x'})]
    found = list(summed([*samples, ('running', 4, {'b': 'y', 'a': 'x'})]))
    assert found == [
        ('duration.bucket', 2, {'le': '1'}),
        ('duration.bucket', 3, {'le': '+Inf'}),
        ('duration.count', 3, {}),
        ('duration.sum', 3.75, {}),
        ('running', 5, {'a': 'x', 'b': 'y'}),
        ('running', 2, {'a': 'x'}),
    ]
    assert found[0][1].exemplar.trace_id == 'second'
    assert found[1][1].exemplar is None
