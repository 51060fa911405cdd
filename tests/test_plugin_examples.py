"""The plugins of examples/ do what examples/README.md says, made from their configuration."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

import pytest

from lymph.client import Client
from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.exceptions import Refused
from lymph.testing.waiting import eventually

EXAMPLES = Path(__file__).parents[1] / 'examples'
CONFIG = EXAMPLES / 'conf' / 'intercepted.yml'


def configuration() -> Configuration:
    config = Configuration()
    config.load_file(CONFIG)
    return config


@pytest.fixture
def parts() -> Any:
    """Return a function that makes parts of a container which meets the others of the test."""
    network, registries, events = MemoryNetwork(), StaticServiceRegistryHub(), LocalEventSystemHub()

    def make() -> dict[str, Any]:
        return {
            'transport': MemoryTransport(network=network),
            'registry': registries.create_registry(),
            'events': LocalEventSystem(events),
        }

    return make


@pytest.fixture
def service(parts: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    container = build_container(configuration(), **parts())
    container.start()
    yield container
    container.stop()


@pytest.fixture
def ask(service: Any, parts: Any) -> Any:
    """Return a function that calls `echo.upper` through a client with a configuration."""

    def ask(config: Configuration) -> Any:
        with Client.from_config(config, **parts()) as client:
            return client.request('echo', 'echo.upper', text='foo', timeout=30)

    return ask


def metrics(service: Any, **tags: str) -> dict[str, float]:
    return {
        found['le']: value
        for name, value, found in service.metrics
        if name == 'work.seconds' and tags.items() <= found.items()
    }


def test_plugins_log_measure_and_refuse(service: Any, ask: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO, 'request_log')
    assert ask(configuration()) == 'FOO'
    with pytest.raises(Refused, match=r'nobody may not call echo\.upper') as caught:
        ask(Configuration())
    assert (caught.value.reason, caught.value.executed) == ('forbidden', 'no')
    assert metrics(service, kind='rpc', name='echo.upper')['inf'] == 2
    eventually(lambda: metrics(service, kind='event', name='echo.on_uppercase').get('inf') == 1)
    lines = [record.getMessage() for record in caplog.records if record.name == 'request_log']
    starts = {line.partition(' for ')[0]: line for line in lines}
    assert set(starts) == {'rpc echo.upper', 'event echo.on_uppercase'}
    assert any('done in' in line for line in lines)
    assert 'refused (forbidden) in' in starts['rpc echo.upper']


def test_histogram_is_cumulative(service: Any) -> None:
    service.request('echo', 'echo.echo', timeout=30)
    counts = list(metrics(service, name='echo.echo').values())
    assert counts == sorted(counts)
    assert counts[-1] == 1


@pytest.mark.parametrize('name', ['request_log', 'allow_list', 'timing'])
def test_examples_import_only_public_modules(name: str) -> None:
    tree = ast.parse((EXAMPLES / f'{name}.py').read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any('._' in module for module in imported)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not any(each.startswith('_') and not each.startswith('__') for each in attributes)
