from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._operations.heads import LONGEST, BadHead, OperationsRequest, read_head

HOST = b'Host: localhost\r\n'


def head(line=b'GET /livez HTTP/1.1', fields=HOST):
    return line + b'\r\n' + fields + b'\r\n'


@pytest.mark.parametrize(
    ('data', 'request_'),
    [
        (head(), ('GET', '/livez', '', None, True)),
        (head(b'HEAD / HTTP/1.1'), ('HEAD', '/', '', None, True)),
        (head(b'GET /readyz?verbose HTTP/1.1'), ('GET', '/readyz', 'verbose', None, True)),
        (head(b'GET http://a:80/livez HTTP/1.1'), ('GET', '/livez', '', None, True)),
        (head(b'GET HTTP://a HTTP/1.1'), ('GET', '/', '', None, True)),
        (head(b'GET /livez HTTP/1.0', b''), ('GET', '/livez', '', None, False)),
        (head(b'GET / HTTP/1.0', b'Connection: Keep-Alive\r\n'), ('GET', '/', '', None, True)),
        (head(fields=HOST + b'connection: a, CLOSE\r\n'), ('GET', '/livez', '', None, False)),
        (head(fields=HOST + b'Content-Length: 0\r\n'), ('GET', '/livez', '', None, True)),
        (
            head(fields=HOST + b'Accept:text/plain\r\nACCEPT: */*  \r\n'),
            ('GET', '/livez', '', 'text/plain,*/*', True),
        ),
        (b'\r\n' + head(), ('GET', '/livez', '', None, True)),
    ],
)
def test_a_valid_head_is_a_request_and_its_length(data, request_):
    assert read_head(data) == (OperationsRequest(*request_), len(data))
    assert read_head(data + b'GET') == (OperationsRequest(*request_), len(data))
    for end in range(len(data)):
        assert read_head(data[:end]) is None


@pytest.mark.parametrize(
    ('data', 'status', 'reason'),
    [
        (head(b'POST / HTTP/1.1'), 405, "expected GET or HEAD, found 'POST'"),
        (head(b'GET / HTTP/2.0'), 505, 'expected HTTP/1.1, found HTTP/2.0'),
        (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'expected HTTP/1.1, found HTTP/2.0'),
        (head(b'GET /'), 400, "expected METHOD TARGET VERSION, found b'GET /'"),
        (head(b'GET  / HTTP/1.1'), 400, 'expected METHOD TARGET VERSION'),
        (head(b'GET /\tx HTTP/1.1'), 400, 'expected METHOD TARGET VERSION'),
        (head(b'GET / http/1.1'), 400, "expected HTTP/1.1, found b'http/1.1'"),
        (head(b'GET livez HTTP/1.1'), 400, "expected a path, found 'livez'"),
        (head(b'GET * HTTP/1.1'), 400, "expected a path, found '*'"),
        (head(fields=b''), 400, 'expected one header field Host'),
        (head(fields=HOST + HOST), 400, 'expected one header field Host'),
        (head(fields=HOST + b'a b: c\r\n'), 400, "expected NAME: VALUE, found b'a b: c'"),
        (head(fields=HOST + b' folded: c\r\n'), 400, 'expected NAME: VALUE'),
        (head(fields=HOST + b'name\r\n'), 400, 'expected NAME: VALUE'),
        (head(fields=HOST + b'a: \0\r\n'), 400, 'expected NAME: VALUE'),
        (head(fields=HOST + b'a: b\nc: d\r\n'), 400, 'expected NAME: VALUE'),
        (head(fields=HOST + b'Content-Length: 1\r\n'), 400, 'expected a request without a body'),
        (
            head(fields=HOST + b'Transfer-Encoding: chunked\r\n'),
            400,
            'expected a request without a body',
        ),
        (head(fields=HOST + b'a: b\r\n' * 100), 431, 'expected at most 100 header fields'),
        (b'GET /' + b'a' * LONGEST, 431, f'expected a head of less than {LONGEST} bytes'),
        (head(fields=b'a: ' + b'b' * LONGEST), 431, 'expected a head of less than'),
        (b'GET / HTTP/1.1\nHost: a\n\n', 400, 'expected lines that end in CR LF'),
        (b'\x16\x03\x01\x02\x00\x01\x00\x01', 400, 'expected an HTTP request, found'),
    ],
)
def test_any_other_head_is_refused(data, status, reason):
    with pytest.raises(BadHead) as caught:
        read_head(data)
    assert caught.value.status == status
    assert str(caught.value).startswith(reason)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b'GET / HTTP/1.1', b'\r\n', b'\n', b'Host: a', b' ', b':', b'\0']),
            st.binary(max_size=20),
        )
    ).map(b''.join)
)
def test_any_bytes_are_a_request_or_refused_or_incomplete(data):
    reason = ''
    try:
        found = read_head(data)
    except BadHead as error:
        found, reason = None, str(error)
    assert reason.isprintable()
    assert found is None or found[1] <= len(data)


@pytest.mark.parametrize(
    ('query', 'verbose'),
    [('', False), ('verbose', True), ('a=b&verbose=1', True), ('verbosely', False)],
)
def test_details_are_asked_for_by_verbose(query, verbose):
    assert OperationsRequest('GET', '/readyz', query, None, True).verbose is verbose
