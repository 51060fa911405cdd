"""The layout of values and tables, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

from lymph.cli._display.columns import aligned, table, text_width
from lymph.cli.printing import Printer, line, lines
from lymph.cli.settings import Settings

ITEMS = [{'id': number, 'name': f'item {number}'} for number in range(20)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(
    monkeypatch: pytest.MonkeyPatch,
    stdout: io.StringIO,
    method: str,
    *values: Any,
    columns: int = 40,
    color: bool = False,
) -> str:
    monkeypatch.setenv('COLUMNS', str(columns))
    monkeypatch.setenv('TERM', 'xterm')
    with monkeypatch.context() as patched:
        patched.setattr(sys, 'stdout', stdout)
        getattr(Printer(Settings(color=color)), method)(*values)
    return stdout.getvalue()


def test_value_is_its_repr_on_one_line_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert printed(monkeypatch, io.StringIO(), 'value', ITEMS) == f'{ITEMS!r}\n'


def test_value_is_laid_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, Terminal(), 'value', ITEMS)
    assert max(map(len, text.splitlines())) <= 40
    assert len(text.splitlines()) >= len(ITEMS)


def test_very_long_value_is_not_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = ITEMS * 100
    assert printed(monkeypatch, Terminal(), 'value', many) == f'{many!r}\n'


def test_rows_are_wrapped_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(line('one'), line('x ' * 30 + 'end')), (line('two'), line('y'))]
    assert printed(monkeypatch, io.StringIO(), 'table', rows) == f'one  {"x " * 30}end\ntwo  y\n'
    assert max(map(len, printed(monkeypatch, Terminal(), 'table', rows).splitlines())) <= 40


def test_words_are_not_broken_where_they_are_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = f'tcp://{"a" * 60}:4123'
    rows = [(line('endpoint'), line(f'it is at {endpoint} and nowhere else'))]
    assert endpoint in printed(monkeypatch, Terminal(), 'table', rows)


@pytest.mark.parametrize('columns', [40, 80])
@pytest.mark.parametrize('color', [False, True])
def test_table_has_the_same_lines_on_a_terminal_of_any_width_as_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, columns: int, color: bool
) -> None:
    identity, endpoint = '5f1c' * 16, f'tcp://[{"2001:db8:" * 5}:1]:41234'
    values = (('SERVICE', 'IDENTITY', 'ENDPOINT', 'AGE'), [['echo', identity, endpoint, '']])
    piped = printed(monkeypatch, io.StringIO(), 'listing', *values)
    assert [text.split() for text in piped.splitlines()] == [
        ['SERVICE', 'IDENTITY', 'ENDPOINT', 'AGE'],
        ['echo', identity, endpoint, '-'],
    ]
    shown = printed(monkeypatch, Terminal(), 'listing', *values, columns=columns, color=color)
    assert ('\x1b' in shown) == color
    plain = re.sub(r'\x1b\[[0-9;]*m', '', shown)
    assert [text.rstrip() for text in plain.splitlines()] == piped.splitlines()


def test_line_of_a_log_is_not_wrapped_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'shop 5f1c9a00 ' + 'a word ' * 20 + 'tcp://127.0.0.1:4123'
    for color in (False, True):
        shown = printed(monkeypatch, Terminal(), 'show', line(text), color=color)
        assert re.sub(r'\x1b\[[0-9;]*m', '', shown) == f'{text}\n'


def test_control_characters_in_a_cell_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, io.StringIO(), 'listing', ['A', 'B'], [['x\x1b[2J\ny', 'z']])
    assert text == 'A           B\nx\\x1b[2J y  z\n'


def test_documentation_has_a_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdout in (io.StringIO(), Terminal()):
        assert printed(monkeypatch, stdout, 'indented', lines('a\n\nb')) == '    a\n\n    b\n'


@pytest.mark.parametrize(
    ('rows', 'text'),
    [
        ([], ''),
        ([['a']], 'a\n'),
        ([['a', 'b', ''], ['long', 'c', 'd']], 'a     b\nlong  c  d\n'),
        ([['a', 'one\ntwo', 'x'], ['b', 'c', 'y\nz']], 'a  one  x\n   two\nb  c    y\n        z\n'),
        ([['\u4f60', 'x'], ['abc', 'y']], '\u4f60   x\nabc  y\n'),
    ],
)
def test_columns_are_as_wide_as_their_cells(rows: list[list[str]], text: str) -> None:
    assert aligned(rows) == text


@pytest.mark.parametrize(
    ('rows', 'text'),
    [
        ([], 'NAME  COUNT\n'),
        ([['a', '']], 'NAME  COUNT\na     -\n'),
        ([['', '5'], ['longer', ' ']], 'NAME    COUNT\n-       5\nlonger  -\n'),
    ],
)
def test_table_has_titles_and_no_empty_cell(rows: list[list[str]], text: str) -> None:
    assert table(['NAME', 'COUNT'], rows) == text


@pytest.mark.parametrize(
    ('text', 'columns'),
    [('', 0), ('abc', 3), ('\u00e9', 1), ('e\u0301', 1), ('\u4f60', 2), ('\uff21b', 3)],
)
def test_width_of_text_is_its_width_on_a_terminal(text: str, columns: int) -> None:
    assert text_width(text) == columns


@pytest.mark.parametrize(
    ('style', 'shown'),
    [
        ('', 'x y'),
        ('bold', '\x1b[1mx y\x1b[0m'),
        ('bold red', '\x1b[31m\x1b[1mx y\x1b[0m'),
        ('dim', '\x1b[2mx y\x1b[0m'),
        ('italic', '\x1b[3mx y\x1b[0m'),
    ],
)
def test_styles_are_shown_in_color(monkeypatch: pytest.MonkeyPatch, style: str, shown: str) -> None:
    text = printed(monkeypatch, Terminal(), 'show', line('x y', style), color=True)
    assert text == f'{shown}\n'
