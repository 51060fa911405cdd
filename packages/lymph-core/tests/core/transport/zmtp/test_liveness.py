from __future__ import annotations

import pytest
from gevent.event import Event

from lymph.core._protocol.zmtp.frames import encode_command
from lymph.core._protocol.zmtp.handshake import GREETING
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import block_loop, eventually, let_pass

QUICK = {'heartbeat_interval': 0.02, 'unresponsive_timeout': 0.2}
PING = encode_command(b'\x04PING\0\0')
PONG = encode_command(b'\x04PONG')
GREETING_3_0 = GREETING[:11] + b'\x00' + GREETING[12:]


def test_idle_link_is_pinged_and_stays_up_while_it_answers(transport, peer):
    handler = RecordingHandler(echoes=True)
    caller = peer(transport(**QUICK).listen('tcp://127.0.0.1:0', handler).endpoint).shake_hands()
    for _ in range(30):  # three times the limit
        caller.received = b''
        caller.read_until(PING)
        caller.send(PONG)
    caller.send_message(b'x')
    assert caller.receive() == [b'echo', b'x']
    assert not handler.downs


def test_two_transports_keep_an_idle_link_up(transport):
    accepting, handler, seen = RecordingHandler(), RecordingHandler(), []
    one, two = transport(**QUICK), transport(**QUICK)
    listener = one.listen('tcp://127.0.0.1:0', accepting)
    link = two.connect(listener.endpoint, handler)
    silent = transport(**QUICK)
    gone = RecordingHandler()
    with FaultProxy('127.0.0.1', int(listener.endpoint.rpartition(':')[2])) as proxy:
        for _ in range(3):  # others that fall silent meanwhile tell how much time has passed
            silent.connect(f'tcp://{proxy.address}', gone)
            eventually(lambda: len(gone.ups) > len(gone.downs), 10)
            proxy.blackhole('both')
            eventually(lambda: len(gone.ups) == len(gone.downs), 10)
            seen.append(link.up)
            proxy.cut()
            proxy.heal()
    assert seen == [True] * 3
    assert handler.downs == []


@pytest.mark.parametrize('direction', ['both', 'to_server', 'to_client'])
def test_a_peer_behind_a_cut_cable_is_noticed_on_both_sides(transport, direction):
    accepting, handler = RecordingHandler(echoes=True), RecordingHandler()
    listener = transport(**QUICK).listen('tcp://127.0.0.1:0', accepting)
    with FaultProxy('127.0.0.1', int(listener.endpoint.rpartition(':')[2])) as proxy:
        link = transport(**QUICK).connect(f'tcp://{proxy.address}', handler)
        eventually(lambda: link.up, 10)
        link.send([b'x'])
        eventually(lambda: handler.messages, 10)
        proxy.blackhole(direction)
        eventually(lambda: handler.downs and accepting.downs, 10)
        reasons = {reason for _, reason in handler.downs + accepting.downs}
        assert 'the peer has been silent for 0.2 s' in reasons


def test_silent_peer_is_disconnected(transport, peer):
    handler = RecordingHandler()
    caller = peer(transport(**QUICK).listen('tcp://127.0.0.1:0', handler).endpoint).shake_hands()
    caller.read_to_the_end()
    eventually(lambda: handler.downs, 10)
    assert handler.downs[0][1] == 'the peer has been silent for 0.2 s'
    assert caller.received.count(PING) >= 3


def test_ttl_of_a_peer_is_respected(transport, peer):
    handler = RecordingHandler()
    options = {'heartbeat_interval': 0.1, 'unresponsive_timeout': 1000}
    caller = peer(transport(**options).listen('tcp://127.0.0.1:0', handler).endpoint).shake_hands()
    caller.send(encode_command(b'\x04PING\x00\x02'))
    caller.read_to_the_end()
    eventually(lambda: handler.downs, 10)
    assert handler.downs[0][1] == 'the peer has been silent for 0.2 s, its own limit'


def test_zmtp_3_0_peer_is_neither_pinged_nor_disconnected(transport, peer):
    handler = RecordingHandler(echoes=True)
    listener = transport(**QUICK).listen('tcp://127.0.0.1:0', handler)
    old = peer(listener.endpoint)
    old.send(GREETING_3_0 + old.session.opening()[64:])
    old.send_message(b'hello')
    assert old.receive() == [b'echo', b'hello']
    for _ in range(2):
        peer(listener.endpoint).shake_hands().read_to_the_end()
    old.send_message(b'still here')
    assert old.receive() == [b'echo', b'still here']
    assert b'PING' not in old.received


def test_blocked_loop_disconnects_no_peer(transport):
    accepting, handler = RecordingHandler(echoes=True), RecordingHandler()
    listener = transport(**QUICK).listen('tcp://127.0.0.1:0', accepting)
    link = transport(**QUICK).connect(listener.endpoint, handler)
    eventually(lambda: link.up, 10)
    for number in range(1, 4):
        block_loop(0.3, 'for longer than a peer may be silent')
        link.send([b'x'])
        eventually(lambda count=number: len(handler.messages) == count, 10)
    assert handler.downs == accepting.downs == []


def test_a_peer_that_is_slow_to_take_a_long_message_is_alive(transport, listening_peer):
    taken, stalled = [], Event()

    def take_slowly(peer):
        peer.shake_hands()
        while sum(taken) < 10_000_000:
            taken.append(len(peer.socket.recv(100_000)))
            let_pass(0.01, 'a peer that is slow, but not silent')
        stalled.wait()

    handler = RecordingHandler()
    link = transport(**QUICK).connect(listening_peer(take_slowly), handler)
    eventually(lambda: link.up, 10)
    link.send([bytes(20_000_000)])
    eventually(lambda: sum(taken) >= 10_000_000 or handler.downs, 30)
    assert handler.downs == []
    eventually(lambda: handler.downs, 10)  # for now it has stopped
    assert handler.downs[0][1] == 'the peer has been silent for 0.2 s'
    stalled.set()
