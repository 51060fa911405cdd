"""The private RabbitMQ server: it answers, survives restarts and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from amqp import Channel, Connection, Message

from lymph.testing.servers import RabbitmqServer, ServerError, ServerMissing


@contextmanager
def channel_of(server: RabbitmqServer) -> Iterator[Channel]:
    with Connection(server.address, userid='guest', password='guest') as connection:
        yield connection.channel()


def put(server: RabbitmqServer, queue: str, body: str) -> None:
    """Put a persistent message into a durable queue."""
    with channel_of(server) as channel:
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.basic_publish_confirm(Message(body, delivery_mode=2), routing_key=queue)


def take(server: RabbitmqServer, queue: str) -> str:
    with channel_of(server) as channel:
        message = channel.basic_get(queue, no_ack=True)
        return str(message.body)


def test_a_client_gets_what_it_sent(rabbitmq_server: RabbitmqServer) -> None:
    put(rabbitmq_server, 'written', 'here')
    assert take(rabbitmq_server, 'written') == 'here'


def test_its_url_leads_to_it(rabbitmq_server: RabbitmqServer) -> None:
    url = urlsplit(rabbitmq_server.url)
    assert (url.scheme, url.username, url.password, url.path) == ('amqp', 'guest', 'guest', '//')
    assert f'{url.hostname}:{url.port}' == rabbitmq_server.address


def test_rabbitmqctl_controls_it(rabbitmq_server: RabbitmqServer) -> None:
    put(rabbitmq_server, 'controlled', 'once')
    listed = rabbitmq_server.control('list_queues', 'name', 'messages')
    assert 'controlled\t1' in listed.splitlines()


def test_failure_of_rabbitmqctl_has_its_output(rabbitmq_server: RabbitmqServer) -> None:
    with pytest.raises(ServerError, match=r'delete_queue nowhere ended with exit status \d+: '):
        rabbitmq_server.control('delete_queue', 'nowhere')


def test_it_survives_a_kill_and_leaves_nothing_behind(
    tmp_path: Path, processes_of: Callable[[Path], set[int]], gone: Callable[[int], bool]
) -> None:
    with RabbitmqServer(tmp_path) as server:
        url = server.url
        put(server, 'kept', 'through a crash')
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', server.port))
        server.start()
        assert server.url == url
        assert take(server, 'kept') == 'through a crash'
        family = processes_of(tmp_path)
        assert len(family) >= 2  # the server and its port mapper at least
    assert all(gone(pid) for pid in family)


def test_missing_scripts_are_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('RABBITMQ_PATH', str(tmp_path))
    with pytest.raises(ServerMissing, match='apt-get install rabbitmq-server') as caught:
        RabbitmqServer().start()
    assert f'no rabbitmq-server in {tmp_path}' in str(caught.value)


def test_missing_erlang_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ServerMissing, match='apt-get install erlang-base'):
        RabbitmqServer().start()
