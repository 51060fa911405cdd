"""While ZooKeeper is unreachable the log says so once, and then once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.retry import KazooRetry

from lymph.discovery.zookeeper._client import session as sessions
from lymph.discovery.zookeeper._client.clients import check_client
from lymph.discovery.zookeeper._client.session import ZookeeperSession
from lymph.testing.waiting import eventually


class Client:
    """The part of kazoo's client that a session uses; tests control its connection."""

    hosts = (('zk', 2181),)
    chroot = ''
    client_id = (7, b'')
    client_state = KeeperState.CONNECTING
    connected = True
    _session_timeout = 1  # ms
    _connection = SimpleNamespace(_socket=None)

    def __init__(self) -> None:
        self.starts = 0

    def add_listener(self, listener: Callable[[str], object]) -> None:
        self.tell = listener

    def remove_listener(self, listener: Callable[[str], object]) -> None:
        pass

    def start_async(self) -> None:
        self.starts += 1
        if self.starts == 1:
            self.tell(KazooState.CONNECTED)

    def stop(self) -> None:
        pass

    close = stop


@pytest.fixture
def client() -> Client:
    """A client that connects when it is started first."""
    return Client()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances the clock of sessions by a number of seconds."""
    ahead = [0.0]
    now = sessions.time.monotonic
    monkeypatch.setattr(sessions, 'time', SimpleNamespace(monotonic=lambda: now() + ahead[0]))

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


def lines(caplog: pytest.LogCaptureFixture, name: str = sessions.__name__) -> list[str]:
    """Return what a logger has written."""
    return [each.getMessage() for each in caplog.records if each.name == name]


def test_repeated_losses_of_the_connection_are_logged_once_a_minute(
    client: Client, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    session = ZookeeperSession(client, 1.0, bool)
    session.start()
    for _ in range(50):
        client.tell(KazooState.SUSPENDED)
        client.tell(KazooState.CONNECTED)
    first = ['lost the connection to ZooKeeper at zk:2181; trying to connect again']
    first += ['connected to ZooKeeper at zk:2181 again']
    assert lines(caplog) == first
    clock(60)
    for _ in range(50):
        client.tell(KazooState.SUSPENDED)
        client.tell(KazooState.CONNECTED)
    assert lines(caplog) == first * 2
    session.stop()


def test_failed_new_sessions_are_logged_once_a_minute(
    client: Client, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    client.connected = False
    session = ZookeeperSession(client, 1.0, bool)
    session.start()
    client.tell(KazooState.LOST)
    eventually(lambda: client.starts > 20)
    assert len(lines(caplog)) == 1
    clock(60)
    eventually(lambda: len(lines(caplog)) == 2)
    assert lines(caplog)[1] == 'no connection to ZooKeeper at zk:2181; trying again'
    begun = client.starts
    eventually(lambda: client.starts > begun + 20)
    client.tell(KazooState.CONNECTED)
    assert lines(caplog)[2:] == ['connected to ZooKeeper at zk:2181 again']
    session.stop()


def test_refused_login_is_reported_while_kazoo_reconnects(client: Client) -> None:
    session = ZookeeperSession(client, 1.0, bool)
    session.start()
    client.client_state = KeeperState.AUTH_FAILED
    client.tell(KazooState.LOST)
    client.client_state = KeeperState.CONNECTING
    client.tell(KazooState.SUSPENDED)
    with pytest.raises(AuthFailedError):
        session.wait(0)
    session.stop()


@pytest.mark.parametrize('level', ['INFO', 'DEBUG'])
def test_client_that_was_passed_in_logs_each_line_of_its_attempts_once(
    caplog: pytest.LogCaptureFixture, level: str
) -> None:
    name = f'of somebody else at {level}'
    caplog.set_level(level, name)
    retry: dict[str, Any] = {'max_tries': -1, 'delay': 0.001, 'max_delay': 0.001, 'backoff': 1}
    client = KazooClient(
        '127.0.0.1:1',
        handler=SequentialGeventHandler(),
        connection_retry=KazooRetry(**retry, sleep_func=gevent.sleep),
        logger=logging.getLogger(name),
    )
    check_client(client)
    check_client(client)
    attempts = []
    client._connection._connect_attempt = _counting(client._connection._connect_attempt, attempts)
    client.start_async()
    eventually(lambda: len(attempts) > 5)
    client.stop()
    client.close()
    dropped = [line for line in lines(caplog, name) if line.startswith('Connection dropped')]
    assert len(dropped) == 1 if level == 'INFO' else len(dropped) > 1


def _counting(call: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return call(*arguments)

    return counting
