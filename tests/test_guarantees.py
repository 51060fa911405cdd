"""Every promise of docs/guarantees.md is proven by a test."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
NAMED = re.compile(r'`([\w/]+\.py)::(\w+)`')


def promises() -> list[str]:
    """The rows of all tables, without their heads."""
    lines = (ROOT / 'docs' / 'guarantees.md').read_text().splitlines()
    rows = [line for line in lines if line.startswith('|')]
    return [row for row in rows if not row.startswith(('| when |', '| --- |'))]


def test_tables_are_found() -> None:
    assert len(promises()) > 30


def test_no_promise_is_repeated_in_a_section() -> None:
    sections = re.split(r'^#.*$', (ROOT / 'docs' / 'guarantees.md').read_text(), flags=re.MULTILINE)
    for section in sections:
        whens = [line.split(' | ')[0] for line in section.splitlines() if line.startswith('|')]
        assert [when for when in whens if whens.count(when) > 1] == []


@pytest.mark.parametrize('promise', promises(), ids=lambda row: row.split('|')[1].strip())
def test_every_promise_names_tests_that_exist(promise: str) -> None:
    tests = NAMED.findall(promise.rstrip('| ').rpartition('|')[2])
    assert tests, 'no test is named'
    for path, name in tests:
        base = 'lymph-testing/src/lymph/testing' if path.startswith('contracts/') else '*/tests'
        (file,) = ROOT.glob(f'packages/{base}/{path}')
        found = {
            node.name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.FunctionDef)
        }
        assert name in found, f'{file} has no test of that name'
