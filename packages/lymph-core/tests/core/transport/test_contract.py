from __future__ import annotations

import errno
import itertools
import socket

import pytest

from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.contracts.transports import RecordingHandler, TransportContract
from lymph.testing.waiting import eventually


class TestZmtp(TransportContract):
    def make_transport(self, **options):
        return ZmtpTransport(**options)


class TestMemory(TransportContract):
    def setup_method(self):
        self.network = MemoryNetwork()

    def make_transport(self, **options):
        return MemoryTransport(network=self.network, **options)


class TestZeromq(TransportContract):
    def make_transport(self, **options):
        return ZeromqTransport(**options)


class TestZeromqOverIpc(TestZeromq):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.paths = (tmp_path / f'{number}' for number in itertools.count())

    def endpoint(self):
        return f'ipc://{next(self.paths)}'


class TestZeromqInproc(TestZeromq):
    numbers = itertools.count()

    def endpoint(self):
        return f'inproc://contract/{next(self.numbers)}'


class TestZmtpToZeromq(TestZeromq):
    def make_connecting_transport(self, **options):
        return ZmtpTransport(**options)


class TestZeromqToZmtp(TestZmtp):
    def make_connecting_transport(self, **options):
        return ZeromqTransport(**options)


@pytest.mark.parametrize('kind', [ZmtpTransport, ZeromqTransport], ids=['zmtp', 'zeromq'])
def test_ipv6_addresses_are_endpoints_too(kind):
    transport, accepting, handler = kind(), RecordingHandler(echoes=True), RecordingHandler()
    assert transport.address('::1', 4123) == 'tcp://[::1]:4123'
    if not _has_ipv6():
        with pytest.raises(OSError, match='tcp'):
            transport.listen('tcp://[::1]:0', accepting)
        return
    listener = transport.listen('tcp://[::1]:0', accepting)
    assert listener.endpoint.startswith('tcp://[::1]:')
    link = transport.connect(listener.endpoint, handler)
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: handler.messages == [[b'echo', b'x']], 10)
    assert accepting.ups[0].peer.startswith('tcp://[::1]:')
    transport.close()


def _has_ipv6():
    with socket.socket(socket.AF_INET6) as sock:
        return sock.connect_ex(('::1', 1)) == errno.ECONNREFUSED
