"""What values and tables look like, on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from lymph.cli.columns import aligned
from lymph.cli.printing import Printer, line, lines
from lymph.cli.settings import Settings

ITEMS = [{'id': number, 'name': f'item {number}'} for number in range(20)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, stdout: io.StringIO, method: str, value: Any) -> str:
    monkeypatch.setenv('COLUMNS', '40')
    monkeypatch.setenv('TERM', 'xterm')
    with monkeypatch.context() as patched:
        patched.setattr(sys, 'stdout', stdout)
        getattr(Printer(Settings(color=False)), method)(value)
    return stdout.getvalue()


def test_value_is_one_line_as_python_writes_it_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert printed(monkeypatch, io.StringIO(), 'value', ITEMS) == f'{ITEMS!r}\n'


def test_value_is_laid_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, Terminal(), 'value', ITEMS)
    assert max(map(len, text.splitlines())) <= 40
    assert len(text.splitlines()) >= len(ITEMS)


def test_value_that_nobody_can_read_is_not_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = ITEMS * 100
    assert printed(monkeypatch, Terminal(), 'value', many) == f'{many!r}\n'


def test_rows_are_wrapped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(line('one'), line('x ' * 30 + 'end')), (line('two'), line('y'))]
    assert printed(monkeypatch, io.StringIO(), 'table', rows) == f'one  {"x " * 30}end\ntwo  y\n'
    assert max(map(len, printed(monkeypatch, Terminal(), 'table', rows).splitlines())) <= 40


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
