"""TLS to Redis, over gevent's sockets and over redis-py's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent.os
import pytest
import redis

from lymph.events.kombu import BrokerError
from lymph.events.kombu._redis import connections
from lymph.events.kombu._redis.connections import GeventConnection, PublicConnection
from lymph.testing._servers.ports import free_port
from lymph.testing.servers import RedisServer
from lymph.testing.waiting import eventually


@pytest.fixture(scope='module')
def port(certificates: Path) -> Iterator[int]:
    """The port on which Redis accepts TLS."""
    port = free_port()
    settings = {
        'tls-port': str(port),
        'tls-cert-file': str(certificates / 'broker.pem'),
        'tls-key-file': str(certificates / 'broker.key'),
        'tls-auth-clients': 'no',
    }
    with RedisServer(settings=settings):
        yield port


@pytest.fixture
def connect(port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Connect with a class of connections; redis-py's own sockets block the test meanwhile."""
    monkeypatch.setattr(connections, 'is_module_patched', lambda name: True)

    def connect(kind: Callable[..., Any], tls: Any) -> Any:
        timeouts = {'socket_timeout': 10, 'socket_connect_timeout': 10}
        connection = kind(tls, host='127.0.0.1', port=port, protocol=3, **timeouts)
        connection.connect()
        return connection

    return connect


def _ping(connection: Any) -> Any:
    connection.send_packed_command(connection.pack_command('PING'))
    return connection.read_response()


def test_events_over_tls_go_to_trusted_servers_only(
    bench: Any, port: int, certificates: Path
) -> None:
    url, handled = f'rediss://127.0.0.1:{port}', []
    system = bench.start(urls=url, ssl={'ca_certs': str(certificates / 'broker.pem')})
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 1)
    eventually(lambda: handled == [1])
    with pytest.raises(BrokerError, match=r'certificate verify failed.*check the address, ssl and'):
        bench.start(urls=url)


@pytest.mark.parametrize('kind', [GeventConnection, PublicConnection])
def test_certificate_is_checked_unless_the_options_say_otherwise(connect: Any, kind: Any) -> None:
    with pytest.raises((redis.RedisError, OSError), match='certificate verify failed'):
        connect(kind, True)
    connection = connect(kind, {'cert_reqs': 'none'})
    assert _ping(connection) == b'PONG'
    connection.disconnect()


@pytest.mark.parametrize('kind', [GeventConnection, PublicConnection])
def test_connection_that_a_forked_child_abandons_stays_usable(connect: Any, kind: Any) -> None:
    connection = connect(kind, {'cert_reqs': 'none'})
    child = gevent.os.fork()
    if child == 0:
        try:
            connection.abandon()
            with suppress(redis.RedisError, OSError):
                _ping(connection)
            gevent.os.os._exit(0)
        finally:
            gevent.os.os._exit(1)
    assert gevent.os.waitpid(child, 0)[1] == 0
    assert _ping(connection) == b'PONG'
    connection.disconnect()


@pytest.mark.parametrize('option', ['ca_certs', 'server_hostname'])
def test_public_connection_rejects_options_that_redis_py_lacks(connect: Any, option: str) -> None:
    with pytest.raises(BrokerError, match=rf'ssl\.{option} cannot be used with this version'):
        connect(PublicConnection, {option: '/nowhere'})


def test_public_connection_needs_a_patched_standard_library() -> None:
    with pytest.raises(BrokerError, match=r'call lymph\.monkey\.patch\(\) before'):
        PublicConnection(False, host='127.0.0.1', port=1)
