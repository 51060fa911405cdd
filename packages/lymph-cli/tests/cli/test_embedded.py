"""The commands over the embedded registry, with any content in its directories."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from lymph.testing.waiting import eventually

COMMANDS = (('instance', '--config=echo.yml', '--loglevel=warning'), ('discover',))


def links_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.fixture
def registry(shell: Any) -> Path:
    """The registry's directory, in which there is one running instance of `echo`."""
    shell.start_echo()
    return Path(shell.environ['LYMPH_STATE_DIR'], 'registry')


def test_entries_do_not_hide_each_other_and_each_is_one_line(shell: Any, registry: Path) -> None:
    for make, place in (
        (links_to_itself, 'rpc/echo/k~0123456789abcdef.json'),
        (links_to_itself, 'rpc/mail'),
        (os.mkfifo, 'rpc/echo/l~0123456789abcdef.json'),
        (os.mkfifo, 'rpc/%FF'),
        (os.mkdir, 'rpc/a\x1b[2Jb'),
    ):
        make(registry / place)
    done = shell.run('discover', '--json')
    assert list(json.loads(done.stdout)) == ['echo']
    assert done.exit_code == 0
    assert len(done.stderr.splitlines()) == 5
    assert done.stderr.replace('\n', '').isprintable()
    assert shell.run('request', 'echo.upper', 'text=foo').stdout == "'FOO'\n"


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command[0])
def test_unreadable_registry_is_one_line(shell: Any, command: tuple[str, ...]) -> None:
    shell.write('echo_service.py', 'import lymph\nclass Echo(lymph.Interface): pass\n')
    shell.write('echo.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}\n')
    assert shell.run('discover').stderr == 'no service is running\n'
    links_to_itself(Path(shell.environ['LYMPH_STATE_DIR'], 'registry', 'rpc'))
    done = shell.run(*command)
    (line,) = done.stderr.splitlines()
    assert line.startswith(('lymph: cannot read ', "lymph: cannot register 'echo' in "))
    assert 'registry' in line
    assert (done.exit_code, done.stdout) == (1, '')


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command[0])
def test_state_directory_writable_by_others_is_one_line(
    shell: Any, command: tuple[str, ...]
) -> None:
    shell.write('echo_service.py', 'import lymph\nclass Echo(lymph.Interface): pass\n')
    shell.write('echo.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}\n')
    state = Path(shell.environ['LYMPH_STATE_DIR'])
    state.mkdir()
    state.chmod(0o777)
    done = shell.run(*command)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'lymph: LYMPH_STATE_DIR: cannot keep state in {state}')
    assert 'others can write to' in line
    assert (done.exit_code, done.stdout) == (2, '')


def test_running_instance_is_registered_again_when_the_directory_is_removed(
    shell: Any, registry: Path
) -> None:
    shutil.rmtree(registry)
    eventually(lambda: list(registry.glob('rpc/echo/*.json')), 20)
    assert list(json.loads(shell.run('discover', '--json').stdout)) == ['echo']


def test_restarted_instance_is_listed_once_after_a_kill(shell: Any, registry: Path) -> None:
    (before,) = json.loads(shell.run('discover', '--json').stdout)['echo']
    os.kill(before['pid'], 9)
    port = before['endpoint'].rpartition(':')[2]
    again = shell.start_echo('--port', port)
    (after,) = json.loads(shell.run('discover', '--json').stdout)['echo']
    assert (after['pid'], after['endpoint']) == (again.pid, before['endpoint'])
