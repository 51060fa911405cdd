from __future__ import annotations

import datetime

import click
import pytest

from lymph.cli.subjects import Subject, parse_body, parse_service, parse_subject
from lymph.core.versioning import Version


@pytest.mark.parametrize(
    ('text', 'subject'),
    [
        ('echo.upper', Subject('echo', 'upper')),
        ('echo.upper@1.2', Subject('echo', 'upper', '1.2')),
        ('shop.orders.place@2', Subject('shop.orders', 'place', '2')),
    ],
)
def test_a_subject_names_interface_method_and_version(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject


@pytest.mark.parametrize('text', ['', 'echo', 'echo.', '.upper', 'echo.upper@', '@1.2'])
def test_what_is_no_subject_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError, match=r'INTERFACE\.METHOD'):
        parse_subject(text)


@pytest.mark.parametrize(
    ('text', 'service'),
    [
        ('echo', ('echo', None)),
        ('echo@1.2', ('echo', Version(1, 2))),
        ('shop.orders@2', ('shop.orders', Version(2))),
        ('tcp://user@127.0.0.1:1', ('tcp://user@127.0.0.1:1', None)),
    ],
)
def test_a_service_may_be_named_with_a_version(text: str, service: object) -> None:
    assert parse_service(text) == service


@pytest.mark.parametrize('text', ['echo@', '@1.2', 'echo@x', 'echo@1@2', 'echo@1.2.upper'])
def test_what_is_no_service_with_a_version_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError, match='expected'):
        parse_service(text)


@pytest.mark.parametrize('version', ['x', '1.2.3.4', '1.', '-1'])
def test_what_is_no_version_is_a_usage_error(version: str) -> None:
    with pytest.raises(click.UsageError, match='expected a version'):
        parse_subject(f'echo.upper@{version}')


@pytest.mark.parametrize(
    ('words', 'body'),
    [
        ([], {}),
        (['{"text": "foo", "n": [1, null]}'], {'text': 'foo', 'n': [1, None]}),
        (['text=foo'], {'text': 'foo'}),
        (['text=foo', 'n:=3', 'deep:={"a": true}'], {'text': 'foo', 'n': 3, 'deep': {'a': True}}),
        (['text='], {'text': ''}),
        (['text=a=b:=c'], {'text': 'a=b:=c'}),
        (['day:={"$date": "2024-02-29"}'], {'day': datetime.date(2024, 2, 29)}),
    ],
)
def test_words_describe_a_body(words: list[str], body: dict[str, object]) -> None:
    assert parse_body(words) == body


def test_a_dash_reads_the_body_from_stdin() -> None:
    assert parse_body(['-'], lambda: '{"text": "foo"}\n') == {'text': 'foo'}


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['{"text": '], 'expected JSON'),
        (['[1, 2]'], 'expected a JSON object'),
        (['foo'], "name=text or name:=json, found 'foo'"),
        (['=foo'], 'name=text'),
        ([':=3'], 'name=text'),
        (['n:=three'], 'n: expected JSON'),
        (['{"a": 1}', 'b=2'], 'name=text'),
    ],
)
def test_words_that_make_no_body_are_a_usage_error(words: list[str], complaint: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_body(words)
    assert complaint in str(caught.value)
    assert '\n' not in str(caught.value)
