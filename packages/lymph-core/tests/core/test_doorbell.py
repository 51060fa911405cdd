from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest
from gevent.event import Event

from lymph.core._system.doorbell import Bells, Doorbell, ring
from lymph.testing.waiting import eventually


@pytest.fixture
def rung():
    return Event()


@pytest.fixture
def bell(tmp_path, rung):
    bell = Doorbell(tmp_path, 'queue', rung.set)
    yield bell
    bell.close()


def test_a_ring_from_another_process_wakes_the_owner(bell, rung, tmp_path):
    rings = f'assert ring({str(tmp_path)!r}, "queue") == 1'
    code = f'from lymph.core._system.doorbell import ring; {rings}'
    with subprocess.Popen([sys.executable, '-c', code]) as ringer:
        assert rung.wait(30)
    assert ringer.returncode == 0


def test_a_ring_is_heard_although_it_came_before_the_owner_listened(bell, rung, tmp_path):
    ring(tmp_path, 'queue')
    assert rung.wait(5)


def test_rings_that_pile_up_are_heard_once(tmp_path):
    heard = []
    rung = Event()
    bell = Doorbell(tmp_path, 'queue', lambda: (heard.append(1), rung.set()))
    for _ in range(1000):
        assert ring(tmp_path, 'queue') == 1
    assert rung.wait(5)
    ring(tmp_path, 'queue')
    rung.clear()
    assert rung.wait(5)
    bell.close()
    assert heard == [1, 1]


def test_only_bells_of_the_name_are_rung(bell, rung, tmp_path):
    other = Event()
    other_bell = Doorbell(tmp_path, 'other', other.set)
    assert ring(tmp_path, 'other') == 1
    assert other.wait(5)
    assert not rung.is_set()
    other_bell.close()


def test_without_a_name_all_bells_are_rung_and_bells_may_share_one(bell, tmp_path):
    bells = [Doorbell(tmp_path, name, lambda: None) for name in ('queue', 'x' * 500, 'ä/ö', '')]
    assert ring(tmp_path) == 5
    assert ring(tmp_path, 'queue') == 2
    for one in bells:
        one.close()


def test_a_bell_whose_owner_is_stuck_does_not_keep_the_others_from_hearing(tmp_path):
    stuck = [Doorbell(tmp_path, f'stuck{n}', lambda: None) for n in range(400)]
    for one in stuck:
        one._watcher.stop()
    rung = Event()
    bell = Doorbell(tmp_path, 'zz', rung.set)
    for _ in range(3):
        rung.clear()
        assert ring(tmp_path) == 401
        assert rung.wait(5)
    for one in [*stuck, bell]:
        one.close()


@pytest.mark.parametrize('age', [60, -3600], ids=['old', 'of before the clock was set back'])
def test_a_bell_that_died_with_its_process_is_removed(tmp_path, age):
    opens = f'Doorbell({str(tmp_path)!r}, "q", int)'
    code = f'from lymph.core._system.doorbell import Doorbell; {opens}'
    subprocess.run([sys.executable, '-c', f'import os; {code}; os.kill(os.getpid(), 9)'])
    (dead,) = tmp_path.iterdir()
    assert ring(tmp_path, 'q') == 0
    assert dead.exists(), 'it may just be in the making'
    os.utime(dead, (0, time.time() - age))
    assert ring(tmp_path, 'q') == 0
    assert not dead.exists()


def test_a_closed_bell_is_gone(bell, tmp_path):
    bell.close()
    bell.close()
    assert list(tmp_path.iterdir()) == []
    assert ring(tmp_path) == 0


def test_files_that_are_no_bells_are_left_alone(bell, tmp_path):
    (tmp_path / 'notes').write_text('x')
    os.utime(tmp_path / 'notes', (0, 0))
    assert ring(tmp_path) == 1
    assert (tmp_path / 'notes').read_text() == 'x'


def test_a_directory_that_is_missing_has_no_bells_and_takes_none(tmp_path):
    assert ring(tmp_path / 'nowhere') == 0
    with pytest.raises(FileNotFoundError):
        Doorbell(tmp_path / 'nowhere', 'queue', lambda: None)


def test_a_directory_may_be_deeper_than_a_socket_address_is_long(tmp_path, rung):
    deep = tmp_path.joinpath(*['directory'] * 20)
    deep.mkdir(parents=True)
    bell = Doorbell(deep, 'queue', rung.set)
    assert ring(deep, 'queue') == 1
    assert rung.wait(5)
    bell.close()
    assert list(deep.iterdir()) == []


def test_a_forked_child_takes_no_rings_from_its_parent(tmp_path):
    code = f"""
        import os, signal
        import gevent
        from gevent.event import Event
        from lymph.core._system.doorbell import Doorbell, ring

        rung = Event()
        bell = Doorbell({str(tmp_path)!r}, 'queue', rung.set)
        child = gevent.os.fork()
        if not child:
            gevent.sleep(30)
            os._exit(0)
        try:
            for _ in range(20):
                rung.clear()
                assert ring({str(tmp_path)!r}) == 1
                assert rung.wait(5)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        bell.close()
        """
    subprocess.run([sys.executable, '-c', textwrap.dedent(code)], check=True, timeout=60)


# Bells, for whoever rings often.


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Have the directory be what it is for long, so that it is listed once."""
    listed = []
    found = os.listdir

    def listdir(path):
        listed.append(path)
        return found(path)

    def age(seconds=60):
        os.utime(tmp_path, (0, os.stat(tmp_path).st_mtime - seconds))

    monkeypatch.setattr('lymph.core._system.doorbell.os.listdir', listdir)
    return age, listed


@pytest.mark.parametrize('seconds', [60, -3600], ids=['old', 'of before the clock was set back'])
def test_a_directory_that_has_not_changed_is_listed_once(tmp_path, bell, rung, old, seconds):
    age, listed = old
    age(seconds)
    bells = Bells(tmp_path)
    for _ in range(10):
        rung.clear()
        assert bells.ring('queue') == 1
        assert rung.wait(5)
        assert bells.ring('other') == 0
    assert len(listed) == 1


def test_bells_that_come_and_go_are_noticed(tmp_path, bell, old):
    age, _ = old
    age()
    bells, heard = Bells(tmp_path), []
    assert bells.ring('queue') == 1
    second = Doorbell(tmp_path, 'queue', lambda: heard.append(2))
    assert bells.ring('queue') == 2
    eventually(lambda: heard)
    # again, within the same tick of the clock
    third = Doorbell(tmp_path, 'queue', lambda: heard.append(3))
    assert bells.ring('queue') == 3
    second.close()
    third.close()
    assert bells.ring('queue') == 1


def test_bells_of_a_directory_that_comes_and_goes(tmp_path):
    bells = Bells(tmp_path / 'bells')
    assert bells.ring('queue') == 0
    (tmp_path / 'bells').mkdir()
    bell = Doorbell(tmp_path / 'bells', 'queue', int)
    assert bells.ring('queue') == 1
    bell.close()
