from __future__ import annotations

import itertools

import pytest

from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.contracts.transports import TransportContract


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
