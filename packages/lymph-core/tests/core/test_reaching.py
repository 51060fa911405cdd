"""Which links a call waits for and makes; the test decides when links come up and go down."""

from __future__ import annotations

import gevent
import pytest

from lymph.core._calling.calls import Call
from lymph.core._calling.rpc import Rpc
from lymph.core.call_options import DEFAULT_OPTIONS
from lymph.core.services import ServiceInstance
from lymph.core.transport.base import Link, LinkDown, Transport
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import NotConnected, Timeout
from lymph.testing.waiting import eventually


class PuppetLink(Link):
    stage = 'a sign'

    def __init__(self, transport, endpoint, handler):
        self.peer = endpoint
        self.up = False
        self.sent = []
        self._transport = transport
        self._handler = handler

    def send(self, frames):
        if not self.up:
            raise LinkDown('down')
        self.sent.append(frames)

    def close(self, reason='closed'):
        self.down(reason)

    def come_up(self):
        self.up = True
        self._handler.link_up(self)

    def down(self, reason='no'):
        if self._transport.links.get(self.peer) is self:
            self.up = False
            del self._transport.links[self.peer]
            gevent.get_hub().loop.run_callback(self._handler.link_down, self, reason)

    def answer(self):
        frames = [b'', b'REP', self.sent[-1][0], b'\x80', b'\xa1x']
        gevent.get_hub().loop.run_callback(self._handler.message_arrived, self, frames)


class PuppetTransport(Transport):
    """Makes links to ``puppet://name``; those to names that begin with `up` come up at once."""

    schemes = ('puppet',)

    def __init__(self):
        super().__init__()
        self.links = {}
        self.tries = []

    def address(self, ip, port):
        raise NotImplementedError

    listen = address

    def connect(self, endpoint, handler):
        self.tries.append(endpoint)
        link = self.links[endpoint] = PuppetLink(self, endpoint, handler)
        if endpoint.startswith('puppet://up'):
            gevent.get_hub().loop.run_callback(link.come_up)
        if endpoint.startswith('puppet://refused'):
            gevent.get_hub().loop.run_callback(link.down, 'refused')
        return link

    def close(self):
        pass


@pytest.fixture
def transport():
    return PuppetTransport()


@pytest.fixture
def reach(transport):
    """Make the caller's half of a container that knows the service `x` at these names."""
    made = []

    def reach(*names, connect_timeout=30.0):
        instances = [ServiceInstance(name, f'puppet://{name}') for name in names]
        registry = StaticServiceRegistry(services={'x': instances})
        made.append(
            Rpc(transport, lambda: registry, lambda endpoint: None, connect_timeout=connect_timeout)
        )
        return made[-1]

    yield reach
    for rpc in made:
        rpc.on_stop()


def send(rpc, timeout=30.0):
    return rpc.send(call_of('x', timeout))


def call_of(address, timeout):
    return Call.begin(address, 'x.y', None, DEFAULT_OPTIONS, timeout)


def endpoints(transport):
    return {endpoint.removeprefix('puppet://') for endpoint in transport.links}


def test_caller_without_links_connects_to_one_instance_only(reach, transport):
    rpc = reach('up1', 'up2', 'up3', 'up4')
    send(rpc)
    assert len(transport.tries) == 1


def test_slow_instance_makes_the_call_try_others_too(reach, transport, spawn):
    rpc = reach('a', 'b', 'c', 'd')
    call = spawn(send, rpc)
    eventually(lambda: len(transport.links) == 4)
    transport.links['puppet://c'].come_up()
    call.get(timeout=5)
    assert len(transport.links['puppet://c'].sent) == 1
    assert len(transport.tries) == 4


def test_calls_share_connections_that_are_being_made(reach, transport, spawn):
    rpc = reach('a', 'b')
    calls = [spawn(send, rpc) for _ in range(20)]
    eventually(lambda: len(transport.links) == 2)
    eventually(lambda: sum(rpc._dialer.load(f'puppet://{n}') for n in 'ab') == 40)
    transport.links['puppet://b'].come_up()
    gevent.joinall(calls, timeout=5, raise_error=True)
    assert len(transport.links['puppet://b'].sent) == 20
    assert len(transport.tries) == 2


def test_links_that_are_up_are_used_while_others_connect_in_the_background(reach, transport):
    rpc = reach('up', 'a', 'b')
    for _ in range(50):
        send(rpc)
    assert endpoints(transport) == {'up', 'a', 'b'}
    assert len(transport.links['puppet://up'].sent) == 50
    assert len(transport.tries) == 3


def test_a_link_that_comes_up_is_used_from_then_on(reach, transport):
    rpc = reach('up', 'a')
    while 'puppet://a' not in transport.links:
        send(rpc)
    transport.links['puppet://a'].come_up()
    eventually(lambda: send(rpc) and transport.links['puppet://a'].sent)


def test_failed_endpoint_is_not_dialled_during_its_pause(reach, transport):
    rpc = reach('up', 'refused')
    while len(transport.tries) < 2:
        send(rpc)
    gevent.sleep(0)
    for _ in range(200):
        send(rpc)
    assert len(transport.tries) <= 3
    eventually(lambda: send(rpc) and transport.tries.count('puppet://refused') == 4)
    (unreachable,) = rpc.stats()['unreachable']
    assert (unreachable['endpoint'], unreachable['reason']) == ('puppet://refused', 'refused')


def test_link_that_is_not_up_in_time_fails_and_names_what_it_waited_for(reach, transport):
    rpc = reach('a', connect_timeout=0.05)
    said = r'^1 instance of x known, none reachable: puppet://a: no connection within 0\.05 s, '
    with gevent.Timeout(10), pytest.raises(NotConnected, match=said + 'still waiting for a sign'):
        rpc.request(call_of('x', 60))
    assert transport.tries == ['puppet://a']
    assert rpc.stats()['connections'] == []


def test_call_with_little_time_ends_in_time_and_leaves_its_connection_to_the_next(reach, transport):
    rpc = reach('a')
    with pytest.raises(NotConnected, match='no connection by the deadline of the call') as caught:
        rpc.request(call_of('x', 0.05))
    assert caught.value.executed == 'no'
    transport.links['puppet://a'].come_up()
    send(rpc)
    assert transport.tries == ['puppet://a']


def test_all_instances_are_tried_before_a_call_gives_up(reach, transport):
    names = [f'refused{n}' for n in range(12)]
    rpc = reach(*names)
    with pytest.raises(NotConnected, match='12 instances of x known, none reachable'):
        rpc.request(call_of('x', 30))
    assert set(transport.tries) == {f'puppet://{name}' for name in names}


def test_one_reachable_instance_among_many_is_found(reach, transport, spawn):
    rpc = reach(*(f'refused{n}' for n in range(12)), *'abcdefghijkl', 'up')
    call = spawn(rpc.request, call_of('x', 30))
    eventually(lambda: 'puppet://up' in transport.links and transport.links['puppet://up'].sent)
    transport.links['puppet://up'].answer()
    assert call.get(timeout=5) == 'x'


def test_the_only_instance_is_tried_again_with_pauses_when_it_fails(reach, transport, spawn):
    rpc = reach('refused')
    for _ in range(4):
        with pytest.raises(NotConnected):
            send(rpc)
    calls = [spawn(send, rpc) for _ in range(10)]
    gevent.joinall(calls, timeout=10)
    assert all(isinstance(call.exception, NotConnected) for call in calls)
    assert len(transport.tries) == 5


def test_failed_attempt_of_another_call_counts_for_a_call_that_wakes_up_later(
    reach, transport, monkeypatch
):
    rpc = reach('refused')
    for _ in range(2):
        with pytest.raises(NotConnected):
            send(rpc)
    sleep = gevent.sleep

    def wake_up_late(seconds):
        monkeypatch.setattr(gevent, 'sleep', sleep)
        sleep(seconds)
        with pytest.raises(NotConnected):
            send(rpc)

    monkeypatch.setattr(gevent, 'sleep', wake_up_late)
    with pytest.raises(NotConnected, match='puppet://refused: refused'):
        send(rpc)
    assert len(transport.tries) == 3


def test_silent_peer_is_called_if_it_is_the_only_one(reach, transport, spawn):
    rpc = reach('up', 'a')
    rpc.connect('puppet://up')
    eventually(lambda: transport.links['puppet://up'].up)
    rpc.connect('puppet://up').silent = True
    spawn(send, rpc)
    eventually(lambda: transport.links['puppet://up'].sent)
    assert endpoints(transport) == {'up', 'a'}


def test_peer_is_avoided_from_its_first_unanswered_call_until_it_sends_something(reach, transport):
    rpc = reach('up1', 'up2')
    late = rpc.send(call_of('puppet://up1', 0.05))
    answered = rpc.send(call_of('puppet://up1', 30))
    one, other = transport.links['puppet://up1'], rpc.connect('puppet://up2')
    one.answer()
    answered.wait()
    with pytest.raises(Timeout):
        late.wait()
    eventually(lambda: other.ready)
    for _ in range(20):
        send(rpc)
    calls = [frames for frames in one.sent if frames[2] == b'x.y']
    assert len(calls) == 2
    one.answer()  # to the question whether it is there
    eventually(lambda: send(rpc) and one.sent[-1][2] == b'x.y')


def test_an_endpoint_that_left_the_registry_is_forgotten_with_its_failures(reach, transport):
    rpc = reach('refused', 'up')
    while not rpc.stats()['unreachable']:
        send(rpc)
        gevent.sleep(0)
    rpc.release('puppet://refused')
    assert rpc.stats()['unreachable'] == []


def test_a_connection_that_this_side_closes_is_made_again_by_the_next_call(reach, transport):
    rpc = reach('up')
    send(rpc)
    rpc.connect('puppet://up').close('idle')
    send(rpc)
    assert transport.tries == ['puppet://up'] * 2
