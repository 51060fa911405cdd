"""Sessions that end while their process lives, under calls."""

from __future__ import annotations

import signal

import gevent
import pytest

from lymph.testing.waiting import eventually

LONG = 60.0  # seconds for what has to happen


@pytest.mark.parametrize('role', ['work', 'caller'])
def test_expired_session_fails_no_call(scene, role):
    *work, caller = scene.start('work', 'work', 'caller')
    scene.go_on(caller)
    victim = caller if role == 'caller' else work[0]
    scene.ask(victim, 'end_session')
    scene.expect(caller, *work)
    (newcomer,) = scene.start('work')
    scene.expect(caller, *work, newcomer)
    assert scene.failures(caller) == []


def test_stopped_instance_is_registered_again_when_continued(scene):
    victim, other, caller = scene.start('work', 'work', 'caller')
    scene.go_on(caller)
    victim.send(signal.SIGSTOP)
    eventually(lambda: scene.registered('work') == {other.pid}, LONG)
    eventually(lambda: scene.ask(caller, 'known') == {other.pid}, LONG)
    scene.go_on(caller)
    victim.send(signal.SIGCONT)
    scene.expect(caller, victim, other)
    only_under_way(scene.failures(caller), victim)


def test_stopped_caller_finds_the_present_instances_when_continued(scene):
    leaver, stayer, caller = scene.start('work', 'work', 'caller')
    scene.go_on(caller)
    caller.send(signal.SIGSTOP)
    eventually(lambda: scene.registered('caller') == set(), LONG)
    (newcomer,) = scene.start('work')
    leaver.kill()
    eventually(lambda: scene.registered('work') == {stayer.pid, newcomer.pid}, LONG)
    caller.send(signal.SIGCONT)
    scene.expect(caller, stayer, newcomer)
    only_under_way(scene.failures(caller), leaver, stayer)


def test_instance_is_registered_again_after_a_blocked_loop(scene):
    victim, other, caller = scene.start('work', 'work', 'caller')
    scene.go_on(caller)
    blocking = gevent.spawn(scene.ask, victim, 'block_the_loop', seconds=8)
    eventually(lambda: scene.registered('work') == {other.pid}, LONG)
    scene.go_on(caller)
    blocking.get()
    scene.expect(caller, victim, other)
    only_under_way(scene.failures(caller), victim)


def only_under_way(failures, *victims):
    """Expect only calls in flight to the victims to have failed, as `maybe`."""
    for kind, executed, text in failures:
        assert (kind, executed) in {('Timeout', 'maybe'), ('ConnectionLost', 'maybe')}, text
        assert any(victim.endpoint in text for victim in victims), text
    assert len(failures) <= 10  # one of each caller
