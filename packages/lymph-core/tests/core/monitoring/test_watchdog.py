from __future__ import annotations

import time

import pytest

from lymph.core._monitoring.watchdog import Watchdog
from lymph.core.components import Componentized
from lymph.testing.waiting import eventually

THRESHOLD = 0.25  # seconds; a busy machine may keep the loop waiting for less than that


@pytest.fixture
def watchdog():
    root, watchdog = Componentized(), Watchdog(THRESHOLD)
    root.add_component(watchdog)
    root.on_start()
    yield watchdog
    root.on_stop()


def a_handler_that_blocks(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def metrics(watchdog):
    return {name: value for name, value, _ in watchdog.metrics}


def test_block_of_the_loop_is_reported_once_while_it_lasts(watchdog, caplog):
    a_handler_that_blocks(4 * THRESHOLD)
    assert 'the loop has been blocked for' in caplog.text  # it did not wait for the loop
    assert 'a_handler_that_blocks' in caplog.text
    assert len(caplog.records) == 1
    eventually(lambda: metrics(watchdog)['loop.blocks'] == 1)
    assert watchdog.facts()['blocks'] == 1
    assert metrics(watchdog)['loop.blocked_seconds'] >= THRESHOLD


def test_each_block_is_reported(watchdog, caplog):
    for count in (1, 2):
        a_handler_that_blocks(4 * THRESHOLD)
        eventually(lambda count=count: metrics(watchdog)['loop.blocks'] == count)
    assert len(caplog.records) == 2


def test_running_loop_is_not_reported(watchdog, caplog):
    eventually(lambda: watchdog._answered > 0)
    before = watchdog._answered
    eventually(lambda: watchdog._answered > before)  # it was asked again, and not much of it
    assert caplog.records == []


def test_stopped_watchdog_reports_nothing(caplog):
    root, watchdog = Componentized(), Watchdog(THRESHOLD)
    root.add_component(watchdog)
    root.on_start()
    root.on_stop()
    a_handler_that_blocks(3 * THRESHOLD)
    assert caplog.records == []
    assert list(root.metrics) == []


def test_a_watchdog_that_was_never_started_can_be_stopped():
    Watchdog(THRESHOLD).on_stop()


def test_a_container_has_one_unless_it_is_switched_off(world):
    names = [
        {name for name, _, _ in world.container(block_threshold=threshold).metrics}
        for threshold in (5, 0)
    ]
    assert 'loop.blocks' in names[0]
    assert 'loop.blocks' not in names[1]
