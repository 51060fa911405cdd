from __future__ import annotations

import logging
import subprocess
import sys
import time

import gevent
import gevent.monkey
import pytest

from lymph.core._monitoring.watchdog import Watchdog
from lymph.core.components import Componentized
from lymph.testing.waiting import eventually

#: greenlets log through a handler that gives way to others, and blocks the loop now and then
CONTENDED = """
import lymph.monkey
lymph.monkey.patch()
import logging
import time
import gevent
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core.components import Componentized

class BlockingAndSwitching(logging.Handler):
    def emit(self, record):
        if record.levelno == logging.WARNING:
            end = time.monotonic() + 0.03
            while time.monotonic() < end:
                pass
        gevent.sleep(0)

logging.root.addHandler(BlockingAndSwitching())
logging.root.setLevel(logging.INFO)
root = Componentized()
root.add_component(Watchdog(0.01))
root.on_start()

def work():
    for number in range(100):
        logging.log(logging.INFO if number % 20 else logging.WARNING, 'from a greenlet')
        gevent.sleep(0)

greenlets = [gevent.spawn(work) for _ in range(10)]
gevent.joinall(greenlets, timeout=15)
print('done', sum(greenlet.successful() for greenlet in greenlets))
"""

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


@pytest.fixture
def logfile(tmp_path):
    handler = logging.FileHandler(tmp_path / 'log')
    logging.root.addHandler(handler)
    yield tmp_path / 'log'
    logging.root.removeHandler(handler)
    handler.close()


def test_block_of_the_loop_is_reported_once_while_it_lasts(watchdog, logfile):
    a_handler_that_blocks(4 * THRESHOLD)
    text = logfile.read_text()
    assert text.count('the loop has been blocked for') == 1  # it did not wait for the loop
    assert 'a_handler_that_blocks' in text
    eventually(lambda: not watchdog._log and not watchdog._relaying)
    assert logfile.read_text() == text
    eventually(lambda: metrics(watchdog)['loop.blocks'] == 1)
    assert watchdog.facts()['blocks'] == 1
    assert metrics(watchdog)['loop.blocked_seconds'] >= THRESHOLD


def test_each_block_is_reported(watchdog, caplog):
    for count in (1, 2):
        a_handler_that_blocks(4 * THRESHOLD)
        eventually(lambda count=count: metrics(watchdog)['loop.blocks'] == count)
        eventually(lambda count=count: len(caplog.records) == count)


def test_handlers_with_locks_get_the_report_when_the_loop_is_back(watchdog, caplog):
    a_handler_that_blocks(4 * THRESHOLD)
    assert caplog.records == []
    eventually(lambda: caplog.records)
    assert 'a_handler_that_blocks' in caplog.text


def test_report_of_a_block_that_lasts_until_the_end_is_not_lost(caplog):
    root, watchdog = Componentized(), Watchdog(THRESHOLD)
    root.add_component(watchdog)
    root.on_start()
    a_handler_that_blocks(4 * THRESHOLD)
    root.on_stop()
    assert 'a_handler_that_blocks' in caplog.text


def test_greenlets_that_log_do_not_stall_when_blocks_are_reported():
    told = subprocess.run(
        [sys.executable, '-c', CONTENDED], capture_output=True, text=True, timeout=60
    )
    assert told.stdout == 'done 10\n', told.stderr[-2000:]


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
