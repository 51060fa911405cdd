from __future__ import annotations

import time

import gevent
import gevent.monkey
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


def delays_above(watchdog, seconds):
    counts = [(float(tags['le']), value) for name, value, tags in watchdog if 'le' in tags]
    return counts[-1][1] - max(value for bound, value in counts if bound <= seconds)


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


def test_the_delay_of_the_loop_is_measured(watchdog):
    eventually(lambda: metrics(watchdog)['loop.delay.count'] > 1)
    assert delays_above(watchdog, 0.5) == 0
    a_handler_that_blocks(1.0)
    eventually(lambda: delays_above(watchdog, 0.5) == 1)
    assert metrics(watchdog)['loop.delay.sum'] > 0.5


def test_the_thread_of_the_loop_and_its_silence_can_be_seen_from_outside(watchdog):
    eventually(lambda: watchdog._answered > 0)
    seen = []

    def look():
        gevent.monkey.get_original('time', 'sleep')(0.8)
        seen.extend((watchdog.silence(), watchdog.frame().f_code.co_name))

    looking = gevent.get_hub().threadpool.spawn(look)
    a_handler_that_blocks(1.2)
    looking.get()
    assert seen[0] > 0.3
    assert seen[1] == 'a_handler_that_blocks'
    eventually(lambda: watchdog.silence() == 0 or watchdog.silence() < 0.2)


def test_without_a_threshold_nothing_is_reported_or_counted(caplog):
    root, watchdog = Componentized(), Watchdog(0)
    root.add_component(watchdog)
    root.on_start()
    a_handler_that_blocks(1.0)
    eventually(lambda: delays_above(watchdog, 0.5) == 1)
    assert 'loop.blocks' not in metrics(watchdog)
    root.on_stop()
    assert caplog.records == []
