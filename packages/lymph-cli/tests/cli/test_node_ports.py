"""`lymph node` refuses at the start what could only fail for ever: processes that share a port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lymph.cli.running.ports import check_ports
from lymph.cli.settings import Settings
from lymph.config import Location
from lymph.services.node.definitions import Definition


@pytest.mark.parametrize(
    ('files', 'command', 'port', 'place'),
    [
        ({}, 'lymph instance --port=4123', 4123, '--port=4123'),
        ({}, 'lymph --loglevel info worker --port 4123', 4123, '--port=4123'),
        ({'a.yml': 'container: {port: 4124}'}, 'lymph instance -c a.yml', 4124, 'container.port'),
        (
            {'a.yml': 'interfaces: {web: {class: "x:X", port: 8080}}'},
            'lymph instance --config=a.yml',
            8080,
            'a.yml:1: interfaces.web.port',
        ),
        (
            {'a.yml': 'container: {port: $(var.port)}', 'v.yml': 'port: 4125'},
            'lymph --vars=v.yml instance -ca.yml',
            4125,
            'container.port',
        ),
    ],
)
def test_a_fixed_port_of_several_processes_is_refused_at_the_start(
    shell: Any, files: dict[str, str], command: str, port: int, place: str
) -> None:
    for name, text in files.items():
        shell.write(name, text)
    shell.write('.lymph.yml', f"instances:\n  web: {{command: '{command}', numprocesses: 2}}\n")
    done = shell.run('node')
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert '.lymph.yml:2: instances.web.command: 2 processes cannot all listen at' in line
    assert f'port {port} (' in line
    assert place in line


@pytest.mark.parametrize(
    'command',
    [
        'lymph instance --port=0 -c free.yml',
        'lymph instance -c broken.yml',
        'lymph instance -c missing.yml',
        'lymph discover -c fixed.yml',
        'other instance -c fixed.yml',
    ],
)
def test_anything_else_is_left_to_the_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('free.yml').write_text('container: {port: 0}')
    Path('fixed.yml').write_text('container: {port: 4123}')
    Path('broken.yml').write_text('container: {port: nonsense}')
    where = Location('instances.web.command')
    check_ports([Definition('web', tuple(command.split()), 2, where)], Settings())
    check_ports([Definition('web', ('lymph', 'instance', '-cfixed.yml'), 1, where)], Settings())
