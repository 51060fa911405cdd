from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from lymph.core._system.state import state_directory
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
def test_state_directory_is_found_and_made(environ, tmp_path, environment, path, expected):
    for name, value in environment.items():
        environ.setenv(name, value.format(tmp_path))
    found = state_directory(path=path and path.format(tmp_path))
    assert found == tmp_path / expected
    assert found.is_dir()
    assert state_directory(path=path and path.format(tmp_path)) == found


def test_state_directory_and_its_contents_are_private(tmp_path):
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
def test_unusable_directory_is_an_error_that_says_what_to_do(tmp_path, path, said):
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


def test_directory_without_write_permission_is_rejected():
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


@pytest.fixture
def give_away(monkeypatch):
    """Makes a directory belong to another user: as root by chown, else by faking the user id."""

    def give_away(directory):
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
        else:
            mine = os.geteuid()
            monkeypatch.setattr(os, 'geteuid', lambda: mine + 1)

    return give_away


@pytest.mark.parametrize('which', ['state', 'state/registry', 'state/registry/.doorbells'])
def test_directory_of_another_user_is_rejected(tmp_path, give_away, which):
    parts = ('registry', '.doorbells')
    state_directory(*parts, path=str(tmp_path / 'state'))
    give_away(tmp_path / which)
    with pytest.raises(
        ConfigurationError, match=r' belongs to .*uid \d+.*, not to .*uid '
    ) as caught:
        state_directory(*parts, path=str(tmp_path / 'state'), where='events.path')
    text = str(caught.value)
    assert text.startswith(f'events.path: cannot keep state in {tmp_path}/state')
    assert text.endswith('; name another directory (one that is missing is made)')
    assert text.count(';') == 1
    assert text.isprintable()


@pytest.mark.parametrize('mode', [0o770, 0o720, 0o707, 0o702, 0o1777])
@pytest.mark.parametrize('which', ['state', 'state/events'])
def test_directory_that_others_can_write_to_is_rejected_and_not_changed(tmp_path, which, mode):
    state_directory('events', path=str(tmp_path / 'state'))
    (tmp_path / which).chmod(mode)
    with pytest.raises(
        ConfigurationError, match=rf'others can write to .*{which} \(mode {mode:04o}\)'
    ):
        state_directory('events', path=str(tmp_path / 'state'))
    assert stat.S_IMODE((tmp_path / which).stat().st_mode) == mode


@pytest.mark.parametrize('mode', [0o700, 0o755, 0o711])
def test_a_directory_that_others_can_only_read_is_used(tmp_path, mode):
    (tmp_path / 'state').mkdir()
    (tmp_path / 'state').chmod(mode)
    assert state_directory(path=str(tmp_path / 'state')) == tmp_path / 'state'


@pytest.mark.parametrize(
    'path', ['{}/\0', '{}/\ud800', '{}/' + 'x' * 300, '{}/' + 'x/' * 3000, '{}/loop', '{}/pipe']
)
def test_impossible_path_is_an_error_of_one_short_line(tmp_path, path):
    (tmp_path / 'loop').symlink_to('loop')
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(ConfigurationError, match=r'^a: cannot keep state in ') as caught:
        state_directory('registry', path=path.format(tmp_path), where='a')
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize('number', [errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_directory_that_cannot_be_made_is_an_error_of_one_line(tmp_path, monkeypatch, number):
    def fails(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, 'mkdir', fails)
    with pytest.raises(
        ConfigurationError, match=f'cannot keep state in .*: {os.strerror(number)}; '
    ):
        state_directory('registry', path=str(tmp_path / 'state'))
