"""A closed load keeps a fixed number of events in flight and notices what is lost."""

from __future__ import annotations

import gevent
import pytest
from gevent.queue import Queue

from lymph.core.events import Event
from lymph.exceptions import EmitFailure
from lymph.testing.loads import ClosedLoad


class Broker:
    """Accepts events, and handles each in its own greenlet."""

    def __init__(self, lose: int | None = None, repeat: int = 1) -> None:
        self.queue: Queue[int] = Queue()
        self.longest = 0
        self.lose, self.repeat = lose, repeat

    def emit(self, n: int) -> None:
        if n != self.lose:
            self.queue.put(n)
        self.longest = max(self.longest, self.queue.qsize())

    def deliver(self, load: ClosedLoad) -> None:
        for n in self.queue:
            for _ in range(self.repeat):
                load.handle(Event('thing', {'n': n}))
            gevent.sleep(0)


@pytest.mark.parametrize('repeat', [1, 3])
def test_no_more_events_are_in_flight_than_allowed(repeat: int) -> None:
    broker = Broker(repeat=repeat)
    load = ClosedLoad(broker.emit, emitters=3, in_flight=5)
    delivering = gevent.spawn(broker.deliver, load)
    with load.running():
        load.makes_progress()
    assert broker.longest <= 5
    assert load.repeated() == (repeat - 1) * len(load.emitted)
    assert load.emitted == set(load.handled)
    delivering.kill()


def test_a_lost_event_is_named() -> None:
    broker = Broker(lose=3)
    load = ClosedLoad(broker.emit, patience=0.2)
    delivering = gevent.spawn(broker.deliver, load)
    with pytest.raises(AssertionError, match=r'not yet: \{3\}'), load.running():
        pass
    delivering.kill()


def test_failed_emit_frees_its_slot_even_if_the_event_is_handled() -> None:
    broker = Broker()

    def emit(n: int) -> None:
        broker.emit(n)
        if n % 3 == 0:
            raise EmitFailure('not confirmed')

    load = ClosedLoad(emit, emitters=2, in_flight=4)
    delivering = gevent.spawn(broker.deliver, load)
    with load.running():
        pass
    assert {0, 3, 6} <= load.failed
    assert not load.failed & load.emitted
    assert load.lost() == set()
    delivering.kill()


def test_an_error_of_the_emitter_is_raised() -> None:
    def emit(n: int) -> None:
        if n > 50:
            raise RuntimeError('broken')
        load.handle(Event('thing', {'n': n}))

    load = ClosedLoad(emit, patience=0.2)
    with pytest.raises(RuntimeError, match='broken'), load.running():
        gevent.wait(timeout=0)
