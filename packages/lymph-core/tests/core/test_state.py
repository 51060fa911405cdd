from __future__ import annotations

import os
import stat

import pytest

from lymph.core.state import state_directory
from lymph.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def environ(monkeypatch, tmp_path):
    for name in ('LYMPH_STATE_DIR', 'XDG_STATE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    return monkeypatch


@pytest.mark.parametrize(
    ('environment', 'path', 'expected'),
    [
        ({}, None, 'home/.local/state/lymph'),
        ({'XDG_STATE_HOME': '{}/xdg'}, None, 'xdg/lymph'),
        ({'XDG_STATE_HOME': 'relative'}, None, 'home/.local/state/lymph'),
        ({'XDG_STATE_HOME': '{}/xdg', 'LYMPH_STATE_DIR': '{}/state'}, None, 'state'),
        ({'LYMPH_STATE_DIR': ''}, None, 'home/.local/state/lymph'),
        ({'LYMPH_STATE_DIR': '~/state'}, None, 'home/state'),
        ({'LYMPH_STATE_DIR': '{}/state'}, '{}/path', 'path'),
        ({'LYMPH_STATE_DIR': '{}/state'}, '~/path', 'home/path'),
    ],
)
def test_the_directory_is_found_and_made(environ, tmp_path, environment, path, expected):
    for name, value in environment.items():
        environ.setenv(name, value.format(tmp_path))
    found = state_directory(path=path and path.format(tmp_path))
    assert found == tmp_path / expected
    assert found.is_dir()
    assert state_directory(path=path and path.format(tmp_path)) == found


def test_it_and_what_is_in_it_belong_to_the_owner_alone(tmp_path):
    made = state_directory('registry', 'rpc', path=str(tmp_path / 'new' / 'state'))
    assert made == tmp_path / 'new' / 'state' / 'registry' / 'rpc'
    for directory in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ('path', 'said'),
    [
        ('{}/file/state', 'events.path: cannot keep state in {}/file/state'),
        ('{}/file', 'events.path: cannot keep state in {}/file'),
        ('relative/path', "events.path: expected an absolute path, found 'relative/path'"),
        ('/proc/lymph', 'events.path: cannot keep state in /proc/lymph: '),
    ],
)
def test_a_place_that_cannot_be_used_is_named_with_a_way_out(tmp_path, path, said):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigurationError) as caught:
        state_directory(path=path.format(tmp_path), where='events.path')
    assert str(caught.value).startswith(said.format(tmp_path))
    assert '\n' not in str(caught.value)


def test_without_a_configured_path_the_error_names_the_variable(environ, tmp_path):
    (tmp_path / 'file').write_text('')
    environ.setenv('LYMPH_STATE_DIR', str(tmp_path / 'file' / 'x'))
    with pytest.raises(ConfigurationError, match=r'^LYMPH_STATE_DIR: .*; set LYMPH_STATE_DIR to'):
        state_directory()


def test_a_directory_without_the_right_to_write_is_refused():
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            state_directory(path='/', where='events.path')
        except ConfigurationError as error:
            os._exit(0 if str(error).startswith('events.path: cannot keep state in /: not') else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
