"""`--pidfile`: which files are written, replaced and rejected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lymph.cli._running.pid_files import PidFile
from lymph.cli.outcomes import OperationFailed

OWN = f'{os.getpid()}\n'

HOLD = """
import sys
from lymph.cli._running.pid_files import PidFile
file = PidFile(sys.argv[1])
file.write()
print('written', flush=True)
sys.stdin.read()
"""


def test_pid_file_exists_while_the_process_runs(tmp_path: Path) -> None:
    path = tmp_path / 'echo.pid'
    file = PidFile(str(path))
    assert not path.exists()
    file.write()
    assert path.read_text() == OWN
    file.remove()
    assert list(tmp_path.iterdir()) == []
    file.remove()


def test_pid_file_of_a_running_process_is_rejected_and_that_of_a_killed_one_replaced(
    tmp_path: Path,
) -> None:
    path = tmp_path / 'echo.pid'
    late = PidFile(str(path))  # before the other one
    with subprocess.Popen(
        [sys.executable, '-c', HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b'written\n'
        for write in (lambda: PidFile(str(path)), late.write):
            with pytest.raises(OperationFailed, match=f'that of process {other.pid}, which runs'):
                write()
        late.remove()
        assert path.read_text() == f'{other.pid}\n'
        other.kill()
    file = PidFile(str(path))
    file.write()
    assert path.read_text() == OWN
    assert list(tmp_path.iterdir()) == [path]
    file.remove()


@pytest.mark.parametrize('content', ['', '1\n', '  4711', OWN, '99999999999'])
def test_unlocked_pid_file_is_replaced_although_its_pid_is_in_use(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / 'echo.pid'
    path.write_text(content)
    file = PidFile(str(path))
    file.write()
    assert path.read_text() == OWN
    file.remove()
    assert not path.exists()


def test_pid_file_overwritten_by_another_process_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / 'echo.pid'
    file = PidFile(str(path))
    file.write()
    path.unlink()
    path.write_text('4711\n')
    file.remove()
    assert path.read_text() == '4711\n'


def test_forked_child_neither_locks_nor_removes_the_pid_file(tmp_path: Path) -> None:
    path = tmp_path / 'echo.pid'
    file = PidFile(str(path))
    file.write()
    child = os.fork()
    if child == 0:
        file.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.read_text() == OWN
    file.remove()
    assert not path.exists()


def test_other_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'echo.yml'
    for content in ('interfaces: {}', '1' * 100):
        path.write_text(content)
        with pytest.raises(OperationFailed, match='no pid file; name another one'):
            PidFile(str(path))
        assert path.read_text() == content
    with pytest.raises(OperationFailed, match='no pid file'):
        PidFile(os.devnull)


def test_unusable_path_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationFailed, match=r"there is no folder '/.*/none'"):
        PidFile(str(tmp_path / 'none' / 'echo.pid'))
    for folder in (str(tmp_path), ''):
        with pytest.raises(OperationFailed, match='Is a directory'):
            PidFile(folder)
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(OperationFailed, match='this user may not write to'):
        PidFile(str(tmp_path / 'echo.pid'))


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PidFile(str(tmp_path / 'echo.pid'))

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patched:
        patched.setattr(os, 'write', full)
        with pytest.raises(OperationFailed, match=r"echo\.pid': No space left on device"):
            file.write()
    assert list(tmp_path.iterdir()) == []
