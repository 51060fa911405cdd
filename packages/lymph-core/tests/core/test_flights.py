from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from lymph.core._loop.flights import FlightEnded, Flights
from lymph.testing.waiting import eventually


@pytest.fixture
def flights():
    return Flights(gevent.spawn)


def test_callers_during_a_run_get_the_same_result(flights):
    gate, runs = Event(), []

    def run():
        runs.append(1)
        gate.wait()
        return object()

    askers = [gevent.spawn(flights.join, 'key', run) for _ in range(5)]
    gevent.sleep(0)
    gate.set()
    results = {asker.get(timeout=5) for asker in askers}
    assert len(results) == len(runs) == 1
    assert flights.join('key', run) not in results
    assert not len(flights)


def test_runs_of_different_keys_are_independent(flights):
    gate = Event()
    waiting = gevent.spawn(flights.join, 'slow', gate.wait)
    assert flights.join('fast', lambda: 1) == 1
    gate.set()
    waiting.get(timeout=5)


def test_error_reaches_all_callers_and_the_next_call_runs_again(flights):
    gate = Event()

    def fail():
        gate.wait()
        raise KeyError('once')

    askers = [gevent.spawn(_error_of, flights, fail) for _ in range(2)]
    gevent.sleep(0)
    gate.set()
    assert [type(asker.get(timeout=5)) for asker in askers] == [KeyError, KeyError]
    assert flights.join('key', lambda: 1) == 1


def _error_of(flights, run):
    try:
        flights.join('key', run)
    except KeyError as error:
        return error


def test_caller_that_gives_up_does_not_end_the_run(flights):
    gate = Event()
    impatient = gevent.spawn(flights.join, 'key', gate.wait)
    patient = gevent.spawn(flights.join, 'key', gate.wait)
    gevent.sleep(0)
    impatient.kill()
    gate.set()
    assert patient.get(timeout=5) is True


@pytest.mark.parametrize('begun', [True, False])
def test_killed_run_raises_cancelled_in_its_callers(begun):
    spawned = []

    def spawn(func):
        spawned.append(gevent.spawn(func))
        if not begun:
            spawned[0].kill(block=False)
        return spawned[0]

    flights = Flights(spawn)
    asker = gevent.spawn(flights.join, 'key', Event().wait)
    gevent.sleep(0)
    spawned[0].kill()
    with pytest.raises(FlightEnded):
        asker.get(timeout=5)
    eventually(lambda: not len(flights))
