"""Lock files and what others learn from them, with real processes where these matter."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from lymph.core._system.lock_files import (
    TEMPORARY,
    FileMutex,
    LockFile,
    is_locked,
    locked_folder,
    owner_state,
    remove_dead,
)

BEGIN = """
    import os, signal, sys
    from pathlib import Path
    from lymph.core._system.lock_files import FileMutex, LockFile
    path = Path(sys.argv[1])
    """


@pytest.fixture
def run(tmp_path):
    """Start a program with the path of a lock file; it prints a word when it is ready."""
    processes = []

    def run(code):
        program = textwrap.dedent(BEGIN) + textwrap.dedent(code)
        args = [sys.executable, '-c', program, str(tmp_path / 'lock')]
        process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == 'ready\n'
        return process

    yield run
    for process in processes:
        with process:
            process.kill()


def test_an_owner_is_alive_until_its_process_is_killed(run, tmp_path):
    owner = run("""
        lock = LockFile(path, b'data')
        print('ready', flush=True)
        signal.pause()
        """)
    path = tmp_path / 'lock'
    assert owner_state(path) == 'alive'
    assert path.read_bytes() == b'data'
    remove_dead(tmp_path)
    assert path.exists()
    owner.kill()
    owner.wait()
    assert owner_state(path) == 'dead'
    remove_dead(tmp_path)
    assert owner_state(path) == 'missing'


def test_a_forked_child_does_not_keep_the_lock_of_a_dead_parent(run, tmp_path):
    owner = run("""
        lock = LockFile(path)
        if os.fork() == 0:
            print('ready', os.getpid(), sep='\\n', flush=True)
        signal.pause()
        """)
    child = int(owner.stdout.readline())
    try:
        assert owner_state(tmp_path / 'lock') == 'alive'
        owner.kill()
        owner.wait()
        assert owner_state(tmp_path / 'lock') == 'dead'
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_mutex_is_free_again_after_its_holder_was_killed(run, tmp_path):
    holder = run("""
        with FileMutex(path).hold():
            print('ready', flush=True)
            signal.pause()
        """)
    mutex = FileMutex(tmp_path / 'lock')
    assert locked(tmp_path / 'lock')
    holder.kill()
    with mutex.hold():
        assert locked(tmp_path / 'lock')
    assert not locked(tmp_path / 'lock')
    mutex.close()
    mutex.close()


def locked(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return is_locked(descriptor)
    finally:
        os.close(descriptor)


def test_file_and_made_directories_are_private(tmp_path):
    lock = LockFile(tmp_path / 'a' / 'b' / 'lock')
    assert (tmp_path / 'a' / 'b' / 'lock').stat().st_mode & 0o777 == 0o600
    assert (tmp_path / 'a').stat().st_mode & 0o777 == 0o700
    lock.release()


def test_released_file_is_removed_and_stays_released(tmp_path):
    lock = LockFile(tmp_path / 'lock')
    lock.release()
    (tmp_path / 'lock').write_text('of somebody else')
    lock.release()
    assert (tmp_path / 'lock').exists()
    assert not lock.in_place


def test_an_owner_notices_that_its_file_was_removed_or_replaced(tmp_path):
    lock = LockFile(tmp_path / 'lock', b'data')
    assert lock.in_place
    (tmp_path / 'lock').unlink()
    assert not lock.in_place
    (tmp_path / 'lock').write_bytes(b'data')
    assert not lock.in_place
    (tmp_path / 'lock').unlink()
    (tmp_path / 'lock').symlink_to(f'/proc/self/fd/{lock._descriptor}')
    assert not lock.in_place
    lock.abandon()


@pytest.mark.parametrize('kind', ['directory', 'pipe', 'link', 'unreadable'])
def test_state_of_other_files_is_unknown_and_they_stay(tmp_path, kind, monkeypatch):
    path = tmp_path / 'odd'
    match kind:
        case 'directory':
            path.mkdir()
        case 'pipe':
            os.mkfifo(path)
        case 'link':
            path.symlink_to(tmp_path / 'target')
            (tmp_path / 'target').write_text('')
        case 'unreadable':
            path.write_text('')
            monkeypatch.setattr(os, 'open', too_many_open_files)
    assert owner_state(path) == 'unknown'
    remove_dead(tmp_path)
    assert os.path.lexists(path)


def too_many_open_files(*args):
    raise OSError(errno.EMFILE, 'Too many open files')


def test_concurrent_readers_agree_that_an_owner_is_dead(tmp_path):
    (tmp_path / 'lock').write_text('')
    with open(tmp_path / 'lock') as reader:
        assert not is_locked(reader.fileno())
        assert owner_state(tmp_path / 'lock') == 'dead'


def test_an_owner_whose_temporary_file_is_locked_or_removed_by_readers_tries_again(
    tmp_path, monkeypatch
):
    flock, rename, disturbed = fcntl.flock, os.rename, []
    with contextlib.ExitStack() as readers:

        def disturb(descriptor, how):
            if how & fcntl.LOCK_EX and len(disturbed) < 3:
                (temporary,) = tmp_path.glob(f'{TEMPORARY}*')
                reader = readers.enter_context(open(temporary))
                disturbed.append(temporary)
                flock(reader, fcntl.LOCK_SH)
                temporary.unlink()
            flock(descriptor, how)

        def vanish(source, target):
            if len(disturbed) < 5:
                disturbed.append(source)
                os.unlink(source)
            rename(source, target)

        monkeypatch.setattr(fcntl, 'flock', disturb)
        monkeypatch.setattr(os, 'rename', vanish)
        lock = LockFile(tmp_path / 'lock', b'data')
    assert len(disturbed) == 5
    assert owner_state(tmp_path / 'lock') == 'alive'
    assert [each.name for each in tmp_path.iterdir()] == ['lock']
    lock.release()


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'write', full)
    with pytest.raises(OSError, match='No space left'):
        LockFile(tmp_path / 'lock', b'data')
    assert list(tmp_path.iterdir()) == []


def test_file_system_that_grants_every_lock_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, 'flock', lambda descriptor, how: None)
    with pytest.raises(OSError, match='does not keep locks; use a local one'):
        LockFile(tmp_path / 'lock')
    assert list(tmp_path.iterdir()) == []


def test_locked_folder_excludes_others_for_a_time_and_leaves_nothing_behind(tmp_path):
    with locked_folder(tmp_path):
        with pytest.raises(OSError, match='keeps its folder locked'), locked_folder(tmp_path, 0.02):
            pass
        assert list(tmp_path.iterdir()) == []
    with locked_folder(tmp_path, 0):
        pass
