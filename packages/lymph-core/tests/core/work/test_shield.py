"""Closing is not cut by `Killed`, unless the stop has waited for it long enough."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from lymph.core._work.shield import Shield
from lymph.core.failures import Killed
from lymph.core.greenlets import Pool
from lymph.core.workers import Workers
from lymph.testing.waiting import eventually


class Closing:
    """A task that closes something: it waits until `go_on` is set."""

    def __init__(self):
        self.begun, self.go_on = Event(), Event()
        self.ended = None

    def __call__(self):
        try:
            with Shield():
                self.greenlet = gevent.getcurrent()
                self.begun.set()
                self.go_on.wait(10)
                self.ended = 'closed'
            self.ended = 'went on'
        except Killed:
            self.ended = f'{self.ended or "cut"}, then killed'
            raise


def started(group, task):
    if isinstance(group, Workers):
        assert group.try_start(task)
    else:
        group.spawn(task)
    assert task.begun.wait(5)


@pytest.fixture(params=[Workers, Pool])
def group(request):
    group = request.param()
    yield group
    group.kill()


def test_killed_is_raised_after_the_closing_has_ended(group):
    task = Closing()
    started(group, task)
    killing = gevent.spawn(group.kill)
    eventually(lambda: task.greenlet._held)
    assert task.ended is None
    task.go_on.set()
    killing.join(5)
    assert task.ended == 'closed, then killed'


@pytest.mark.parametrize('timeout', [0.01, None])
def test_closing_that_takes_too_long_is_killed(group, timeout, monkeypatch):
    for module in ('greenlets', '_work.shield'):
        monkeypatch.setattr(f'lymph.core.{module}.CLOSING', 0.01)
    task = Closing()
    started(group, task)
    group.kill(timeout=timeout)
    assert task.ended == 'cut, then killed'


def test_timeouts_set_by_the_closing_code_apply():
    def close():
        with Shield(), gevent.Timeout(0.01):
            Event().wait()

    pool = Pool()
    greenlet = pool.spawn(close)
    greenlet.join(5)
    assert isinstance(greenlet.exception, gevent.Timeout)


def test_plain_gevent_greenlets_close_resources_without_a_shield():
    with Shield():
        pass


def test_worker_can_be_reused_after_a_closing():
    workers = Workers(1)
    ids = []

    def close():
        with Shield():
            ids.append(id(gevent.getcurrent()))

    for _ in range(3):
        workers.start(close)
        workers.join()
    assert len(set(ids[1:])) == 1
    workers.kill()
