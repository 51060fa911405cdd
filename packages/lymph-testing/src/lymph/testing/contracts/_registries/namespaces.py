"""Versions and namespaces are kept apart."""

from __future__ import annotations

import pytest

from lymph.core.versioning import parse_version
from lymph.discovery.base import HTTP
from lymph.exceptions import LookupFailure
from lymph.testing.contracts._registries.harness import RegistryHarness, make_instance

__all__ = ['NamespacesContract']


class NamespacesContract(RegistryHarness):
    """Tests of versions, namespaces, and the names in them."""

    def test_each_version_in_one_process_is_an_instance_of_its_own(self) -> None:
        """Two versions at one endpoint are registered and unregistered separately."""
        owner, reader = self.start(), self.start()
        old = make_instance(version='1.2.0')
        new = make_instance(identity=old.identity, endpoint=old.endpoint, version='2.0.0')
        owner.register(self.name, old)
        owner.register(self.name, new)
        service = reader.get(self.name)
        self.expect(service, old, new)
        assert service.match(parse_version('1.1')) == (old,)
        owner.unregister(self.name, old)
        self.expect(service, new)
        assert service.match(parse_version('1.1')) == ()

    def test_namespaces_know_nothing_of_each_other(self) -> None:
        """`get`, `discover` and `unregister` affect one namespace only."""
        owner, reader = self.start(), self.start()
        web, rpc = make_instance(), make_instance()
        owner.register(self.name, web, HTTP)
        with pytest.raises(LookupFailure):
            reader.get(self.name)
        assert self.name not in reader.discover()
        owner.register(self.name, rpc)
        assert list(reader.get(self.name, HTTP)) == [web]
        assert list(reader.get(self.name)) == [rpc]
        owner.unregister(self.name, web, HTTP)
        self.expect(reader.get(self.name), rpc)
        assert self.name not in reader.discover(HTTP)

    def test_discover_names_what_has_an_instance_now(self) -> None:
        """`discover` returns the services that have instances now, not those that had some."""
        owner, reader = self.start(), self.start()
        names = {f'{self.name}-{number}' for number in range(5)}
        instances = {name: make_instance() for name in names}
        for name in names:
            owner.register(name, instances[name])
            owner.register(name, other := make_instance())
            owner.unregister(name, other)
        assert names <= reader.discover()
        for name in names:
            owner.unregister(name, instances[name])
        assert not names & reader.discover()
