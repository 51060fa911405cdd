"""Errors between libzmq and a handler: none of them ends a listener or a link for good."""

from __future__ import annotations

import errno
import logging

import gevent
import pytest
import zmq
from gevent import socket

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.handshake import GREETING
from lymph.core.transport._zeromq import link, monitor, router
from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

SIGNATURE = GREETING[:10]
DEALER, REQ = b'\x05', b'\x03'


def zmtp_2(identity=b'', kind=DEALER):
    return SIGNATURE + b'\x01' + kind + bytes((0, len(identity))) + identity


def zmtp_1(identity=b''):
    return bytes((len(identity) + 1, 0)) + identity


@pytest.fixture
def service():
    """A listener that echoes, and the messages that it got."""
    transport, handler = ZeromqTransport(), RecordingHandler(echoes=True)
    listener = transport.listen('tcp://127.0.0.1:0', handler)
    yield listener, handler
    transport.close()
    assert handler.violations == []


@pytest.fixture
def caller(service):
    """A link to the service, and the messages that it got."""
    transport, handler = ZeromqTransport(), RecordingHandler()
    link = transport.connect(service[0].endpoint, handler)
    eventually(lambda: link.up, 10)
    yield link, handler
    transport.close()


def answered(caller, text):
    link, handler = caller
    link.send([text])
    eventually(lambda: [b'echo', text] in handler.messages, 10)


@pytest.mark.parametrize(
    'opening',
    [
        zmtp_2(),
        zmtp_2(b'chosen'),
        zmtp_2(b'\0\0\0\0\1'),
        zmtp_2(kind=REQ),
        zmtp_1(),
        zmtp_1(b'chosen'),
    ],
    ids=['2.0', '2.0 with identity', '2.0 with an id of libzmq', '2.0 REQ', '1.0', '1.0 identity'],
)
def test_messages_of_peers_with_an_older_zmtp_are_dropped_and_counted(service, caller, opening):
    listener, handler = service
    answered(caller, b'before')
    with socket.create_connection(split_tcp(listener.endpoint)) as old:
        old.sendall(opening)
        frame = b'\x02\x00x' if opening[0] != 0xFF else encode_message([b'x'])
        for number in range(1, 201):
            old.sendall(frame)
            if number % 50 == 0:
                eventually(lambda count=number: listener.dropped >= count, 10)
                answered(caller, b'%d' % number)
    answered(caller, b'after')
    assert len(handler.ups) == 1
    assert listener.trouble is None


def test_flood_from_peers_with_an_older_zmtp_makes_few_log_lines(service, caller, caplog):
    listener, _ = service
    with socket.create_connection(split_tcp(listener.endpoint)) as old:
        old.sendall(zmtp_2())
        old.sendall(encode_message([b'x']) * 20_000)
        eventually(lambda: listener.dropped == 20_000, 30)
    answered(caller, b'after')
    lines = [record for record in caplog.records if 'does not speak' in record.getMessage()]
    assert 1 <= len(lines) < 2000


def test_peer_with_an_older_zmtp_and_the_identity_of_another_is_ignored(service):
    listener, handler = service
    context = zmq.Context()
    with context.socket(zmq.DEALER) as dealer:
        dealer.routing_id = b'me'
        dealer.connect(listener.endpoint)
        dealer.send(b'mine')
        eventually(lambda: dealer.poll(0), 10)
        with socket.create_connection(split_tcp(listener.endpoint)) as thief:
            thief.sendall(zmtp_2(b'me') + encode_message([b'stolen']))
            eventually(lambda: listener.dropped, 10)
    context.term()
    assert handler.messages == [[b'mine']]


@pytest.mark.parametrize(
    'error',
    [
        MemoryError(),
        SystemExit(1),
        KeyboardInterrupt(),
        gevent.Timeout(None),
        zmq.ZMQError(errno.EIO),
        RuntimeError('a fault of our own'),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize('failures', [1, 2, 3])
def test_listener_recovers_from_errors_within_messages(
    service, caller, monkeypatch, error, failures
):
    receive, left = link.receive_frames, [error] * failures

    def fail_at_first(first, socket, limit):
        if left:
            raise left.pop()
        return receive(first, socket, limit)

    monkeypatch.setattr(router, 'receive_frames', fail_at_first)
    for number in range(failures + 1):
        caller[0].send([b'%d' % number, b'second', b'third'])
    answered(caller, b'after')
    handler = service[1]
    # Frames of a message that was lost in the middle are taken for no other message.
    assert set(map(len, handler.messages)) <= {1, 3}
    assert all(m[1:] in ([], [b'second', b'third']) for m in handler.messages)
    assert service[0].trouble is None


def test_blocked_listener_logs_why_and_when_it_recovers(service, caller, monkeypatch, caplog):
    listener, failing = service[0], [True]
    receive = listener.channel._receive

    def fail(socket):
        if failing[0]:
            raise zmq.ZMQError(errno.ENOTSOCK)
        receive(socket)

    monkeypatch.setattr(listener.channel, '_receive', fail)
    caplog.set_level(logging.WARNING)
    caller[0].send([b'waits'])
    eventually(lambda: listener.trouble, 10)
    assert 'ZMQError' in listener.trouble
    failing[0] = False
    eventually(lambda: caller[1].messages == [[b'echo', b'waits']], 10)
    assert listener.trouble is None
    told = [record.getMessage() for record in caplog.records]
    assert sum('stands still' in text for text in told) == 1
    assert sum('receives again' in text for text in told) == 1


def test_callers_are_known_after_errors_in_monitor_events(service, monkeypatch):
    listener, handler = service
    happened, left = router.RouterListener._happened, [MemoryError(), SystemExit(), ValueError()]

    def fail_afterwards(self, event, descriptor):
        happened(self, event, descriptor)
        if left:
            raise left.pop()

    watching = listener._monitor
    monkeypatch.setattr(watching, '_happened', fail_afterwards.__get__(listener))
    transport, callers = ZeromqTransport(), []
    for _ in range(3):
        heard = RecordingHandler()
        callers.append((transport.connect(listener.endpoint, heard), heard))
    for one, heard in callers:
        eventually(lambda one=one: one.up, 10)
        answered((one, heard), b'x')
    assert not left
    for one, _ in callers:
        one.close()
    eventually(lambda: len(handler.downs) == 3, 10)
    transport.close()


def test_callers_are_known_after_libzmq_lost_a_monitor_event(service, monkeypatch):
    listener, handler = service
    take, left = monitor.Monitor._next, [zmq.ZMQError(errno.EINTR), MemoryError()]

    def fail_at_first(self):
        if left and self is listener._monitor:
            raise left.pop()
        return take(self)

    monkeypatch.setattr(monitor.Monitor, '_next', fail_at_first)
    transport, heard = ZeromqTransport(), RecordingHandler()
    one = transport.connect(listener.endpoint, heard)
    eventually(lambda: one.up, 10)
    answered((one, heard), b'x')
    one.close()
    eventually(lambda: len(handler.downs) == 1, 10)
    assert not left
    transport.close()
