"""The names that were probably meant, taken from the description of a service."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._arguments.subjects import Subject
from lymph.cli._program.meanings import meant_method, meant_parameters, read_parameters

METHODS = {
    'echo.upper': frozenset({'text'}),
    'echo.take': frozenset({'seconds', 'number'}),
    'mail.send': frozenset({'to'}),
    'lymph.ping': frozenset({'payload'}),
}


@pytest.mark.parametrize(
    ('subject', 'meant'),
    [
        (Subject('echo', 'uper'), 'echo.upper'),
        (Subject('ehco', 'upper'), 'echo.upper'),
        (Subject('ehco', 'uper'), 'echo.upper'),
        (Subject('echo', 'upper'), None),
        (Subject('echo', 'send'), None),
        (Subject('zzz', 'zzz'), None),
    ],
)
def test_similar_method_is_suggested(subject: Subject, meant: str | None) -> None:
    assert meant_method(subject, METHODS) == meant


@pytest.mark.parametrize(
    ('given', 'method', 'meant'),
    [
        (['txet'], 'upper', "'text' for 'txet'"),
        (['secnods', 'nubmer'], 'take', "'seconds' for 'secnods', 'number' for 'nubmer'"),
        (['seconds', 'secnods'], 'take', None),
        (['zzz'], 'upper', None),
        (['text'], 'no_such', None),
    ],
)
def test_similar_parameters_are_suggested(given: list[str], method: str, meant: str | None) -> None:
    assert meant_parameters(given, Subject('echo', method), METHODS) == meant


def test_parameters_are_read_as_their_authors_write_them() -> None:
    params = ['text', 'number=3', "name: str = 'x'", 'day: datetime.date']
    reply = {'methods': [{'name': 'echo.upper', 'params': params}]}
    assert read_parameters(reply) == {'echo.upper': {'text', 'number', 'name', 'day'}}


@pytest.mark.parametrize(
    'reply',
    [
        None,
        [],
        {},
        {'methods': None},
        {'methods': 5},
        {'methods': 'text'},
        {'methods': [None, {}, {'name': 3}]},
    ],
)
def test_malformed_answer_describes_nothing(reply: Any) -> None:
    assert read_parameters(reply) == {}


def test_malformed_parameters_are_left_out() -> None:
    reply = {'methods': [{'name': 'a.b', 'params': [3, None, '', '*', 'x']}, {'name': 'a.c'}]}
    assert read_parameters(reply) == {'a.b': {'x'}, 'a.c': set()}
