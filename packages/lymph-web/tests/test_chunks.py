"""Parsing and limits of chunked bodies."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.web._http.chunks import ChunkError, Chunks

LIMIT = 1_000_000
LAST = b'0\r\n\r\n'


def decode(data: bytes, size: int | None = None, limit: int = LIMIT) -> tuple[bytes, bytes]:
    """Return the body in `data`, arriving in pieces of `size` bytes, and the bytes after it."""
    chunks, buffer, found = Chunks(limit), bytearray(), b''
    size = size or len(data)
    for start in range(0, len(data), size):
        buffer += data[start : start + size]
        found += chunks.take(buffer)
    assert chunks.ended, 'more is expected'
    return found, bytes(buffer)


@pytest.mark.parametrize(
    ('data', 'body'),
    [
        (LAST, b''),
        (b'000\r\n\r\n', b''),
        (b'5\r\nhello\r\n' + LAST, b'hello'),
        (b'A\r\n0123456789\r\na\r\n0123456789\r\n' + LAST, b'0123456789' * 2),
        (b'0000000000000003\r\na\r\n\r\n' + LAST, b'a\r\n'),
        (b'1;a\r\nx\r\n0;b=c;d="e;\\"f"\r\n\r\n', b'x'),
        (b'1; a = b ; c\r\nx\r\n' + LAST, b'x'),
        (b'1\r\nx\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n', b'x'),
        (b'1;chunk-signature=' + b'f' * 64 + b'\r\nx\r\n' + LAST, b'x'),
    ],
)
@pytest.mark.parametrize('size', [None, 1, 3])
def test_chunks_are_joined_regardless_of_the_pieces_they_arrive_in(data, body, size):
    assert decode(data + b'GET ', size) == (body, b'GET ')


@pytest.mark.parametrize(
    'data',
    [
        b'\r\n', b' 5\r\n', b'5 \r\n', b'5\t\r\n', b'+5\r\n', b'-5\r\n', b'0x5\r\n', b'5_0\r\n',
        b'5.\r\n', b'g\r\n', b'zz', b'\xb2\r\n', b'\xd9\xa3\r\n', b'5\n', b'5\n\r\n', b'5\r5\r\n',
        b'00000000000000005\r\n', b'f' * 17, b'\x00', b'5\x00\r\n', b'5,5\r\n',
        b'5;\r\n', b'5;;a\r\n', b'5;a=\r\n', b'5;=b\r\n', b'5;a b\r\n', b'5;a="b\r\n', b'5;a\n',
        b'5;a\rb\r\n', b'5;a="\n"\r\n', b'5;a=\x00\r\n', b'5;a="\x7f"\r\n', b'5 ;a\r\n',
        b'1;' + b'x' * 2000, b'1;' + b'x' * 2000 + b'\r\n', b'1' + b';a' * 600,
        b'1\r\nab\r\n', b'1\r\na\n', b'1\r\na\r0', b'1\r\na0\r\n', b'1\r\na\r\n\r\n',
        b'0\r\nname\r\n', b'0\r\n: value\r\n', b'0\r\nna me: value\r\n', b'0\r\nname : value\r\n',
        b'0\r\n folded\r\n', b'0\r\na: b\n', b'0\r\na: b\rc\r\n', b'0\r\na: \x00\r\n', b'0\r\n\n',
        b'0\r\nContent-Length: 5\r\n', b'0\r\nTRANSFER-ENCODING: chunked\r\n', b'0\r\nHost: a\r\n',
    ],
)  # fmt: skip
@pytest.mark.parametrize('size', [None, 1])
def test_malformed_chunks_are_rejected_as_soon_as_they_are_seen(data, size):
    with pytest.raises(ChunkError) as caught:
        decode(data, size)
    assert caught.value.status == 400
    assert str(caught.value).startswith('expected ')


@pytest.mark.parametrize(
    ('data', 'status'),
    [
        (b'%x\r\n' % (LIMIT + 1), 413),
        (b'ffffffffffffffff\r\n', 413),
        (b'%x\r\n' % LIMIT + b'x' * LIMIT + b'\r\n1\r\n', 413),
        (b'0\r\n' + b'a: b\r\n' * 33, 431),
        (b'0\r\na: ' + b'x' * 10_000, 431),
        (b'0\r\na: ' + b'x' * 10_000 + b'\r\n\r\n', 431),
        (b'0\r\n' + (b'a: ' + b'x' * 1000 + b'\r\n') * 9, 431),
        (b'1\r\nx\r\n' * 15_000, 400),
        (b'1;a=bcdefghijklmnopqrstuvwxyz\r\nx\r\n' * 3_000, 400),
    ],
)
def test_chunks_beyond_the_limit_are_rejected(data, status):
    with pytest.raises(ChunkError) as caught:
        decode(data, 4096)
    assert caught.value.status == status


def test_any_number_of_large_enough_chunks_is_accepted():
    data = b'14\r\n' + b'x' * 20 + b'\r\n'
    assert decode(data * 40_000 + LAST, 4096) == (b'x' * 800_000, b'')


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.integers(1, 50))
def test_chunked_data_is_decoded(parts, size):
    data = b''.join(b'%x\r\n%b\r\n' % (len(part), part) for part in parts)
    assert decode(data + LAST + b'rest', size) == (b''.join(parts), b'rest')


@given(st.lists(st.sampled_from([b'0', b'1', b'\r', b'\n', b'\r\n', b';', b'a', b'"', b': '])))
def test_outcome_does_not_depend_on_how_bytes_arrive(pieces):
    def outcome(size):
        chunks, buffer, found, data = Chunks(LIMIT), bytearray(), b'', b''.join(pieces)
        with suppress(ChunkError):
            for start in range(0, len(data), size):
                buffer += data[start : start + size]
                found += chunks.take(buffer)
        return chunks.ended and (found, bytes(buffer))

    at_once, one_by_one = outcome(1000), outcome(1)
    assert at_once == one_by_one
