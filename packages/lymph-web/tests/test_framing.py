"""Framing of answer bodies: length, chunks or the end of the connection."""

from __future__ import annotations

import pytest

from lymph.web._http.framing import Framing, whole_answer
from lymph.web._http.opening import AnswerError, Opening


def framing(status='200 OK', fields=(), method='GET', version='HTTP/1.1', length=None, close=False):
    opening = Opening()
    opening.start(status, list(fields))
    return Framing(opening, method, version, length, close)


def sent(frame, *parts):
    """Return the bytes after the head."""
    data = b''
    for part in parts:
        data += frame.part(part)
        frame.count(part)
    return data + frame.end()


def fields_of(frame):
    lines = frame.head().decode('latin-1').split('\r\n')
    assert lines[-2:] == ['', '']
    return [line for line in lines[1:-2] if not line.startswith('Date: ')]


CHUNKED = b'2\r\nab\r\n1\r\nc\r\n0\r\n\r\n'
FIVE = [('Content-Length', '5')]


@pytest.mark.parametrize(
    ('arguments', 'fields', 'body', 'closes'),
    [
        ({}, ['Transfer-Encoding: chunked'], CHUNKED, False),
        ({'length': 3}, ['Content-Length: 3'], b'abc', False),
        ({'fields': [('Content-Length', '3')]}, ['Content-Length: 3'], b'abc', False),
        ({'close': True}, ['Transfer-Encoding: chunked', 'Connection: close'], CHUNKED, True),
        ({'version': 'HTTP/1.0'}, ['Connection: close'], b'abc', True),
        (
            {'version': 'HTTP/1.0', 'length': 3},
            ['Content-Length: 3', 'Connection: keep-alive'],
            b'abc',
            False,
        ),
        (
            {'fields': [('Connection', 'X-A , Close')], 'length': 3},
            ['Content-Length: 3', 'Connection: close'],
            b'abc',
            True,
        ),
        (
            {'fields': [('Connection', 'x-disclose')], 'length': 3},
            ['Content-Length: 3'],
            b'abc',
            False,
        ),
        (
            {
                'fields': [
                    ('transfer-encoding', 'chunked'), ('Connection', 'X-A, keep-alive'),
                    ('Keep-Alive', 'timeout=5'), ('Trailer', 'X-Sum'), ('X-A', '1'),
                ],
            },
            ['X-A: 1', 'Transfer-Encoding: chunked'],
            CHUNKED,
            False,
        ),
    ],
)  # fmt: skip
def test_framing_of_a_body_depends_on_its_length_and_the_version(arguments, fields, body, closes):
    frame = framing(**arguments)
    assert fields_of(frame) == fields
    assert sent(frame, b'ab', b'', b'c') == body
    assert frame.closes is closes


@pytest.mark.parametrize(
    ('arguments', 'fields', 'closes'),
    [
        ({'method': 'HEAD'}, [], False),
        ({'method': 'HEAD', 'fields': FIVE}, ['Content-Length: 5'], False),
        ({'method': 'HEAD', 'version': 'HTTP/1.0'}, ['Connection: keep-alive'], False),
        ({'status': '204 No Content'}, [], False),
        ({'status': '204 No Content', 'fields': FIVE, 'length': 5}, [], False),
        ({'status': '304 Not Modified'}, [], False),
        ({'status': '304 Not Modified', 'fields': FIVE}, ['Content-Length: 5'], False),
        ({'status': '103 Early Hints', 'fields': FIVE}, ['Connection: close'], True),
        ({'status': '101 Switching Protocols', 'length': 5}, ['Connection: close'], True),
    ],
)
def test_some_answers_have_no_body_at_all(arguments, fields, closes):
    frame = framing(**arguments)
    assert fields_of(frame) == fields
    assert sent(frame, b'') == b''
    assert not frame.takes_body
    assert frame.part(b'body') == b''
    assert frame.closes is closes


def test_body_where_none_is_allowed_is_an_error_except_for_head():
    framing(method='HEAD').count(b'body')
    with pytest.raises(AnswerError, match='expected no body in an answer 204, found one'):
        framing('204 No Content').count(b'body')


@pytest.mark.parametrize('parts', [[b'abcdefgh'], [b'abc', b'defgh'], [b'abcde', b'f']])
def test_body_longer_than_its_length_is_cut_and_an_error(parts):
    frame = framing(fields=FIVE)
    *first, last = parts
    data = b''
    for part in first:
        data += frame.part(part)
        frame.count(part)
    assert data + frame.part(last) == b'abcde'
    with pytest.raises(AnswerError, match='expected a body of 5 bytes as its Content-Length says'):
        frame.count(last)
    assert frame.closes


def test_body_shorter_than_its_length_is_an_error():
    frame = framing(fields=FIVE)
    with pytest.raises(AnswerError, match='says, found 3 less'):
        sent(frame, b'ab')
    assert frame.closes


@pytest.mark.parametrize(
    ('status', 'line'), [('200 OK', b'HTTP/1.1 200 OK\r\n'), ('200', b'HTTP/1.1 200 \r\n')]
)
def test_status_line_always_has_its_second_space(status, line):
    assert framing(status).head().startswith(line)


def test_answer_has_exactly_one_date():
    assert framing().head().count(b'\r\nDate: ') == 1
    assert framing(fields=[('date', 'now')]).head().lower().count(b'\r\ndate: ') == 1


ONE = ('Content-Length', '1')


def date():
    return 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'


@pytest.mark.parametrize('status', ['200 OK', '404 Not Found', '299', '201 Gel\xf6scht'])
@pytest.mark.parametrize('fields', [[ONE], [('X-A', 'b'), ONE, ('X-A', '\xe9'), ('X-C', '')]])
def test_whole_answer_is_what_a_frame_makes(status, fields):
    opening = Opening()
    opening.start(status, fields)
    frame = Framing(opening, 'GET', 'HTTP/1.1', None, close=False)
    assert whole_answer(opening, b'x', date) == frame.head(date) + sent(frame, b'x')
    assert not frame.closes


@pytest.mark.parametrize('status', ['100 Continue', '204 No Content', '304 Not Modified'])
def test_answer_without_a_body_is_not_a_whole_one(status):
    opening = Opening()
    opening.start(status, [ONE])
    assert whole_answer(opening, b'x', date) is None


@pytest.mark.parametrize(
    'fields',
    [
        *([], [('Content-Length', '2')], [('Content-Length', '0')]),
        *([ONE, ('Date', 'now')], [ONE, ('CONNECTION', 'close')], [ONE, ('te', 'trailers')]),
        *([ONE, ('Transfer-Encoding', 'chunked')], [ONE, ('Keep-Alive', 'timeout=5')]),
    ],
)
def test_answer_whose_fields_are_not_sent_as_they_are_is_not_a_whole_one(fields):
    opening = Opening()
    opening.start('200 OK', fields)
    assert whole_answer(opening, b'x', date) is None


def test_answer_that_was_not_started_is_not_a_whole_one():
    assert whole_answer(Opening(), b'', date) is None
