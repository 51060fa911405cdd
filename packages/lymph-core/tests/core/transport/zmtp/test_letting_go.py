"""The bytes that a link holds are freed when it goes down, not by the garbage collector."""

from __future__ import annotations

import gc
import socket as constants
import struct
import tracemalloc

import gevent
import pytest

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.handshake import GREETING
from lymph.core.transport.base import LinkDown
from lymph.testing.waiting import eventually

BEGINNING = encode_message([bytes(3_000_000)])[:-1]
FRAMES = encode_message([bytes(20_000)] * 150)[:-30_000]
PEERS = 5


class Handler:
    """Keeps no link, as the handlers of services and callers do."""

    def __init__(self):
        self.links = set()

    def link_up(self, link):
        self.links.add(link)

    def message_arrived(self, link, frames):
        pass

    def link_down(self, link, reason):
        self.links.discard(link)


@pytest.fixture
def memory():
    """A function that returns the bytes allocated since the test began; no garbage collection."""
    gc.collect()
    gc.disable()
    tracemalloc.start(1)
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    gc.enable()


def closed_by_the_service(listener, handler, peers):
    for link in list(handler.links):
        link.close()


def closed_by_the_peer(listener, handler, peers):
    for one in peers:
        one.close()


def reset_by_the_peer(listener, handler, peers):
    for one in peers:
        one.socket.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, struct.pack('ii', 1, 0))
        one.close()


def against_the_protocol(listener, handler, peers):
    for one in peers:
        one.send(b'x' + b'\xff' * 1_000_000)


ENDS = [closed_by_the_service, closed_by_the_peer, reset_by_the_peer, against_the_protocol]


@pytest.mark.parametrize('end', ENDS)
@pytest.mark.parametrize('beginning', [BEGINNING, FRAMES], ids=['one frame', 'many frames'])
def test_incomplete_message_is_freed(transport, peer, memory, beginning, end):
    handler = Handler()
    one = transport()
    listener = one.listen('tcp://127.0.0.1:0', handler)
    peers = [peer(listener.endpoint).shake_hands() for _ in range(PEERS)]
    for each in peers:
        each.send(beginning)
    eventually(lambda: one.buffered >= PEERS * len(beginning) - 100_000, 10)
    assert memory() > PEERS * 2_900_000
    end(listener, handler, peers)
    eventually(lambda: not handler.links and memory() < 1_000_000, 10, lambda: f'{memory()} bytes')
    assert one.buffered == 0


def test_silent_peer_is_freed_with_its_incomplete_message(transport, peer, memory):
    handler = Handler()
    one = transport(heartbeat_interval=0.02, unresponsive_timeout=0.2)
    caller = peer(one.listen('tcp://127.0.0.1:0', handler).endpoint).shake_hands()
    caller.send(BEGINNING)
    eventually(lambda: one.buffered >= len(BEGINNING) - 100_000, 10)
    eventually(lambda: not handler.links and memory() < 1_000_000, 10, lambda: f'{memory()} bytes')


def test_incomplete_handshake_is_freed(transport, peer, memory):
    one = transport(handshake_timeout=1)
    listener = one.listen('tcp://127.0.0.1:0', Handler())
    half = GREETING + b'\x06' + (60_000).to_bytes(8, 'big') + bytes(59_000)
    held = []
    for _ in range(20):
        peer(listener.endpoint).send(half)
        gevent.sleep(0)
        held.append(one.buffered)
    assert max(held) > 100_000
    eventually(lambda: one.buffered == 0 and memory() < 500_000, 10, lambda: f'{memory()} bytes')


@pytest.mark.parametrize('end', [closed_by_the_service, closed_by_the_peer, reset_by_the_peer])
def test_unsent_messages_are_freed(transport, peer, memory, end):
    handler = Handler()
    one = transport()
    listener = one.listen('tcp://127.0.0.1:0', handler)
    peers = [peer(listener.endpoint, small_buffers=True).shake_hands() for _ in range(PEERS)]
    eventually(lambda: len(handler.links) == PEERS, 10)

    def send(link):
        try:
            while True:
                link.send([bytes(1_000_000)])
        except LinkDown:
            return

    senders = [gevent.spawn(send, link) for link in handler.links for _ in range(2)]
    eventually(lambda: one.buffered > PEERS * 8_000_000, 10)
    end(listener, handler, peers)
    gevent.joinall(senders, timeout=10)
    assert all(sender.successful() for sender in senders)
    senders.clear()
    eventually(lambda: not handler.links and memory() < 2_000_000, 10, lambda: f'{memory()} bytes')
    assert one.buffered == 0
