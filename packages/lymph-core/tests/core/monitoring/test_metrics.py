from __future__ import annotations

import pytest

from lymph.core.monitoring.metrics import (
    Aggregate,
    Callable,
    Counter,
    Gauge,
    Generator,
    Metric,
    TaggedCounter,
)
from lymph.serializers.msgpack import pack, unpack


def test_a_gauge_goes_up_and_down():
    gauge = Gauge('depth', 3, {'queue': 'a'})
    assert list(gauge) == [('depth', 3, {'queue': 'a'})]
    gauge.set(1.5)
    assert list(gauge) == [('depth', 1.5, {'queue': 'a'})]


def test_a_gauge_starts_at_zero_without_tags():
    assert list(Gauge('depth')) == [('depth', 0, {})]


def test_a_callable_is_read_each_time():
    values = iter([1, 2])
    metric = Callable('size', lambda: next(values), {'a': 'b'})
    assert list(metric) == [('size', 1, {'a': 'b'})]
    assert list(metric) == [('size', 2, {'a': 'b'})]


def test_a_generator_yields_what_its_function_yields_each_time():
    depths = {'a': 1}

    def depth():
        for queue, value in depths.items():
            yield 'depth', value, {'queue': queue}

    metrics = Aggregate([Generator(depth)], tags={'host': 'x'})
    assert list(metrics) == [('depth', 1, {'queue': 'a', 'host': 'x'})]
    depths['b'] = 2
    assert len(list(metrics)) == 2


def test_a_counter_goes_up():
    counter = Counter('requests', {'a': 'b'})
    assert list(counter) == [('requests', 0, {'a': 'b'})]
    counter += 1
    counter += 2.5
    assert list(counter) == [('requests', 3.5, {'a': 'b'})]


def test_a_counter_does_not_go_down():
    counter = Counter('requests')
    counter += 5
    with pytest.raises(ValueError, match=r'counter requests only goes up; .* found -1'):
        counter += -1
    assert list(counter) == [('requests', 5, {})]


def test_a_tagged_counter_counts_each_combination():
    counter = TaggedCounter('errors', {'host': 'x'})
    counter.incr(kind='io', method='a')
    counter.incr(method='a', kind='io')
    counter.incr(3, kind='value')
    counter.incr()
    assert sorted(counter, key=repr) == [
        ('errors', 1, {'host': 'x'}),
        ('errors', 2, {'host': 'x', 'kind': 'io', 'method': 'a'}),
        ('errors', 3, {'host': 'x', 'kind': 'value'}),
    ]


def test_a_tagged_counter_does_not_go_down():
    counter = TaggedCounter('errors')
    with pytest.raises(ValueError, match=r'counter errors only goes up; .* found -1'):
        counter.incr(-1, kind='io')
    assert list(counter) == []


def test_an_aggregate_adds_its_tags_to_all_metrics():
    aggregate = Aggregate([Gauge('a', 1, {'own': 'x'})], {'host': 'h'})
    aggregate.add(Gauge('b', 2))
    aggregate.add_tags(zone='z')
    aggregate.add(Gauge('c', 3))
    added = {'host': 'h', 'zone': 'z'}
    assert list(aggregate) == [('a', 1, {**added, 'own': 'x'}), ('b', 2, added), ('c', 3, added)]


def test_a_metrics_own_tag_wins():
    assert list(Aggregate([Gauge('a', 1, {'t': 'own'})], {'t': 'all'})) == [('a', 1, {'t': 'own'})]


def test_aggregates_can_be_nested():
    inner = Aggregate([Gauge('a', 1)], {'inner': 'i'})
    assert list(Aggregate([inner], {'outer': 'o'})) == [('a', 1, {'inner': 'i', 'outer': 'o'})]


def test_every_metric_can_be_read_again():
    aggregate = Aggregate([Gauge('a', 1), Counter('b'), Callable('c', lambda: 2)])
    assert list(aggregate) == list(aggregate) != []


def test_anything_that_yields_triples_is_a_metric():
    aggregate = Aggregate()
    aggregate.add([('rows', 7, {})])
    assert list(aggregate) == [('rows', 7, {})]


def test_removed_metric_is_not_read():
    gauge, twin = Gauge('a', 1), Gauge('a', 1)
    aggregate = Aggregate([gauge])
    aggregate.remove(twin)
    assert len(list(aggregate)) == 1
    aggregate.remove(gauge)
    aggregate.remove(gauge)
    assert list(aggregate) == []


def test_metrics_do_not_share_the_tags_they_were_given():
    tags = {'a': 'b'}
    gauge, aggregate = Gauge('x', 1, tags), Aggregate(tags=tags)
    aggregate.add_tags(c='d')
    tags['e'] = 'f'
    assert list(gauge) == [('x', 1, {'a': 'b'})]


def test_metric_base_class_is_abstract():
    with pytest.raises(TypeError, match=r'abstract class Metric .*__iter__'):
        Metric('x')


def test_custom_metric_is_a_subclass_that_yields_triples():
    class Doubled(Metric):
        def __iter__(self):
            yield self.name, 2, self.tags

    assert list(Doubled('x', {'a': 'b'})) == [('x', 2, {'a': 'b'})]


def test_add_returns_the_metric():
    aggregate = Aggregate()
    gauge = aggregate.add(Gauge('x', 1))
    gauge.set(5)
    assert list(aggregate) == [('x', 5, {})]


def test_metric_that_cannot_be_read_does_not_affect_others(caplog):
    aggregate = Aggregate([Gauge('a', 1), Callable('broken', lambda: 1 / 0), Gauge('b', 2)])
    assert list(aggregate) == [('a', 1, {}), ('b', 2, {})]
    assert 'ZeroDivisionError' in caplog.text


def test_failing_metric_is_named_and_logged_once_until_it_can_be_read_again(caplog):
    results = iter([ZeroDivisionError('a'), ZeroDivisionError('b'), 5, ZeroDivisionError('c')])

    def read():
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    aggregate = Aggregate([Callable('shop.broken', read)])
    assert [len(list(aggregate)) for _ in range(4)] == [0, 0, 1, 0]
    errors = [record for record in caplog.records if record.levelname == 'ERROR']
    assert [record.exc_info[1].args for record in errors] == [('a',), ('c',)]
    assert "Callable 'shop.broken'" in errors[0].getMessage()


@pytest.mark.parametrize(
    ('sample', 'read'),
    [
        (('a', 2**64 - 1, {}), ('a', 2**64 - 1, {})),
        (('a', 2**64, {}), ('a', 2.0**64, {})),
        (('a', -(2**63) - 1, {}), ('a', -(2.0**63), {})),
        (('a', True, {}), ('a', 1.0, {})),
        (('half \ud800', 1, {}), ('half \\ud800', 1, {})),
        (('a', 1, {'half \ud800': 'x'}), ('a', 1, {'half \\ud800': 'x'})),
        (('a', 1, {'x': 'half \ud800'}), ('a', 1, {'x': 'half \\ud800'})),
        (('a', 1, {'x': 2**70, 'y': None}), ('a', 1, {'x': str(2**70), 'y': None})),
    ],
)
def test_sample_is_changed_to_what_can_be_sent(sample, read):
    (found,) = Aggregate([[sample]])
    assert found == read
    assert type(found[1]) is type(read[1])
    assert unpack(pack(list(found))) == list(found)


def test_number_beyond_all_floats_is_left_out():
    assert list(Aggregate([Gauge('huge', 10**400), Gauge('b', 2)])) == [('b', 2, {})]
