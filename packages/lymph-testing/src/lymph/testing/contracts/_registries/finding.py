"""Registered instances are found."""

from __future__ import annotations

import secrets

import gevent
import pytest

from lymph.exceptions import LookupFailure, RegistrationFailure
from lymph.testing.contracts._registries.harness import (
    RegistryHarness,
    make_instance,
    no_connection,
)

__all__ = ['FindingContract']


class FindingContract(RegistryHarness):
    """Tests of look-ups."""

    def test_registered_instance_is_found_by_others_with_all_facts(self) -> None:
        """Another registry finds an instance with every field it was registered with."""
        instance = make_instance(
            version='1.5.0',
            hostname='host',
            fqdn='host.example.org',
            ip='10.1.2.3',
            pid=4711,
            http_port=8080,
            log_endpoint='tcp://127.0.0.1:5000',
            monitoring_endpoint='tcp://127.0.0.1:5001',
            backdoor_endpoint='tcp://127.0.0.1:5002',
            started=1448290000.25,
        )
        self.start().register(self.name, instance)
        (found,) = self.start().get(self.name)
        assert found == instance
        assert found.connector is no_connection

    def test_a_registry_finds_what_it_registered_itself(self) -> None:
        """`get` also returns instances that the same registry registered."""
        registry, instance = self.start(), make_instance()
        registry.register(self.name, instance)
        assert list(registry.get(self.name)) == [instance]

    def test_service_without_instances_is_a_lookup_failure(self) -> None:
        """`get` raises LookupFailure that names the service, until an instance is registered."""
        registry, instance = self.start(), make_instance()
        for _ in range(3):
            with pytest.raises(LookupFailure, match=self.name) as caught:
                registry.get(self.name)
            assert caught.value.service == self.name
        self.start().register(self.name, instance)
        assert list(registry.get(self.name)) == [instance]

    def test_a_service_that_is_asked_for_again_is_the_same_object(self) -> None:
        """Concurrent and later calls of `get` return one Service object."""
        registry = self.start()
        registry.register(self.name, make_instance())
        asked = [gevent.spawn(registry.get, self.name) for _ in range(20)]
        services = {one.get(timeout=self.patience) for one in asked}
        assert services == {registry.get(self.name)}

    def test_an_asker_that_gives_up_takes_nothing_from_the_others(self) -> None:
        """A look-up completes for one greenlet when others that share it are killed."""
        registry = self.start()
        registry.register(self.name, make_instance())
        impatient = [gevent.spawn(registry.get, self.name) for _ in range(3)]
        patient = gevent.spawn(registry.get, self.name)
        gevent.sleep(0)
        gevent.killall(impatient)
        assert len(patient.get(timeout=self.patience)) == 1

    @pytest.mark.parametrize(
        'suffix',
        ['.', '/', '/../x', ' a', '@1.2', '%', '%2F', '~', 'ä', '\u4e16', '.json', ':', ''],
    )
    def test_any_text_may_be_a_name_and_an_identity(self, suffix: str) -> None:
        """Printable names and identities work, whatever their characters mean to the backend."""
        registry, name = self.start(), f'{self.name}{suffix}'
        instance = make_instance(identity=f'{secrets.token_hex(4)}{suffix}')
        registry.register(name, instance)
        assert list(self.start().get(name)) == [instance]
        assert name in registry.discover()
        registry.unregister(name, instance)
        assert name not in registry.discover()

    @pytest.mark.parametrize('name', ['', 'a\nb', '\x1b[2J', '\u202e', '\ud800', 'x' * 256])
    def test_invalid_names_cannot_be_registered(self, name: str) -> None:
        """`register` raises RegistrationFailure for empty, unprintable and overlong names."""
        registry = self.start()
        for wrong in ((name, make_instance()), (self.name, make_instance(identity=name))):
            with pytest.raises(RegistrationFailure, match='cannot register'):
                registry.register(*wrong)
        assert self.name not in registry.discover()

    @pytest.mark.parametrize('name', ['', '.', '..', '/', 'a' * 5000])
    def test_odd_names_without_instances_are_lookup_failures(self, name: str) -> None:
        """`get` raises LookupFailure, and no other error, whatever the name looks like."""
        with pytest.raises(LookupFailure):
            self.start().get(name)
