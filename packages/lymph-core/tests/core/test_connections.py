from __future__ import annotations

import gc
import weakref

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import connections
from lymph.core.messages import REP, Message
from lymph.core.transport.memory import MemoryTransport
from lymph.exceptions import ConnectionLost, Expired, NotConnected, RpcError, Timeout
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = 0
        self.gate = Event()
        self.begun = Queue()

    @lymph.rpc()
    def echo(self, text=None):
        self.calls += 1
        return text

    @lymph.rpc()
    def wait(self):
        self.begun.put(True)
        self.gate.wait(30)


class Peer:
    """A service that answers when the test says so."""

    def __init__(self, network):
        self.arrived = Queue()
        self.links = []
        self.transport = MemoryTransport(network=network)
        self.endpoint = self.transport.listen('memory://', self).endpoint

    def link_up(self, link):
        self.links.append(link)

    def link_down(self, link, reason):
        self.links.remove(link)

    def message_arrived(self, link, frames):
        self.arrived.put(Message.from_frames(frames))

    def next(self):
        return self.arrived.get(timeout=5)

    def answer(self, request, body=None):
        self.links[0].send(Message(REP, request.id, body).frames())


@pytest.fixture
def peer(world):
    peer = Peer(world.network)
    yield peer
    peer.transport.close()


@pytest.fixture
def caller(world):
    return world.container()


def stats(container, endpoint):
    (found,) = (c for c in container.rpc.stats()['connections'] if c['endpoint'] == endpoint)
    return found


def test_all_calls_to_an_endpoint_share_a_connection(caller, peer, spawn):
    calls = [spawn(caller.request, peer.endpoint, 'a.b', {'n': n}, timeout=5) for n in range(10)]
    requests = [peer.next() for _ in calls]
    assert stats(caller, peer.endpoint)['pending'] == 10
    for request in reversed(requests):  # replies come in any order
        peer.answer(request, request.body['n'])
    assert [call.get(timeout=5) for call in calls] == list(range(10))
    assert len(peer.links) == 1
    assert {**stats(caller, peer.endpoint), 'age': 0} == {
        'endpoint': peer.endpoint,
        'state': 'up',
        'silent': False,
        'pending': 0,
        'requests': 10,
        'replies': 10,
        'timeouts': 0,
        'given_up': 0,
        'strays': 0,
        'age': 0,
    }


def test_headers_carry_trace_id_and_timeout_and_the_version_if_given(caller, peer, spawn):
    spawn(caller.request, peer.endpoint, 'a.b', timeout=5, version='1.2')
    headers = peer.next().headers
    assert len(headers.pop('trace_id')) == 32
    assert 0 < headers.pop('timeout') <= 5
    assert headers == {'version': '1.2'}
    spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    assert set(peer.next().headers) == {'trace_id', 'timeout'}


def junk(request):
    return {
        'too few frames': [b'i', REP, request.id],
        'no reply': [b'i', b'REQ', request.id, b'\x80', b'\x80'],
        'no type': [b'i', b'NOPE', request.id, b'\x80', b'\x80'],
        'another request': [b'i', REP, b'somebody else', b'\x80', b'\x80'],
        'nothing': [],
    }


@pytest.mark.parametrize('kind', junk(Message(b'REQ', 'a.b')))
def test_messages_that_answer_no_call_are_counted_and_dropped(caller, peer, spawn, kind):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    request = peer.next()
    peer.links[0].send(junk(request)[kind])
    peer.answer(request, 'the answer')
    assert call.get(timeout=5) == 'the answer'
    assert stats(caller, peer.endpoint)['strays'] == 1


def test_second_reply_is_dropped(caller, peer, spawn):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    request = peer.next()
    peer.answer(request, 'first')
    peer.answer(request, 'second')
    assert call.get(timeout=5) == 'first'
    eventually(lambda: stats(caller, peer.endpoint)['strays'] == 1)


def test_closing_a_connection_ends_its_calls(caller, peer, spawn):
    calls = [spawn(caller.request, peer.endpoint, 'a.b', timeout=5) for _ in range(3)]
    for _ in calls:
        peer.next()
    caller.connect(peer.endpoint).close('no more')
    for call in calls:
        with pytest.raises(ConnectionLost, match='no more'):
            call.get(timeout=5)
    assert caller.rpc.stats()['connections'] == []


def test_link_that_fails_to_come_up_raises_not_connected(world, caller, peer):
    assert caller.connect(peer.endpoint).state == 'connecting'
    world.network.cut()
    with pytest.raises(NotConnected, match='cut'):
        caller.request(peer.endpoint, 'a.b', timeout=5, retries=0)
    assert caller.rpc.stats()['connections'] == []


def test_peer_that_sends_nothing_is_pinged_and_counts_as_silent(caller, peer, monkeypatch):
    monkeypatch.setattr(connections, 'PROBE_INTERVAL', 0.02)
    with pytest.raises(Timeout):
        caller.request(peer.endpoint, 'a.b', timeout=0.02)
    assert stats(caller, peer.endpoint)['silent']
    assert peer.next().subject == b'a.b'
    questions = [peer.next() for _ in range(3)]  # again and again
    assert {question.subject for question in questions} == {b'lymph.ping'}
    peer.answer(questions[-1])
    eventually(lambda: not stats(caller, peer.endpoint)['silent'])


def test_a_peer_that_answers_others_is_not_silent(caller, peer, spawn):
    slow = spawn(caller.request, peer.endpoint, 'slow.call', timeout=0.1)
    peer.next()
    quick = spawn(caller.request, peer.endpoint, 'quick.call', timeout=5)
    peer.answer(peer.next())
    quick.get(timeout=5)
    with pytest.raises(Timeout):
        slow.get(timeout=5)
    assert not stats(caller, peer.endpoint)['silent']


def test_other_instances_are_called_while_one_is_silent(world, caller, spawn):
    silent, good = (world.container((Echo, 'echo')) for _ in range(2))
    caller.request(silent.endpoint, 'echo.echo')
    connection = caller.connect(silent.endpoint)
    connection.silent = True
    before = silent.interfaces[0].calls
    for _ in range(30):
        caller.request('echo', 'echo.echo')
    assert silent.interfaces[0].calls == before
    assert good.interfaces[0].calls == 30
    caller.request(silent.endpoint, 'echo.echo')  # it answers again
    for _ in range(30):
        caller.request('echo', 'echo.echo')
    assert silent.interfaces[0].calls > before + 1


def test_each_call_ends_at_its_own_deadline(caller, peer, spawn):
    """The ping of a silent peer must not delay the deadlines of other calls."""
    ended = []

    def call(name, timeout):
        with pytest.raises(Timeout):
            caller.request(peer.endpoint, 'a.b', timeout=timeout)
        ended.append(name)

    calls = [spawn(call, name, t) for name, t in (('third', 0.2), ('first', 0.02), ('second', 0.1))]
    for waiting in calls:
        waiting.get(timeout=4)  # less than the pause between two questions
    assert ended == ['first', 'second', 'third']


def test_idle_connection_is_closed(world, peer, spawn):
    caller = world.container(rpc_idle_timeout=0.05)
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    request = peer.next()
    assert len(peer.links) == 1  # kept while a call waits, however long that takes
    eventually(lambda: stats(caller, peer.endpoint)['age'] > 0.2)
    peer.answer(request, 'x')
    assert call.get(timeout=5) == 'x'
    eventually(lambda: caller.rpc.stats()['connections'] == [] and peer.links == [])
    spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    assert peer.next().subject == b'a.b'


def test_lost_connection_is_not_reused(world, peer, spawn):
    caller, ended = world.container(rpc_idle_timeout=0.02), Queue()

    def call():
        try:
            caller.request(peer.endpoint, 'a.b', timeout=5, retries=0)
        except RpcError as error:
            ended.put(type(error).__name__)

    spawn(call)
    peer.next()
    gone = weakref.ref(caller.connect(peer.endpoint))
    eventually(lambda: stats(caller, peer.endpoint)['age'] > 0.1)  # it was found in use meanwhile
    world.network.cut()
    assert ended.get(timeout=5) == 'ConnectionLost'

    def is_gone():
        gc.collect()
        return gone() is None

    eventually(is_gone)


def test_the_connection_to_an_instance_that_left_is_closed(world, caller):
    service = world.container((Echo, 'echo'), drain_timeout=5)
    caller.request('echo', 'echo.echo')
    assert len(caller.rpc.stats()['connections']) == 1
    service._registrations.withdraw()
    eventually(lambda: caller.rpc.stats()['connections'] == [])


def test_calls_in_flight_to_an_instance_that_left_are_finished(world, caller, spawn):
    service = world.container((Echo, 'echo')).interfaces[0]
    call = spawn(caller.request, 'echo', 'echo.wait', timeout=5)
    service.begun.get(timeout=5)
    service.container._registrations.withdraw()
    service.gate.set()
    assert call.get(timeout=5) is None


class Congested:
    """Makes sending wait, as it does when the other side does not read."""

    def __init__(self, transport):
        self.room = Event()
        self.waiting = 0
        connect = transport.connect

        def connect_congested(endpoint, handler):
            link = connect(endpoint, handler)
            link.send = lambda frames, send=link.send: self.send(send, frames)
            return link

        transport.connect = connect_congested

    def send(self, send, frames):
        if gevent.getcurrent() is gevent.get_hub():
            return  # dropped
        self.waiting += 1
        try:
            self.room.wait(30)
        finally:
            self.waiting -= 1
        send(frames)


@pytest.fixture
def congested(caller):
    return Congested(caller._transport)


def test_call_to_a_peer_that_does_not_read_ends_by_its_deadline(caller, peer, congested, spawn):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=0.05)
    with pytest.raises(Expired, match=r'a\.b at .*: the peer read nothing for 0\.05 s') as caught:
        call.get(timeout=5)
    assert caught.value.executed == 'no'
    assert congested.waiting == 0
    assert stats(caller, peer.endpoint)['silent']
    assert stats(caller, peer.endpoint)['pending'] == 1  # the question whether it is alive


def test_call_is_sent_when_the_peer_reads_again(caller, peer, congested, spawn):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    eventually(lambda: congested.waiting == 1)
    congested.room.set()
    peer.answer(peer.next(), 'x')
    assert call.get(timeout=5) == 'x'


def test_a_call_whose_link_breaks_before_it_was_sent_did_not_run(
    world, caller, peer, congested, spawn
):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5, retries=0)
    eventually(lambda: congested.waiting == 1)
    world.network.cut()
    congested.room.set()  # links let go of whoever waits when they go down
    with pytest.raises(NotConnected):
        call.get(timeout=5)
    assert peer.arrived.empty()


def test_caller_killed_while_sending_leaves_no_state_behind(caller, peer, congested, spawn):
    call = spawn(caller.request, peer.endpoint, 'a.b', timeout=5)
    eventually(lambda: congested.waiting == 1)
    call.kill()
    assert stats(caller, peer.endpoint)['pending'] == 0
    congested.room.set()
    assert peer.arrived.empty()
