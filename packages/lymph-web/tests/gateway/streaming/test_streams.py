"""Streams of events over real sockets: who gets what, and what ends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

import lymph
from lymph.config import ConfigurationError
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.embedded import EmbeddedEventSystem
from lymph.events.local import LocalEventSystem
from lymph.exceptions import SubscriptionError
from lymph.testing.waiting import eventually
from lymph.web.gateway import Gateway

WAIT = 10.0
ALLOW = {'allow': ['shop.*'], 'events': ['shop.*', '#.late', 'plain'], 'ip': '127.0.0.1'}


class Shop(lymph.Interface):
    @lymph.task()
    def pay(self, card):
        pass


class Recorded(LocalEventSystem):
    """Records what is subscribed to."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: list[str] = []
        self.error: Exception | None = None

    def subscribe(self, subscription):
        if self.error is not None:
            raise self.error
        gevent.sleep(0)  # as one that asks a broker
        super().subscribe(subscription)
        self.topics += subscription.event_types

    def unsubscribe(self, subscription):
        super().unsubscribe(subscription)
        for topic in subscription.event_types:
            self.topics.remove(topic)


class World:
    """A container with a gateway."""

    def __init__(self, stored: Any = None, **config: Any) -> None:
        self.events = stored or Recorded()
        self.container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            StaticServiceRegistryHub().create_registry(),
            self.events,
            ContainerSettings(drain_timeout=WAIT),
        )
        self.shop = self.container.install_interface(Shop)
        self.gateway = self.container.install_interface(Gateway, 'api', None, {**ALLOW, **config})
        self.container.start()
        self.clients: list[Stream] = []

    def ask(self, query: str, *fields: str, method: str = 'GET') -> Stream:
        self.clients.append(Stream(self.gateway.http_port, query, fields, method))
        return self.clients[-1]

    def emit(self, type: str, **body: Any) -> None:
        self.container.emit_event(type, body, source='test')

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.container.stop()


def open_streams(world: World) -> int:
    (value,) = (value for name, value, _ in world.container.metrics if name == 'streams.open')
    return value


class Stream:
    """A client on a connection of its own, which reads server-sent events."""

    def __init__(self, port: int, query: str, fields: tuple[str, ...], method: str) -> None:
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=WAIT)
        lines = [f'{method} /api/events{query} HTTP/1.1', 'Host: test', *fields, '', '']
        self.socket.sendall('\r\n'.join(lines).encode())
        self.file = self.socket.makefile('rb')
        self.buffer = b''

    def head(self) -> tuple[int, dict[str, str]]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) not in (b'\r\n', b''):
            name, _, value = line.decode().partition(':')
            headers[name.lower()] = value.strip()
        return status, headers

    def block(self) -> list[tuple[str, str]] | None:
        """Return the next block of lines; None at the proper end of the answer."""
        while b'\n\n' not in self.buffer:
            size = int(self.file.readline(), 16)
            self.buffer += self.file.read(size)
            assert self.file.readline() == b'\r\n'
            if not size:
                assert not self.buffer
                return None
        block, _, self.buffer = self.buffer.partition(b'\n\n')
        return [
            (name, value.removeprefix(' '))
            for name, _, value in (line.partition(':') for line in block.decode().split('\n'))
        ]

    def open(self) -> Stream:
        status, _ = self.head()
        assert status == 200
        (field,) = self.block() or []
        assert field[0] == 'retry'
        return self

    def event(self) -> tuple[str, dict[str, Any]] | None:
        """Return type and data of the next event; None at the end."""
        while (block := self.block()) is not None:
            fields = dict(block)
            if 'data' in fields:
                return fields['event'], json.loads(fields['data'])
        return None

    def bodies(self, count: int) -> list[Any]:
        return [
            (event or ('', {}))[1].get('body') for event in (self.event() for _ in range(count))
        ]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., World]]:
    worlds = []

    def start(**config: Any) -> World:
        worlds.append(World(**config))
        return worlds[-1]

    yield start
    for world in worlds:
        world.stop()


def test_client_gets_the_events_that_it_asks_for_in_their_order(serve):
    world = serve()
    client = world.ask('?type=shop.ordered&type=plain')
    status, headers = client.head()
    assert status == 200
    assert headers['content-type'].startswith('text/event-stream')
    assert 'no-store' in headers['cache-control']
    assert headers['x-accel-buffering'] == 'no'
    (field,) = client.block() or []
    assert field[0] == 'retry'
    assert int(field[1]) > 0
    for number in range(3):
        world.emit('shop.ordered', n=number)
        world.emit('shop.paid', n=number)
    found = [client.block() for _ in range(3)]
    assert [name for name, _ in found[0] or []] == ['id', 'event', 'data']
    events = [dict(block or []) for block in found]
    assert [event['event'] for event in events] == ['shop.ordered'] * 3
    data = [json.loads(event['data']) for event in events]
    assert [each['body'] for each in data] == [{'n': 0}, {'n': 1}, {'n': 2}]
    assert data[0]['id'] == events[0]['id']
    assert (data[0]['type'], data[0]['source']) == ('shop.ordered', 'test')
    assert data[0]['trace_id']


def test_body_is_json_like_the_result_of_a_call(serve):
    world = serve()
    client = world.ask('?type=plain').open()
    world.emit('plain', data=b'hi', tags={'a'}, text='a\nb\u2028', none=None)
    assert client.bodies(1) == [
        {'data': {'$bytes': 'aGk='}, 'tags': ['a'], 'text': 'a\nb\u2028', 'none': None}
    ]
    world.emit('plain', n=float('nan'))
    event = client.event()
    assert event is not None
    assert event[1]['body'] is None
    assert event[1]['problem'].startswith("body['n']: the number nan")


@pytest.mark.parametrize('value', [{1: 'a', '1': 'b'}, {(1, 2): 'a'}, [float('inf')]])
def test_event_without_a_form_in_json_says_so_and_the_next_one_arrives(serve, value):
    world = serve()
    client = world.ask('?type=plain').open()
    world.emit('plain', value=value)
    name, told = client.event() or ('', {})
    assert (name, told['body'], told['source']) == ('plain', None, 'test')
    assert told['problem'].startswith("body['value']")
    world.emit('plain', n=1)
    assert client.bodies(1) == [{'n': 1}]


def test_client_that_comes_back_gets_new_events_whatever_it_says_that_it_has_got(serve):
    world = serve()
    first = world.ask('?type=plain').open()
    world.emit('plain', n=0)
    last = dict(first.block() or [])['id']
    for said in (last, '', '-1', '\x80\xfc', "' OR 1=1", 'x' * 4000):
        client = world.ask('?type=plain', f'Last-Event-ID: {said}').open()
        world.emit('plain', n=1)
        assert client.bodies(1) == [{'n': 1}]


def test_event_that_several_topics_match_arrives_once(serve):
    world = serve()
    client = world.ask('?type=shop.*&type=%23.late&type=shop.late').open()
    world.emit('shop.late', n=1)
    world.emit('late', n=2)
    world.emit('shop.paid', n=3)
    assert sorted(body['n'] for body in client.bodies(3)) == [1, 2, 3]
    world.emit('late', n=4)
    assert client.bodies(1) == [{'n': 4}]


def test_clients_of_one_type_share_a_subscription_that_ends_with_the_last(serve):
    world = serve(heartbeat=0.05)
    clients = [world.ask('?type=plain') for _ in range(3)]
    for client in clients:
        client.open()
    assert world.events.topics == ['plain']
    world.emit('plain', n=1)
    assert [client.bodies(1) for client in clients] == [[{'n': 1}]] * 3
    for client in clients[:2]:
        client.close()
    eventually(lambda: open_streams(world) == 1)
    assert world.events.topics == ['plain']
    clients[2].close()
    eventually(lambda: not world.events.topics)
    assert open_streams(world) == 0


def test_events_come_in_their_order_from_a_store_on_the_disk(serve, tmp_path):
    system = EmbeddedEventSystem(str(tmp_path))
    world = serve(stored=system)
    client = world.ask('?type=shop.*&type=plain').open()
    for number in range(20):
        world.emit('shop.ordered', n=number, raw=b'x')
    assert [body['n'] for body in client.bodies(20)] == list(range(20))


def test_clients_cannot_make_subscriptions_without_end(serve):
    world = serve()
    queries = ['&'.join(f'type=shop.t{30 * n + k}' for k in range(30)) for n in range(5)]
    clients = [world.ask(f'?{query}').open() for query in queries]
    assert len(world.events.topics) == 101
    assert world.events.topics[-1] == 'shop.*'
    late = world.ask('?type=plain&type=shop.t1&type=shop.t149').open()
    assert len(world.events.topics) == 102
    for number in (1, 149, 500):
        world.emit(f'shop.t{number}', n=number)
    world.emit('plain', n=0)
    assert sorted(body['n'] for body in late.bodies(3)) == [0, 1, 149]
    assert clients[0].bodies(1) == [{'n': 1}]
    assert clients[4].bodies(1) == [{'n': 149}]
    for client in [*clients, late]:
        client.close()
    eventually(lambda: not world.events.topics)


@pytest.mark.parametrize(
    ('query', 'status', 'text'),
    [
        ('?type=secret', 404, 'no event type'),
        ('?type=plain&type=secret', 404, 'no event type'),
        ('?type=%23', 404, 'no event type'),
        ('?type=*', 404, 'no event type'),
        ('?type=lymph.task.late', 404, 'no event type'),
        ('', 400, '?type='),
        ('?type=', 400, 'expected'),
        ('?type=a%0Ab', 400, 'expected'),
        ('?type=' + 'a' * 300, 400, '255 bytes'),
    ],
)
def test_other_queries_are_refused_and_subscribe_to_nothing(serve, query, status, text):
    world = serve()
    client = world.ask(query)
    found, headers = client.head()
    assert found == status
    assert text in json.loads(client.file.read(int(headers['content-length'])))['message']
    assert world.events.topics == []


def test_gateway_without_the_key_has_no_streams(serve):
    assert serve(events=None).ask('?type=plain').head()[0] == 404


def test_head_and_other_methods_subscribe_to_nothing(serve):
    world = serve()
    status, headers = world.ask('?type=plain', method='HEAD').head()
    assert status == 200
    assert headers['content-type'].startswith('text/event-stream')
    assert world.ask('?type=plain', 'Content-Length: 0', method='POST').head()[0] == 405
    assert world.events.topics == []


def test_heartbeats_keep_a_quiet_stream_alive(serve):
    client = serve(heartbeat=0.05).ask('?type=plain').open()
    assert [client.block() for _ in range(3)] == [[('', '')]] * 3


def test_stream_is_neither_compressed_nor_cut_by_the_deadline_of_requests(serve):
    world = serve(compression=True, timeout=0.05, heartbeat=0.05)
    client = world.ask('?type=plain', 'Accept-Encoding: gzip', 'X-Request-Timeout: 0.05')
    status, headers = client.head()
    assert status == 200
    assert 'content-encoding' not in headers
    assert [client.block() for _ in range(5)][1:] == [[('', '')]] * 4  # each 0.025 s later
    world.emit('plain', n=1)
    assert client.bodies(1) == [{'n': 1}]


def test_stream_more_than_allowed_is_refused_until_another_has_ended(serve):
    world = serve(max_streams=1, heartbeat=0.05)
    first = world.ask('?type=plain').open()
    status, headers = world.ask('?type=plain').head()
    assert status == 503
    assert int(headers['retry-after']) > 0
    first.close()
    eventually(lambda: open_streams(world) == 0)
    world.ask('?type=plain').open()


def test_streams_leave_places_of_the_pool_for_other_requests(serve):
    world = serve(wsgi_pool_size=4)
    for _ in range(2):
        world.ask('?type=plain').open()
    assert world.ask('?type=plain').head()[0] == 503
    assert world.ask('?type=secret').head()[0] == 404


def test_slow_client_is_told_what_it_has_lost_and_others_get_everything(serve):
    world = serve(max_backlog=20)
    slow, fast = world.ask('?type=plain').open(), world.ask('?type=plain').open()
    text = 'x' * 100_000
    count = 0
    while world.events.topics and count < 400:
        world.emit('plain', n=count, text=text)
        assert fast.bodies(1)[0]['n'] == count
        count += 1
    sent = 0
    while (event := slow.event()) is not None and event[0] == 'plain':
        assert event[1]['body']['n'] == sent
        sent += 1
    name, told = event
    assert (name, list(told)) == ('lymph.behind', ['lost'])
    assert 0 < told['lost'] <= count - sent  # up to when there was room to tell it
    assert slow.event() is None
    assert ('streams.behind', 1) in {(name, value) for name, value, _ in world.container.metrics}
    eventually(lambda: open_streams(world) == 1)
    world.emit('plain', n=-1)
    assert fast.bodies(1) == [{'n': -1}]


def test_client_that_never_reads_again_is_cut_off(serve):
    world = serve(max_backlog=1, stall_timeout=0.2)
    world.ask('?type=plain').open()
    for number in range(40):
        world.emit('plain', n=number, text='x' * 500_000)
    eventually(lambda: open_streams(world) == 0)
    eventually(lambda: not world.events.topics)


def test_client_that_closes_its_connection_is_noticed_long_before_the_heartbeat(serve):
    world = serve(heartbeat=1000)
    world.ask('?type=plain').open().close()
    eventually(lambda: open_streams(world) == 0)
    assert world.events.topics == []


def test_client_that_only_closes_its_own_side_gets_its_events(serve):
    world = serve(heartbeat=1000)
    client = world.ask('?type=plain').open()
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.block() for _ in range(2)] == [[('', '')]] * 2
    world.emit('plain', n=1)
    assert client.bodies(1) == [{'n': 1}]


def test_drain_ends_all_streams_properly(serve):
    world = serve()
    clients = [world.ask('?type=plain').open() for _ in range(2)]
    drained = gevent.spawn(world.container.drain)
    for client in clients:
        assert client.event() is None
        client.close()
    assert drained.get(timeout=WAIT) == 0  # nothing was cut


def test_stream_does_not_outlast_its_next_heartbeat_in_a_drain(serve, monkeypatch):
    world = serve(heartbeat=0.05)
    client = world.ask('?type=plain').open()
    monkeypatch.setattr(world.container, 'draining', True)  # calls still arrive
    with gevent.Timeout(WAIT):
        assert client.event() is None
    eventually(lambda: open_streams(world) == 0)
    monkeypatch.undo()


def test_client_that_comes_while_the_process_drains_is_sent_elsewhere(serve, monkeypatch):
    world = serve()
    monkeypatch.setattr(world.container, 'draining', True)
    client = world.ask('?type=plain').open()
    assert client.event() is None
    assert world.events.topics == []
    monkeypatch.undo()


def test_clients_learn_that_the_event_system_is_not_available(serve):
    world = serve()
    world.events.error = SubscriptionError('no broker at 10.1.2.3')
    answers = [world.ask('?type=plain') for _ in range(2)]
    for client in answers:
        status, headers = client.head()
        assert status == 503
        assert int(headers['retry-after']) > 0
        assert b'10.1.2.3' not in client.file.read(int(headers['content-length']))
    world.events.error = None
    assert open_streams(world) == 0
    world.ask('?type=plain').open()


def test_stop_ends_streams_at_once(serve):
    world = serve()
    client = world.ask('?type=plain').open()
    world.container.stop()
    assert client.event() is None


@pytest.mark.parametrize(
    ('config', 'text'),
    [
        ({'events': []}, r"events: expected event types, like \['shop\.\*'\], found none"),
        ({'events': 'shop.*'}, r'events: expected a list'),
        ({'events': ['shop.']}, r'events: expected .* words'),
        ({'events': ['a*']}, r'events: expected \* and # as words'),
        ({'events': [1]}, r'events: expected a topic as text, found int'),
        ({'max_streams': 0}, r'max_streams: expected'),
        ({'max_streams': 5, 'wsgi_pool_size': 5}, r'max_streams: expected fewer than the 5 places'),
        ({'heartbeat': 0}, r'heartbeat: expected'),
        ({'max_backlog': 'x'}, r'max_backlog: expected'),
    ],
)
def test_invalid_values_are_errors_at_the_start(serve, config, text):
    with pytest.raises(ConfigurationError, match=text):
        serve(**config)


def test_wildcard_shows_no_tasks(serve):
    world = serve(events=['#'])
    client = world.ask('?type=%23').open()
    world.shop.pay.apply(card='secret')
    world.emit('plain', n=1)
    assert client.bodies(1) == [{'n': 1}]
