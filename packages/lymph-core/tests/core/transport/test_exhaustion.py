"""A process that has no file descriptors left."""

from __future__ import annotations

import logging
import os
import resource
import socket

import pytest

from lymph.core._protocol.zmtp.handshake import GREETING
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.serializers.msgpack import unpack
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually


@pytest.fixture
def exhausted():
    """A function that uses up all descriptors; the function it returns frees them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = []

    def exhaust():
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        try:
            while True:
                used.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return give_back

    def give_back():
        while used:
            os.close(used.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    yield exhaust
    give_back()


@pytest.mark.parametrize('kind', [ZmtpTransport, ZeromqTransport], ids=['zmtp', 'zeromq'])
def test_without_descriptors_links_and_listeners_fail_and_later_ones_work(kind, exhausted):
    transport, handler = kind(), RecordingHandler()
    accepting = RecordingHandler(echoes=True)
    listener = transport.listen('tcp://127.0.0.1:0', accepting)
    warm = transport.connect(listener.endpoint, RecordingHandler())
    eventually(lambda: warm.up, 10)
    give_back = exhausted()
    link = transport.connect(listener.endpoint, handler)
    eventually(lambda: handler.lost == [link], 10)
    assert handler.downs[0][1] == 'connection failed: Too many open files'
    with pytest.raises(OSError, match='Too many open files'):
        transport.listen('tcp://127.0.0.1:0', accepting)
    warm.send([b'still works'])
    eventually(lambda: accepting.messages, 10)
    give_back()
    again = RecordingHandler()
    link = transport.connect(listener.endpoint, again)
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: again.messages, 10)
    transport.close()


@pytest.mark.parametrize('kind', [ZmtpTransport, ZeromqTransport], ids=['zmtp', 'zeromq'])
def test_service_that_cannot_accept_connections_logs_it_and_recovers(kind, exhausted, caplog):
    caplog.set_level(logging.WARNING)
    service = ServiceContainer(
        kind(), StaticServiceRegistryHub().create_registry(), NullEventSystem(), ContainerSettings()
    )
    service.start(register=False)
    transport, handler = kind(), RecordingHandler()
    warm = transport.connect(service.endpoint, handler)
    eventually(lambda: warm.up, 10)

    def listener():
        """Ask the service for its listener, over an existing connection."""
        count = len(handler.messages)
        warm.send([b'%d' % count, b'REQ', b'lymph.status', b'\x80', b'\x80'])
        eventually(lambda: len(handler.messages) > count, 10)
        return unpack(handler.messages[-1][4])['listener']

    well = {'endpoint': service.endpoint, 'accepting': True, 'reason': None, 'dropped': 0}
    assert listener() == well
    newcomer = socket.socket()
    give_back = exhausted()
    newcomer.connect(split_tcp(service.endpoint))
    ill = {**well, 'accepting': False, 'reason': 'Too many open files'}
    eventually(lambda: listener() == ill, 10)
    give_back()
    eventually(lambda: listener() == well, 10)
    newcomer.settimeout(10)
    assert newcomer.recv(1) == GREETING[:1]
    told = [record.getMessage() for record in caplog.records]
    assert sum('accepts no connections: Too many open files' in text for text in told) == 1
    assert sum('accepts connections again' in text for text in told) == 1
    newcomer.close()
    transport.close()
    service.stop()
