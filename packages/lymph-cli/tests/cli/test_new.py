"""New projects: their names and files, and that they work unchanged."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lymph.cli._projects.files import make_project, project_files
from lymph.cli._projects.names import read_name
from lymph.cli._running.new import run
from lymph.cli.outcomes import OperationFailed

RUFF = Path(sys.executable).parent / 'ruff'


@pytest.mark.parametrize(
    ('text', 'name', 'cls'),
    [
        ('shop', 'shop', 'Shop'),
        ('my-shop', 'my_shop', 'MyShop'),
        ('a__b_', 'a__b_', 'AB'),
        ('HTTPDoor', 'HTTPDoor', 'HTTPDoor'),
        ('v2', 'v2', 'V2'),
    ],
)
def test_name_is_that_of_a_module_and_a_class(text: str, name: str, cls: str) -> None:
    project = read_name(text)
    assert (project.name, project.cls) == (name, cls)


@pytest.mark.parametrize(
    'text',
    [
        *(
            '',
            ' ',
            '.',
            '..',
            '-',
            '_x',
            '1a',
            'a b',
            'a.b',
            'a/b',
            '/tmp/a',
            'größe',
            'a\n',
            '\udcff',
        ),
        *('class', 'None', 'lambda', 'lymph', 'json', 'test', 'sys', 'this', 'x' * 61),
        *('click', 'gevent', 'test_shop', 'conftest', 'pytest'),
    ],
)
def test_name_with_a_meaning_for_python_or_pytest_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected|choose another name'):
        read_name(text)


@pytest.mark.parametrize('other', ['folder', 'file', 'link to nowhere'])
def test_existing_files_are_left_alone(tmp_path: Path, monkeypatch: Any, other: str) -> None:
    monkeypatch.chdir(tmp_path)
    shop = tmp_path / 'shop'
    if other == 'folder':
        shop.mkdir()
    elif other == 'file':
        shop.write_text('mine')
    else:
        shop.symlink_to('nowhere')
    with pytest.raises(OperationFailed, match='shop exists in this folder already'):
        run('shop')
    assert list(tmp_path.iterdir()) == [shop]


def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: Any) -> None:
    write_text = Path.write_text

    def fill_up(path: Path, text: str, **options: Any) -> int:
        if path.name == 'README.md':
            write_text(path, text[:10], **options)
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write_text(path, text, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, 'write_text', fill_up)
    with pytest.raises(OperationFailed, match='No space left on device; nothing was made'):
        run('shop')
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder_is_an_error(monkeypatch: Any) -> None:
    monkeypatch.chdir('/proc')
    with pytest.raises(OperationFailed, match='cannot make shop in this folder: '):
        run('shop')


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    make_project(tmp_path / 'shop', project_files(read_name('shop')))
    (tmp_path / 'plain').mkdir()
    (tmp_path / 'plain' / 'file').touch()
    modes = {path.stat().st_mode for path in (tmp_path / 'shop').iterdir()}
    assert modes == {(tmp_path / 'plain' / 'file').stat().st_mode}
    assert (tmp_path / 'shop').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_new_service_passes_its_test_and_answers_with_the_commands_that_are_printed(
    shell: Any, forking: Any
) -> None:
    shell.environ['PATH'] = f'{shell.lymph.parent}:/usr/bin:/bin'
    made = shell.run('new', 'my-shop')
    assert (made.exit_code, made.stderr) == (
        0,
        'my-shop becomes my_shop: names in Python have no dashes\n',
    )
    *_, enter, tests, node = made.stdout.splitlines()
    script = f'{enter}\n{tests}\nexec {node.strip()}\n'
    running = shell.start('-c', script, program='/bin/sh')
    running.said('my_shop at tcp://')
    assert '2 passed' in running.stdout
    called = ['request', 'my_shop.greet', 'name=Ada']
    assert forking.piped(called, shell.folder, shell.environ).stdout == "'Hello, Ada!'\n"
    running.said('greeted Ada')


def test_new_files_pass_the_linters(tmp_path: Path) -> None:
    make_project(tmp_path / 'shop', project_files(read_name('shop')))
    for rules in (['check', '--extend-select=I,UP,B,SIM'], ['format', '--check']):
        done = subprocess.run(
            [RUFF, *rules, '--isolated', '--no-cache', tmp_path / 'shop'],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
