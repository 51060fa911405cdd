"""The fault proxy forwards bytes, and injects the requested faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually


def _echo(client: Any, address: object) -> None:
    try:
        while data := client.recv(65536):
            client.sendall(data)
    except OSError:
        pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    server = StreamServer(('127.0.0.1', 0), _echo)
    server.start()
    with FaultProxy('127.0.0.1', server.server_port) as proxy:
        yield proxy
    server.close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Any]:
    client = _connect(proxy)
    yield client
    client.close()


def _connect(proxy: FaultProxy) -> Any:
    return socket.create_connection(('127.0.0.1', proxy.port), timeout=5)


def _exchange(client: Any, data: bytes) -> bytes:
    client.sendall(data)
    received = b''
    while len(received) < len(data):
        more = client.recv(65536)
        if not more:
            break
        received += more
    return received


def test_without_a_fault_bytes_pass_in_both_directions(client: Any) -> None:
    data = bytes(range(256)) * 4096
    assert _exchange(client, data) == data


def test_the_end_of_a_connection_is_passed_on(client: Any, proxy: FaultProxy) -> None:
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b''
    eventually(lambda: proxy.connections == 0)


def test_a_cut_resets_connections_and_lets_new_ones_be_made(client: Any, proxy: FaultProxy) -> None:
    assert _exchange(client, b'x') == b'x'
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with _connect(proxy) as another:
        assert _exchange(another, b'y') == b'y'


def test_cut_also_ends_connections_of_a_black_hole(client: Any, proxy: FaultProxy) -> None:
    proxy.blackhole()
    client.sendall(b'x')
    proxy.cut()
    eventually(lambda: proxy.connections == 0)


def test_refuse_keeps_established_connections_and_heals_on_the_same_port(
    client: Any, proxy: FaultProxy
) -> None:
    assert _exchange(client, b'x') == b'x'
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    assert _exchange(client, b'y') == b'y'
    proxy.heal()
    with _connect(proxy) as another:
        assert _exchange(another, b'z') == b'z'


@pytest.mark.parametrize('direction', ['to_server', 'to_client', 'both'])
def test_a_black_hole_holds_bytes_back_until_it_is_healed(
    client: Any, proxy: FaultProxy, direction: Any
) -> None:
    proxy.blackhole(direction)
    client.sendall(b'x')
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)
    proxy.heal()
    client.settimeout(5)
    assert client.recv(1) == b'x'


def test_slow_direction_forwards_everything(client: Any, proxy: FaultProxy) -> None:
    proxy.slow(20_000, 'to_client')
    data = b'0123456789' * 300
    received = gevent.spawn(_exchange, client, data)
    assert received.get(timeout=10) == data


def test_unreachable_server_resets_the_client() -> None:
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))
        with FaultProxy('127.0.0.1', nobody.getsockname()[1]) as proxy, _connect(proxy) as client:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert proxy.connections == 0


def test_a_closed_proxy_leaves_no_connection(proxy: FaultProxy) -> None:
    client = _connect(proxy)
    assert _exchange(client, b'x') == b'x'
    proxy.close()
    assert proxy.connections == 0
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    client.close()
