"""The contract of service registries, as tests.

A backend's author runs them by subclassing, for pytest to collect::

    class TestMyRegistry(RegistryContract):
        def make_registry(self):
            return MyRegistry(...)

- All registries made in one test are containers that find each other: the same server or directory.
- The suite starts and stops them. Services have names of their own in each test, so that a server
  may be shared by all tests, and by other things.
- A registry that other programs can write to passes `EntriesContract` too, in a class of its own.
"""

from __future__ import annotations

from lymph.testing.contracts.registries.entries import EntriesContract
from lymph.testing.contracts.registries.finding import FindingContract
from lymph.testing.contracts.registries.harness import RegistryHarness, make_instance
from lymph.testing.contracts.registries.leaving import LeavingContract
from lymph.testing.contracts.registries.live_views import LiveViewsContract
from lymph.testing.contracts.registries.namespaces import NamespacesContract

__all__ = ['EntriesContract', 'RegistryContract', 'RegistryHarness', 'make_instance']


class RegistryContract(FindingContract, LiveViewsContract, NamespacesContract, LeavingContract):
    """Tests that every registry passes."""
