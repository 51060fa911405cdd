from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import time

import pytest
from gevent.event import Event

from lymph.core._system.wakeups import Waker, WakeupSocket, is_deaf, wake
from lymph.testing.waiting import eventually

IMPORT = 'from lymph.core._system.wakeups import'


@pytest.fixture
def woken():
    return Event()


@pytest.fixture
def receiver(tmp_path, woken):
    receiver = WakeupSocket(tmp_path, 'queue', woken.set)
    yield receiver
    receiver.close()


def test_a_wakeup_from_another_process_arrives(receiver, woken, tmp_path):
    code = f'{IMPORT} wake; assert wake({str(tmp_path)!r}, "queue") == 1'
    with subprocess.Popen([sys.executable, '-c', code]) as waker:
        assert woken.wait(30)
    assert waker.returncode == 0


def test_a_wakeup_sent_before_the_owner_waits_arrives(receiver, woken, tmp_path):
    wake(tmp_path, 'queue')
    assert woken.wait(5)


def test_many_unread_wakeups_count_as_one(tmp_path):
    heard = []
    woken = Event()
    receiver = WakeupSocket(tmp_path, 'queue', lambda: (heard.append(1), woken.set()))
    for _ in range(1000):
        assert wake(tmp_path, 'queue') == 1
    assert woken.wait(5)
    wake(tmp_path, 'queue')
    woken.clear()
    assert woken.wait(5)
    receiver.close()
    assert heard == [1, 1]


def test_only_sockets_of_the_name_are_woken(receiver, woken, tmp_path):
    other = Event()
    other_socket = WakeupSocket(tmp_path, 'other', other.set)
    assert wake(tmp_path, 'other') == 1
    assert other.wait(5)
    assert not woken.is_set()
    other_socket.close()


def test_without_a_name_all_sockets_are_woken_and_sockets_may_share_a_name(receiver, tmp_path):
    sockets = [
        WakeupSocket(tmp_path, name, lambda: None) for name in ('queue', 'x' * 500, 'ä/ö', '')
    ]
    assert wake(tmp_path) == 5
    assert wake(tmp_path, 'queue') == 2
    for one in sockets:
        one.close()


def test_socket_that_is_not_read_does_not_block_wakeups_of_others(tmp_path):
    stuck = [WakeupSocket(tmp_path, f'stuck{n}', lambda: None) for n in range(400)]
    for one in stuck:
        one._watcher.stop()
    woken = Event()
    receiver = WakeupSocket(tmp_path, 'zz', woken.set)
    for _ in range(3):
        woken.clear()
        assert wake(tmp_path) == 401
        assert woken.wait(5)
    for one in [*stuck, receiver]:
        one.close()


@pytest.mark.parametrize('age', [60, -3600], ids=['old', 'of before the clock was set back'])
def test_the_socket_of_a_dead_process_is_removed(tmp_path, age):
    code = f'{IMPORT} WakeupSocket; WakeupSocket({str(tmp_path)!r}, "q", int)'
    subprocess.run([sys.executable, '-c', f'import os; {code}; os.kill(os.getpid(), 9)'])
    (dead,) = tmp_path.iterdir()
    assert wake(tmp_path, 'q') == 0
    assert dead.exists(), 'it may be about to be bound'
    os.utime(dead, (0, time.time() - age))
    assert wake(tmp_path, 'q') == 0
    assert not dead.exists()


def test_closed_socket_leaves_no_file(receiver, tmp_path):
    receiver.close()
    receiver.close()
    assert list(tmp_path.iterdir()) == []
    assert wake(tmp_path) == 0


def test_files_that_are_not_sockets_are_ignored(receiver, tmp_path):
    (tmp_path / 'notes').write_text('x')
    os.utime(tmp_path / 'notes', (0, 0))
    assert wake(tmp_path) == 1
    assert (tmp_path / 'notes').read_text() == 'x'


def test_missing_directory_counts_as_empty_and_cannot_be_bound_in(tmp_path):
    assert wake(tmp_path / 'nowhere') == 0
    with pytest.raises(FileNotFoundError):
        WakeupSocket(tmp_path / 'nowhere', 'queue', lambda: None)


def test_directory_path_may_be_longer_than_a_socket_address(tmp_path, woken):
    deep = tmp_path.joinpath(*['directory'] * 20)
    deep.mkdir(parents=True)
    receiver = WakeupSocket(deep, 'queue', woken.set)
    assert wake(deep, 'queue') == 1
    assert woken.wait(5)
    receiver.close()
    assert list(deep.iterdir()) == []


def test_forked_child_does_not_read_wakeups_of_its_parent(tmp_path):
    code = f"""
        import os, signal
        import gevent
        from gevent.event import Event
        from lymph.core._system.wakeups import WakeupSocket, wake

        woken = Event()
        receiver = WakeupSocket({str(tmp_path)!r}, 'queue', woken.set)
        child = gevent.os.fork()
        if not child:
            gevent.sleep(30)
            os._exit(0)
        try:
            for _ in range(20):
                woken.clear()
                assert wake({str(tmp_path)!r}) == 1
                assert woken.wait(5)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        receiver.close()
        """
    subprocess.run([sys.executable, '-c', textwrap.dedent(code)], check=True, timeout=60)


def test_a_removed_socket_is_restored_under_another_name(tmp_path):
    woken, directory = Event(), tmp_path / 'sockets'
    directory.mkdir()
    receiver = WakeupSocket(directory, 'queue', woken.set)
    former = receiver.path
    receiver.restore()
    assert receiver.path == former
    shutil.rmtree(directory)
    receiver.restore()
    assert receiver.path != former
    assert wake(directory, 'queue') == 1
    assert woken.wait(5)
    receiver.close()
    receiver.restore()
    assert wake(directory) == 0


def test_socket_that_cannot_be_restored_works_when_its_file_comes_back(tmp_path):
    woken, directory, away = Event(), tmp_path / 'sockets', tmp_path / 'away'
    directory.mkdir()
    receiver = WakeupSocket(directory, 'queue', woken.set)
    directory.rename(away)
    directory.write_text('in the way')
    with pytest.raises(OSError, match='sockets'):
        receiver.restore()
    directory.unlink()
    away.rename(directory)
    assert wake(directory, 'queue') == 1
    assert woken.wait(5)
    receiver.close()


def test_error_of_a_socket_that_cannot_be_bound_names_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="'nowhere/"):
        WakeupSocket('nowhere', 'queue', int)


def test_wake_up_without_free_descriptors_is_logged_and_raises_nothing(
    tmp_path, receiver, woken, caplog
):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert wake(tmp_path, 'queue') == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert 'cannot wake those who wait in' in caplog.text
    assert wake(tmp_path, 'queue') == 1
    assert woken.wait(5)


# The Waker, for those who wake others often.


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Make the directory look unchanged for a long time, so that its list is stored."""
    listed = []
    found = os.listdir

    def listdir(path):
        listed.append(path)
        return found(path)

    def age(seconds=60):
        os.utime(tmp_path, (0, os.stat(tmp_path).st_mtime - seconds))

    monkeypatch.setattr('lymph.core._system.wakeups.os.listdir', listdir)
    return age, listed


@pytest.mark.parametrize('seconds', [60, -3600], ids=['old', 'of before the clock was set back'])
def test_unchanged_directory_is_listed_once(tmp_path, receiver, woken, old, seconds):
    age, listed = old
    age(seconds)
    waker = Waker(tmp_path)
    for _ in range(10):
        woken.clear()
        assert waker.wake('queue') == 1
        assert woken.wait(5)
        assert waker.wake('other') == 0
    assert len(listed) == 1


def test_sockets_that_come_and_go_are_noticed(tmp_path, receiver, old):
    age, _ = old
    age()
    waker, heard = Waker(tmp_path), []
    assert waker.wake('queue') == 1
    second = WakeupSocket(tmp_path, 'queue', lambda: heard.append(2))
    assert waker.wake('queue') == 2
    eventually(lambda: heard)
    # again, within the same tick of the clock
    third = WakeupSocket(tmp_path, 'queue', lambda: heard.append(3))
    assert waker.wake('queue') == 3
    second.close()
    third.close()
    assert waker.wake('queue') == 1


def test_the_directory_may_come_and_go(tmp_path):
    waker = Waker(tmp_path / 'sockets')
    assert waker.wake('queue') == 0
    (tmp_path / 'sockets').mkdir()
    receiver = WakeupSocket(tmp_path / 'sockets', 'queue', int)
    assert waker.wake('queue') == 1
    receiver.close()


@pytest.mark.parametrize('code', [errno.EMFILE, errno.EACCES])
def test_a_directory_that_could_not_be_listed_is_listed_again(
    tmp_path, receiver, woken, old, monkeypatch, code
):
    age, _ = old
    age()
    waker = Waker(tmp_path)

    def fail(path):
        raise OSError(code, os.strerror(code), path)

    with monkeypatch.context() as patch:
        patch.setattr('lymph.core._system.wakeups.os.listdir', fail)
        waker.wake_soon('queue')
        waker.flush()
    assert waker.wake('queue') == 1
    assert woken.wait(5)


def test_names_are_woken_once_per_turn_of_the_loop(tmp_path):
    heard = []
    sockets = [WakeupSocket(tmp_path, name, lambda n=name: heard.append(n)) for name in 'ab']
    waker = Waker(tmp_path)
    for name in 'abab':
        waker.wake_soon(name)
    assert heard == []
    eventually(lambda: sorted(heard) == ['a', 'b'])
    for each in sockets:
        each.close()


def test_socket_of_a_dead_process_is_recognised(tmp_path, receiver):
    assert not is_deaf(receiver.path)
    receiver.abandon()
    assert is_deaf(receiver.path)
    assert not is_deaf(tmp_path / 'nowhere')
