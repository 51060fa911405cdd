"""The bytes that libzmq holds for connections are measured from outside, and limited."""

from __future__ import annotations

from contextlib import suppress

import gevent
import pytest
from gevent import socket

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core.transport._zeromq import link as link_module
from lymph.core.transport._zeromq import weighing
from lymph.core.transport._zeromq.descriptors import inode_of
from lymph.core.transport._zeromq.weighing import traffic_of
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

MESSAGE = 1_000_000  # bytes, the largest
LIMIT = 8 * MESSAGE
ENDLESS = encode_message([bytes(60_000), b''])[:-2]


@pytest.fixture
def service(monkeypatch):
    """A transport that is measured often, its echoing listener, and the messages that it got."""
    monkeypatch.setattr(weighing, '_INTERVAL', 0.05)
    transport = ZeromqTransport(max_message_size=MESSAGE, max_buffered=LIMIT)
    handler = RecordingHandler(echoes=True)
    yield transport, transport.listen('tcp://127.0.0.1:0', handler), handler
    transport.close()
    assert handler.violations == []


@pytest.fixture
def caller(service):
    transport, handler = ZeromqTransport(max_message_size=2 * MESSAGE), RecordingHandler()
    link = transport.connect(service[1].endpoint, handler)
    eventually(lambda: link.up, 10)
    yield link, handler
    transport.close()


def works(caller, size=10, count=5):
    link, handler = caller
    handler.messages.clear()
    for _ in range(count):
        link.send([bytes(size)])
    eventually(lambda: len(handler.messages) == count, 10)
    assert all(message == [b'echo', bytes(size)] for message in handler.messages)


def test_kernel_counts_the_bytes_of_a_connection(monkeypatch):
    server = socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen(1)
    with socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        descriptor, inode = ours.fileno(), inode_of(ours.fileno())
        ours.sendall(bytes(1000))
        theirs.sendall(bytes(700))
        # a SYN counts as one byte
        eventually(lambda: traffic_of(descriptor, inode)[0] in (1000, 1001), 10)
        eventually(lambda: traffic_of(descriptor, inode)[1] == 700, 10)
        assert traffic_of(descriptor, (inode or 0) + 1) is None
        assert ours.fileno() == descriptor
        theirs.close()
    assert traffic_of(descriptor, inode) is None
    server.close()
    assert traffic_of(-1, None) is None
    monkeypatch.setattr(weighing, 'inode_of', lambda descriptor: inode)  # closed right after that
    assert traffic_of(descriptor, inode) is None


@pytest.mark.parametrize('first', [b'', encode_message([b'hello'])], ids=['unknown', 'known'])
def test_peer_with_endless_frames_is_disconnected_and_others_are_served(
    service, caller, peer, caplog, first
):
    transport, listener, handler = service
    works(caller)

    rude = peer(listener.endpoint).shake_hands()
    rude.send(first)

    def never_end():
        with suppress(OSError):
            while True:
                rude.send(ENDLESS)
                gevent.sleep(0)

    greedy = gevent.spawn(never_end)
    works(caller)
    eventually(lambda: 'container.rpc.max_buffered' in caplog.text, 20)
    works(caller)
    eventually(lambda: transport.buffered == 0, 10)
    greedy.kill()
    assert handler.ups[0] not in handler.lost
    for _, reason in handler.downs:
        assert 'container.rpc.max_buffered' in reason


def test_peers_that_do_not_read_are_disconnected_and_others_are_served(service, caller, peer):
    transport, listener, handler = service
    works(caller)
    deaf = peer(listener.endpoint, small_buffers=True).shake_hands()
    with suppress(OSError):
        deaf.send(encode_message([bytes(900_000)]) * 30)
    eventually(lambda: handler.downs, 20)
    assert 'container.rpc.max_buffered' in handler.downs[0][1]
    works(caller)
    assert handler.ups[0] not in handler.lost
    deaf.close()
    eventually(lambda: transport.buffered == 0, 10)


# The echoes are sent in the hub, which drops those for which libzmq has no room. It has room for
# 1000 messages, and may count up to 500 that the peer has read already.
@pytest.mark.parametrize(('size', 'count'), [(1, 450), (300, 450), (900_000, 8)])
def test_well_behaved_callers_are_not_disconnected(service, caller, size, count):
    transport, _, handler = service
    for _ in range(20):
        works(caller, size, count)
    eventually(lambda: transport.buffered == 0, 10)
    assert handler.downs == []


def test_sender_waits_until_its_peer_has_read_most_of_it(service, caller, monkeypatch):
    monkeypatch.setattr(link_module, '_HIGH_WATER', 2_000_000)
    _, _, handler = service
    handler.echoes = False
    for _ in range(100):
        caller[0].send([bytes(900_000)])
    eventually(lambda: len(handler.messages) == 100, 10)
    assert caller[0].up


def test_disconnected_peers_hold_no_bytes(service, peer):
    transport, listener, _ = service
    rude = peer(listener.endpoint).shake_hands()
    rude.send(ENDLESS * 50)
    eventually(lambda: transport.buffered > 2_000_000, 10)
    rude.close()
    eventually(lambda: transport.buffered == 0, 10)
