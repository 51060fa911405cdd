"""Files, distributions and bare environments for the tests of the configuration."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lymph.config import Configuration, plugins

Write = Callable[[str, str], Path]
Publish = Callable[..., Path]
Alone = Callable[[str], str]

SOURCE = Path(__file__).parents[2] / 'src'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file into the current directory, so that errors name it as the test does."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.write_text(text, encoding='utf-8')
        return path

    return write


@pytest.fixture
def load(write: Write) -> Callable[..., Configuration]:
    """Load `text` from conf.yml, with variables from vars.yml and an environment, if given."""

    def load(text: str, *, variables: str | None = None, **environ: str) -> Configuration:
        config = Configuration(environ=environ)
        if variables is not None:
            config.load_vars_file(write('vars.yml', variables))
        config.load_file(write('conf.yml', text))
        return config

    return load


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules that can be imported until the test ends."""
    folder = tmp_path / 'modules'
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def module(name: str, text: str) -> Path:
        path = folder / f'{name}.py'
        path.write_text(text, encoding='utf-8')
        importlib.invalidate_caches()
        return path

    yield module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], '__file__', None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Install the metadata of a distribution with entry points, in a folder of its own."""

    def publish(name: str, version: str, entry_points: str, folder: str | None = None) -> Path:
        site = tmp_path / (folder or name)
        info = site / f'{name}-{version}.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n', encoding='utf-8'
        )
        (info / 'entry_points.txt').write_text(entry_points, encoding='utf-8')
        monkeypatch.syspath_prepend(site)
        plugins.refresh()
        return info

    yield publish
    monkeypatch.undo()
    plugins.refresh()


@pytest.fixture
def contract(module: Write, publish: Publish) -> Callable[[str, str], None]:
    """Install a distribution that owns a group, with the arguments of the group's contract."""

    def contract(group: str, arguments: str) -> None:
        name = f'owner_of_{group.replace(".", "_")}'
        module(name, f'from lymph.config.plugins import Contract\nMADE = Contract({arguments})\n')
        publish(f'owner-of-{group}', '1', f'[lymph.contracts]\n{group} = {name}:MADE\n')

    return contract


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    """Run code where lymph-config is the only distribution of lymph, and return what it prints."""
    site = tmp_path / 'site'
    site.mkdir()
    for name in ('purelib', 'platlib'):
        for entry in Path(sysconfig.get_path(name)).iterdir():
            link = site / entry.name
            if 'lymph' not in entry.name.lower() and entry.suffix != '.pth' and not link.exists():
                link.symlink_to(entry)

    def alone(code: str) -> str:
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(SOURCE), str(site)])}
        done = subprocess.run(
            [sys.executable, '-S', '-c', code],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return alone
