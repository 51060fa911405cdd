"""What mypy and pyright say to a user's project, with lymph installed from its wheels.

The project is in `typed/`. Above a line that the checkers have to reject, a comment says how:
``# error: mypy[arg-type] pyright[reportArgumentType]``. All other lines have to pass, and so have
the examples of docs/proxies.md.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / 'typed'
GUIDE = Path(__file__).parents[1] / 'docs' / 'proxies.md'
PYTHONS = ('3.10', '3.13')

#: file, line, and the code of an error there
Error = tuple[str, int, str]


def marked(checker: str) -> set[Error]:
    """Return the errors that the project says a checker reports."""
    return {
        (path.name, number, code)
        for path in PROJECT.glob('*.py')
        for number, line in enumerate(path.read_text().splitlines(), 2)  # the line below
        for codes in re.findall(rf'# error:.* {checker}\[([^\]]+)\]', line)
        for code in codes.split(',')
    }


def start(folder: Path, *command: object) -> subprocess.Popen[str]:
    # without what the developer has installed: node, settings, caches
    env = {'HOME': '/nonexistent', 'PATH': '/nonexistent', 'LANG': 'C.UTF-8'}
    return subprocess.Popen(
        [sys.executable, '-m', *map(str, command)],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def mypy(folder: Path, python: Path, version: str) -> subprocess.Popen[str]:
    options = ['--strict', '--config-file=', '--no-error-summary', '--hide-error-context']
    where = ['--python-executable', python, '--python-version', version]
    return start(folder, 'mypy', *options, *where, '.')


def mypy_errors(output: str) -> Iterator[Error]:
    for file, line, code in re.findall(r'^(\S+?):(\d+): error: .*\[([\w-]+)\]$', output, re.M):
        yield file, int(line), code


def pyright(folder: Path, python: Path, version: str) -> subprocess.Popen[str]:
    where = ['--pythonpath', python, '--pythonversion', version, '--project', folder]
    return start(folder, 'pyright', '--outputjson', *where)


def pyright_errors(output: str) -> Iterator[Error]:
    rejected = {(file, line) for file, line, _ in marked('pyright')}
    for found in json.loads(output)['generalDiagnostics']:
        file, line = Path(found['file']).name, found['range']['start']['line'] + 1
        rule = found.get('rule', 'syntax')
        # it may add that the type of what it rejects is unknown
        if not ((file, line) in rejected and re.match('reportUn(known|typed)', rule)):
            yield file, line, rule


@pytest.fixture(scope='module')
def said(
    alone: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[set[Error]]]:
    """What the checkers report for each version of Python, by the name of the checker."""
    python = alone('lymph-testing')
    folder = tmp_path_factory.mktemp('typed') / 'project'
    shutil.copytree(PROJECT, folder)
    examples = re.findall(r'^```python\n(.*?)^```', GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    (folder / 'guide.py').write_text('\n\n'.join(examples))
    running = [(mypy(folder, python, each), pyright(folder, python, each)) for each in PYTHONS]
    output = [(a.communicate()[0], b.communicate()[0]) for a, b in running]
    return {
        'mypy': [set(mypy_errors(each)) for each, _ in output],
        'pyright': [set(pyright_errors(each)) for _, each in output],
    }


@pytest.mark.parametrize('checker', ['mypy', 'pyright'])
def test_type_checkers_reject_exactly_the_wrong_lines_of_a_project(
    checker: str, said: dict[str, list[set[Error]]]
) -> None:
    expected = marked(checker)
    assert len(expected) > 40
    for python, found in zip(PYTHONS, said[checker], strict=True):
        assert {'rejected': sorted(found - expected), 'passed': sorted(expected - found)} == {
            'rejected': [],
            'passed': [],
        }, python
