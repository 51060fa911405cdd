"""The contract of service registries, as tests.

A backend's author runs them by subclassing, for pytest to collect::

    class TestMyRegistry(RegistryContract):
        def make_registry(self):
            return MyRegistry(...)

- All registries made in one test find each other: they use the same server or directory.
- The suite starts and stops them. Each test uses services with unique names, so that all tests may
  share a server with each other and with other programs.
- A registry that other programs can write to has to pass `EntriesContract` too, in another class.
"""

from __future__ import annotations

from lymph.testing.contracts._registries.entries import EntriesContract
from lymph.testing.contracts._registries.finding import FindingContract
from lymph.testing.contracts._registries.harness import RegistryHarness, make_instance
from lymph.testing.contracts._registries.leaving import LeavingContract
from lymph.testing.contracts._registries.live_views import LiveViewsContract
from lymph.testing.contracts._registries.namespaces import NamespacesContract

__all__ = ['EntriesContract', 'RegistryContract', 'RegistryHarness', 'make_instance']


class RegistryContract(FindingContract, LiveViewsContract, NamespacesContract, LeavingContract):
    """The tests that every registry has to pass."""
