"""A failed start is an error of one line, and a stopped event system leaves nothing."""

from __future__ import annotations

import gc
import logging
import re
from contextlib import ExitStack
from typing import Any

import amqp
import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from lymph.events.base import Subscription
from lymph.events.kombu import BrokerError
from lymph.exceptions import EmitFailure, SubscriptionError
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually


def test_unreachable_broker_is_named(bench: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))
        port = nobody.getsockname()[1]
        with pytest.raises(BrokerError) as failure:
            bench.start(urls=f'amqp://someone:secret@127.0.0.1:{port}/shop')
    assert str(failure.value) == (
        f'amqp://someone@127.0.0.1:{port}/shop: cannot connect: connection refused; '
        'check the address, whether it expects TLS, '
        'and that the broker runs and can be reached from here'
    )


def test_error_about_a_wrong_password_names_user_and_virtual_host_only(bench: Any) -> None:
    with pytest.raises(BrokerError) as failure:
        bench.start(urls=f'amqp://guest:hunter2@{bench.server.address}//')
    text = str(failure.value)
    assert "expected access for the user 'guest' to the virtual host '/'" in text
    assert 'ACCESS_REFUSED' in text
    assert 'hunter2' not in text


def test_missing_virtual_host_is_named(bench: Any) -> None:
    with pytest.raises(BrokerError, match=r"virtual host 'nowhere', found .*not found"):
        bench.start(urls=f'amqp://guest:guest@{bench.server.address}/nowhere')


def test_silent_broker_is_an_error_in_time(bench: Any, proxy: FaultProxy) -> None:
    proxy.blackhole()
    with pytest.raises(BrokerError, match=r'cannot connect: no answer within 0\.3 s'):
        bench.start(urls=f'amqp://{proxy.address}//', connect_timeout=0.3)


def test_address_that_drops_all_data_is_an_error_in_time(bench: Any) -> None:
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(('127.0.0.1', 0))
        deaf.listen(0)
        for _ in range(5):  # more than it lets wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        with pytest.raises(BrokerError, match=r'no answer within 0\.3 s'):
            bench.start(urls=f'amqp://127.0.0.1:{deaf.getsockname()[1]}//', connect_timeout=0.3)


@pytest.mark.parametrize(
    ('greeting', 'error'),
    [
        (b'HTTP/1.1 400 Bad Request\r\n\r\n', 'expected a frame of AMQP 0-9-1'),
        (b'AMQP\0\1\0\0', 'expected a frame of AMQP 0-9-1'),
        (b'\1\0\0\0\0\0\4\xff\xff\xff\xff\xce', 'Unknown AMQP method'),
        (b'\1\0\0\0\0\0\10\0\12\0\12\0\11\xff\xff\xce', 'cannot understand what answers'),
        (b'\2\0\0\0\0\0\1\0\xce', 'out of its turn'),
    ],
)
def test_server_that_is_not_a_broker_is_a_distinct_error(
    bench: Any, caplog: pytest.LogCaptureFixture, greeting: bytes, error: str
) -> None:
    def greet(client: Any, address: object) -> None:
        client.sendall(greeting)
        client.recv(1000)

    with StreamServer(('127.0.0.1', 0), greet) as server:
        server.start()
        with pytest.raises(BrokerError, match=error) as failure:
            bench.start(urls=f'amqp://127.0.0.1:{server.server_port}//', connect_timeout=1)
    assert str(failure.value).isprintable()
    assert caplog.text == ''


def test_all_failed_addresses_are_named(bench: Any, proxy: FaultProxy) -> None:
    proxy.refuse()
    urls = [f'amqp://{proxy.address}/a', f'amqp://{proxy.address}/b']
    with pytest.raises(BrokerError, match=r'/a: cannot connect.*/b: cannot connect'):
        bench.start(urls=urls)


def test_too_long_queue_name_is_rejected(bench: Any) -> None:
    system = bench.start()
    with pytest.raises(SubscriptionError, match='at most 200 bytes, found 201'):
        system.subscribe(Subscription('q' * 201, (bench.topic,), print))
    system.subscribe(Subscription('q' * 200, (bench.topic,), print, durable=False))


def test_an_exchange_of_another_kind_is_an_error_at_the_start(bench: Any) -> None:
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    connection.channel().exchange_declare(bench.name, 'fanout', auto_delete=False)
    connection.close()
    with pytest.raises(BrokerError, match=rf'{bench.name}.*container\.events\.exchange'):
        bench.start(exchange=bench.name)


def test_user_without_read_permission_can_emit_but_not_subscribe(bench: Any) -> None:
    control = gevent.get_hub().threadpool.apply
    control(bench.server.control, ('add_user', bench.name, 'pass'))
    control(bench.server.control, ('set_permissions', bench.name, '.*', '.*', '^lymph'))
    system = bench.start(urls=f'amqp://{bench.name}:pass@{bench.server.address}//')
    with pytest.raises(SubscriptionError, match='ACCESS_REFUSED'):
        bench.subscribe(system, print)
    bench.emit(system)


def test_emit_before_the_start_is_an_error(bench: Any) -> None:
    system = bench.make()
    with pytest.raises(EmitFailure, match='not running'):
        bench.emit(system)
    with pytest.raises(SubscriptionError, match='not running'):
        bench.subscribe(system, print)


def test_system_whose_start_failed_can_be_stopped(bench: Any) -> None:
    system = bench.make(urls='amqp://127.0.0.1:1//')
    with pytest.raises(BrokerError):
        system.on_start()
    system.on_stop()


def test_the_password_is_in_no_log_and_no_error(
    bench: Any, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = 'correct horse'
    control = gevent.get_hub().threadpool.apply
    control(bench.server.control, ('add_user', bench.name, password))
    control(bench.server.control, ('set_permissions', bench.name, '.*', '.*', '.*'))
    url = f'amqp://{bench.name}:correct%20horse@{proxy.address}//'
    system = bench.start(urls=url, confirm_timeout=0.5)
    bench.subscribe(system, print)
    proxy.refuse()
    proxy.cut()
    with pytest.raises(EmitFailure) as failure:
        bench.emit(system)
    proxy.heal()
    eventually(lambda: proxy.connections == 2)
    said = caplog.text + repr(failure.value) + repr(system.__dict__)
    assert not re.search('correct.{1,3}horse', said)


def test_stopped_system_leaves_nothing(bench: Any, proxy: FaultProxy) -> None:
    before = _alive()
    system = bench.start(urls=f'amqp://{proxy.address}//')
    bench.subscribe(system, print, durable=False)
    bench.emit(system, delay=0.1)
    bench.emit(system)
    assert _alive() - before
    bench.stop(system)
    eventually(lambda: proxy.connections == 0)
    eventually(lambda: not _alive() - before)
    queues = gevent.get_hub().threadpool.apply(bench.server.control, ('list_queues', 'name'))
    assert bench.name not in queues


def test_system_can_be_started_again(bench: Any) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    system.pause()
    system.on_stop()
    system.on_start()
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 1)
    eventually(lambda: handled == [1])


def _alive() -> set[int]:
    """Return the greenlets of this package that are not done."""
    return {
        id(each)
        for each in gc.get_objects()
        if isinstance(each, gevent.Greenlet)
        and not each.dead
        and str(getattr(each._run, '__module__', '')).startswith('lymph.events.kombu')
    }
