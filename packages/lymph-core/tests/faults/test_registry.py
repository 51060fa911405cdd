"""While the registry is unreadable, callers keep using the instances that they know."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from lymph.exceptions import LookupFailure
from lymph.testing.waiting import eventually


@contextmanager
def nobody_reads(folder):
    """Replace the registry's directory by a link to itself, which not even root can read."""
    away = folder.with_name('away')
    folder.rename(away)
    folder.symlink_to(folder)
    yield
    folder.unlink()
    away.rename(folder)


def test_known_instances_are_called_and_dead_ones_avoided_while_the_registry_is_unreadable(
    start, make_client, load, state, nothing_left
):
    victim, *others = start(3)
    caller, newcomer = make_client(), make_client()
    calls = load(20, caller)
    calls.go_on()
    with nobody_reads(state / 'registry'):
        lost = time.monotonic()
        calls.go_on()
        assert calls.pids_since(lost) == {victim.pid, *(other.pid for other in others)}
        assert calls.failures() == []
        with pytest.raises(LookupFailure, match='cannot read') as caught:
            newcomer.request('work', 'work.do', token=1)
        assert caught.value.executed == 'no'
        victim.kill()
        calls.go_on(2000)
        assert {failure.kind for failure in calls.failures()} <= {('ConnectionLost', 'maybe')}
        assert len(calls.failures()) <= 20
    (fresh,) = start()
    eventually(lambda: fresh.pid in calls.pids_since(lost))
    assert newcomer.request('work', 'work.do', token=2)[1] == 2
    newcomer.close()
    calls.end()
    assert {known.pid for known in caller.container.lookup('work')} == {
        fresh.pid,
        *(other.pid for other in others),
    }
    assert len(calls.failures()) <= 20
    nothing_left(caller, fresh, *others)
