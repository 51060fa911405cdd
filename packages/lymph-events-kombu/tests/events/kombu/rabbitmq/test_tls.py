"""TLS to the broker: verified by default, cooperative without patching the standard library.

A proxy in front of the broker accepts TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket, ssl
from gevent.server import StreamServer

from lymph.events.kombu import BrokerError
from lymph.testing.servers import RabbitmqServer
from lymph.testing.waiting import eventually


@pytest.fixture
def trusting(certificates: Path) -> dict[str, str]:
    """The options with which the certificate is trusted."""
    return {'ca_certs': str(certificates / 'broker.pem')}


@pytest.fixture
def port(rabbitmq_server: RabbitmqServer, certificates: Path) -> Iterator[int]:
    """The port on which the broker accepts TLS."""

    def pump(source: Any, target: Any) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(client: Any, address: object) -> None:
        server = socket.create_connection(('127.0.0.1', rabbitmq_server.port))
        gevent.joinall([gevent.spawn(pump, client, server), gevent.spawn(pump, server, client)])
        server.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / 'broker.pem', certificates / 'broker.key')
    listener = StreamServer(('127.0.0.1', 0), serve, ssl_context=context)
    listener.start()
    yield int(listener.server_port or 0)
    listener.stop()


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'server_hostname': 'broker.test'},
        {'server_hostname': 'else.test', 'check_hostname': False},
        {'ca_certs': None, 'cert_reqs': 'none'},
        {'ca_certs': None, 'cert_reqs': 'CERT_NONE'},
    ],
    ids=str,
)
def test_events_are_delivered_over_tls(
    bench: Any, port: int, trusting: dict[str, str], options: dict[str, Any]
) -> None:
    options = {**trusting, **options}
    system, handled = bench.start(urls=f'amqps://127.0.0.1:{port}//', ssl=options), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 1)
    eventually(lambda: handled == [1])


@pytest.mark.parametrize(
    ('options', 'error'),
    [
        ({'ca_certs': None}, 'certificate verify failed'),
        ({'server_hostname': 'else.test'}, 'Hostname mismatch'),
    ],
    ids=str,
)
def test_broker_with_an_untrusted_certificate_is_not_used(
    bench: Any, port: int, trusting: dict[str, str], options: dict[str, Any], error: str
) -> None:
    with pytest.raises(BrokerError, match=error):
        bench.start(urls=f'amqps://127.0.0.1:{port}//', ssl={**trusting, **options})


def test_broker_without_tls_is_a_distinct_error(bench: Any) -> None:
    with pytest.raises(BrokerError, match=r'cannot connect: expected TLS, found .* check .* ssl'):
        bench.start(urls=f'amqps://{bench.server.address}//', connect_timeout=1)
