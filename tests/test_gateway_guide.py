"""The service and the calls of docs/gateway.md work as the guide shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from werkzeug.test import Client, TestResponse

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.web.gateway import Gateway

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / 'docs' / 'gateway.md').read_text()


def blocks(language: str) -> list[str]:
    """The texts of the code blocks of a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)


#: commands and what they print
SHOWN = [each.split('\n', 1) for text in blocks('console') for each in text.split('$ ') if each]


def backends() -> Any:
    """Return the parts of a container that is alone."""
    return {
        'transport': MemoryTransport(network=MemoryNetwork()),
        'registry': StaticServiceRegistryHub().create_registry(),
        'events': LocalEventSystem(LocalEventSystemHub()),
    }


@pytest.fixture
def gateway():
    names: dict[str, Any] = {}
    exec(compile(blocks('python')[0], 'gateway.md', 'exec', dont_inherit=True), names)
    container = ServiceContainer(
        **backends(), settings=ContainerSettings(block_threshold=0, drain_timeout=0)
    )
    container.install_interface(names['Shop'], 'shop')
    section = Configuration(yaml.safe_load(blocks('yaml')[0])).view(['interfaces', 'api'])
    assert section['port'] == 8080
    section.set('port', 0)
    gateway = container.install_interface(Gateway, 'api', None, section)
    container.start()
    yield gateway
    container.stop()


def curl(gateway: Gateway, command: str) -> TestResponse:
    """Do what a command of curl does, with the options of the guide."""
    _, *words = shlex.split(command)
    fields, body = [], ''
    while words[0].startswith('-'):
        option, value, *words = words
        if option == '-H':
            fields.append(tuple(value.split(': ', 1)))
        else:
            assert option == '-d'
            body = value
    return Client(gateway.application).post(urlsplit(words[0]).path, data=body, headers=fields)


@pytest.mark.parametrize(('command', 'printed'), SHOWN)
def test_commands_of_the_guide_print_what_it_shows(gateway, command, printed):
    shown, found = json.loads(printed), curl(gateway, command).json
    unknown = [name for name, value in shown.items() if value == '...'] if found else []
    assert {**found, **dict.fromkeys(unknown, '...')} == shown


def test_guide_has_all_reasons_of_problems():
    told = set(re.findall(r'`(\w+)`', GUIDE[GUIDE.index('### Problems') :]))
    source = ROOT / 'packages/lymph-web/src/lymph/web/_gateway'
    reasons = {
        reason
        for path in source.glob('*.py')
        for reason in re.findall(r"(?:CallProblem|_not_now)\(\s*\d+, '(\w+)'", path.read_text())
    }
    assert {'declared', 'outcome_lost', 'overloaded'} <= reasons <= told


def test_document_describes_the_service_of_the_guide(gateway):
    document = Client(gateway.application).get('/api/openapi.json').json
    assert list(document['paths']) == ['/api/shop/order', '/api/shop/price']
    operation = document['paths']['/api/shop/order']['post']
    assert operation['x-lymph']['raises'] == ['OutOfStock']
    assert 'shop.Receipt' in document['components']['schemas']


def test_configuration_of_the_examples_offers_the_methods_of_echo(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'examples')
    config = Configuration()
    for name in ('gateway', 'echo'):
        config.load_file(ROOT / 'examples' / 'conf' / f'{name}.yml')
    config.set('interfaces.api.port', 0)
    container = build_container(config, **backends())
    container.start()
    try:
        gateway = next(each for each in container.interfaces if isinstance(each, Gateway))
        answer = Client(gateway.application).post('/api/echo/upper', json={'text': 'foo'})
        assert answer.json == 'FOO'
    finally:
        container.stop()
