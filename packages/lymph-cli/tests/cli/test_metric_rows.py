"""The metrics of several instances as rows of a table."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._display.metric_rows import metric_rows, wants_metric
from lymph.core.monitoring.descriptions import describe

PRICE = {'method': 'shop.price'}

describe('tests.elapsed', 'histogram', 'Seconds.', unit='seconds')
describe('tests.since', 'gauge', 'A Unix time.', unit='seconds')


def cells(**samples: Any) -> list[tuple[str, str, tuple[str, str, str]]]:
    return [(row.name, row.tags_text, row.summary()) for row in metric_rows(samples)]


def histogram(name: str, counts: dict[str, int], **tags: str) -> list[Any]:
    return [
        *((f'{name}.bucket', count, {**tags, 'le': le}) for le, count in counts.items()),
        (f'{name}.count', counts['+Inf'], tags),
        (f'{name}.sum', 1.5, tags),
    ]


def test_values_of_several_instances_are_added_up_and_compared() -> None:
    first = [('rpc.handled', 3, PRICE), ('rpc.running', 0, PRICE)]
    second = [('rpc.handled', 5, PRICE)]
    assert cells(a=first, b=second) == [
        ('rpc.handled', 'method=shop.price', ('8', '3', '5')),
        ('rpc.running', 'method=shop.price', ('0', '0', '0')),
    ]


def test_tags_are_sorted_and_tell_rows_apart() -> None:
    samples = [
        ('http.answered', 1, {'status': '404', 'interface': 'web'}),
        ('http.answered', 2, {'interface': 'web', 'status': '200'}),
    ]
    assert [tags for _, tags, _ in cells(a=samples)] == [
        'interface=web,status=200',
        'interface=web,status=404',
    ]


def test_two_versions_of_a_method_are_one_row() -> None:
    assert cells(a=[('rpc.handled', 3, PRICE), ('rpc.handled', 4, PRICE)]) == [
        ('rpc.handled', 'method=shop.price', ('7', '7', '7'))
    ]


def test_a_histogram_is_one_row() -> None:
    first = histogram('tests.elapsed', {'0.001': 10, '0.01': 10, '+Inf': 10}, **PRICE)
    second = histogram('tests.elapsed', {'0.001': 0, '0.01': 10, '+Inf': 10}, **PRICE)
    assert cells(a=first, b=second) == [
        ('tests.elapsed', 'method=shop.price', ('20 values, p50 1ms, p99 9.8ms', '', ''))
    ]
    (row,) = metric_rows({'a': first})
    assert row.of('a') == '10 values, p50 500us, p99 990us'


def test_a_histogram_without_a_unit_has_plain_numbers() -> None:
    samples = histogram('tests.size', {'10': 4, '+Inf': 4})
    assert cells(a=samples) == [('tests.size', '', ('4 values, p50 5, p99 9.9', '', ''))]


def test_a_histogram_without_values_has_no_quantiles() -> None:
    samples = histogram('tests.elapsed', {'0.001': 0, '+Inf': 0})
    assert cells(a=samples) == [('tests.elapsed', '', ('0 values', '', ''))]


@pytest.mark.parametrize('name', ['queues.waiting', 'tests.since'])
def test_there_is_no_sum_of_queues_and_points_in_time(name: str) -> None:
    assert cells(a=[(name, 7, {})], b=[(name, 9, {})]) == [(name, '', ('', '7', '9'))]


@pytest.mark.parametrize('bound', ['nonsense', 'nan', None])
def test_a_bucket_of_another_form_is_a_number(bound: Any) -> None:
    (row,) = metric_rows({'a': [('odd.bucket', 3, {'le': bound})]})
    assert row.summary() == ('3', '3', '3')


@pytest.mark.parametrize(
    ('patterns', 'wanted'),
    [
        ([], ['rpc.handled', 'rpc.duration.bucket', 'http.running']),
        (['rpc.*'], ['rpc.handled', 'rpc.duration.bucket']),
        (['rpc.duration'], ['rpc.duration.bucket']),
        (['*.running', 'rpc.handled'], ['rpc.handled', 'http.running']),
        (['rpc'], []),
    ],
)
def test_patterns_choose_metrics(patterns: list[str], wanted: list[str]) -> None:
    names = ['rpc.handled', 'rpc.duration.bucket', 'http.running']
    assert list(filter(wants_metric(patterns), names)) == wanted
