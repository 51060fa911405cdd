"""A CANCEL counts for the connection that it came over, whatever routing ids peers choose."""

from __future__ import annotations

import pytest
import zmq

from lymph.core.container import ServiceContainer
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.testing.waiting import eventually

REQUEST = [b'one', b'REQ', b'willing.wait', b'\x80', b'\x80']
CANCEL = [b'two', b'CANCEL', b'one', b'\x80', b'\xc0']


@pytest.fixture
def willing(cancellable):
    container = ServiceContainer(ZeromqTransport(), StaticServiceRegistry(), NullEventSystem())
    interface = container.install_interface(cancellable, 'willing')
    container.start()
    yield interface
    container.stop()


@pytest.fixture
def peer(willing):
    context, made = zmq.Context(), []

    def peer(identity):
        made.append(context.socket(zmq.DEALER))
        made[-1].routing_id = identity
        made[-1].connect(willing.container.endpoint)
        return made[-1]

    yield peer
    for sock in made:
        sock.close(0)
    context.term()


def dropped(willing):
    return {
        tags['reason']: value
        for name, value, tags in willing.container.metrics
        if name == 'rpc.dropped'
    }


def test_peer_with_another_routing_id_cancels_nothing(willing, peer):
    caller, other = peer(b'caller'), peer(b'other')
    caller.send_multipart(REQUEST)
    willing.begun.get(timeout=10)
    other.send_multipart(CANCEL)
    eventually(lambda: dropped(willing) == {'cancel': 1}, 10)
    assert willing.ended.empty()
    caller.send_multipart(CANCEL)
    assert willing.ended.get(timeout=10) == 'given up'


def test_peer_that_takes_over_a_routing_id_cannot_cancel_earlier_calls(willing, peer):
    peer(b'caller').send_multipart(REQUEST)
    willing.begun.get(timeout=10)
    thief = peer(b'caller')
    thief.send_multipart(CANCEL)
    assert willing.ended.get(timeout=10) == 'caller gone'  # libzmq has disconnected it
    eventually(lambda: dropped(willing) == {'cancel': 1}, 10)
