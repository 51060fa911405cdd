"""Entries of registries with anything in them: the others are seen all the same."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import gevent
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.gevent import SequentialGeventHandler

from fuzz.findings import Finding, Memory
from fuzz.generate import hostile_text, mutated, value
from lymph.config import Configuration, ConfigurationError
from lymph.config.printable import quoted
from lymph.core.services import ServiceInstance
from lymph.discovery.base import BaseServiceRegistry
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.discovery.static import StaticServiceRegistry
from lymph.serializers.json import plain
from lymph.testing.servers import ZookeeperServer

__all__ = ['Embedded', 'Static', 'Zookeeper']

_GOOD = ServiceInstance('0123456789abcdef', 'tcp://127.0.0.1:4123')
_FIELDS = [
    'identity',
    'endpoint',
    'version',
    'ip',
    'pid',
    'http_port',
    'started',
    'hostname',
    'owner',
    'log_endpoint',
    'monitoring_endpoint',
]


_JUNK = [b'', b'[' * 50_000, b'\xff', b'null', b'NaN', b'{' * 1000, b'x' * 70_000]
_KINDS = ['file', 'file', 'file', 'held', 'held', 'held', 'link', 'fifo', 'folder']


def _entry(chance: Random) -> bytes:
    """Return what a broken or hostile owner writes."""
    if chance.random() < 0.2:
        return chance.choice(
            [b'', b'[' * 50_000, b'\xff', b'null', b'NaN', b'{' * 1000, b'x' * 70_000]
        )
    facts: dict[str, Any] = _GOOD.serialize() if chance.random() < 0.8 else {}
    for _ in range(chance.randint(1, 3)):
        facts[chance.choice([*_FIELDS, hostile_text(chance)])] = _plain(chance)
    data = json.dumps(facts).encode(errors='replace')
    return mutated(chance, data) if chance.random() < 0.5 else data


def _plain(chance: Random) -> Any:
    try:
        return plain(value(chance, 2))
    except Exception:  # noqa: BLE001 - what is no JSON is left out here
        return [hostile_text(chance)]


def _see(registry: BaseServiceRegistry, data: object) -> None:
    """Raise Finding unless the good instance is found, among others or alone."""
    if 'echo' not in registry.discover():
        raise Finding(f'discover() does not see a service beside {quoted(data, 500)}')
    if _GOOD.endpoint not in {instance.endpoint for instance in registry.get('echo')}:
        raise Finding(f'an instance is not seen beside {quoted(data, 500)}')


class Embedded:
    """Files among those of the embedded registry, held as by a living owner or not."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name, 'state')
        self._registry = EmbeddedServiceRegistry(str(self._path))
        self._registry.on_start()
        self._registry.register('echo', _GOOD)
        self._counter = itertools.count()

    def attack(self, chance: Random) -> None:
        """Put one file beside the good one, and look."""
        name = f'{"k" * chance.randint(1, 3)}~{next(self._counter):016x}.json'
        if chance.random() < 0.2:
            name = (
                mutated(chance, name.encode())[:200]
                .replace(b'/', b'')
                .replace(b'\0', b'')
                .decode(errors='surrogateescape')
                or 'x'
            )
        path = self._path / 'registry' / 'rpc' / 'echo' / name
        held = self._make(chance, path)
        reader = EmbeddedServiceRegistry(str(self._path))
        try:
            with gevent.Timeout(30, Finding(f'nobody can read past {path.name!r}')):
                _see(reader, path.name)
        finally:
            reader.on_stop()
            if held is not None:
                os.close(held)
            self._remove(path)

    def close(self) -> None:
        """Remove everything."""
        self._registry.on_stop()
        self._folder.cleanup()
        self._memory.check()

    def _make(self, chance: Random, path: Path) -> int | None:
        if path.exists():
            return None
        kind = chance.choice(_KINDS)
        if kind == 'link':
            path.symlink_to(chance.choice([path.name, '/nowhere', '/dev/zero', '/', '.']))
        elif kind == 'fifo':
            os.mkfifo(path)
        elif kind == 'folder':
            path.mkdir()
        else:
            path.write_bytes(_entry(chance))
            if kind == 'held':
                held = os.open(path, os.O_RDONLY)
                fcntl.flock(held, fcntl.LOCK_EX)
                return held
        return None

    @staticmethod
    def _remove(path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


class Zookeeper:
    """Nodes among those of a registry in ZooKeeper."""

    def __init__(self) -> None:
        self._server = ZookeeperServer()
        self._server.start()
        self._client = KazooClient(self._server.hosts, handler=SequentialGeventHandler())
        self._client.start()
        self._registry = self._start()
        self._registry.register('echo', _GOOD)
        self._reader = self._start()
        self._parent = self._find(self._client, '/')
        self._counter = itertools.count()

    def attack(self, chance: Random) -> None:
        """Put one node beside the good one, and look."""
        data = _entry(chance)
        name = chance.choice(['x', 'é', 'a b', 'k~', '\u202e'])
        path = f'{self._parent}/{name}{next(self._counter)}'
        try:
            self._client.create(path, data)
        except KazooException:
            return
        try:
            _see(self._reader, data)
        finally:
            self._client.delete(path)

    def close(self) -> None:
        """End the clients and the server."""
        self._reader.on_stop()
        self._registry.on_stop()
        self._client.stop()
        self._client.close()
        self._server.close()

    def _start(self) -> BaseServiceRegistry:
        section = {'class': 'zookeeper', 'zkclient': {'hosts': self._server.hosts}}
        registry: BaseServiceRegistry = Configuration({'registry': section}).create_instance(
            'registry', group='lymph.discovery'
        )
        registry.on_start()
        return registry

    def _find(self, client: Any, path: str) -> str:
        """Return the node that has the instances of the service `echo`."""
        for child in client.get_children(path):
            if child == 'zookeeper':
                continue
            below = f'{path.rstrip("/")}/{child}'
            if child == 'echo':
                return below
            found: str = self._find(client, below)
            if found:
                return found
        return ''


class Static:
    """Services in the configuration."""

    def attack(self, chance: Random) -> None:
        """Read one section; it is used, or refused as an error of the configuration."""
        services = {chance.choice(['other', hostile_text(chance)]): _services(chance)}
        section = {'echo': [_GOOD.endpoint], **services}
        try:
            view = Configuration({'registry': {'services': section}}).view('registry')
            registry = StaticServiceRegistry.from_config(view)
        except ConfigurationError as error:
            if not str(error).isprintable() or len(str(error)) > 1000:
                raise Finding(f'refused with {quoted(str(error), 1000)}') from error
            return
        registry.on_start()
        _see(registry, section)
        registry.on_stop()

    def close(self) -> None:
        """Nothing is open."""


def _services(chance: Random) -> Any:
    entry = {chance.choice(_FIELDS): _plain(chance) for _ in range(2)}
    return chance.choice([entry, [entry], [_plain(chance)], _plain(chance)])
