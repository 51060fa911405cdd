"""The wheels of all distributions, built once, and fresh environments to install them into."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: What each distribution needs of the others.
NEEDS = {
    'lymph-config': [],
    'lymph-core': ['lymph-config'],
    'lymph-discovery-zk': ['lymph-config', 'lymph-core'],
    'lymph-events-kombu': ['lymph-config', 'lymph-core'],
    'lymph-web': ['lymph-config', 'lymph-core'],
    'lymph-cli': ['lymph-config', 'lymph-core'],
    'lymph-testing': ['lymph-config', 'lymph-core'],
    'lymph': [
        'lymph-config',
        'lymph-core',
        'lymph-cli',
        'lymph-discovery-zk',
        'lymph-events-kombu',
        'lymph-web',
    ],
}

#: What is installed besides a distribution and what it needs: its extras.
EXTRAS = {
    'lymph-cli': ['lymph-cli[ipython,ptpython]'],
    'lymph-core': ['lymph-core[opentelemetry,sentry]'],
    'lymph-events-kombu': ['lymph-events-kombu[redis]'],
    'lymph-testing': [
        'lymph-discovery-zk',
        'lymph-events-kombu',
        'lymph-web',
        'lymph-testing[kombu,pytest,web,zookeeper]',
    ],
}

PIP = [sys.executable, '-m', 'pip', '--no-input', '--quiet']

Environment = Callable[..., Path]


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command without input; return its output. A failure shows what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.fail(
            f'{command} ended with exit status {done.returncode}:\n{done.stdout}{done.stderr}',
            pytrace=False,
        )
    return done.stdout


def build(folder: Path, *projects: Path) -> dict[str, Path]:
    """Build the wheels of some projects into a folder; return them by the name of the project."""
    run(*PIP, 'wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', folder, *projects)
    return {wheel.name.partition('-')[0].replace('_', '-'): wheel for wheel in folder.iterdir()}


@pytest.fixture(scope='session')
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, built from the working tree."""
    return build(tmp_path_factory.mktemp('wheels'), *(ROOT / 'packages' / name for name in NEEDS))


@pytest.fixture(scope='session')
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a third-party distribution that extends lymph."""
    return build(tmp_path_factory.mktemp('wheels'), ROOT / 'tests' / 'thirdparty')['acme-lymph']


@pytest.fixture(scope='session')
def pip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run pip for the environment of a Python: pip(python, 'install', ...)."""
    folder = tmp_path_factory.mktemp('pip')

    def pip(python: Path, *arguments: object) -> str:
        return run(*PIP, '--python', python, *arguments, cwd=folder)

    return pip


@pytest.fixture(scope='session')
def environment(
    wheels: dict[str, Path],
    pip: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Environment:
    """Make a fresh environment with some distributions and what they need; return its Python.

    A distribution may name extras (`lymph-testing[web]`); what is given as a path is installed too.
    """

    def create(*wanted: str | Path) -> Path:
        folder = tmp_path_factory.mktemp('environment')
        venv.create(folder, symlinks=True)
        python = folder / 'bin' / 'python'
        found: dict[str, str | Path] = {}
        for each in wanted:
            name, bracket, extras = str(each).partition('[')
            found |= {need: wheels[need] for need in NEEDS.get(name, []) if need not in found}
            found[name] = f'{wheels[name]}{bracket}{extras}' if name in NEEDS else each
        constraints = ROOT / 'constraints.txt'
        pip(python, 'install', '--no-compile', '--constraint', constraints, *found.values())
        return python

    return create


@pytest.fixture(scope='session')
def alone(environment: Environment) -> Callable[[str], Path]:
    """The Python of an environment with one distribution and its dependencies."""
    made: dict[str, Path] = {}

    def alone(name: str) -> Path:
        if name not in made:
            made[name] = environment(*EXTRAS.get(name, [name]))
        return made[name]

    return alone


@pytest.fixture
def execute(tmp_path: Path) -> Callable[[Path, str], str]:
    """Run a script with the Python of an environment, away from the working tree."""

    def execute(python: Path, script: str) -> str:
        return run(python, '-I', '-c', script, cwd=tmp_path)

    return execute
