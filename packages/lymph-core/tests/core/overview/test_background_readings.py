from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from lymph.core._overview.background import Background
from lymph.exceptions import LymphError


@pytest.fixture
def reading():
    """A value that is read once the gate is open."""

    class Reading:
        gate = Event()
        value: object = 1
        begun = 0
        ended = 0

        def __call__(self):
            self.begun += 1
            try:
                self.gate.wait()
            finally:
                self.ended += 1
            if isinstance(self.value, Exception):
                raise self.value
            return self.value

    found = Reading()
    found.gate.set()
    return found


def test_a_failure_keeps_the_last_value(reading):
    background = Background(reading)
    assert background.refresh(5) == 1
    reading.value = LymphError('it is away')
    assert background.refresh(5) == 1
    assert background.problem == 'it is away'
    reading.value = 2
    assert background.refresh(5) == 2
    assert background.problem == ''


def test_any_error_is_a_problem_and_is_logged_once(reading, caplog):
    background = Background(reading)
    reading.value = OSError('the disk is gone')
    background.refresh(5)
    background.refresh(5)
    assert background.problem == 'OSError: the disk is gone'
    assert len([record for record in caplog.records if record.levelname == 'ERROR']) == 1
    reading.value = 2
    assert background.refresh(5) == 2


def test_nobody_waits_twice_for_a_slow_reading(reading):
    background = Background(reading)
    reading.gate.clear()
    assert background.refresh(0.01) is None
    with gevent.Timeout(2):
        assert background.refresh(60) is None
        assert background.wait(60) is None
    assert reading.begun == 1
    reading.gate.set()
    gevent.sleep(0)
    assert background.refresh(5) == 1


def test_a_reading_ends_when_it_is_closed(reading):
    background = Background(reading)
    reading.gate.clear()
    background.refresh(0.01)
    background.close()
    assert (reading.begun, reading.ended) == (1, 1)
