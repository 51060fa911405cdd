"""The contract of service registries, as tests.

A backend's author runs them by subclassing, for pytest to collect::

    class TestMyRegistry(RegistryContract):
        def make_registry(self):
            return MyRegistry(...)

- All registries made in one test are containers that find each other: the same server or directory.
- The suite starts and stops them. Services have names of their own in each test, so that a server
  may be shared by all tests, and by other things.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

import gevent
import pytest
from gevent.event import Event

from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import parse_version
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure
from lymph.testing.waiting import eventually

__all__ = ['RegistryContract', 'make_instance']


def make_instance(**facts: Any) -> ServiceInstance:
    """Return an instance with an identity and an endpoint of its own, unless `facts` has them."""
    number = secrets.randbelow(60_000) + 1024
    return ServiceInstance(
        **{'identity': secrets.token_hex(16), 'endpoint': f'tcp://127.0.0.1:{number}', **facts}
    )


class RegistryContract:
    """Tests that every registry passes."""

    #: seconds to wait for what has to happen
    patience: ClassVar[float] = 10.0

    def make_registry(self) -> BaseServiceRegistry:
        """Return a new registry, not started, that finds what the others of this test register."""
        raise NotImplementedError

    # What the tests are written in.

    def setup_method(self) -> None:
        """Begin a test with a service name of its own and no registries."""
        self.name = f'service-{secrets.token_hex(6)}'
        self._registries: list[BaseServiceRegistry] = []

    def teardown_method(self) -> None:
        """Stop every registry that was started."""
        while self._registries:
            self.stop(self._registries[-1])

    def start(self) -> BaseServiceRegistry:
        """Return a started registry, as a container has one."""
        registry = self.make_registry()
        registry.connector = _no_connection
        self._registries.append(registry)
        registry.on_start()
        return registry

    def stop(self, registry: BaseServiceRegistry) -> None:
        """Stop a registry, as a container that ends would."""
        self._registries.remove(registry)
        registry.on_stop()
        registry.pool.kill()

    def expect(self, service: Service, *instances: ServiceInstance) -> None:
        """Wait until exactly these are the instances of `service`."""
        wanted = {instance.key: instance for instance in instances}
        eventually(
            lambda: {instance.key: instance for instance in service} == wanted,
            self.patience,
            lambda: f'{service} to have {sorted(wanted)}, it has {[i.key for i in service]},',
        )

    # Finding.

    def test_what_one_registers_another_finds_with_all_its_facts(self) -> None:
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
        assert found.connector is _no_connection

    def test_a_registry_finds_what_it_registered_itself(self) -> None:
        registry, instance = self.start(), make_instance()
        registry.register(self.name, instance)
        assert list(registry.get(self.name)) == [instance]

    def test_a_name_that_nobody_offers_is_a_lookup_failure_until_somebody_does(self) -> None:
        registry, instance = self.start(), make_instance()
        for _ in range(3):
            with pytest.raises(LookupFailure, match=self.name):
                registry.get(self.name)
        self.start().register(self.name, instance)
        assert list(registry.get(self.name)) == [instance]

    def test_a_service_that_is_asked_for_again_is_the_same_object(self) -> None:
        registry = self.start()
        registry.register(self.name, make_instance())
        asked = [gevent.spawn(registry.get, self.name) for _ in range(20)]
        services = {one.get(timeout=self.patience) for one in asked}
        assert services == {registry.get(self.name)}

    def test_an_asker_that_gives_up_takes_nothing_from_the_others(self) -> None:
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
    def test_every_text_may_be_a_name_and_an_identity(self, suffix: str) -> None:
        registry, name = self.start(), f'{self.name}{suffix}'
        instance = make_instance(identity=f'{secrets.token_hex(4)}{suffix}')
        registry.register(name, instance)
        assert list(self.start().get(name)) == [instance]
        assert name in registry.discover()
        registry.unregister(name, instance)
        assert name not in registry.discover()

    @pytest.mark.parametrize('name', ['', '.', '..', '/', 'a' * 5000])
    def test_odd_names_that_nobody_offers_are_lookup_failures(self, name: str) -> None:
        with pytest.raises(LookupFailure):
            self.start().get(name)

    # Live views.

    def test_a_live_view_follows_who_comes_and_goes(self) -> None:
        first, second, reader = self.start(), self.start(), self.start()
        one, two = make_instance(), make_instance()
        first.register(self.name, one)
        service = reader.get(self.name)
        self.expect(service, one)
        second.register(self.name, two)
        self.expect(service, one, two)
        first.unregister(self.name, one)
        self.expect(service, two)

    def test_a_live_view_stays_live_while_it_is_empty(self) -> None:
        owner, reader = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        owner.unregister(self.name, one)
        self.expect(service)
        with pytest.raises(LookupFailure):
            reader.get(self.name)
        owner.register(self.name, two)
        self.expect(service, two)
        assert reader.get(self.name) is service

    def test_an_empty_view_is_brought_up_to_date_by_whoever_asks(self) -> None:
        owner, reader, one = self.start(), self.start(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        for _ in range(10):
            owner.unregister(self.name, one)
            self.expect(service)
            owner.register(self.name, one)
            assert list(reader.get(self.name)) == [one]

    def test_the_same_key_again_replaces_the_facts(self) -> None:
        owner, reader = self.start(), self.start()
        one = make_instance(http_port=1)
        owner.register(self.name, one)
        service = reader.get(self.name)
        changes: list[tuple[str, int | None]] = []
        service.observe(lambda change, instance: changes.append((change, instance.http_port)))
        for port in (2, 3, 4):
            again = make_instance(identity=one.identity, endpoint=one.endpoint, http_port=port)
            owner.register(self.name, again)
            self.expect(service, again)
        assert changes == [('updated', 2), ('updated', 3), ('updated', 4)]
        owner.unregister(self.name, again)
        self.expect(service)
        assert changes[3:] == [('removed', 4)]

    def test_a_successor_with_the_same_key_takes_over(self) -> None:
        first, second, reader = self.start(), self.start(), self.start()
        one = make_instance(http_port=1)
        first.register(self.name, one)
        service = reader.get(self.name)
        two = make_instance(identity=one.identity, endpoint=one.endpoint, http_port=2)
        second.register(self.name, two)
        self.expect(service, two)
        self.stop(first)
        self.expect(service, two)
        assert list(self.start().get(self.name)) == [two]

    def test_observers_hear_of_each_change(self) -> None:
        owner, reader = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        changes: list[tuple[str, str]] = []
        heard = Event()

        def observe(change: str, instance: ServiceInstance) -> None:
            changes.append((change, instance.key))
            heard.set()

        service.observe(observe)
        for act, instance in ((owner.register, two), (owner.unregister, one)):
            heard.clear()
            act(self.name, instance)
            assert heard.wait(self.patience)
        assert changes == [('added', two.key), ('removed', one.key)]

    def test_a_forgotten_view_changes_no_more(self) -> None:
        owner, reader = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        forgotten = reader.get(self.name)
        reader.forget(self.name)
        owner.register(self.name, two)
        service = reader.get(self.name)
        self.expect(service, one, two)
        assert service is not forgotten
        assert list(forgotten) == [one]

    def test_to_suspect_somebody_who_lives_changes_nothing(self) -> None:
        owner, reader = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        changes: list[str] = []
        service.observe(lambda change, instance: changes.append(change))
        reader.suspect(one)
        reader.suspect(two)
        reader.refresh(service, RPC)
        owner.register(self.name, two)
        self.expect(service, one, two)
        assert changes == ['added']

    def test_many_who_come_and_go_at_once_leave_the_right_ones(self) -> None:
        owners, reader = [self.start() for _ in range(3)], self.start()
        first = make_instance()
        owners[0].register(self.name, first)
        service = reader.get(self.name)
        staying = [first]

        def churn(owner: BaseServiceRegistry) -> None:
            for number in range(20):
                instance = make_instance()
                owner.register(self.name, instance)
                if number % 2:
                    owner.unregister(self.name, instance)
                else:
                    staying.append(instance)

        gevent.joinall([gevent.spawn(churn, owner) for owner in owners], raise_error=True)
        self.expect(service, *staying)
        self.expect(self.start().get(self.name), *staying)

    # Versions and namespaces.

    def test_each_version_in_one_process_is_an_instance_of_its_own(self) -> None:
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

    # Leaving.

    def test_stopping_takes_out_what_was_registered_and_nothing_else(self) -> None:
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

    def test_to_unregister_what_one_did_not_register_is_ignored(self) -> None:
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
        registry = self.start()
        registry.on_stop()
        registry.on_stop()
        self.make_registry().on_stop()

    def test_what_is_kept_does_not_grow_with_names_that_nobody_offers(self) -> None:
        registry = self.start()
        for number in range(20):
            with pytest.raises(LookupFailure):
                registry.get(f'{self.name}-{number}')
        assert not registry._services  # noqa: SLF001 - nothing else shows it
        assert not len(registry._lookups)  # noqa: SLF001


def _no_connection(endpoint: str) -> Any:
    raise AssertionError(f'nobody was to connect to {endpoint}')
