from __future__ import annotations

import random

import pytest

from lymph.core.transport.base import LinkDown
from lymph.core.transport.memory import Faults, MemoryNetwork, MemoryTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

MANY = [[b'%d' % number] for number in range(1000)]


class Pair:
    """A link with both its handlers, on a network of its own."""

    def __init__(self):
        self.network = MemoryNetwork()
        self.transport = MemoryTransport(network=self.network)
        self.accepting, self.handler = RecordingHandler(), RecordingHandler()
        self.listener = self.transport.listen('memory://there', self.accepting)
        self.link = self.transport.connect('memory://there', self.handler)
        eventually(lambda: self.link.up and self.accepting.ups)

    def send(self, messages):
        for message in messages:
            self.link.send(message)


@pytest.fixture
def pair():
    pair = Pair()
    yield pair
    pair.transport.close()
    eventually(lambda: pair.network.links == set())
    assert pair.network.listeners == {}
    assert pair.handler.violations == pair.accepting.violations == []


def faults(**chances):
    return Faults(chance=random.Random(7), **chances)


def test_listeners_get_unique_names():
    network = MemoryNetwork()
    transport = MemoryTransport(network=network)
    transport.listen('memory://1', RecordingHandler())
    endpoints = {transport.listen('memory://', RecordingHandler()).endpoint for _ in range(3)}
    assert len(endpoints | {'memory://1'}) == 4
    transport.close()


def test_transports_without_a_network_share_one_network():
    one, two = MemoryTransport(), MemoryTransport()
    listener = one.listen('memory://', RecordingHandler())
    handler, elsewhere = RecordingHandler(), RecordingHandler()
    two.connect(listener.endpoint, handler)
    other = MemoryTransport(network=MemoryNetwork())
    other.connect(listener.endpoint, elsewhere)
    eventually(lambda: handler.ups and elsewhere.downs)
    assert 'nobody listens at' in elsewhere.downs[0][1]
    one.close()
    two.close()


def test_messages_are_dropped_at_random(pair):
    pair.network.faults = faults(drop=0.5)
    pair.send(MANY)
    pair.network.faults = None
    pair.link.send([b'end'])
    eventually(lambda: [b'end'] in pair.accepting.messages)
    arrived = pair.accepting.messages[:-1]
    assert 300 < len(arrived) < 700
    assert arrived == [message for message in MANY if message in arrived]


def test_messages_are_duplicated_at_random(pair):
    pair.network.faults = faults(duplicate=0.5)
    pair.send(MANY)
    eventually(lambda: MANY[-1] in pair.accepting.messages)
    arrived = pair.accepting.messages
    assert 1300 < len(arrived) < 1700
    assert [m for n, m in enumerate(arrived) if n == 0 or arrived[n - 1] != m] == MANY


def test_messages_are_reordered_at_random(pair):
    pair.network.faults = faults(reorder=0.5)
    pair.send(MANY)
    eventually(lambda: len(pair.accepting.messages) == len(MANY))
    assert pair.accepting.messages != MANY
    assert sorted(pair.accepting.messages) == sorted(MANY)


def test_messages_are_delayed_and_keep_their_order(pair):
    pair.network.faults = faults(delay=0.05)
    pair.send(MANY)
    pair.network.faults = None
    pair.link.send([b'overtakes'])
    eventually(lambda: len(pair.accepting.messages) == len(MANY) + 1)
    assert pair.accepting.messages == [[b'overtakes'], *MANY]


def test_delayed_messages_arrive_before_the_link_goes_down(pair):
    pair.network.faults = faults(delay=0.05)
    pair.send(MANY)
    pair.link.close()
    eventually(lambda: pair.accepting.downs)
    assert pair.accepting.messages == MANY


def test_cut_closes_both_ends_and_loses_messages_in_flight(pair):
    pair.network.faults = faults(delay=0.01)
    pair.send(MANY)
    pair.network.cut('memory://elsewhere')
    assert pair.link.up
    pair.network.cut('memory://there')
    eventually(lambda: pair.handler.downs and pair.accepting.downs)
    assert [reason for _, reason in pair.handler.downs + pair.accepting.downs] == ['cut', 'cut']
    assert pair.accepting.messages == []
    with pytest.raises(LinkDown, match='cut'):
        pair.link.send([b'x'])


def test_cut_without_an_endpoint_closes_all_links(pair):
    pair.network.cut()
    eventually(lambda: pair.handler.downs and pair.accepting.downs)
    assert pair.network.links == set()
