"""The check `state`: its findings in a state directory."""

from __future__ import annotations

import os
import time

import pytest

from lymph.config import Configuration
from lymph.core._backdoor.tokens import token_file
from lymph.core._system.leftovers import StateCheck, state_bases, state_findings
from lymph.core._system.state_files import StateFile, read_state
from lymph.core._system.wakeups import WakeupSocket
from lymph.core.diagnosis import NotChecked
from lymph.core.services import ServiceInstance
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.events.embedded import EmbeddedEventSystem

OLD = time.time() - 3600


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A state directory that is in use."""
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path / 'state'))
    registry, events = EmbeddedServiceRegistry(), EmbeddedEventSystem()
    registry.on_start()
    events.on_start()
    registry.register('echo', ServiceInstance('one', 'tcp://127.0.0.1:4123', '1.0'))
    token = token_file('one', 'secret')
    yield tmp_path / 'state'
    token.release()
    registry.on_stop()
    events.on_stop()


def plant(base, name, data=''):
    path = base / name
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.write_text(data)
    path.chmod(0o600)
    os.utime(path, (OLD, OLD))
    return path


def found_in(base):
    return [finding.found for finding in state_findings(base, read_state(base), os.geteuid())]


def test_nothing_is_found_in_a_directory_that_is_in_use(base):
    bell = WakeupSocket(base / 'events' / 'bells', 'echo', lambda: None)
    os.utime(bell.path, (OLD, OLD))
    plant(base, 'shell_history')
    plant(base, 'of_another_program/file')
    try:
        assert found_in(base) == []
    finally:
        bell.close()


@pytest.mark.parametrize(
    'name',
    [
        'registry/rpc/gone/one~0123456789abcdef.json',
        'registry/rpc/gone/.new-0123456789abcdef',
        'events/owners/0123456789abcdef',
        'events/owners/.new-0123456789abcdef',
        'backdoor/0123456789abcdef',
        'node/0123456789abcdef',
        'node/.new-0123456789abcdef',
    ],
)
def test_files_of_dead_processes_are_found_and_not_changed(base, name):
    path = plant(base, name)
    assert found_in(base) == [f'1 file of processes that were killed: {name}']
    assert path.exists()


def test_sockets_of_dead_processes_are_found(base):
    bell = WakeupSocket(base / 'registry' / '.doorbells', 'echo', lambda: None)
    bell.abandon()
    os.utime(bell.path, (OLD, OLD))
    assert 'registry/.doorbells/' in found_in(base)[0]


def test_files_of_other_versions_are_found(base):
    for name in ('events/events.db', 'registry/rpc/echo/README', 'registry/odd.json'):
        plant(base, name)
    [found] = found_in(base)
    assert found.startswith('3 files that are not: ')


def test_files_of_other_users_and_writable_files_are_found(tmp_path):
    files = [
        StateFile('', 'directory', 7, 0o700, known=True),
        StateFile('events', 'directory', 7, 0o770, known=True),
        StateFile('events/events.sqlite', 'file', 8, 0o600, known=True),
        StateFile('events/bells/a.b', 'socket', 7, 0o777, known=True),
    ]
    owner, mode = state_findings(tmp_path, files, 7)
    assert owner.found.startswith('1 file of ')
    assert owner.found.endswith(': events/events.sqlite')
    assert f'chown -R 7 {tmp_path}' in owner.advice
    assert mode.found == '1 file that others can write: events'
    assert f'chmod -R go-w {tmp_path}' in mode.advice


def test_directories_of_the_configuration_are_checked(tmp_path, monkeypatch):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path / 'state'))
    config = Configuration(
        {'container': {'registry': {'path': str(tmp_path / 'other')}, 'events': {'path': 7}}}
    )
    assert state_bases(config) == [tmp_path / 'state', tmp_path / 'other']

    class Around:
        pass

    around = Around()
    around.config = config
    with pytest.raises(NotChecked):
        list(StateCheck().run(around))
    plant(tmp_path, 'other/events/events.db')
    [finding] = StateCheck().run(around)
    assert str(tmp_path / 'other') in finding.expected
