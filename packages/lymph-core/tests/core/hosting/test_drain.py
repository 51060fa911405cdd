from __future__ import annotations

import time

import gevent
import pytest

from lymph.core._hosting import drain
from lymph.core._hosting.drain import wait_until_quiet


@pytest.fixture
def waits(monkeypatch):
    """Yield the list of pauses, with a fake clock that only they advance."""
    clock, pauses = [1000.0], []

    def sleep(seconds):
        assert seconds > 0
        pauses.append(round(seconds, 6))
        clock[0] += seconds

    monkeypatch.setattr(drain.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(drain.gevent, 'sleep', sleep)
    yield pauses
    monkeypatch.undo()
    assert time.monotonic() != clock[0]
    assert gevent.sleep is not sleep


def test_wait_ends_when_no_request_arrives_for_half_a_second(waits):
    wait_until_quiet(lambda: 0.0, 5)
    assert waits == [0.5]


def test_request_restarts_the_half_second(waits):
    requests = iter([1000.0, 1000.3, 1000.6, 1000.6])
    wait_until_quiet(lambda: next(requests), 5)
    assert sum(waits) == pytest.approx(1.1)


def test_wait_ends_at_the_timeout(waits):
    wait_until_quiet(lambda: 1_000_000.0, 2)
    assert sum(waits) == pytest.approx(2)


def test_without_a_timeout_it_does_not_wait(waits):
    wait_until_quiet(lambda: 0.0, 0)
    assert waits == []
