"""What instances tell may be anything; what is read of it is of the right types and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._traces.data import TraceSource
from lymph.core._traces.latest import newest, summaries
from lymph.core._traces.merging import merge
from lymph.core._traces.reading import MOST, read_entries

ENTRY = {
    'kind': 'rpc',
    'id': 'a',
    'parent': None,
    'name': 'stock.take',
    'peer': '10.0.0.1:5',
    'started': 1.5,
    'duration': 0.5,
    'outcome': 'ok',
    'ok': True,
    'attempt': 1,
}
PART = {
    'trace_id': 'x',
    'kind': 'http',
    'name': 'GET /',
    'root': True,
    'started': 1.0,
    'ended': 2.0,
    'duration': 0.5,
    'outcome': '200',
    'ok': True,
    'units': 3,
    'failures': 1,
    'running': 0,
}
SOURCES = [TraceSource('stock', 'id', 'tcp://a')]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(['rpc', 'call', 'emit', 'x']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def changed(valid: dict[str, object]) -> st.SearchStrategy[object]:
    fields = st.dictionaries(st.sampled_from(sorted(valid)), anything)
    return anything | st.builds(lambda fields: {**valid, **fields}, fields)


def test_entry_is_read():
    (told,), left_out = read_entries({'entries': [ENTRY], 'left_out': 3}, 7)
    assert told == (7, 'rpc', 'a', None, 'stock.take', '10.0.0.1:5', 1.5, 0.5, 'ok', True, 1)
    assert left_out == 3


@pytest.mark.parametrize(
    'wrong',
    [
        {'kind': 'other'},
        {'kind': []},
        {'name': None},
        {'started': None},
        {'started': float('inf')},
        {'started': True},
        {'duration': -1},
    ],
)
def test_invalid_entry_counts_as_left_out(wrong: dict[str, object]):
    assert read_entries({'entries': [{**ENTRY, **wrong}, ENTRY, 5]}, 0)[1] == 2


def test_entries_and_texts_are_bounded():
    long = {**ENTRY, 'name': 'a' * 10_000}
    told, left_out = read_entries({'entries': [long] * (MOST + 5)}, 0)
    assert (len(told), left_out) == (MOST, 5)
    assert len(told[0].name) == 1000


@given(st.dictionaries(st.sampled_from(['entries', 'left_out']), anything) | st.builds(
    lambda entries, n: {'entries': entries, 'left_out': n},
    st.lists(changed(ENTRY), max_size=5), anything,
))  # fmt: skip
def test_whatever_an_instance_tells_of_a_trace_makes_a_tree(answer: dict[str, object]):
    told, left_out = read_entries(answer, 0)
    trace = merge('x', told, SOURCES)
    assert len(trace.units) == len(told)
    assert left_out >= 0
    assert trace.duration >= 0


@given(st.lists(changed(PART), max_size=5))
def test_whatever_an_instance_tells_of_the_latest_traces_makes_a_list(parts: list[object]):
    found = summaries([('stock', {'traces': parts}), ('shop', {'traces': 5})])
    assert newest([('stock', {'traces': parts})], 1) == [each.trace_id for each in found[:1]]
    for each in found:
        assert isinstance(each.name, str)
        assert each.instances >= 1


def test_summaries_of_one_trace_are_added_up_and_named_after_its_root():
    caused = {**PART, 'kind': 'rpc', 'name': 'stock.take', 'root': False, 'started': 0.5}
    other = {**PART, 'trace_id': 'y', 'started': 5.0, 'ended': 5.0}
    found = summaries([('stock', {'traces': [caused]}), ('shop', {'traces': [PART, other]})])
    assert [each.trace_id for each in found] == ['y', 'x']
    merged = found[1]
    assert (merged.name, merged.service, merged.kind, merged.root) == (
        'GET /',
        'shop',
        'http',
        True,
    )
    assert (merged.started, merged.total, merged.duration) == (0.5, 1.5, 0.5)
    assert (merged.units, merged.failures, merged.instances) == (6, 2, 2)
