"""All links together hold at most `max_buffered`; greedy peers are disconnected, not others."""

from __future__ import annotations

import gevent
import pytest

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core.transport import buffers
from lymph.core.transport.buffers import Buffers
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

MESSAGE = 4_000_000  # bytes, the largest
LIMIT = 4 * MESSAGE
OPTIONS = {'max_message_size': MESSAGE, 'max_buffered': LIMIT}
BEGINNING = encode_message([bytes(3_000_000)])[:-1]


class Echo(RecordingHandler):
    """Answers in greenlets, as services do."""

    def message_arrived(self, link, frames):
        gevent.spawn(self._answer, link, frames)

    def _answer(self, link, frames):
        link.send([b'echo', *frames])


@pytest.fixture
def service(transport, monkeypatch):
    """A transport whose links echo, its listener, the messages, and the most bytes held."""
    monkeypatch.setattr(buffers, '_TICK', 0.05)
    change, most = Buffers.change, [0]

    def remember(self, *args):
        change(self, *args)
        most[0] = max(most[0], self.held)

    monkeypatch.setattr(Buffers, 'change', remember)
    one, handler = transport(**OPTIONS), Echo()
    yield one, one.listen('tcp://127.0.0.1:0', handler), handler, most
    assert most[0] <= LIMIT


def small_calls(caller, count=20):
    for number in range(count):
        caller.send_message(b'%d' % number)
        assert caller.receive() == [b'echo', b'%d' % number]


def large_call(caller):
    message = [bytes(3_500_000)]
    caller.send_message(*message)
    assert caller.receive() == [b'echo', *message]


def test_peers_that_leave_large_messages_incomplete_are_disconnected(service, peer, caplog):
    _, listener, handler, most = service
    healthy = peer(listener.endpoint).shake_hands()
    small_calls(healthy, 1)
    greedy = [peer(listener.endpoint).shake_hands() for _ in range(20)]
    sending = [gevent.spawn(each.send, BEGINNING) for each in greedy]
    eventually(lambda: most[0] > LIMIT // 2, 10)
    small_calls(healthy)
    eventually(lambda: handler.downs, 10)
    small_calls(healthy)
    large_call(healthy)
    for _, reason in handler.downs:
        assert 'container.rpc.max_buffered' in reason
    assert 'container.rpc.max_buffered' in caplog.text
    assert handler.ups[0] not in handler.lost
    gevent.killall(sending)


def test_many_large_messages_at_once_are_served_one_after_another(service, peer):
    _, listener, handler, most = service
    callers = [peer(listener.endpoint).shake_hands() for _ in range(40)]
    calls = [gevent.spawn(large_call, caller) for caller in callers]
    gevent.joinall(calls, timeout=60, raise_error=True)
    assert all(call.successful() for call in calls)
    assert most[0] > LIMIT // 2
    assert handler.downs == []


def test_peers_that_do_not_read_their_answers_are_disconnected(service, peer):
    _, listener, handler, most = service
    healthy = peer(listener.endpoint).shake_hands()
    small_calls(healthy, 1)
    greedy = [peer(listener.endpoint, small_buffers=True).shake_hands() for _ in range(8)]
    for each in greedy:
        gevent.spawn(each.send, encode_message([bytes(3_000_000)]) * 3)
    eventually(lambda: most[0] > LIMIT // 2, 10)
    small_calls(healthy)
    eventually(lambda: handler.downs, 10)
    small_calls(healthy)
    large_call(healthy)
    assert handler.ups[0] not in handler.lost


def test_peers_that_hold_little_are_never_disconnected_for_others(service, peer):
    _, listener, handler, _ = service
    slow = [peer(listener.endpoint).shake_hands() for _ in range(50)]
    for each in slow:
        each.send(encode_message([bytes(1000)])[:-1])
    eventually(lambda: len(handler.ups) == 50, 10)
    for _ in range(20):
        gevent.spawn(peer(listener.endpoint).shake_hands().send, BEGINNING)
    eventually(lambda: len(handler.downs) >= 3, 10)
    for each in slow:
        each.send(b'\0')
        assert each.receive() == [b'echo', bytes(1000)]


def test_announced_message_costs_only_the_bytes_that_have_arrived(transport, peer):
    one = transport()
    listener = one.listen('tcp://127.0.0.1:0', RecordingHandler())
    for _ in range(20):
        peer(listener.endpoint).shake_hands().send(b'\x02' + (60_000_000).to_bytes(8, 'big') + b'x')
    eventually(lambda: one.buffered == 20 * 10, 10)
