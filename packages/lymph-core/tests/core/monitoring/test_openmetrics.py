from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser as classic_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import Histogram
from lymph.core.monitoring.metrics import Aggregate, Callable, Counter, Gauge, TaggedCounter
from lymph.core.monitoring.openmetrics import CLASSIC, OPENMETRICS, chosen_format, render

describe('page.calls', 'counter', 'Calls so far.', tags=('method',))
describe('page.age', 'gauge', 'Age of the \\ oldest\n"event".', unit='seconds')
describe('page.duration', 'histogram', 'How long calls took.', unit='seconds', tags=('method',))
describe('page.busy_seconds', 'counter', 'Busy.', unit='seconds')
describe('page.memory', 'gauge', 'Memory.', unit='bytes', exported='page_resident_bytes')

PARSERS = {
    OPENMETRICS: openmetrics_parser.text_string_to_metric_families,
    CLASSIC: classic_parser.text_string_to_metric_families,
}


def read(samples, content_type=OPENMETRICS, kinds=None):
    """Return the families that the official parser reads on the page of some samples."""
    page = render(samples, content_type, kinds)
    return {family.name: family for family in PARSERS[content_type](page.text)}


def values(families):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }


@pytest.mark.parametrize('content_type', PARSERS)
def test_a_described_metric_has_its_kind_and_help_and_a_name_of_lymph(content_type):
    samples = [('page.calls', 3, {'method': 'echo.upper'}), ('page.age', 1.5, {})]
    families = read(samples, content_type)
    assert families['lymph_page_calls'].type == 'counter'
    assert families['lymph_page_calls'].documentation == 'Calls so far.'
    assert families['lymph_page_age_seconds'].type == 'gauge'
    assert families['lymph_page_age_seconds'].documentation == 'Age of the \\ oldest "event".'
    assert values(families) == {
        ('lymph_page_calls_total', ('method', 'echo.upper')): 3,
        ('lymph_page_age_seconds',): 1.5,
    }


def test_openmetrics_has_units():
    samples = [('page.age', 1, {}), ('page.busy_seconds', 2, {}), ('page.memory', 3, {})]
    families = read(samples)
    assert families['lymph_page_age_seconds'].unit == 'seconds'
    assert families['lymph_page_busy_seconds'].unit == 'seconds'
    assert families['page_resident_bytes'].unit == 'bytes'


def test_the_classic_format_has_neither_units_nor_exemplars_nor_an_end():
    histogram = Histogram('page.duration')
    histogram.observe(0.1, 'a' * 32)
    text = render([('page.age', 1, {}), *histogram], CLASSIC).text
    assert '# UNIT' not in text
    assert 'EOF' not in text
    assert 'trace_id' not in text


@pytest.mark.parametrize('content_type', PARSERS)
def test_a_histogram_is_one_family(content_type):
    histogram = Histogram('page.duration', {'method': 'echo.upper'}, bounds=(0.5, 1))
    for value in (0.25, 0.75, 3):
        histogram.observe(value)
    families = read(histogram, content_type)
    assert list(families) == ['lymph_page_duration_seconds']
    assert families['lymph_page_duration_seconds'].type == 'histogram'
    method = ('method', 'echo.upper')
    assert values(families) == {
        ('lymph_page_duration_seconds_bucket', ('le', '0.5'), method): 1,
        ('lymph_page_duration_seconds_bucket', ('le', '1.0'), method): 2,
        ('lymph_page_duration_seconds_bucket', ('le', '+Inf'), method): 3,
        ('lymph_page_duration_seconds_count', method): 3,
        ('lymph_page_duration_seconds_sum', method): 4,
    }


def test_a_bucket_has_the_trace_id_of_its_exemplar():
    histogram = Histogram('page.duration', bounds=(1,))
    histogram.observe(0.25, '0123456789abcdef' * 2)
    first = read(histogram)['lymph_page_duration_seconds'].samples[0]
    assert first.exemplar.labels == {'trace_id': '0123456789abcdef' * 2}
    assert first.exemplar.value == 0.25
    assert first.exemplar.timestamp


@pytest.mark.parametrize('trace_id', ['a' * 121, '', '"', 'a b'])
def test_a_trace_id_that_is_too_long_or_invalid_is_left_out(trace_id):
    histogram = Histogram('page.duration', bounds=(1,))
    histogram.observe(0.25, trace_id)
    histogram.observe(1.25, 'a' * 120)
    below, above, *_ = read(histogram)['lymph_page_duration_seconds'].samples
    assert below.exemplar is None
    assert above.exemplar.labels == {'trace_id': 'a' * 120}


def test_metrics_without_a_description_have_the_kind_of_their_class():
    counter, tagged = Counter('orders.placed'), TaggedCounter('orders.by_shop_total')
    counter += 2
    tagged.incr(shop='a')
    gauge, computed = Gauge('orders.open', 1), Callable('orders.age', lambda: 4)
    histogram = Histogram('orders.size', bounds=(1, 10))
    histogram.observe(3)
    metrics = Aggregate([counter, tagged, gauge, Aggregate([computed]), histogram])
    families = read([*metrics, ('orders.other', 1, {})], kinds=metrics.kinds())
    assert {name: family.type for name, family in families.items()} == {
        'orders_placed': 'counter',
        'orders_by_shop': 'counter',
        'orders_open': 'gauge',
        'orders_age': 'gauge',
        'orders_size': 'histogram',
        'orders_other': 'unknown',
    }
    assert values(families)['orders_by_shop_total', ('shop', 'a')] == 1


def test_a_histogram_is_known_by_its_buckets():
    histogram = Histogram('orders.size', bounds=(1, 10))
    assert read(reversed(list(histogram)))['orders_size'].type == 'histogram'


def test_a_name_with_two_kinds_is_of_an_unknown_kind():
    metrics = Aggregate([Counter('both'), Gauge('both', tags={'a': 'b'})])
    assert metrics.kinds() == {}
    assert read(metrics, kinds=metrics.kinds())['both'].type == 'unknown'


@pytest.mark.parametrize('content_type', PARSERS)
def test_tags_of_any_type_are_text(content_type):
    tags = {'none': None, 'empty': '', 'number': 3, 'float': 1.5, 'bool': True, 'a b': 'c\n"\\'}
    assert values(read([('odd', 1, tags)], content_type)) == {
        ('odd', ('a_b', 'c\n"\\'), ('bool', 'true'), ('float', '1.5'), ('number', '3')): 1
    }


@pytest.mark.parametrize(
    ('value', 'found'),
    [
        (True, 1),
        (2**53 + 1, 2**53 + 1),
        (2**70, 2.0**70),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (1e-7, 1e-7),
    ],
)
@pytest.mark.parametrize('content_type', PARSERS)
def test_numbers_of_all_kinds_are_kept(content_type, value, found):
    assert values(read([('odd', value, {})], content_type)) == {('odd',): found}


@pytest.mark.parametrize('content_type', PARSERS)
def test_nan_is_kept(content_type):
    assert math.isnan(values(read([('odd', math.nan, {})], content_type))['odd',])


@pytest.mark.parametrize('content_type', PARSERS)
@pytest.mark.parametrize(
    ('samples', 'reason'),
    [
        ([('a', 1, {}), ('a', 2, {})], 'a series with the same tags was there'),
        ([('a', 1, {}), ('a', 2, {'x': None})], 'a series with the same tags was there'),
        ([('a', 1, {}), ('a', 1, {'x.y': '1', 'x-y': '2'})], 'two of its tags have the same name'),
        ([('a', 1, {}), ('a', 10**400, {'x': '1'})], 'expected a smaller number, found 1000'),
        ([('a', 1, {}), ('page.calls', -1, {})], 'expected a counter of 0 or more, found -1'),
        ([('a', 1, {}), ('page.calls', math.nan, {})], 'expected a counter of 0 or more, found'),
        ([('a', 1, {}), ('page.duration.bucket', 1, {'le': '1'})], 'expected a bucket without an'),
        ([('a', 1, {}), ('page.duration.bucket', 1, {'le': 'b'})], 'expected a number as the'),
        ([('a', 1, {}), ('page.duration.bucket', 1.5, {'le': '1'})], 'expected a whole number'),
    ],
)
def test_samples_that_would_make_the_page_invalid_are_left_out(content_type, samples, reason):
    page = render(samples, content_type)
    assert values(read(samples, content_type)) == {('a',): 1}
    assert page.left_out >= 1
    assert [text for text in page.reasons.values() if text.startswith(reason)]


@pytest.mark.parametrize('content_type', PARSERS)
def test_of_two_metrics_with_the_same_name_that_with_a_description_is_kept(content_type):
    samples = [
        ('lymph.page.calls_total', 7, {}),
        ('lymph_page_calls', 8, {}),
        ('page.calls', 3, {}),
        ('x.y', 1, {}),
        ('x-y', 2, {}),
    ]
    assert values(read(samples, content_type)) == {
        ('lymph_page_calls_total',): 3,
        ('x_y',): 1,
    }
    page = render(samples, content_type)
    assert page.left_out == 3
    text = 'the metric page.calls has the same name for Prometheus, lymph_page_calls'
    assert page.reasons['lymph_page_calls'] == text


@pytest.mark.parametrize(('bound', 'value'), [(1.0, -1), (-1.0, 2), (1.0, math.nan)])
def test_a_sum_that_may_go_down_is_left_out_with_its_count(bound, value):
    histogram = Histogram('page.duration', bounds=(bound,))
    histogram.observe(value)
    assert set(values(read(histogram))) == {
        ('lymph_page_duration_seconds_bucket', ('le', str(bound))),
        ('lymph_page_duration_seconds_bucket', ('le', '+Inf')),
    }


def test_there_is_one_reason_for_each_metric_and_a_bounded_number_of_them():
    samples = [(f'a{n}', 10**400, {'x': str(x)}) for n in range(300) for x in range(3)]
    page = render(samples)
    assert page.left_out == 900
    assert len(page.reasons) == 100


def test_pages_without_metrics_are_valid():
    assert read([]) == {}
    assert read([], CLASSIC) == {}


def test_other_content_types_are_rejected():
    with pytest.raises(ValueError, match='expected application/openmetrics-text'):
        render([], 'text/html')


NAMES = st.one_of(
    st.sampled_from(['page.calls', 'page.duration', 'page.duration.count', 'a', 'a.b', 'a-b', '']),
    st.sampled_from(['a_total', 'a.count', 'a.sum', 'a.bucket', 'page.duration.bucket', '__a']),
    st.text(max_size=5),
)
NUMBERS = st.one_of(st.booleans(), st.integers(), st.floats(), st.sampled_from([10**400]))
TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None)), st.sampled_from(['\\n', '"', '}']))
TAGS = st.dictionaries(
    st.one_of(st.sampled_from(['le', 'quantile', 'a.b', 'a-b', '__name__', '']), st.text()),
    st.one_of(TEXTS, st.none(), st.integers(), st.floats(), st.booleans()),
    max_size=3,
)
OBSERVED = st.lists(st.tuples(st.floats(), st.one_of(st.none(), st.text())), max_size=5)
BOUNDS = st.sets(st.floats(allow_nan=False), min_size=1, max_size=3).map(sorted)


@st.composite
def histograms(draw):
    histogram = Histogram(draw(NAMES), draw(TAGS), draw(BOUNDS))
    for value, trace_id in draw(OBSERVED):
        histogram.observe(value, trace_id)
    return draw(st.permutations(list(histogram)))


@given(
    st.lists(st.tuples(NAMES, NUMBERS, TAGS)),
    st.lists(histograms(), max_size=3),
    st.dictionaries(NAMES, st.sampled_from(['counter', 'gauge', 'histogram'])),
    st.sampled_from(list(PARSERS)),
)
def test_any_metrics_make_a_page_that_the_official_parser_reads(
    samples, histograms, kinds, content_type
):
    samples = [*samples, *(sample for histogram in histograms for sample in histogram)]
    page = render(samples, content_type, kinds)
    page.text.encode()
    families = list(PARSERS[content_type](page.text))
    found = sum(len(family.samples) for family in families)
    assert found == sum(not line.startswith('#') for line in page.text.split('\n') if line)


@pytest.mark.parametrize(
    ('accept', 'chosen'),
    [
        (None, OPENMETRICS),
        ('*/*', OPENMETRICS),
        ('application/json', OPENMETRICS),
        ('application/openmetrics-text', OPENMETRICS),
        ('application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3', OPENMETRICS),
        ('application/openmetrics-text; q=0.2, text/plain; q=0.3', CLASSIC),
        ('application/openmetrics-text;q=x, text/plain;q=0.1', CLASSIC),
        ('application/openmetrics-text;q=7, TEXT/Plain', CLASSIC),
        ('text/plain;version=0.0.4;q=0.5,*/*;q=0.1', CLASSIC),
        ('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', CLASSIC),
        (',;;q,=', OPENMETRICS),
    ],
)
def test_a_client_gets_the_format_that_it_prefers(accept, chosen):
    assert chosen_format(accept) == chosen
