"""Reading of request bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge

from lymph.web._http.bodies import Body
from lymph.web._http.heads import parse_head
from lymph.web._http.limits import Limits

NEXT = b'GET /next HTTP/1.1\r\n'


class Arriving:
    """Bytes that arrive in pieces of `size`."""

    def __init__(self, data: bytes, size: int) -> None:
        self.buffer = bytearray()
        self.data = bytearray(data)
        self.size = size

    def fill(self, timeout: float) -> bool:
        piece = bytes(self.data[: self.size])
        del self.data[: self.size]
        self.buffer += piece
        return bool(piece)


class Read(Body):
    """A body that arrives in pieces of `size` bytes."""

    def __init__(self, data: bytes, form: str, limit: int = 1000, size: int = 5) -> None:
        head = parse_head(f'POST / HTTP/1.1\r\nHost: a\r\n{form}\r\n'.encode())
        self.arriving = Arriving(data, size)
        super().__init__(head, self.arriving, Limits(max_body_size=limit))

    @property
    def rest(self) -> bytes:
        """Return the bytes after the body."""
        return bytes(self.arriving.buffer + self.arriving.data)

    def skip_all(self) -> None:
        """Skip the rest as it arrives."""
        self.skip()
        while self.unread and not self.abandoned and self.arriving.fill(1):
            self.skip()


def chunked(*chunks: bytes) -> bytes:
    return b''.join(b'%x\r\n%b\r\n' % (len(chunk), chunk) for chunk in (*chunks, b''))


def plain(data: bytes) -> Read:
    return Read(data + NEXT, f'Content-Length: {len(data)}')


def in_chunks(data: bytes) -> Read:
    return Read(chunked(*filter(None, (data[:3], data[3:]))) + NEXT, 'Transfer-Encoding: chunked')


FORMS = pytest.mark.parametrize('form', [plain, in_chunks])


@FORMS
def test_body_is_read_to_its_end_and_no_further(form):
    read = form(b'hello')
    assert read.read() == b'hello'
    assert not read.unread
    assert read.read() == b''
    assert read.rest == NEXT


@FORMS
def test_body_is_read_in_pieces_and_lines(form):
    read = form(b'ab\ncd\nef')
    assert read.read(1) == b'a'
    assert read.readline() == b'b\n'
    assert list(read) == [b'cd\n', b'ef']
    assert not read.unread


@FORMS
@given(sizes=st.lists(st.integers(1, 7)))
def test_pieces_of_any_size_make_up_the_body(form, sizes):
    read = form(b'0123456789')
    pieces = [read.read(size) for size in sizes]
    assert b''.join([*pieces, read.read()]) == b'0123456789'


@FORMS
def test_unread_body_is_skipped(form):
    read = form(b'hello')
    read.read(2)
    assert not read.abandoned
    read.skip_all()
    assert not read.unread
    assert read.rest == NEXT


def test_request_without_a_length_has_no_body():
    read = Read(NEXT, 'X: 1')
    assert read.read() == b''
    assert not read.unread
    assert not read.abandoned


@pytest.mark.parametrize(
    ('data', 'form', 'error'),
    [
        (b'x' * 20, 'Content-Length: 20', RequestEntityTooLarge),
        (chunked(b'x' * 5, b'x' * 6), 'Transfer-Encoding: chunked', RequestEntityTooLarge),
        (b'abc', 'Content-Length: 5', ClientDisconnected),
        (b'5\r\nabc', 'Transfer-Encoding: chunked', ClientDisconnected),
        (b'x\r\n', 'Transfer-Encoding: chunked', BadRequest),
        (b'\r\n', 'Transfer-Encoding: chunked', BadRequest),
    ],
)
def test_unreadable_body_fails_at_each_read_and_is_abandoned(data, form, error):
    read = Read(data, form, limit=10)
    for _ in range(2):
        with pytest.raises(error):
            read.read()
    assert read.unread
    assert read.abandoned


def test_long_unread_body_is_abandoned():
    read = Read(b'x' * 100_000, 'Content-Length: 100000', limit=1_000_000)
    assert read.abandoned
    read.read(50_000)
    assert not read.abandoned


@pytest.mark.parametrize(
    ('chunk', 'number'), [(b'1\r\nx\r\n', 20_000), (b'4000\r\n' + b'x' * 0x4000 + b'\r\n', 20)]
)
def test_rest_without_an_end_is_abandoned(chunk, number):
    read = Read(chunk * number, 'Transfer-Encoding: chunked', limit=2**30, size=10_000)
    read.skip_all()
    assert read.unread
    assert read.abandoned
    assert len(read.rest) > len(chunk) * number // 4
