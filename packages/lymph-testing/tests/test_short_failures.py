"""A failure prints at most 200 lines, for any exception and any output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lymph.testing.short_failures import cut_lines, fair_shares


@pytest.mark.parametrize(
    ('number', 'limit', 'cut'),
    [
        (0, 5, []),
        (3, 3, ['0', '1', '2']),
        (4, 3, ['0', '... (2 lines left out)', '3']),
        (100, 4, ['0', '... (97 lines left out)', '98', '99']),
        (2, 1, ['... (2 lines left out)']),
    ],
)
def test_lines_are_cut_in_the_middle(number: int, limit: int, cut: list[str]) -> None:
    assert cut_lines([str(n) for n in range(number)], limit) == cut


def test_a_very_long_line_is_cut_at_its_end() -> None:
    assert cut_lines(['x' * 5000], 10) == ['x' * 1000 + '...']


@pytest.mark.parametrize(
    ('wanted', 'limit', 'shares'),
    [
        ([], 10, []),
        ([1, 2], 10, [1, 2]),
        ([100, 2, 100], 10, [4, 2, 4]),
        ([9, 9], 9, [4, 5]),
    ],
)
def test_sections_share_the_lines(wanted: list[int], limit: int, shares: list[int]) -> None:
    assert fair_shares(wanted, limit) == shares


FAILING = """
import logging, subprocess, sys
import pytest

def say(much):
    subprocess.run(['seq', '-f', 'of a child %g', str(much)], check=True)
    for n in range(much):
        print('printed', n)
        print('to stderr', n, file=sys.stderr)
        logging.getLogger('a').warning('logged %d', n)

@pytest.fixture
def talkative():
    say(400)
    yield
    say(400)

@pytest.fixture
def broken():
    yield
    say(400)
    raise RuntimeError('in the teardown')

def test_talkative(talkative):
    say(400)
    assert False, 'first\\n' + 'of a process\\n' * 400 + 'last'

def test_with_a_cause():
    try:
        raise ValueError('first\\n' + 'of a process\\n' * 400)
    except ValueError as error:
        raise RuntimeError('another\\n' + 'of a process\\n' * 400) from error

def test_without_a_traceback():
    pytest.fail('first\\n' + 'of a process\\n' * 400 + 'last', pytrace=False)

def test_broken(broken):
    say(400)

def test_deep():
    def even(number):
        odd(number + 1)
    def odd(number):
        if number > 300:
            raise ValueError('at the bottom\\n' + 'of a process\\n' * 400)
        even(number + 1)
    even(0)

def test_with_many_causes():
    def fail(number):
        try:
            fail(number - 1) if number else 1 / 0
        except Exception as error:
            raise RuntimeError(str(number)) from error
    fail(40)

@pytest.mark.parametrize('name', ['x' * 100_000], ids=['y' * 100_000])
def test_long_name(name):
    say(400)
    raise ValueError(name)

def test_short():
    say(3)
    assert False, 'short'
"""


BROKEN = """
import sys
print('printed\\n' * 400, file=sys.stderr)
raise ValueError('of a process\\n' * 400)
"""


def outcome(folder: Path, *options: str) -> str:
    """Return what pytest prints of the failing tests in a folder, where a build would run it."""
    (folder / 'pytest.ini').write_text('[pytest]\n')
    plugin = ['-p', 'lymph.testing.short_failures', '-p', 'no:cacheprovider']
    return subprocess.run(
        [sys.executable, '-m', 'pytest', *plugin, *options],
        cwd=folder,
        env={**os.environ, 'CI': '1'},
        capture_output=True,
        text=True,
        timeout=100,
    ).stdout


def failures_of(output: str) -> dict[str, list[str]]:
    """Return the lines of each failure, by the name of its test."""
    parts = re.split(
        r'^_+ (?:ERROR at teardown of )?(test_\w+)\S* _+$|^=+ short test summary',
        output,
        flags=re.M,
    )
    pairs = zip(parts[1::2], parts[2::2], strict=False)
    return {name: text.splitlines() for name, text in pairs if name}


@pytest.fixture(scope='module', params=['long', 'native'])
def failures(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp('failing')
    (folder / 'test_failing.py').write_text(FAILING)
    output = outcome(folder, f'--tb={request.param}')
    found = failures_of(output)
    assert set(found) == set(re.findall(r'^def (test_\w+)', FAILING, re.M))
    _, _, summary = output.partition('short test summary')
    assert len(summary.splitlines()) == len(found) + 2
    return found


def test_a_failure_prints_at_most_200_lines(failures: dict[str, list[str]]) -> None:
    for name, lines in failures.items():
        assert len(lines) < 200, name
        assert any('lines left out)' in line for line in lines) == (name != 'test_short'), name
        assert max(map(len, lines)) < 1010, name


@pytest.mark.parametrize('failures', ['long'], indirect=True)
def test_the_first_and_the_last_lines_of_all_texts_are_kept(failures: dict[str, list[str]]) -> None:
    texts = {name: '\n'.join(lines) for name, lines in failures.items()}
    assert 'logged 0' in texts['test_short']
    talkative = texts['test_talkative']
    assert 'of a child 1\n' in talkative
    assert 'logged 399' in talkative
    assert 'first\n' in talkative
    assert re.search(r'^E +last$', talkative, re.M)
    assert 'in the teardown' in texts['test_broken']
    assert 'even(0)' in texts['test_deep']
    assert re.search(r'^E +ValueError: at the bottom$', texts['test_deep'], re.M)
    assert re.search(r'^E +ZeroDivisionError', texts['test_with_many_causes'], re.M)
    assert re.search(r'^E +RuntimeError: 40$', texts['test_with_many_causes'], re.M)


def test_a_file_that_cannot_be_imported_prints_at_most_200_lines(tmp_path: Path) -> None:
    (tmp_path / 'test_broken.py').write_text(BROKEN)
    output = outcome(tmp_path)
    assert 'ValueError: of a process' in output
    assert output.count('printed') > 1
    assert len(output.splitlines()) < 200
