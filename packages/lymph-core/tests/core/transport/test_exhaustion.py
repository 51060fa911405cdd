"""A process that has no file descriptors left."""

from __future__ import annotations

import os
import resource

import pytest

from lymph.core.transport.zeromq import ZeromqTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually


@pytest.fixture
def exhausted():
    """Call it to use all descriptors up, and what it returns to give them back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = []

    def exhaust():
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        try:
            while True:
                used.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return give_back

    def give_back():
        while used:
            os.close(used.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    yield exhaust
    give_back()


@pytest.mark.parametrize('kind', [ZmtpTransport, ZeromqTransport], ids=['zmtp', 'zeromq'])
def test_without_descriptors_links_and_listeners_fail_and_later_ones_work(kind, exhausted):
    transport, handler = kind(), RecordingHandler()
    accepting = RecordingHandler(echoes=True)
    listener = transport.listen('tcp://127.0.0.1:0', accepting)
    warm = transport.connect(listener.endpoint, RecordingHandler())
    eventually(lambda: warm.up, 10)
    give_back = exhausted()
    link = transport.connect(listener.endpoint, handler)
    eventually(lambda: handler.lost == [link], 10)
    assert handler.downs[0][1] == 'connection failed: Too many open files'
    with pytest.raises(OSError, match='Too many open files'):
        transport.listen('tcp://127.0.0.1:0', accepting)
    warm.send([b'still works'])
    eventually(lambda: accepting.messages, 10)
    give_back()
    again = RecordingHandler()
    link = transport.connect(listener.endpoint, again)
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: again.messages, 10)
    transport.close()
