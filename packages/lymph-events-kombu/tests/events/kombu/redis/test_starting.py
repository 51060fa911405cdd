"""What is rejected at the start, and a Redis that is full, locked or slow."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer

import lymph
from lymph.config import Configuration, ConfigurationError
from lymph.core.container import ServiceContainer
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu import BrokerError
from lymph.exceptions import EmitFailure, SubscriptionError
from lymph.patterns.serial_events import serial_event
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import RedisServer
from lymph.testing.waiting import eventually

#: as the README says
PERMISSIONS = (
    '~lymph:* &lymph:bell:* +@connection +@hash +@list +@sortedset +@string +@keyspace -@dangerous '
    '+@scripting +info +subscribe +unsubscribe +publish +time +pubsub'
)


def _fail(event: Event) -> None:
    raise RuntimeError('broken')


def _command(server: RedisServer, *words: str) -> None:
    """Send a command to the server of `strict`."""
    command = ['redis-cli', '-p', str(server.port), *words]
    environment = {**os.environ, 'REDISCLI_AUTH': 'hunter2'}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=10)


def _reset(client: Any) -> None:
    """Close the connection of a client so that it is reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


@pytest.fixture(scope='module')
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that requires a password and writes nothing to the disk."""
    settings = {'requirepass': 'hunter2', 'appendonly': 'no'}
    with RedisServer(tmp_path_factory.mktemp('strict'), settings=settings) as server:
        yield server


@pytest.fixture
def setting(redis_server: RedisServer) -> Iterator[Callable[[str, str], None]]:
    """Change a setting of Redis for the duration of a test."""
    before: dict[str, str] = {'maxmemory-policy': 'noeviction', 'maxmemory': '0'}

    def change(name: str, value: str) -> None:
        redis_server.command('CONFIG', 'SET', name, value)

    yield change
    for name, value in before.items():
        change(name, value)


@pytest.mark.parametrize(
    'greeting',
    [
        b'HTTP/1.1 400 Bad Request\r\n\r\n',
        b'-ERR \xff\x1b[2J\r\n',
        b'$99999999999999999999\r\n',
        b':many\r\n',
        b'*1\r\n' * 10_000,
    ],
    ids=['another protocol', 'control characters', 'a huge size', 'no number', 'deep arrays'],
)
def test_server_that_is_not_redis_is_an_error_of_one_line(
    bench: Any, caplog: pytest.LogCaptureFixture, greeting: bytes
) -> None:
    def greet(client: Any, address: object) -> None:
        client.sendall(greeting)
        client.recv(1000)

    with StreamServer(('127.0.0.1', 0), greet) as server:
        server.start()
        with pytest.raises(BrokerError, match=r'cannot connect|cannot understand') as failure:
            bench.start(urls=f'redis://127.0.0.1:{server.server_port}/0', connect_timeout=1)
    assert str(failure.value).isprintable()
    assert caplog.text == ''


def test_redis_that_evicts_keys_is_rejected(
    bench: Any, setting: Callable[[str, str], None]
) -> None:
    setting('maxmemory-policy', 'allkeys-lru')
    with pytest.raises(BrokerError, match=r'maxmemory-policy allkeys-lru.*set it to noeviction'):
        bench.start()
    setting('maxmemory-policy', 'volatile-lru')  # drops what has an expiry, and no event has
    bench.start()


def test_full_redis_rejects_new_events_and_delivers_waiting_ones(
    bench: Any, setting: Callable[[str, str], None]
) -> None:
    handled: list[Any] = []
    system = bench.start()
    subscription = bench.subscribe(system, print)
    system.unsubscribe(subscription)
    for n in range(20):
        bench.emit(system, n)
    setting('maxmemory', '1')
    with pytest.raises(EmitFailure, match='maxmemory'):
        bench.emit(system, 20)
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: sorted(handled) == list(range(20)))
    eventually(lambda: bench.left() == {})


def test_password_is_used_and_never_shown(
    bench: Any, strict: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start(urls=f'redis://:hunter2@{strict.address}/1')
    bench.start(urls=f'redis://{strict.address}', password='hunter2')
    system = bench.make(urls=f'redis://shop:hunter3@{strict.address}')
    with pytest.raises(BrokerError, match=r"access for the user 'shop'.*check userid and") as wrong:
        system.on_start()
    with pytest.raises(BrokerError, match='found no password; check userid and password'):
        bench.start(urls=f'redis://{strict.address}')
    assert 'hunter' not in f'{wrong.value!r} {wrong.value.__cause__!r} {caplog.text}'


def test_the_permissions_that_the_readme_names_are_enough(bench: Any) -> None:
    handled: list[Any] = []
    url = bench.user(PERMISSIONS)
    system = bench.start(urls=url, transport_options={'visibility_timeout': 1})

    def fail_at_first(event: Event) -> None:
        if event.attempt < 2:
            raise RuntimeError('not yet')
        handled.append(event.body['n'])

    bench.subscribe(system, fail_at_first, retry=1)
    passing = Subscription(f'{bench.name}.passing', (bench.topic,), _fail, durable=False)
    system.subscribe(passing)
    bench.emit(system, 1)
    bench.emit(system, 2, delay=0.2)
    eventually(lambda: sorted(handled) == [1, 2])
    assert system.dead_letters is not None
    letters = eventually(
        lambda: [
            each for each in system.dead_letters.scan() if each.queue.startswith(passing.queue_name)
        ]
    )
    assert system.dead_letters.replay(letters[0].id) == 1
    assert system.dead_letters.drop(*[each.id for each in system.dead_letters.scan()]) >= 1
    system.unsubscribe(passing)
    looked = bench.server.command('GET', 'lymph:looked')
    eventually(lambda: bench.server.command('GET', 'lymph:looked') != looked, 20)
    assert system.has_queue(bench.name)


def test_redis_without_persistence_causes_a_warning(
    bench: Any, strict: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start()
    assert 'appendonly' not in caplog.text
    bench.start(urls=f'redis://:hunter2@{strict.address}')
    assert 'appendonly is off: a crash of Redis loses the events' in caplog.text


def test_outcome_that_redis_rejects_temporarily_is_sent_again(bench: Any) -> None:
    system, other, handled = bench.start(urls=bench.user('~* &* +@all')), bench.start(), []

    def forbid(event: Event) -> None:
        bench.server.command('ACL', 'SETUSER', bench.name, '-hdel')
        handled.append(event.attempt)

    bench.subscribe(system, forbid)
    bench.emit(other, 1)
    eventually(lambda: handled)
    assert bench.left() != {}
    bench.server.command('ACL', 'SETUSER', bench.name, '+hdel')
    eventually(lambda: bench.left() == {})
    assert handled == [1]


def test_read_only_replica_is_an_error_with_advice(bench: Any, strict: RedisServer) -> None:
    bench.start(urls=f'redis://:hunter2@{strict.address}').on_stop()
    replica = f'redis://:hunter2@{strict.address}'
    _command(strict, 'REPLICAOF', '127.0.0.1', '1')
    try:
        with pytest.raises(BrokerError, match='found a read-only replica; use the address of'):
            bench.start(urls=replica)
        bench.start(urls=[replica, bench.server.url])
    finally:
        _command(strict, 'REPLICAOF', 'NO', 'ONE')


@pytest.mark.parametrize(
    ('permissions', 'refused'),
    [
        ('~lymph:* &*', "run the 'script|load' command"),
        ('~other:* &* +@all', 'no permissions to access'),
    ],
)
def test_missing_permission_is_an_error_with_advice(
    bench: Any, permissions: str, refused: str
) -> None:
    with pytest.raises(BrokerError) as found:
        bench.start(urls=bench.user(permissions))
    assert refused in str(found.value).lower()  # versions of Redis say it with or without a subject
    assert "permissions that lymph-events-kombu's README lists" in str(found.value)


def test_missing_permission_to_subscribe_is_an_error_with_advice(bench: Any) -> None:
    with pytest.raises(BrokerError, match=r'cannot subscribe to lymph:bell:\*.*permit the user'):
        bench.start(urls=bench.user('~* resetchannels +@all'))


def test_unreachable_redis_is_an_error_with_its_address(bench: Any) -> None:
    with pytest.raises(BrokerError) as failure:
        bench.start(urls='redis://127.0.0.1:1')
    assert str(failure.value) == (
        'redis://127.0.0.1:1/0: cannot connect: connection refused; check the address, '
        'whether it expects TLS, and that Redis runs and can be reached from here'
    )


@pytest.mark.parametrize(
    ('greet', 'scheme', 'why'),
    [
        (lambda client: client.recv(1000), 'redis', 'no answer within 0.2 s'),
        (_reset, 'redis', 'Connection reset by peer'),
        (
            lambda client: client.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n'),
            'rediss',
            'expected TLS, found a server that speaks something else',
        ),
    ],
    ids=['silence', 'reset', 'no TLS'],
)
def test_failed_connection_is_explained_without_the_words_of_redis_py(
    bench: Any, greet: Callable[[Any], object], scheme: str, why: str
) -> None:
    def answer(client: Any, address: object) -> None:
        greet(client)
        with suppress(OSError):
            client.recv(1000)

    with StreamServer(('127.0.0.1', 0), answer) as server:
        server.start()
        address = f'{scheme}://127.0.0.1:{server.server_port}/0'
        with pytest.raises(BrokerError) as failure:
            bench.start(urls=address, connect_timeout=0.2)
    assert str(failure.value).startswith(f'{address}: cannot connect: {why}; check the address, ')


def test_missing_database_is_named(bench: Any) -> None:
    with pytest.raises(BrokerError, match=r'answered .*out of range.; check .* the database, 99$'):
        bench.start(urls=f'redis://{bench.server.address}/99')


def test_missing_client_is_an_error_that_names_the_extra(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'redis', None)
    with pytest.raises(
        ConfigurationError, match=r"urls: .*pip install 'lymph-events-kombu\[redis\]"
    ):
        bench.make()


class Serial(lymph.Interface):
    @serial_event('order.paid', key=lambda interface, event: event['id'])
    def on_paid(self, event: Event) -> None:
        """Never called."""


def test_serial_events_are_rejected_at_the_start_with_the_name_of_their_handler(
    bench: Any,
) -> None:
    registry = {'class': 'static'}
    section = {'ip': '127.0.0.1', 'registry': registry, 'events': {'class': 'kombu'}}
    section['events']['urls'] = bench.server.url  # type: ignore[index]
    config = Configuration({'container': section})
    container = ServiceContainer.from_config(config.view('container'))
    container.install_interface(Serial, name=bench.name)
    try:
        with pytest.raises(SubscriptionError, match=rf'{bench.name}\.on_paid.*serial.*RabbitMQ'):
            container.start()
    finally:
        container.stop()


def test_unreadable_event_becomes_a_dead_letter_and_blocks_no_other(bench: Any) -> None:
    handled: list[Any] = []
    system, name = bench.start(), bench.name
    system.unsubscribe(bench.subscribe(system, print))
    for id, data in enumerate((b'\xc1', b'\x01', b'\x80', 'grüße'.encode(), b''), 10**12):
        command = ('HSET', f'lymph:events:{name}', str(id), data.decode('latin-1'))
        bench.server.command(*command)
        bench.server.command('RPUSH', f'lymph:ready:{name}', str(id))
    bench.emit(system, 'good')
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: handled == ['good'])
    letters = eventually(lambda: len(bench.dead(system)) == 5 and bench.dead(system))
    assert all(letter.event is None for letter in letters)
    assert bench.left() == {}


def test_silent_redis_does_not_block_the_loop(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'redis://{proxy.address}', confirm_timeout=1)
    proxy.blackhole()
    emitter = gevent.spawn(bench.emit, system, 1)
    turns = 0
    while not emitter.ready():
        gevent.sleep(0.001)
        turns += 1
    assert turns > 100
    assert isinstance(emitter.exception, EmitFailure)


def test_events_beyond_the_limit_are_rejected_at_once(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'redis://{proxy.address}', confirm_timeout=30)
    proxy.blackhole()
    big = [
        gevent.spawn(system.emit, Event(bench.topic, {'x': b'x' * 15_000_000})) for _ in range(4)
    ]
    gevent.idle()
    with pytest.raises(EmitFailure, match='bytes are waiting already'):
        system.emit(Event(bench.topic, {'x': b'x' * 15_000_000}))
    gevent.killall(big)


def test_subscribing_without_redis_is_an_error(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'redis://{proxy.address}', confirm_timeout=0.5)
    proxy.refuse()
    proxy.cut()
    with pytest.raises(SubscriptionError, match='cannot be had at redis://'):
        bench.subscribe(system, print)
