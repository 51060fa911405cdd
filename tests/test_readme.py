"""The first screen of the README does what it shows."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.waiting import eventually

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()
LYMPH = str(ROOT / '.venv' / 'bin' / 'lymph')


def block(kind: str) -> str:
    match = re.search(rf'^```{kind}\n(.*?)^```', README, re.MULTILINE | re.DOTALL)
    assert match, f'README.md has no {kind} block'
    return match[1]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'echo.py').write_text(block('python'))
    (tmp_path / 'echo.yml').write_text(block('yaml'))
    return tmp_path


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith('LYMPH_')}
    kept.pop('PYTHONUNBUFFERED', None)
    return {**kept, 'LYMPH_STATE_DIR': str(tmp_path / 'state')}


@pytest.fixture
def instance(folder, environment):
    log = folder / 'instance.log'
    process = GuardedProcess(
        [LYMPH, 'instance', '--config=echo.yml'], environment=environment, folder=folder, log=log
    )
    eventually(lambda: 'tcp://' in log.read_text(), timeout=30, message=log.read_text)
    yield log
    process.end(timeout=10)


def test_the_commands_print_what_the_readme_shows(folder, environment, instance):
    commands = re.findall(r'^\$ (.*)\n((?:(?!\$ ).*\n)*)', block('console'), re.MULTILINE)
    assert commands[0][0] == 'lymph instance --config=echo.yml &'
    for command, shown in commands[1:]:
        done = subprocess.run(
            command.replace('lymph', LYMPH, 1),
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, '')
        assert done.stdout.rstrip() == shown.rstrip()
    eventually(lambda: 'done foo' in instance.read_text(), timeout=10)
