"""Validation of the status and the header fields with which an application starts an answer."""

from __future__ import annotations

import http
import sys

import pytest

from lymph.web._http.opening import AnswerError, Opening


@pytest.mark.parametrize(
    ('status', 'code'), [('200 OK', 200), ('404 N\xf6', 404), ('299 ', 299), ('503', 503)]
)
def test_status_has_three_digits_and_an_optional_phrase(status, code):
    opening = Opening()
    opening.start(status, [])
    assert (opening.status, opening.code, opening.length) == (status, code, None)


@pytest.mark.parametrize(
    'status',
    [
        '', ' ', 'OK', '20 OK', '2000 OK', '0200 OK', '099 OK', '600 Odd', '200OK', ' 200 OK',
        '200 a\r\nb: c', '200 a\nb', '200 \x00', '200 \u20ac', '-200', '2e2', '\xb2\xb2\xb2',
        200, 200.0, None, b'200 OK', http.HTTPStatus.OK,
    ],
)  # fmt: skip
def test_malformed_status_is_rejected(status):
    with pytest.raises(AnswerError, match="expected a status such as '200 OK', found"):
        Opening().start(status, [])


@pytest.mark.parametrize(
    'fields',
    [
        None, 5, [None], [('a',)], [('a', 'b', 'c')], ['ab'], {'a': 'b'},
        [('', 'b')], [('a b', 'c')], [('a:', 'c')], [('a\r\nb', 'c')], [('\xe4', 'c')],
        [(b'a', 'c')],
        [('a', None)], [('a', 5)], [('a', b'c')], [('a', '\u20ac')], [('a', 'b\nc')],
        [('a', 'b\r')],
        [('a', 'b\x00')], [('a', '\x1b[2J')], [('a', '\udc80')],
        [('Content-Length', '')], [('Content-Length', '-1')], [('Content-Length', '+1')],
        [('Content-Length', '1_0')], [('Content-Length', '0x1')], [('Content-Length', ' 1')],
        [('Content-Length', '\xb2')], [('Content-Length', '5, 5')],
        [('Content-Length', '5'), ('content-length', '5')],
    ],
)  # fmt: skip
def test_invalid_header_fields_are_rejected_and_change_nothing(fields):
    opening = Opening()
    with pytest.raises(AnswerError, match=r'^expected '):
        opening.start('200 OK', fields)
    opening.start('404 Not Found', iter([('A', 'b\t\xe4'), ('Content-Length', '5')]))
    assert (opening.code, opening.length) == (404, 5)
    assert opening.fields == [('A', 'b\t\xe4'), ('Content-Length', '5')]


def test_answer_is_started_once_unless_an_error_takes_its_place():
    opening = Opening()
    opening.start('200 OK', [])
    with pytest.raises(AnswerError, match='expected start_response to be called once'):
        opening.start('200 OK', [])
    try:
        raise ValueError('no')
    except ValueError:
        opening.start('500 No', [], sys.exc_info())
    assert opening.code == 500


def test_error_after_the_first_byte_is_raised_again():
    opening = Opening()
    opening.start('200 OK', [])
    opening.send()
    try:
        raise ValueError('no')
    except ValueError:
        with pytest.raises(ValueError, match='no'):
            opening.start('500 No', [], sys.exc_info())
    assert opening.code == 200


def test_answer_that_was_not_started_cannot_be_sent():
    with pytest.raises(AnswerError, match='expected a call of start_response'):
        Opening().send()
