"""Registries that other programs can write to: no invalid entry hides valid ones."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest

from lymph.core.services import ServiceInstance
from lymph.discovery.base import RPC
from lymph.discovery.partitioning import SERIAL, RegistryPartitioner
from lymph.exceptions import LookupFailure
from lymph.testing.contracts._registries.harness import RegistryHarness, make_instance

__all__ = ['EntriesContract']

_GOOD: dict[str, Any] = {'identity': 'planted', 'endpoint': 'tcp://127.0.0.1:1', 'version': '1.0.0'}


def _facts(**facts: Any) -> bytes:
    return json.dumps({**_GOOD, **facts}).encode()


_BYTES = {
    'empty': b'',
    'cut': _facts()[:-5],
    'zeros': bytes(100),
    'binary': bytes(range(256)),
    'utf-16': _facts().decode().encode('utf-16'),
    'deep lists': b'[' * 60_000,
    'deep objects': b'{"a":' * 10_000,
    'long': b' ' * 500_000 + _facts(),
    'null': b'null',
    'NaN': b'NaN',
    'number': b'5',
    'text': b'"planted"',
    'list': b'[{}]',
    'nothing': b'{}',
    'more behind it': _facts() + b'{}',
}

_JUNK: list[Any] = [
    None,
    True,
    5,
    -1.5,
    '',
    'x' * 1000,
    [],
    {},
    [[1]],
    {'a': []},
    '\x1b[2J\n\ud800',
]
_FIELDS = {
    f'{name} {number}': _facts(**{name: value})
    for name in ('identity', 'endpoint', 'version', 'hostname', 'pid', 'http_port', 'started')
    for number, value in enumerate(_JUNK)
    # null counts as missing; not every host has a name
    if not (name in ('version', 'hostname', 'pid', 'http_port', 'started') and value is None)
    and not (name == 'hostname' and value == '')
    and not (name in ('pid', 'http_port', 'started') and value == 5)
}


class EntriesContract(RegistryHarness):
    """Tests of entries that no registry wrote."""

    def plant(self, name: str, key: str, data: bytes, namespace: str = RPC) -> None:
        """Write `data` to where the registry keeps the facts of an instance of service `name`.

        `key` names the entry. It looks as if its owner was alive, and is removed after the test.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    @pytest.mark.parametrize('entries', [_BYTES, _FIELDS], ids=['bytes', 'fields'])
    def test_invalid_entries_do_not_hide_valid_ones(self, entries: dict[str, bytes]) -> None:
        """A service with invalid entries is found, and its live view follows changes."""
        owner, other = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        for key, data in entries.items():
            self.plant(self.name, key, data)
        reader = self.start()
        service = reader.get(self.name)
        assert list(service) == [one]
        assert self.name in reader.discover()
        other.register(self.name, two)
        self.expect(service, one, two)
        owner.unregister(self.name, one)
        self.expect(service, two)
        reader.refresh(service, RPC)
        assert list(service) == [two]

    def test_entries_that_are_not_instances_appear_beside_a_live_view(self) -> None:
        """Invalid entries that appear later do not disturb a live view."""
        owner, reader = self.start(), self.start()
        one, two = make_instance(), make_instance()
        owner.register(self.name, one)
        service = reader.get(self.name)
        for key, data in _BYTES.items():
            self.plant(self.name, key, data)
        owner.register(self.name, two)
        self.expect(service, one, two)
        reader.refresh(service, RPC)
        assert set(service) == {one, two}

    def test_a_service_of_such_entries_alone_is_one_that_nobody_offers(self) -> None:
        """`get` raises LookupFailure for a service that has only invalid entries."""
        for key, data in _BYTES.items():
            self.plant(self.name, key, data)
        registry, one = self.start(), make_instance()
        with pytest.raises(LookupFailure, match='none is registered'):
            registry.get(self.name)
        registry.register(self.name, one)
        assert list(registry.get(self.name)) == [one]

    def test_an_entry_that_claims_to_be_another_instance_does_not_replace_it(self) -> None:
        """An entry is ignored if its key does not belong to the instance it describes."""
        owner, one = self.start(), make_instance(version='1.0.0')
        owner.register(self.name, one)
        forged = {**one.serialize(), 'endpoint': 'tcp://127.0.0.1:2'}
        for key in ('0', 'zzz', one.key + 'x', one.identity):
            self.plant(self.name, key, json.dumps(forged).encode())
        assert list(self.start().get(self.name)) == [one]

    def test_facts_of_other_releases_are_accepted(self) -> None:
        """Unknown fields are ignored, and null stands for a missing value."""
        data = _facts(colour=[['blue']], hostname=None, pid=None, started=5)
        self.plant(self.name, 'planted@1.0.0', data)
        wanted = ServiceInstance('planted', 'tcp://127.0.0.1:1', '1.0.0', started=5)
        assert list(self.start().get(self.name)) == [wanted]

    def test_each_invalid_entry_is_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """One warning names each invalid entry, however often it is read."""
        owner, reader = self.start(), self.start()
        owner.register(self.name, make_instance())
        self.plant(self.name, 'junk-a', b'junk')
        service = reader.get(self.name)
        for _ in range(5):
            reader.refresh(service, RPC)
            reader.discover()
        self.plant(self.name, 'junk-b', b'junk')
        owner.register(self.name, two := make_instance())
        self.expect(service, *(set(service) | {two}))
        for name in ('junk-a', 'junk-b'):
            (line,) = [each for each in _warnings(caplog) if name in each]
            assert 'ignored' in line

    def test_hundreds_of_invalid_entries_are_logged_in_a_few_lines(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log is limited, printable, and says how many lines were left out."""
        self.start().register(self.name, one := make_instance())
        for number in range(300):
            self.plant(self.name, f'junk-{number}', b'\x1b[2J')
        reader = self.start()
        assert list(reader.get(self.name)) == [one]
        self.stop(reader)
        lines = _warnings(caplog)
        assert 2 <= len(lines) <= 50
        assert 'more lines were left out' in lines[-1]
        assert all(line.isprintable() for line in lines)

    def test_invalid_entries_are_no_members_of_a_serial_group(self) -> None:
        """A partitioner assigns no partitions to invalid entries."""
        owner = self.start()
        for key, data in itertools.chain(_BYTES.items(), list(_FIELDS.items())[:20]):
            self.plant(self.name, key, data, SERIAL)
        assigned: list[Any] = []
        partitioner = RegistryPartitioner(owner)
        partitioner.join(self.name, 'member', 3, assigned.append)
        assert set(assigned[-1]) == {0, 1, 2}
        partitioner.on_stop()


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
