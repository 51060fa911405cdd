"""Probes of an instance whose ZooKeeper is away when it starts, stands still, or is killed."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import gevent
import pytest

import lymph
from lymph.config import Configuration
from lymph.core._system.blocking import in_thread
from lymph.core.container import ServiceContainer
from lymph.testing.servers import ZookeeperServer
from lymph.testing.waiting import eventually

LONG = 60.0  # seconds for what has to happen
SESSION = 2.0  # seconds


class Echo(lymph.Interface):
    pass


@pytest.fixture
def server(tmp_path):
    with ZookeeperServer(tmp_path) as server:
        yield server


@pytest.fixture
def container(server, chroot):
    registry = {
        'class': 'zookeeper',
        'zkclient': {'hosts': server.hosts, 'timeout': SESSION},
        'chroot': chroot,
        'connect_timeout': LONG,
    }
    operations = {'port': 0, 'away': 0.2}
    sections = {'registry': registry, 'events': {'class': 'null'}, 'operations': operations}
    container = ServiceContainer.from_config(Configuration(sections))
    container.install_interface(Echo)
    yield container
    container.stop()


def fetched(url):
    try:
        with urlopen(url, timeout=LONG) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_probes_tell_while_zookeeper_is_away(server, container):
    def get(path):
        return in_thread(fetched, container.operations + path)

    def gone(text):
        status, body = get('/readyz')
        return status == 503 and body.startswith(text)

    in_thread(server.kill)
    starting = gevent.spawn(container.start)
    eventually(lambda: container.operations, LONG)
    assert get('/startupz') == (503, 'starting\n')
    assert get('/readyz')[0] == 503
    assert get('/livez') == (200, 'ok\n')
    in_thread(server.start)
    starting.get(timeout=LONG)
    assert get('/startupz') == (200, 'ok\n')
    assert get('/readyz') == (200, 'ok\n')
    address = server.hosts.split(',')[0]
    for goes, comes_back in ((server.pause, server.resume), (server.kill, server.start)):
        in_thread(goes)
        eventually(lambda: gone(f'registry: {address} has not been reached for '), LONG)
        assert get('/livez') == (200, 'ok\n')
        assert get('/startupz') == (200, 'ok\n')
        assert get('/metrics')[0] == 200
        in_thread(comes_back)
        eventually(lambda: get('/readyz') == (200, 'ok\n'), LONG)
