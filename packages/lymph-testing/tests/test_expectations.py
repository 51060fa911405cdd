"""Comparing calls, and describing the differences."""

from __future__ import annotations

from unittest import mock
from unittest.mock import call

import pytest
from hamcrest import anything, has_entries, starts_with

from lymph.testing._mocks.expectations import Expectation, difference, show_call

UPPER = call('echo.upper', text='foo')
LOWER = call('echo.lower', text='FOO', lines=[1, 2])


@pytest.mark.parametrize(
    'expected',
    [
        LOWER,
        call('echo.lower', text=starts_with('F'), lines=anything()),
        call('echo.lower', text=mock.ANY, lines=[1, anything()]),
        call('echo.lower', lines=(1, 2), text='FOO'),
    ],
)
def test_matching_calls_have_no_difference(expected):
    assert difference(expected, LOWER) is None


@pytest.mark.parametrize(
    ('expected', 'made', 'words'),
    [
        (UPPER, call('echo.lower', text='foo'), "expected 'echo.upper', found 'echo.lower'"),
        (UPPER, call('echo.upper', text='bar'), "text: expected 'foo', found 'bar'"),
        (UPPER, call('echo.upper'), "text: expected 'foo', found nothing"),
        (UPPER, call('echo.upper', text='foo', n=1), 'n: expected nothing, found 1'),
        (
            call('a.b', x={'y': [1, {'z': starts_with('a')}]}),
            call('a.b', x={'y': [1, {'z': 'b'}]}),
            "x.y[1].z: expected <a string starting with 'a'>, found 'b'",
        ),
        (call('a.b', x=[1, 2]), call('a.b', x=[1]), 'x[1]: expected 2, found nothing'),
        (call('a.b', x={'y': 1}), call('a.b', x=[1]), "x: expected {'y': 1}, found [1]"),
        (call('a.b', x='12'), call('a.b', x=['1', '2']), "x: expected '12', found ['1', '2']"),
        (call('evt', {'a': 1}), call('evt', {'a': 2}), 'payload.a: expected 1, found 2'),
        (
            call('evt', has_entries(a=1)),
            call('evt', {'b': 2}),
            "payload: expected <a dictionary containing {'a': <1>}>, found {'b': 2}",
        ),
        (
            call('a.b', x=1, y=2),
            call('a.b', x=0, y=0),
            'x: expected 1, found 0; y: expected 2, found 0',
        ),
    ],
)
def test_a_difference_is_named_by_its_path(expected, made, words):
    assert difference(expected, made) == words


def test_exactly_the_expected_calls_in_order_pass():
    assert Expectation([UPPER, LOWER]).exactly([UPPER, LOWER]) is None
    assert Expectation([]).exactly([]) is None


@pytest.mark.parametrize(
    ('made', 'expected', 'first_line'),
    [
        (
            [UPPER],
            [],
            "expected 0 calls, found 1; the first that was not expected: echo.upper(text='foo')",
        ),
        (
            [],
            [UPPER],
            "expected 1 call, found 0; the first that is missing: echo.upper(text='foo')",
        ),
        (
            [LOWER, UPPER],
            [UPPER, LOWER],
            "call 1 is not as expected: expected 'echo.upper', found 'echo.lower'",
        ),
        (
            [UPPER, UPPER],
            [UPPER, call('echo.upper', text='bar')],
            "call 2 is not as expected: text: expected 'bar', found 'foo'",
        ),
    ],
)
def test_unexpected_calls_are_explained(made, expected, first_line):
    assert Expectation(made).exactly(expected).splitlines()[0] == first_line


def test_difference_lists_expected_and_actual_calls():
    problem = Expectation([UPPER], 'event').exactly(
        [call('echo.upper', text=starts_with('b')), LOWER]
    )
    assert problem.splitlines()[1:] == [
        'expected:',
        "    echo.upper(text=<a string starting with 'b'>)",
        "    echo.lower(text='FOO', lines=[1, 2])",
        'found:',
        "    echo.upper(text='foo')",
    ]
    assert Expectation([]).exactly([UPPER]).endswith('found:\n    none')


@pytest.mark.parametrize('expected', [[], [UPPER], [LOWER], [UPPER, LOWER], [UPPER, LOWER, UPPER]])
def test_in_order_ignores_calls_in_between(expected):
    other = call('a.b')
    assert Expectation([other, UPPER, other, LOWER, UPPER, other]).in_order(expected) is None


@pytest.mark.parametrize(
    ('made', 'expected', 'first_line'),
    [
        (
            [LOWER, UPPER],
            [UPPER, LOWER],
            "no call echo.lower(text='FOO', lines=[1, 2]) after call 2, echo.upper(text='foo');"
            ' there is one before it',
        ),
        (
            [UPPER],
            [UPPER, UPPER],
            "no call echo.upper(text='foo') after call 1, echo.upper(text='foo')",
        ),
        (
            [call('echo.upper', text='x', n=1), call('echo.upper', text='bar')],
            [UPPER],
            "no call echo.upper(text='foo'); the closest differs: "
            "text: expected 'foo', found 'bar'",
        ),
        ([UPPER], [call('echo.uper')], "no call echo.uper(); did you mean 'echo.upper'?"),
        ([UPPER], [call('other.name')], 'no call other.name()'),
    ],
)
def test_missing_call_of_an_order_is_explained(made, expected, first_line):
    assert Expectation(made).in_order(expected).splitlines()[0] == first_line


def test_calls_are_shown_as_code():
    assert show_call(call('a.b', {'x': [1]}, delay=2)) == "a.b({'x': [1]}, delay=2)"
