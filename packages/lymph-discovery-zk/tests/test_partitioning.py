from __future__ import annotations

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler

from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.discovery.zookeeper import ZookeeperPartitioner
from lymph.testing.contracts.partitioners import PartitionerContract
from lymph.testing.contracts.serial_events import SerialEventsContract
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

SESSION = 2.0  # seconds


class TestZookeeperPartitioner(PartitionerContract):
    @pytest.fixture(autouse=True)
    def _use(self, make):
        self.make = make

    def make_partitioner(self):
        return ZookeeperPartitioner(self.make())

    def test_member_with_a_lost_session_joins_again_with_a_new_one(
        self, client, chroot, zookeeper_server
    ):
        registry = self.make()
        lost = ZookeeperPartitioner(registry)
        self._partitioners.append(lost)
        lost.on_start()
        self.join(lost, 'a')
        self.join(self.start(), 'b')
        self.eventually_divided('a', 'b')
        path = f'{chroot}/serial/{self.group}/a'
        before = client.get(path)[1].ephemeralOwner
        end_session(zookeeper_server, registry)

        def is_back():
            found = client.exists(path)
            return found is not None and found.ephemeralOwner != before

        eventually(is_back, self.patience)
        self.eventually_divided('a', 'b')

    def test_partitions_of_a_member_that_is_cut_off_go_to_the_others(self, zookeeper_server):
        with FaultProxy('127.0.0.1', zookeeper_server.port) as proxy:
            cut = ZookeeperPartitioner(self.make(proxy.address))
            self._partitioners.append(cut)
            cut.on_start()
            self.join(cut, 'a')
            self.join(self.start(), 'b')
            self.eventually_divided('a', 'b')
            state = cut.connection_state()
            assert (state.connected, state.server) == (True, proxy.address)
            proxy.refuse()
            proxy.cut()
            eventually(lambda: not cut.connection_state().connected)
            self.eventually_divided('b')
            proxy.heal()
            self.eventually_divided('a', 'b')
            state = cut.connection_state()
            assert (state.connected, state.reconnects, state.reason) == (True, 1, '')


def end_session(server, registry):
    """Expire the session of a registry from outside."""
    client = KazooClient(
        server.hosts,
        client_id=registry._session.client.client_id,
        handler=SequentialGeventHandler(),
    )
    client.start()
    client.stop()
    client.close()


CONFIGURATION = """
dependencies:
  kazoo:
    class: kazoo.client:KazooClient
    hosts: {hosts}
container:
  registry: {registry}
  events: {{class: embedded, path: '{state}'}}
  rpc: {{transport: memory}}
interfaces:
  shop: {{class: '{module}:Shop'}}
components:
  SerialEventHandler:
    zkclient: dep:kazoo
    chroot: {chroot}
"""

AUTHORS = """
import lymph
from lymph.patterns.serial_events import serial_event

class Shop(lymph.Interface):
    handled = []

    @serial_event('order.*', partition_count=4)
    def ship(self, event):
        self.handled.append(event['n'])
"""


@pytest.fixture
def build(zookeeper_server, chroot, tmp_path, monkeypatch):
    (tmp_path / 'serial_authors.py').write_text(AUTHORS)
    monkeypatch.syspath_prepend(str(tmp_path))
    containers = []

    def build(hosts=None, registry='{class: static}'):
        path = tmp_path / 'conf.yml'
        path.write_text(
            CONFIGURATION.format(
                hosts=hosts or zookeeper_server.hosts,
                chroot=chroot,
                module='serial_authors',
                state=tmp_path,
                registry=registry,
            )
        )
        config = Configuration()
        config.load_file(str(path))
        containers.append(build_container(config))
        return containers[-1]

    yield build
    gevent.joinall([gevent.spawn(container.stop) for container in containers], raise_error=True)


@pytest.mark.parametrize(
    'registry', ['{class: static}', "{class: zookeeper, zkclient: 'dep:kazoo'}"]
)
def test_as_in_the_manual_a_client_in_the_configuration_means_zookeeper(
    build, client, chroot, registry
):
    first, second = build(registry=registry), build(registry=registry)
    for container in (first, second):
        container.start()
    assert type(first.serial_events.partitioner) is ZookeeperPartitioner
    eventually(
        lambda: (
            [
                len(container.serial_events.handlers['shop.ship'].partitions)
                for container in (first, second)
            ]
            == [2, 2]
        )
    )
    assert sorted(client.get_children(f'{chroot}/serial/shop.ship')) == sorted(
        [first.identity, second.identity]
    )
    first.emit_event('order.paid', {'n': 1})
    handled = first.interfaces[0].handled
    eventually(lambda: handled == [1])
    first.stop()
    eventually(lambda: len(second.serial_events.handlers['shop.ship'].partitions) == 4)


def test_invalid_client_is_an_error_that_names_file_and_key(build):
    with pytest.raises(ConfigurationError, match='hosts'):
        build(hosts="''")


class TestSerialEvents(SerialEventsContract):
    @pytest.fixture
    def server(self, zookeeper_server):
        return zookeeper_server

    def configuration(self, folder, server):
        path = str(folder / 'state')
        return {
            'dependencies': {
                'kazoo': {
                    'class': 'kazoo.client:KazooClient',
                    'hosts': server.hosts,
                    'timeout': SESSION,
                }
            },
            'container': {
                'registry': {'class': 'embedded', 'path': path},
                'events': {'class': 'embedded', 'path': path, 'stall_timeout': 2},
            },
            'components': {
                'SerialEventHandler': {'zkclient': 'dep:kazoo', 'chroot': f'/{self.name}'}
            },
        }
