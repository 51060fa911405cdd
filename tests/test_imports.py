"""Which modules imports and commands load, each measured in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LYMPH = Path(sys.executable).parent / 'lymph'

#: What a first look at lymph must not cost.
HEAVY = {'gevent', 'greenlet', 'zmq'}
BACKENDS = {
    'httptools',
    'kazoo',
    'kombu',
    'sqlite3',
    'werkzeug',
    'lymph.discovery.embedded',
    'lymph.discovery.static',
    'lymph.discovery.zookeeper',
    'lymph.events.embedded',
    'lymph.events.kombu',
    'lymph.events.local',
}


def loaded_by(statement: str) -> set[str]:
    """The modules in a fresh process after a statement."""
    script = f'{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))'
    done = subprocess.run(
        [sys.executable, '-c', script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    return set(json.loads(done.stdout))


def loaded_by_command(*arguments: str, cwd: Path) -> set[str]:
    """The modules that a run of the `lymph` command imports, as reported by Python."""
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', LYMPH, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    timed = [line for line in done.stderr.splitlines() if line.startswith('import time:')]
    said = [line for line in done.stderr.splitlines() if line not in timed]
    assert done.returncode == 0, said
    return {line.split('|')[2].strip() for line in timed}


def test_configuration_imports_nothing_else_of_lymph() -> None:
    loaded = loaded_by('import lymph.config')
    assert 'lymph.config' in loaded
    assert loaded.isdisjoint({*HEAVY, 'lymph.core', 'lymph.exceptions'})


def test_importing_lymph_loads_nothing_else() -> None:
    loaded = loaded_by('import lymph')
    assert {each for each in loaded if each.startswith('lymph')} == {'lymph'}
    assert loaded.isdisjoint(HEAVY)


def test_public_name_loads_its_module() -> None:
    assert 'lymph.core.interfaces' in loaded_by('import lymph; lymph.Interface')


def test_pytest_plugin_loads_nothing_heavy() -> None:
    loaded = loaded_by('import lymph.testing.pytest_plugin')
    assert 'lymph.testing.pytest_plugin' in loaded
    assert loaded.isdisjoint({*HEAVY, *BACKENDS, 'hamcrest', 'lymph.config', 'lymph.core'})


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], ['list']], ids=' '.join)
def test_help_of_the_command_line_loads_no_backend(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_by_command(*arguments, cwd=tmp_path)
    assert 'lymph.cli._program.main' in loaded
    assert loaded.isdisjoint(HEAVY | BACKENDS)
