"""A forked child does not use the transports of its parent."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import gevent
import pytest
from gevent import socket

from lymph.core.transport.base import LinkDown
from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually


@pytest.fixture(params=[ZmtpTransport, ZeromqTransport], ids=['zmtp', 'zeromq'])
def transport(request):
    transport = request.param()
    yield transport
    transport.close()


@pytest.fixture
def fork():
    """Run a function in a forked child and return its result; a function `stay` keeps it alive."""
    children = []

    def fork(func):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(theirs, repr(func()).encode())
                if func.__name__ == 'stay':
                    signal.pause()
            finally:
                os._exit(0)
        os.close(theirs)
        children.append(child)
        with open(ours, 'rb', buffering=0) as said:
            return said.read(65536).decode()

    yield fork
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.fixture
def joined(transport):
    """Both sides of a link, listener and handlers."""
    accepting, handler = RecordingHandler(echoes=True), RecordingHandler()
    listener = transport.listen('tcp://127.0.0.1:0', accepting)
    link = transport.connect(listener.endpoint, handler)
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: handler.messages, 10)
    return listener, accepting, link, handler


def test_links_refuse_in_a_child_and_still_work_in_the_parent(transport, joined, fork):
    listener, accepting, link, handler = joined

    def try_everything():
        said = []
        for attempt in (
            lambda: link.send([b'stolen']),
            lambda: accepting.ups[0].send([b'stolen']),
            lambda: transport.connect(listener.endpoint, handler),
            lambda: transport.listen('tcp://127.0.0.1:0', handler),
        ):
            try:
                attempt()
            except (LinkDown, ValueError) as error:
                said.append(str(error).rpartition(': ')[2])
        gevent.reinit()
        gevent.sleep(0.05)  # nothing of the parent's is read
        transport.close()
        said.append((len(handler.downs), len(accepting.downs), link.up))
        return said

    link_refuses = 'this link was made before a fork; make a new one in the child process'
    refuses = link_refuses.replace('link', 'transport')
    refusals = [link_refuses, link_refuses, refuses, refuses]
    assert fork(try_everything) == repr([*refusals, (0, 0, False)])
    for number in range(100):
        link.send([b'%d' % number])
    eventually(lambda: len(handler.messages) == 101, 10)
    assert handler.downs == accepting.downs == []
    again = RecordingHandler()
    transport.connect(listener.endpoint, again)
    eventually(lambda: again.ups, 10)


def test_child_keeps_neither_connections_nor_the_port(transport, joined, fork):
    listener, _, _, _ = joined

    def stay():
        return 'staying'

    with socket.create_connection(split_tcp(listener.endpoint)) as silent:
        silent.settimeout(20)
        silent.recv(10)  # the greeting
        for _ in range(3):
            gevent.sleep(0.001)  # turns in which the parent's loop hears of the connection
        assert fork(stay) == "'staying'"
        transport.close()
        while silent.recv(1000):
            pass

        def refused():
            try:
                socket.create_connection(split_tcp(listener.endpoint)).close()
            except ConnectionRefusedError:
                return True
            return False

        eventually(refused, 10)


def test_child_may_make_a_transport_of_its_own(transport, fork):
    def own():
        gevent.reinit()
        fresh = type(transport)()
        accepting, handler = RecordingHandler(echoes=True), RecordingHandler()
        listener = fresh.listen('tcp://127.0.0.1:0', accepting)
        link = fresh.connect(listener.endpoint, handler)
        eventually(lambda: link.up, 10)
        link.send([b'mine'])
        eventually(lambda: handler.messages, 10)
        fresh.close()
        return handler.messages

    assert fork(own) == repr([[b'echo', b'mine']])
