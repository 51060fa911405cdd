"""Parsing of request heads."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.web._http.heads import HeadError, parse_head


def head(*lines: str, start: str = 'GET / HTTP/1.1', host: str | None = 'Host: a') -> bytes:
    fields = [line for line in (start, host, *lines) if line is not None]
    return ''.join(f'{field}\r\n' for field in fields).encode('latin-1')


def test_head_is_parsed_into_method_path_query_and_fields():
    parsed = parse_head(head('X-One:  1 \t', start='POST /a%20b?c=d?e HTTP/1.1'))
    assert (parsed.method, parsed.path, parsed.query) == ('POST', '/a%20b', 'c=d?e')
    assert parsed.variables == {'HTTP_HOST': 'a', 'HTTP_X_ONE': '1'}
    assert parsed.host == 'a'
    assert not parsed.has_body


def test_length_or_chunked_encoding_announces_a_body():
    assert parse_head(head('Content-Length: 12')).content_length == 12
    assert parse_head(head('Transfer-Encoding: Chunked')).chunked
    assert parse_head(head('Content-Length: 12')).has_body
    assert not parse_head(head('Content-Length: 0')).has_body


@pytest.mark.parametrize(
    ('version', 'connection', 'kept'),
    [
        ('HTTP/1.1', None, True),
        ('HTTP/1.1', 'close', False),
        ('HTTP/1.1', 'TE, Close', False),
        ('HTTP/1.0', None, False),
        ('HTTP/1.0', 'Keep-Alive', True),
        ('HTTP/1.0', 'keep-alive, close', False),
    ],
)
def test_keep_alive_depends_on_the_version_and_the_connection_options(version, connection, kept):
    options = [] if connection is None else [f'Connection: {connection}']
    assert parse_head(head(*options, start=f'GET / {version}')).keep_alive is kept


def test_authority_in_the_target_takes_precedence_over_the_host():
    parsed = parse_head(head(start='GET http://b:80?x HTTP/1.1', host='Host: B'))
    assert (parsed.host, parsed.path, parsed.query) == ('b:80', '/', 'x')


def test_http_1_0_needs_no_host():
    assert parse_head(head(start='GET / HTTP/1.0', host=None)).host is None


def test_later_minor_version_is_read_as_1_1():
    assert parse_head(head(start='GET / HTTP/1.7')).version == 'HTTP/1.1'


@pytest.mark.parametrize(
    ('status', 'data'),
    [
        (400, head(start='GET /')),
        (400, head(start='GET  / HTTP/1.1')),
        (400, head(start='GET / a HTTP/1.1')),
        (400, head(start='G(T / HTTP/1.1')),
        (400, head(start='GET /\x01 HTTP/1.1')),
        (400, head(start='GET a HTTP/1.1')),
        (400, head(start='GET * HTTP/1.1')),
        (400, head(start='GET http:///path HTTP/1.1')),
        (400, head(start='GET / HTTP/11')),
        (400, head(start='GET / http/1.1')),
        (505, head(start='PRI * HTTP/2.0')),
        (505, head(start='GET / HTTP/0.9')),
        (501, head(start='CONNECT a:443 HTTP/1.1')),
        (400, head(host=None)),
        (400, head('Host: b')),
        (400, head(host='Host: a b')),
        (400, head(host='Host: a/b')),
        (400, head(host='Host: a,b')),
        (400, head(host='Host: user@a')),
        (400, head(host='Host: a:0')),
        (400, head(host='Host: ::1')),
        (400, head(host='Host: a,b', start='GET / HTTP/1.0')),
        (400, head(start='GET http://b/ HTTP/1.1')),
        (400, head(start='GET http://a:8080/ HTTP/1.1')),
        (400, head(start='GET http://user@a/ HTTP/1.1')),
        (400, head(start='GET https://a:80/ HTTP/1.1')),
        (400, head(start='GET ftp://a/ HTTP/1.1')),
        (400, head(start='GET /#fragment HTTP/1.1')),
        (400, head(host='Host: <script>')),
        (400, head(host='Host:')),
        (400, head(host='Host: a:port')),
        (400, head(' folded')),
        (400, head('Name : value')),
        (400, head(': value')),
        (400, head('no colon')),
        (400, head('X-Nul: a\0b')),
        (400, head('Content-Length: +1')),
        (400, head('Content-Length: 1_0')),
        (400, head('Content-Length: -1')),
        (400, head('Content-Length: 1, 1')),
        (400, head('Content-Length: 1', 'Content-Length: 1')),
        (400, head('Content-Length: ' + '9' * 30)),
        (400, head('Content-Length: 1', 'Transfer-Encoding: chunked')),
        (400, head('Transfer-Encoding: chunked', start='POST / HTTP/1.0')),
        (501, head('Transfer-Encoding: gzip, chunked')),
        (501, head('Transfer-Encoding: chunked, chunked')),
        (501, head('Transfer-Encoding: chunked;q=1')),
        (501, head('Transfer-Encoding: xchunked')),
        (501, head('Transfer-Encoding: identity')),
        (501, head('Transfer-Encoding:')),
        (400, head('Transfer-Encoding: \x0bchunked')),
        (501, head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')),
        (417, head('Expect: miracles')),
        (400, b'GET / HTTP/1.1\nHost: a\r\n'),
        (400, b'GET / HTTP/1.1\r\nHost: a\rX: b\r\n'),
        (400, b'GET / HTTP/1.1'),
        (431, head(*[f'X-{n}: 1' for n in range(100)])),
    ],
)
def test_malformed_head_is_rejected(status, data):
    with pytest.raises(HeadError) as caught:
        parse_head(data)
    assert caught.value.status == status
    assert str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_rejected(data):
    with suppress(HeadError):
        parsed = parse_head(data)
        assert parsed.path.startswith('/') or parsed.path == '*'


@given(st.text('\r\n: ;,/0aT\t\0', max_size=40))
def test_no_value_can_add_a_field(value):
    try:
        parsed = parse_head(head(f'X-Given: {value}'))
    except HeadError:
        return
    names = list(parsed.variables)
    assert names[:2] == ['HTTP_HOST', 'HTTP_X_GIVEN']
    assert len(names) == 2 or '\r\n' in value
