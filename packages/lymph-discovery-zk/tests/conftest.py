from __future__ import annotations

import secrets

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler

from lymph.config import Configuration

SESSION = 2.0  # seconds; short, because tests wait for sessions to end


def pytest_collection_modifyitems(items):
    """Run the tests that wait for the long outage last: the others run while it lasts."""
    items.sort(key=lambda item: 'outage' in item.fixturenames)


@pytest.fixture
def chroot():
    return f'/t{secrets.token_hex(6)}/lymph'


@pytest.fixture
def make(zookeeper_server, chroot):
    """Makes registries that are not started, from a configuration; they end with the test."""
    made = []

    def make(hosts=None, client=None, **section):
        hosts = zookeeper_server.hosts if hosts is None else hosts
        registry = Configuration(
            {
                'registry': {
                    'class': 'zookeeper',
                    'zkclient': {'hosts': hosts, 'timeout': SESSION, **(client or {})},
                    'chroot': chroot,
                    **section,
                }
            }
        ).create_instance('registry', group='lymph.discovery')
        made.append(registry)
        return registry

    yield make
    gevent.joinall([gevent.spawn(registry.on_stop) for registry in made], raise_error=True)


@pytest.fixture
def start(make):
    def start(*args, **kwargs):
        registry = make(*args, **kwargs)
        registry.on_start()
        return registry

    return start


@pytest.fixture
def client(zookeeper_server):
    """A client to inspect the nodes directly."""
    client = KazooClient(zookeeper_server.hosts, handler=SequentialGeventHandler())
    client.start()
    yield client
    client.stop()
    client.close()
