"""`kill -9` at every step between an emit and its acknowledgement: nothing is lost."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PROGRAM = pathlib.Path(__file__).with_name('program.py')
PATIENCE = 60.0
EVENTS = 12


@pytest.fixture
def run_until_killed(bench: Any, in_thread: Callable[..., Any]) -> Callable[..., list[int]]:
    """Run the program until it has killed itself; returns the numbers that it printed."""

    def run(role: str, step: str) -> list[int]:
        command = [sys.executable, str(PROGRAM), role, step]
        command += [bench.server.url, bench.name, bench.topic]
        done = in_thread(lambda: subprocess.run(command, stdout=subprocess.PIPE, timeout=60))
        assert done.returncode == -signal.SIGKILL
        return [int(line) for line in done.stdout.split()]

    return run


@pytest.mark.parametrize('step', ['before the publish', 'before the confirm is read'])
def test_events_that_a_killed_emitter_confirmed_are_delivered(
    bench: Any, run_until_killed: Callable[..., list[int]], step: str
) -> None:
    handled: Counter[int] = Counter()
    bench.subscribe(bench.start(), lambda event: handled.update([event.body['n']]))
    said = run_until_killed('emit', step)
    assert len(said) >= 3
    eventually(lambda: set(said) <= set(handled), PATIENCE)
    assert set(handled) <= {*said, len(said)}  # at most the one that was under way
    assert max(handled.values()) == 1


@pytest.mark.parametrize(
    ('step', 'repeated'),
    [
        ('in the handler', 0),
        ('before the acknowledgement', 1),
        ('before the publish for a retry', 0),
        ('between the publish for a retry and the acknowledgement', 1),
        ('between the publish of a dead letter and the acknowledgement', 0),
    ],
)
def test_event_of_a_killed_consumer_is_given_to_another(
    bench: Any, run_until_killed: Callable[..., list[int]], step: str, repeated: int
) -> None:
    system = bench.start()
    bench.unsubscribed_queue(system)
    for n in range(EVENTS):
        bench.emit(system, n)
    handled = Counter(run_until_killed('consume', step))
    assert sum(handled.values()) in (5, 6)
    bench.subscribe(system, lambda event: handled.update([event.body['n']]))
    eventually(lambda: len(handled) == EVENTS, PATIENCE)
    # the copy for another attempt comes after the rest
    eventually(lambda: sum(handled.values()) >= EVENTS + repeated, PATIENCE)
    assert sum(handled.values()) == EVENTS + repeated
    letters = system.dead_letters.read(bench.name)
    assert len(letters) == ('letter' in step)
