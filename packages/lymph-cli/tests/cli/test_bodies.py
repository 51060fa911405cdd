"""Parameters as written on a command line."""

from __future__ import annotations

import datetime
import io
import sys

import click
import pytest

from lymph.cli._arguments.bodies import parse_body


@pytest.mark.parametrize(
    ('words', 'body'),
    [
        ([], {}),
        (['{"text": "foo", "n": [1, null]}'], {'text': 'foo', 'n': [1, None]}),
        (['text=foo'], {'text': 'foo'}),
        (['text=foo', 'n:=3', 'deep:={"a": true}'], {'text': 'foo', 'n': 3, 'deep': {'a': True}}),
        (
            ['n:=-3', 'x:=1e3', 'no:=null', 'list:=[1]'],
            {'n': -3, 'x': 1e3, 'no': None, 'list': [1]},
        ),
        (['text='], {'text': ''}),
        (['text=3', 'json={}'], {'text': '3', 'json': '{}'}),
        (['text=a=b:=c'], {'text': 'a=b:=c'}),
        (['text=-'], {'text': '-'}),
        (['day:={"$date": "2024-02-29"}'], {'day': datetime.date(2024, 2, 29)}),
        (['{"text": "foo", "n": 1}', 'n:=2', 'm=x'], {'text': 'foo', 'n': 2, 'm': 'x'}),
        (['n:=2', '{"text": "foo", "n": 1}'], {'text': 'foo', 'n': 2}),
    ],
)
def test_words_describe_a_body(words: list[str], body: dict[str, object]) -> None:
    assert parse_body(words) == body


@pytest.mark.parametrize('text', ['{"text": "foo"}\n', b'{"text": "foo"}'])
def test_dash_reads_the_body_from_stdin(text: str | bytes) -> None:
    assert parse_body(['-'], lambda: text) == {'text': 'foo'}
    assert parse_body(['n:=3', '-', 'text=bar'], lambda: text) == {'text': 'bar', 'n': 3}


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['{"text": '], 'expected JSON'),
        (["{'text': 'foo'}"], 'expected JSON'),
        (['[1, 2]'], 'expected a JSON object'),
        (['foo'], "name=text or name:=json, found 'foo'"),
        ([''], 'name=text'),
        (['=foo'], 'name=text'),
        ([':=3'], 'name=text'),
        (['n:=three'], 'n: expected JSON'),
        (['n:=three'], 'for text, write n=three'),
        (['n:='], 'n: expected JSON'),
        (['n:=NaN'], 'n: expected JSON'),
        (['a=1', 'a:=2'], "'a' is given twice"),
        (['{"a": 1}', '{"b": 1}'], 'expected one JSON object or one -'),
        (['-', '{"b": 1}'], 'expected one JSON object or one -'),
        (['-', '-'], 'expected one JSON object or one -'),
        (['text=\udcff'], 'text: expected text in the encoding of the terminal'),
    ],
)
def test_malformed_body_is_a_usage_error(words: list[str], complaint: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_body(words, lambda: pytest.fail('stdin was read'))
    assert complaint in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('', 'stdin: expected a JSON object, found nothing'),
        (' \n', 'stdin: expected a JSON object, found nothing'),
        ('[1]', 'stdin: expected a JSON object like'),
        ('{', 'stdin: expected JSON'),
        (b'\xff\xfe\xfd', 'stdin: expected JSON'),
    ],
)
def test_stdin_without_an_object_is_a_usage_error(text: str | bytes, complaint: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_body(['-'], lambda: text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize('terminal', [True, False])
def test_hint_to_end_the_input_is_shown_only_on_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"text": "foo"}'))
    monkeypatch.setattr(stdin, 'isatty', lambda: terminal, raising=False)
    monkeypatch.setattr(sys, 'stdin', stdin)
    assert parse_body(['-']) == {'text': 'foo'}
    assert ('Ctrl-D' in capsys.readouterr().err) == terminal
