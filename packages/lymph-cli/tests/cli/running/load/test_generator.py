"""Calls in a closed loop: a fixed number of callers, each waiting for its call."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from lymph.cli._running.load.generator import LoadGenerator
from lymph.cli._running.load.plan import Plan
from lymph.core import trace
from lymph.exceptions import LookupFailure, Timeout
from lymph.testing.waiting import eventually


class Calls:
    """Counts calls and their callers."""

    def __init__(self, outcome: Callable[[int], None] = lambda number: None) -> None:
        self.made = 0
        self.at_once = 0
        self.most_at_once = 0
        self.callers: set[int] = set()
        self.traces: set[str | None] = set()
        self._outcome = outcome

    def __call__(self) -> None:
        self.made += 1
        number = self.made
        self.callers.add(id(gevent.getcurrent()))
        self.traces.add(trace.get_id())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            gevent.sleep(1e-6)
            self._outcome(number)
        finally:
            self.at_once -= 1


def test_number_and_concurrency_of_calls_are_as_requested() -> None:
    calls = Calls()
    generator = LoadGenerator(calls, Plan(200, 7, None))
    generator.run()
    assert (calls.made, generator.tally.calls, generator.cut) == (200, 200, 0)
    assert calls.most_at_once == 7


def test_callers_are_greenlets_that_make_many_calls_under_one_trace() -> None:
    calls = Calls()
    trace.set_id('one-load')
    LoadGenerator(calls, Plan(100, 3, None)).run()
    assert len(calls.callers) == 1 + 3  # the first call is made alone
    assert calls.traces == {'one-load'}


def test_calls_begin_until_the_time_is_over() -> None:
    calls = Calls()
    generator = LoadGenerator(calls, Plan(None, 2, 0.05))
    generator.run()
    assert generator.seconds >= 0.05
    assert generator.tally.calls == calls.made > 0


def test_failures_are_counted_and_do_not_end_the_load() -> None:
    def fail_every_third(number: int) -> None:
        if number % 3 == 0:
            raise Timeout('late')

    generator = LoadGenerator(Calls(fail_every_third), Plan(30, 4, None))
    generator.run()
    assert {name: each.count for name, each in generator.tally.outcomes.items()} == {
        'ok': 20,
        'timeout': 10,
    }


def test_wrong_usage_is_sent_once() -> None:
    def fail(number: int) -> None:
        raise LookupFailure('nobody')

    calls = Calls(fail)
    with pytest.raises(LookupFailure):
        LoadGenerator(calls, Plan(1000, 10, None)).run()
    assert calls.made == 1


def test_service_that_disappears_later_does_not_end_the_load() -> None:
    def fail(number: int) -> None:
        if number > 1:
            raise LookupFailure('nobody')

    generator = LoadGenerator(Calls(fail), Plan(5, 2, None))
    generator.run()
    assert (generator.tally.calls, generator.tally.failures) == (5, 4)


def test_interrupted_load_has_counted_finished_calls() -> None:
    stuck: list[int] = []
    forever = Event()

    def get_stuck(number: int) -> None:
        if number > 10:
            stuck.append(number)
            forever.wait()

    calls = Calls(get_stuck)
    generator = LoadGenerator(calls, Plan(1000, 4, None))

    def stop_when_stuck() -> None:
        eventually(lambda: len(stuck) == 4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator.run(stop_when_stuck)
    assert (generator.tally.calls, generator.tally.failures, generator.cut) == (10, 0, 4)
    assert (calls.made, calls.at_once) == (14, 0)


def test_bug_ends_the_load_and_is_raised() -> None:
    def fail(number: int) -> None:
        if number == 5:
            raise ZeroDivisionError

    calls = Calls(fail)
    with pytest.raises(ZeroDivisionError):
        LoadGenerator(calls, Plan(1000, 4, None)).run()
    assert calls.made < 20
