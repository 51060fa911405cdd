"""Headers that interceptors add: names, values and their size are checked when they are set."""

from __future__ import annotations

import pytest

from lymph.core._work.headers import LONGEST, Headers, arrived, packed_headers
from lymph.core.limits import HEADERS
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import unpack


def test_headers_are_a_mapping():
    headers = Headers({'a': 1})
    headers['b'] = [2]
    del headers['a']
    assert dict(headers) == {'b': [2]}
    assert 'b' in headers
    assert headers.get('c') is None
    assert len(headers) == 1


@pytest.mark.parametrize(
    'name', ['trace_id', 'timeout', 'version', 'reason', 'idempotent', 'serial_type', 'lymph.x']
)
def test_reserved_header_names_are_rejected(name):
    headers = Headers({name: 1})
    with pytest.raises(ValueError, match=f"the header '{name}' is set by lymph"):
        headers[name] = 2
    with pytest.raises(ValueError, match='choose another name'):
        del headers[name]


@pytest.mark.parametrize('name', [1, None, b'x', ('x',)])
def test_name_that_is_not_text_is_refused(name):
    with pytest.raises(TypeError, match='name of a header as text'):
        Headers()[name] = 1


def test_long_name_is_refused():
    with pytest.raises(ValueError, match='at most 255 bytes'):
        Headers()['x' * 256] = 1


def test_value_that_cannot_be_serialized_is_refused():
    with pytest.raises(SerializationError, match="header 'user'"):
        Headers()['user'] = object()


def test_size_of_all_headers_together_is_bounded():
    headers = Headers()
    for number in range(3):
        headers[f'h{number}'] = 'x' * (LONGEST // 4)
    headers['h0'] = 'x' * (LONGEST // 4)  # replaced, not counted twice
    with pytest.raises(ValueError, match=f"'big': expected at most {LONGEST} bytes .* argument"):
        headers['big'] = 'x' * (LONGEST // 3)
    assert 'big' not in headers
    assert len(packed_headers({'trace_id': 'x' * 128}, headers)) <= HEADERS


def test_size_is_checked_again_for_values_that_have_grown():
    headers = Headers()
    headers['list'] = grown = []
    grown.extend(range(HEADERS))
    with pytest.raises(SerializationError, match='headers of at most'):
        packed_headers({}, headers)


def test_own_headers_are_packed_with_the_added_ones():
    assert unpack(packed_headers({'a': 1}, {'b': 2})) == {'a': 1, 'b': 2}


def test_received_headers_cannot_be_set():
    headers = arrived({'a': 1})
    assert headers['a'] == 1
    with pytest.raises(TypeError, match='have arrived'):
        headers['b'] = 2
    with pytest.raises(TypeError, match='have arrived'):
        del headers['a']


def test_copy_can_be_changed_on_its_own():
    headers = Headers()
    headers['a'] = 'x'
    copy = headers.copied()
    copy['b'] = 1
    assert dict(headers) == {'a': 'x'}
    assert dict(copy) == {'a': 'x', 'b': 1}
