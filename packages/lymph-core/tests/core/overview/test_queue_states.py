from __future__ import annotations

import pytest

from lymph.core._overview.queue_states import QueueStates, measured_queues, with_glances
from lymph.core._overview.samples import read_figures
from lymph.events.queues import QueueState


class Backend:
    """Counts complete readings and glances; a glance knows `waiting` alone."""

    waiting = 3

    def __init__(self):
        self.calls = []

    def read(self, names=None):
        self.calls.append('read')
        return [QueueState('shop.on_paid', waiting=3, oldest=5.0, dead=2)]

    def glance(self, names):
        self.calls.append(f'glance {names}')
        return [QueueState('shop.on_paid', waiting=self.waiting)]


def test_complete_readings_are_rare():
    backend, states = Backend(), QueueStates()
    states.read(backend)
    backend.waiting = 9
    assert states.read(backend) == (QueueState('shop.on_paid', waiting=9, oldest=5.0, dead=2),)
    assert backend.calls == ['read', "glance ['shop.on_paid']"]


@pytest.mark.parametrize(
    ('glance', 'result'),
    [
        (QueueState('a', waiting=1, oldest=9.0), QueueState('a', waiting=1, oldest=9.0, dead=2)),
        (QueueState('a', waiting=1), QueueState('a', waiting=1, oldest=5.0, dead=2)),
        (QueueState('a', waiting=0), QueueState('a', waiting=0, dead=2)),
        (QueueState('a'), QueueState('a', waiting=7, oldest=5.0, dead=2)),
        (QueueState('a', dead=0), QueueState('a', waiting=7, oldest=5.0, dead=0)),
    ],
)
def test_a_glance_replaces_what_it_knows(glance, result):
    known = QueueState('a', waiting=7, oldest=5.0, dead=2)
    assert with_glances([known], [glance]) == (result,)


def test_a_queue_that_a_glance_does_not_find_is_gone():
    known = [QueueState('a', waiting=1), QueueState('b', waiting=2)]
    assert with_glances(known, [QueueState('b', waiting=3)]) == (QueueState('b', waiting=3),)


def test_queues_of_metrics_are_those_of_all_instances():
    first = read_figures(
        [
            ['queues.waiting', 3, {'queue': 'b'}],
            ['queues.oldest', 1.5, {'queue': 'b'}],
            ['queues.waiting', 1, {'queue': 'a'}],
        ]
    )
    second = read_figures([['queues.waiting', 4, {'queue': 'b'}]])
    assert measured_queues([first, second]) == (
        QueueState('a', waiting=1),
        QueueState('b', waiting=4, oldest=1.5),
    )
    assert measured_queues([]) == ()
