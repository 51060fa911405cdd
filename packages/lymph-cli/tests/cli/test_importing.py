"""What commands import from the folder they are run in."""

from __future__ import annotations

from typing import Any

import pytest

#: Modules that commands import sooner or later.
NAMES = ('sqlite3', 'json', 'lymph', 'gevent', 'rich', 'msgpack', 'logging', 'typing', 'code')
TRAP = "open('trapped', 'a').write(__name__ + '\\n')\nraise SystemExit('trapped')\n"


@pytest.fixture
def trapped(shell: Any) -> Any:
    """A folder in which every module that is imported leaves a trace."""
    for name in NAMES:
        shell.write(f'{name}.py', TRAP)
    return shell


@pytest.mark.parametrize(
    'arguments',
    [
        ('discover',),
        ('list',),
        ('config',),
        ('dlq', 'list'),
        ('queues',),
        ('emit', 'x'),
        ('request', 'echo.upper'),
        ('inspect', 'echo'),
        ('change-loglevel', 'echo', 'root', 'DEBUG'),
        ('subscribe', 'x', '--timeout=0.01'),
    ],
)
def test_client_commands_import_nothing_from_the_current_folder(
    trapped: Any, arguments: tuple[str, ...]
) -> None:
    done = trapped.run(*arguments)
    assert done.exit_code in (0, 1)
    assert not (trapped.folder / 'trapped').exists()


def test_instance_prefers_installed_modules_to_those_of_the_current_folder(trapped: Any) -> None:
    trapped.start_echo()
    assert trapped.run('request', 'echo.upper', 'text=x').stdout == "'X'\n"
    assert not (trapped.folder / 'trapped').exists()


@pytest.mark.parametrize('command', ['instance', 'worker'])
def test_safe_path_of_python_is_honoured(shell: Any, command: str) -> None:
    shell.write('service.py', TRAP)
    shell.write('conf.yml', 'interfaces: {a: {class: "service:A"}}\n')
    shell.environ['PYTHONSAFEPATH'] = '1'
    done = shell.run(command, '-c', 'conf.yml')
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert "no module 'service'" in line
    assert not (shell.folder / 'trapped').exists()


def test_shadowed_module_is_named(shell: Any) -> None:
    shell.write('code.py', 'class Echo: ...\n')
    shell.write('conf.yml', 'interfaces: {a: {class: "code:Echo"}}\n')
    done = shell.run('instance', '-c', 'conf.yml')
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert 'code.py of this folder is hidden by' in line
