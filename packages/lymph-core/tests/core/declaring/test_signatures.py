from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._declaring.signatures import Signature


def nothing(self):
    pass


def one(self, text):
    pass


def some(self, text, limit=10, *, strict=False):
    pass


def anything(self, text, **rest):
    pass


def raw(self, channel, text=None):
    pass


@pytest.mark.parametrize(
    ('func', 'arguments'),
    [
        (nothing, {}),
        (one, {'text': 1}),
        (some, {'text': 1}),
        (some, {'text': 1, 'strict': True}),
        (anything, {'text': 1, 'more': 2}),
    ],
)
def test_fitting_arguments_are_accepted(func, arguments):
    assert Signature(func).problem(arguments) is None


@pytest.mark.parametrize(
    ('func', 'arguments', 'problem'),
    [
        (nothing, {'a': 1}, "unexpected argument 'a' (takes: nothing)"),
        (one, {}, "missing argument 'text' (takes: text)"),
        (one, {'tex': 1}, "missing argument 'text' (takes: text)"),
        (
            one,
            {'text': 1, 'tex': 1},
            "unexpected argument 'tex' (takes: text); did you mean 'text'?",
        ),
        (
            some,
            {'text': 1, 'xyz': 1},
            "unexpected argument 'xyz' (takes: text, limit=10, strict=False)",
        ),
        (anything, {'more': 2}, "missing argument 'text' (takes: text, **)"),
        (anything, {'text': 1, 5: 2}, 'expected argument names as text, found 5'),
        (one, {'text': 1, b'b': 2}, "expected argument names as text, found b'b'"),
        (one, {1: 1, 'x': 2, 'y': 3}, 'expected argument names as text, found 1'),
        (one, {'self': 1, 'text': 2}, "unexpected argument 'self' (takes: text)"),
    ],
)
def test_problem_is_described_in_words(func, arguments, problem):
    assert Signature(func).problem(arguments) == problem


def test_parameters_filled_by_the_framework_are_not_arguments():
    signature = Signature(raw, 2)
    assert [p.name for p in signature.parameters] == ['text']
    assert signature.problem({'channel': 1}) == "unexpected argument 'channel' (takes: text=None)"


def test_positional_parameters_cannot_be_called_by_name():
    def method(self, text, /):
        pass

    with pytest.raises(
        TypeError, match=r"method: arguments travel by name, .*'text' is positional"
    ):
        Signature(method)


FUNCTIONS = [nothing, one, some, anything]


@given(
    st.sampled_from(FUNCTIONS),
    st.dictionaries(st.sampled_from(['text', 'limit', 'strict', 'other', 'self']), st.none()),
)
def test_arguments_are_accepted_exactly_if_python_would_accept_them(func, arguments):
    try:
        inspect.signature(func).bind(None, **arguments)
        callable_so = True
    except TypeError:
        callable_so = False
    assert (Signature(func).problem(arguments) is None) == callable_so


def test_described_parameters_are_as_written():
    def method(self, plain, text: str, number: int = 5, *, flag=None):
        pass

    assert Signature(method).described() == ['plain', 'text: str', 'number: int = 5', 'flag=None']
