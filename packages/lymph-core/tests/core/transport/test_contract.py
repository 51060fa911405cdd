from __future__ import annotations

from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
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
