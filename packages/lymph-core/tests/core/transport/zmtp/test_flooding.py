from __future__ import annotations

import gevent
import pytest

from lymph.core._protocol.zmtp.frames import encode_command, encode_message
from lymph.core.transport.base import LinkDown
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

FULL = 4 * 1024 * 1024  # bytes that a link holds before it makes others wait
PING = encode_command(b'\x04PING\0\0' + bytes(16))


class Forgetful(RecordingHandler):
    """Echoes messages and counts them instead of storing them."""

    count = 0

    def message_arrived(self, link, frames):
        self.count += 1
        link.send(frames)


@pytest.fixture
def flood(transport, peer):
    """A peer whose greenlet sends without reading, until its link is full."""
    made = []

    def flood(data, **options):
        handler = Forgetful()
        listener = transport(**options).listen('tcp://127.0.0.1:0', handler)
        caller = peer(listener.endpoint, small_buffers=True).shake_hands()
        eventually(lambda: handler.ups, 10)

        def send():
            while True:
                caller.send(data)

        made.append(gevent.spawn(send))
        return listener, handler, caller, made[-1]

    yield flood
    gevent.killall(made)


@pytest.mark.parametrize(
    'data', [PING * 3000, encode_message([bytes(100)] * 5) * 100, encode_message([bytes(30_000)])]
)
def test_flood_without_reading_fills_no_memory_and_affects_no_other_peer(flood, peer, data):
    listener, handler, caller, flooding = flood(data)
    link = handler.ups[0]
    eventually(lambda: link.buffered > FULL, 30)
    other = peer(listener.endpoint).shake_hands()
    for number in range(100):
        other.send_message(b'%d' % number)
        assert other.receive() == [b'%d' % number]
    assert link.buffered < FULL + 100_000
    assert handler.downs == []
    flooding.kill()
    caller.close()
    eventually(lambda: handler.lost == [link], 10)


def test_peer_that_finally_reads_gets_all_replies(flood):
    message = [b'x' * 1000]
    _, handler, caller, flooding = flood(encode_message(message))
    eventually(lambda: handler.ups[0].buffered > FULL, 30)
    for _ in range(8_000):
        assert caller.receive() == message
    assert not flooding.dead
    assert handler.downs == []


def test_a_peer_that_floods_and_reads_slowly_is_alive(flood, transport, peer):
    options = {'heartbeat_interval': 0.02, 'unresponsive_timeout': 0.2}
    listener, handler, caller, _ = flood(encode_message([bytes(1000)]), **options)
    link = handler.ups[0]
    eventually(lambda: link.buffered > FULL, 30)

    def read_slowly():
        while True:
            caller.socket.recv(20_000)
            gevent.sleep(0.01)

    reading = gevent.spawn(read_slowly)
    for _ in range(3):  # silent ones tell how much time has passed
        peer(listener.endpoint).shake_hands().read_to_the_end()
    reading.kill()
    assert link.up


def test_peer_that_sends_but_never_reads_is_disconnected(flood):
    options = {'heartbeat_interval': 0.02, 'unresponsive_timeout': 0.2}
    _, handler, _, flooding = flood(encode_message([bytes(1000)]), **options)
    eventually(lambda: handler.downs, 30)
    assert handler.downs[0][1] == 'the peer has been silent for 0.2 s'
    eventually(lambda: flooding.dead, 10)


def test_sender_waits_for_a_peer_that_does_not_read_until_it_disconnects(transport, peer):
    handler = RecordingHandler()
    listener = transport().listen('tcp://127.0.0.1:0', handler)
    caller = peer(listener.endpoint, small_buffers=True).shake_hands()
    eventually(lambda: handler.ups, 10)
    link, sent = handler.ups[0], []

    def send():
        while True:
            link.send([bytes(100_000)])
            sent.append(100_000)

    senders = [gevent.spawn(send) for _ in range(5)]
    eventually(lambda: sum(sent) > 4 * FULL, 10)
    for _ in range(100):
        gevent.sleep(0)  # whoever can send now does
    assert sum(sent) < 4 * FULL + 12_000_000  # and what the kernel takes
    assert not any(sender.dead for sender in senders)
    caller.close()
    for sender in senders:
        with pytest.raises(LinkDown):
            sender.get(timeout=10)
    eventually(lambda: handler.downs, 10)
