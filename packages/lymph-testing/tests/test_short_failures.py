"""A failure prints at most 200 lines of what was logged and printed, whoever printed it."""

from __future__ import annotations

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

def test_short():
    say(3)
    assert False, 'short'
"""


def test_a_failure_prints_at_most_200_lines_of_log(tmp_path: Path) -> None:
    (tmp_path / 'test_failing.py').write_text(FAILING)
    (tmp_path / 'pytest.ini').write_text('[pytest]\n')
    command = [sys.executable, '-m', 'pytest', '-p', 'lymph.testing.short_failures', '--tb=long']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    shown = re.split(r'^_{3,} (?:ERROR at teardown of )?(test_\w+) _{3,}$', done.stdout, flags=re.M)
    failures = dict(zip(shown[1::2], shown[2::2], strict=True))
    assert set(failures) == {
        'test_broken',
        'test_short',
        'test_talkative',
        'test_with_a_cause',
        'test_without_a_traceback',
    }
    said = re.compile('of a child|printed|to stderr|logged|of a process')
    for name, text in failures.items():
        lines = [line for line in text.splitlines() if said.search(line) or 'left out' in line]
        assert len(lines) <= 200, name
        assert ('lines left out)' in text) == (name != 'test_short'), name
    assert 'logged 0' in failures['test_short']
    talkative = failures['test_talkative']
    assert 'of a child 1\n' in talkative  # the first line and the last one are kept
    assert 'logged 399' in talkative
    assert 'first\n' in talkative
    assert re.search(r'^E +last$', talkative, re.M)
    assert 'in the teardown' in failures['test_broken']
