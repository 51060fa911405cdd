"""The contract of transports, as tests.

A transport's author runs them by subclassing, for pytest to collect::

    class TestMyTransport(TransportContract):
        def make_transport(self, **options):
            return MyTransport(**options)

        def endpoint(self):
            return 'mine://'

To test two transports of the same protocol against each other, override `make_connecting_transport`
as well.
"""

from __future__ import annotations

from lymph.testing.contracts._transports.back_pressure import BackPressureContract
from lymph.testing.contracts._transports.containment import ContainmentContract
from lymph.testing.contracts._transports.letting_go import LettingGoContract
from lymph.testing.contracts._transports.links import LinksContract
from lymph.testing.contracts._transports.listeners import ListenersContract
from lymph.testing.contracts._transports.messages import MessagesContract
from lymph.testing.contracts._transports.recording import RecordingHandler, open_descriptors

__all__ = ['RecordingHandler', 'TransportContract', 'open_descriptors']


class TransportContract(
    MessagesContract,
    LinksContract,
    ListenersContract,
    BackPressureContract,
    ContainmentContract,
    LettingGoContract,
):
    """The tests that every transport has to pass."""
