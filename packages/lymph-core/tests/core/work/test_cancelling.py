"""A call is cancelled when its greenlets have closed their resources, not before."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from lymph.core._loop.deadlines import Expirations
from lymph.core._work.cancelling import Cancellation
from lymph.core._work.shield import Shield
from lymph.core.greenlets import Pool
from lymph.exceptions import Cancelled
from lymph.testing.waiting import eventually, let_pass

PATIENCE = 10  # seconds; no test waits that long


class Call:
    """A call whose greenlets close something, and then wait twice."""

    reply_sent = False

    def __init__(self, expirations, seconds=None):
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.cancellation = Cancellation(expirations)
        self.closing = Queue()
        self.outcomes = []

    def handle(self, closed, goes_on=True):
        """Run as the greenlet of the handler."""
        self.cancellation.begin(self)
        self._close_and_wait(closed, goes_on)
        self.cancellation.end()
        self.outcomes.append('ended')

    def deferred(self, closed):
        """Run as the greenlet of a call that the handler has deferred."""
        self.cancellation.join()
        self._close_and_wait(closed, goes_on=True)
        self.cancellation.leave()

    def _close_and_wait(self, closed, goes_on):
        with Shield(), Shield():
            self.closing.put(True)
            closed.wait(PATIENCE)
        for seconds in (PATIENCE, 1e-6) if goes_on else ():
            try:
                gevent.sleep(seconds)
            except Cancelled as error:
                self.outcomes.append(error.reason)


@pytest.fixture
def expirations():
    expirations = Expirations()
    yield expirations
    expirations.close()


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.kill()


def test_no_timer_runs_while_resources_are_closed(expirations, pool):
    call, closed = Call(expirations, seconds=0.01), Event()
    greenlet = pool.spawn(call.handle, closed)
    call.closing.get(timeout=PATIENCE)
    eventually(lambda: len(expirations) == 0)
    assert not call.cancellation.thrown
    closed.set()
    greenlet.get(timeout=PATIENCE)
    assert call.outcomes == ['deadline', 'ended']


def test_call_that_continues_after_closing_is_cancelled_once_for_the_first_reason(
    expirations, pool
):
    call, closed = Call(expirations), Event()
    greenlet = pool.spawn(call.handle, closed)
    call.closing.get(timeout=PATIENCE)
    for reason in ('given up', 'caller gone'):
        call.cancellation.throw(reason)
    closed.set()
    greenlet.get(timeout=PATIENCE)
    assert call.outcomes == ['given up', 'ended']


def test_call_that_ends_after_closing_its_resources_is_not_cancelled(expirations, pool):
    call, closed = Call(expirations), Event()
    greenlet = pool.spawn(call.handle, closed, goes_on=False)
    call.closing.get(timeout=PATIENCE)
    call.cancellation.throw('given up')
    closed.set()
    greenlet.get(timeout=PATIENCE)
    assert call.outcomes == ['ended']
    assert not call.cancellation.thrown


def test_call_is_cancelled_after_all_its_greenlets_have_closed_their_resources(expirations, pool):
    call, first, last = Call(expirations), Event(), Event()
    handler = pool.spawn(call.handle, first)
    deferred = pool.spawn(call.deferred, last)
    for _ in range(2):
        call.closing.get(timeout=PATIENCE)
    call.cancellation.throw('given up')
    first.set()
    let_pass(0.01, 'the other greenlet still closes a resource')
    assert call.outcomes == []
    last.set()
    gevent.joinall([handler, deferred], timeout=PATIENCE, raise_error=True)
    assert call.outcomes.count('given up') == 2
