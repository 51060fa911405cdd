"""Services that were looked up follow all later changes."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from lymph.core.services import ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure
from lymph.testing.contracts._registries.harness import RegistryHarness, make_instance

__all__ = ['LiveViewsContract']


class LiveViewsContract(RegistryHarness):
    """Tests of live views and their observers."""

    def test_live_view_follows_joining_and_leaving_instances(self) -> None:
        """A service that was looked up gains and loses instances by itself."""
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
        """`get` raises LookupFailure while a service is empty; its live view still gets updates."""
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
        """`get` sees an instance as soon as `register` has returned."""
        owner, reader, one = self.start(), self.start(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        for _ in range(10):
            owner.unregister(self.name, one)
            self.expect(service)
            owner.register(self.name, one)
            assert list(reader.get(self.name)) == [one]

    def test_the_same_key_again_replaces_the_facts(self) -> None:
        """Registering a key again is one 'updated' change for observers."""
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
        """An instance stays registered when the earlier owner of its key stops."""
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

    def test_observers_are_notified_of_each_change(self) -> None:
        """Observers get 'added' and 'removed' with the instance."""
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

    def test_unwatched_view_no_longer_changes(self) -> None:
        """After `forget`, a service keeps its instances, and `get` returns a new object."""
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

    def test_suspecting_a_live_instance_changes_nothing(self) -> None:
        """`suspect` and `refresh` cause no changes if the instance is still registered."""
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

    def test_many_concurrent_changes_leave_the_right_instances(self) -> None:
        """After concurrent changes, live views and new look-ups have the remaining instances."""
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
