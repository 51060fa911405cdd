"""Heads that httptools splits are read exactly as our own parser reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lymph.web._http.heads import Head, HeadError, parse_head
from lymph.web._http.splitting import HeadSplitter

ORDINARY = (
    b'POST /a%20b/?c=d?e HTTP/1.1\r\nHost: a:80\r\nX-One:  1 \t\r\nContent-Length: 5\r\n'
    b'Accept: */*\r\nCookie: a=b; c=d\r\nX_Two: 2\r\nConnection: keep-alive\r\n\r\n'
)
STARTS = [
    b'GET / HTTP/1.1', b'POST /a?b=c HTTP/1.1', b'GET /a HTTP/1.0', b'GET  / HTTP/1.1',
    b'GET /\xff HTTP/1.1', b'GET /a#b HTTP/1.1', b'GET /?a#b HTTP/1.1', b'GET http://a/b HTTP/1.1',
    b'OPTIONS * HTTP/1.1', b'CONNECT a:1 HTTP/1.1', b'MAKE / HTTP/1.1', b'get / HTTP/1.1',
    b'GET / HTTP/1.7', b'GET / HTTP/2.0', b'GET / HTTP/1.1 ', b'GET /a\tb HTTP/1.1',
    b'GET / RTSP/1.0',
    b'PRI * HTTP/2.0', b'SOURCE / ICE/1.0', b'GET /\x7f HTTP/1.1', b'GET // HTTP/1.1',
]  # fmt: skip
FIELDS = [
    b'Host: a', b'host: a', b'Host: a b', b'Host:', b'HOST: [::1]:80', b'X: 1', b'X: 2', b'x: 3',
    b'X-A: \xe4', b'X-A: a\x00b', b'X-A: a\x7fb', b'X-A: a\tb', b'X-A : b', b'X-A:b \t ',
    b' folded',
    b'\tfolded', b'no colon', b': a', b'Content-Length: 5', b'Content-Length: 05',
    b'Content-Length: 5, 5', b'Content-Length: +5', b'Content-Length:',
    b'Transfer-Encoding: chunked',
    b'Transfer-Encoding: Chunked', b'Transfer-Encoding: gzip, chunked',
    b'Transfer-Encoding: identity',
    b'Transfer_Encoding: chunked', b'Content_Length: 7', b'Connection: close',
    b'Connection: Upgrade', b'Upgrade: websocket', b'Connection: keep-alive, te',
    b'Expect: 100-continue',
    b'Expect: magic', b'X' * 70 + b': 1', b'\xe4: 1', b'X(: 1', b'Cookie: a=1', b'Cookie: b=2',
    b'Proxy-Connection: close', b'HTTP2-Settings: a', b'X: a\nY: b', b'X: a\rY: b',
    b'Host: ' + b'a' * 70,
]  # fmt: skip


def outcome(read: Any, data: bytes) -> Any:
    try:
        head = read(data)
    except HeadError as error:
        return error.status
    return [(name, getattr(head, name)) for name in Head.__slots__]


def strictly(data: bytes) -> Head:
    return parse_head(data[:-2], 5)


SHARED = HeadSplitter(5)  # as the connections of a server share it


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STARTS), st.lists(st.sampled_from(FIELDS), max_size=7))
def test_any_head_is_read_as_our_own_parser_reads_it(start, fields):
    data = b'\r\n'.join([start, *fields, b'', b''])
    assert outcome(SHARED.read, data) == outcome(strictly, data)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(ORDINARY) - 5), st.integers(0, 255), st.booleans())
def test_any_changed_byte_is_read_as_our_own_parser_reads_it(place, byte, added):
    changed = ORDINARY[:place] + bytes([byte]) + ORDINARY[place + (not added) :]
    # as far as it is one head
    data = changed[: changed.index(b'\r\n\r\n') + 4]
    assert outcome(HeadSplitter(100).read, data) == outcome(lambda d: parse_head(d[:-2]), data)


def test_ordinary_head_is_read_without_our_own_parser(monkeypatch):
    monkeypatch.setattr('lymph.web._http.splitting.parse_head', None)
    head = HeadSplitter(100).read(ORDINARY)
    assert (head.method, head.path, head.query) == ('POST', '/a%20b/', 'c=d?e')
    assert (head.host, head.content_length, head.keep_alive) == ('a:80', 5, True)
    assert head.variables['HTTP_X_ONE'] == '1'


@pytest.mark.parametrize('fields', [b'', b'Content-Length: 5\r\n', b'Connection: close\r\n'])
def test_heads_do_not_depend_on_those_before_them(fields):
    splitter = HeadSplitter(100)
    for _ in range(3):
        head = splitter.read(b'GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n' + fields + b'\r\n')
        assert head.variables['HTTP_X'] == '1'
        head = splitter.read(b'GET /b HTTP/1.1\r\nHost: b\r\n\r\n')
        assert (head.path, head.variables) == ('/b', {'HTTP_HOST': 'b'})
