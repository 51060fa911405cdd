"""The private ZooKeeper server: it answers, survives restarts and leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kazoo.client import KazooClient, KazooState

from lymph.testing.servers import ServerMissing, ZookeeperEnsemble, ZookeeperServer


@contextmanager
def client_of(hosts: str, timeout: float = 10.0) -> Iterator[KazooClient]:
    client = KazooClient(hosts, timeout=timeout, connection_retry={'max_tries': -1, 'max_delay': 1})
    try:
        client.start(timeout=30)
        yield client
    finally:
        client.stop()
        client.close()


def test_a_client_reads_what_it_wrote(zookeeper_server: ZookeeperServer) -> None:
    with client_of(zookeeper_server.hosts) as client:
        client.create('/written', b'here')
        assert client.get('/written')[0] == b'here'


def test_single_server_runs_standalone(zookeeper_server: ZookeeperServer) -> None:
    assert zookeeper_server.mode == 'standalone'


def test_data_survives_a_kill_on_the_same_port(tmp_path: Path) -> None:
    with ZookeeperServer(tmp_path) as server:
        hosts = server.hosts
        with client_of(hosts) as client:
            client.create('/kept', b'through a crash')
            server.kill()
            assert server.mode is None
            server.start()
            assert client.retry(client.get, '/kept')[0] == b'through a crash'
        assert server.hosts == hosts


def test_sessions_may_be_short(zookeeper_server: ZookeeperServer) -> None:
    with client_of(zookeeper_server.hosts, timeout=0.5) as client:
        # the server's list of connections tells the granted timeout in milliseconds
        assert 'to=500,' in client.command(b'cons')


def test_paused_server_is_silent_and_continues_when_resumed(tmp_path: Path) -> None:
    with ZookeeperServer(tmp_path) as server, client_of(server.hosts, timeout=2.0) as client:
        suspended, connected = threading.Event(), threading.Event()

        def follow(state: str) -> None:
            if state == KazooState.SUSPENDED:
                suspended.set()
            elif state == KazooState.CONNECTED and suspended.is_set():
                connected.set()

        client.add_listener(follow)
        server.pause()
        assert suspended.wait(30)
        assert server.running
        server.resume()
        assert connected.wait(30)
        assert server.mode == 'standalone'


def test_nothing_is_left_behind(
    tmp_path: Path, processes_of: Callable[[Path], set[int]], gone: Callable[[int], bool]
) -> None:
    with ZookeeperServer(tmp_path):
        family = processes_of(tmp_path)
        assert family
    assert all(gone(pid) for pid in family)


def test_missing_jars_are_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ZOOKEEPER_PATH', str(tmp_path))
    with pytest.raises(ServerMissing, match='apt-get install zookeeper') as caught:
        ZookeeperServer().start()
    assert f'no zookeeper.jar in {tmp_path}' in str(caught.value)


def test_missing_java_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ServerMissing, match='apt-get install default-jre-headless'):
        ZookeeperServer().start()


def test_ensemble_survives_the_loss_of_its_leader() -> None:
    with ZookeeperEnsemble() as ensemble, client_of(ensemble.hosts) as client:
        client.create('/kept', b'by the others')
        leader = ensemble.leader
        assert leader is not None
        leader.kill()
        assert client.retry(client.get, '/kept')[0] == b'by the others'
        leader.start()
        assert leader.mode == 'follower'
        assert sorted(str(server.mode) for server in ensemble.servers) == [
            'follower',
            'follower',
            'leader',
        ]
