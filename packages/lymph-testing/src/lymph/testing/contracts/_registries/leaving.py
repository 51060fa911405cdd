"""Instances that leave are no longer found, and leave nothing behind."""

from __future__ import annotations

import pytest

from lymph.discovery.base import HTTP
from lymph.exceptions import LookupFailure
from lymph.testing.contracts._registries.harness import RegistryHarness, make_instance

__all__ = ['LeavingContract']


class LeavingContract(RegistryHarness):
    """Tests of unregistering and stopping."""

    def test_stop_unregisters_only_own_instances(self) -> None:
        """A registry that stops removes its own instances from all namespaces, and no others."""
        first, second, reader = self.start(), self.start(), self.start()
        one, web, two = make_instance(), make_instance(), make_instance()
        first.register(self.name, one)
        first.register(self.name, web, HTTP)
        second.register(self.name, two)
        service, sites = reader.get(self.name), reader.get(self.name, HTTP)
        self.expect(service, one, two)
        self.stop(first)
        self.expect(service, two)
        self.expect(sites)

    def test_unregistering_an_unknown_instance_is_ignored(self) -> None:
        """`unregister` ignores instances that are unknown, of another registry, or already gone."""
        owner, other = self.start(), self.start()
        one = make_instance()
        owner.register(self.name, one)
        other.unregister(self.name, one)
        owner.unregister(self.name, make_instance())
        owner.unregister(f'{self.name}-else', one)
        assert list(self.start().get(self.name)) == [one]
        owner.unregister(self.name, one)
        owner.unregister(self.name, one)

    def test_a_registry_that_was_stopped_twice_or_never_started_ends_quietly(self) -> None:
        """`on_stop` may be called twice, and without `on_start`."""
        registry = self.start()
        registry.on_stop()
        registry.on_stop()
        self.make_registry().on_stop()

    def test_memory_does_not_grow_with_names_of_missing_services(self) -> None:
        """Failed look-ups leave nothing in memory."""
        registry = self.start()
        for number in range(20):
            with pytest.raises(LookupFailure):
                registry.get(f'{self.name}-{number}')
        assert not registry._services  # noqa: SLF001 - nothing else shows it
        assert not len(registry._lookups)  # noqa: SLF001
