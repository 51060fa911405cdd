"""Callers leave no state behind in a service, and calls leave none in their callers."""

from __future__ import annotations

import gc
import itertools
import resource
import socket
import struct

import gevent
import gevent.socket
import pytest

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.session import ZmtpSession
from lymph.core.messages import REP, REQ, Message
from lymph.core.transport.endpoints import split_tcp
from lymph.testing.waiting import eventually

MEGABYTE = 1 << 20
AT_ONCE = struct.pack('ii', 1, 0)  # SO_LINGER: close with a reset


class ShortLived:
    """Callers that connect, may call, and disconnect in one of several ways."""

    def __init__(self, endpoint):
        self.answers = 0
        self._address = split_tcp(endpoint)

    def come_and_go(self, count, at_once=20):
        numbers = iter(range(count))
        ways = itertools.cycle([self._call, self._ask_and_go, self._half_greet, self._reset])

        def one_after_another():
            for _ in numbers:
                with gevent.socket.create_connection(self._address, timeout=20) as sock:
                    next(ways)(sock, ZmtpSession('DEALER', MEGABYTE))

        gevent.joinall([gevent.spawn(one_after_another) for _ in range(at_once)], raise_error=True)

    def _ask(self, sock, session):
        sock.sendall(session.opening())
        while not session.ready:
            self._receive(sock, session)
        request = Message(REQ, 'work.do', {'token': 1}, {'timeout': 20})
        sock.sendall(encode_message(request.frames()))

    def _receive(self, sock, session):
        data = sock.recv(65536)
        assert data, 'the service ended the connection'
        return session.receive(data)

    def _call(self, sock, session):
        self._ask(sock, session)
        replies = []
        while not replies:
            replies = self._receive(sock, session)
        assert replies[0][1] == REP
        self.answers += 1

    def _ask_and_go(self, sock, session):
        self._ask(sock, session)

    def _half_greet(self, sock, session):
        sock.sendall(session.opening()[:30])

    def _reset(self, sock, session):
        self._ask(sock, session)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_three_thousand_short_lived_callers_leave_no_state_behind(start, ask):
    # what it has done lately would count among what callers leave behind
    (instance,) = start(trace={'keep': 0})
    callers = ShortLived(instance.endpoint)
    callers.come_and_go(1200)  # so that all buffers have their usual size
    eventually(lambda: ask(instance, 'census')['callers'] == 1)
    memory = ask(instance, 'memory')
    callers.come_and_go(3000)
    assert callers.answers == 1050
    eventually(
        lambda: ask(instance, 'census') == instance.before,  # the only caller asks
        20,
        lambda: f'before {instance.before}, now {ask(instance, "census")}',
    )
    assert ask(instance, 'memory') - memory < 3 * MEGABYTE


@pytest.mark.parametrize(('transport', 'count'), [('zmtp', 100_000), ('zeromq', 20_000)])
def test_a_hundred_thousand_calls_leak_no_memory_on_either_side(
    start, make_client, ask, nothing_left, count
):
    (instance,) = start()
    caller = make_client()

    def call(times):
        numbers = iter(range(times))

        def one_after_another():
            for number in numbers:
                caller.request('work', 'work.do', {'token': number}, timeout=30)

        gevent.joinall([gevent.spawn(one_after_another) for _ in range(64)], raise_error=True)

    call(count // 10)
    theirs, ours = ask(instance, 'memory'), own_memory()
    call(count)
    assert ask(instance, 'memory') - theirs < 2 * MEGABYTE
    assert own_memory() - ours < 2 * MEGABYTE
    nothing_left(caller, instance)


def own_memory():
    gc.collect()
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()
