"""A listener accepts again, whatever `accept` reports."""

from __future__ import annotations

import errno
import logging
import os

import pytest

from lymph.core.transport._zmtp import transport as zmtp_transport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually


class Failing:
    """A listening socket whose `accept` fails as the test says."""

    def __init__(self, sock, failures):
        self._sock = sock
        self.failures = failures

    def accept(self):
        if self.failures:
            raise self.failures.pop()
        return self._sock.accept()

    def __getattr__(self, name):
        return getattr(self._sock, name)


def of(code):
    return OSError(code, os.strerror(code))


@pytest.fixture
def service(transport):
    handler = RecordingHandler(echoes=True)
    return transport().listen('tcp://127.0.0.1:0', handler), handler


def works(service, peer):
    caller = peer(service[0].endpoint).shake_hands()
    caller.send_message(b'x')
    assert caller.receive() == [b'echo', b'x']


@pytest.mark.parametrize('code', [errno.ECONNABORTED, errno.EPROTO, errno.EINTR, errno.EPERM])
def test_connections_that_end_before_they_are_accepted_block_no_others(service, peer, caplog, code):
    listener, _ = service
    listener._sock = failing = Failing(listener._sock, [of(code)] * 20)
    works(service, peer)
    assert not failing.failures
    assert listener.trouble is None
    assert not caplog.records


@pytest.mark.parametrize(
    'error',
    [
        of(errno.EMFILE),
        of(errno.ENFILE),
        of(errno.ENOBUFS),
        of(errno.ENOMEM),
        of(errno.EBADF),
        of(errno.EINVAL),
        MemoryError(),
        SystemExit(),
        KeyboardInterrupt(),
    ],
    ids=lambda error: errno.errorcode.get(getattr(error, 'errno', 0), type(error).__name__),
)
def test_listener_that_cannot_accept_logs_it_once_and_recovers(service, peer, caplog, error):
    caplog.set_level(logging.WARNING)
    listener, _ = service
    listener._sock = failing = Failing(listener._sock, [error] * 3)
    caller = peer(listener.endpoint)
    eventually(lambda: listener.trouble, 10)
    assert (getattr(error, 'strerror', None) or type(error).__name__) in listener.trouble
    eventually(lambda: listener.trouble is None, 10)
    assert not failing.failures
    caller.shake_hands()
    works(service, peer)
    told = [record.getMessage() for record in caplog.records]
    assert [listener.endpoint in text for text in told] == [True, True]
    assert 'accepts no connections' in told[0]
    assert 'accepts connections again' in told[1]


def test_listener_recovers_even_if_no_connection_is_waiting(service, peer):
    listener, _ = service
    listener._sock = failing = Failing(listener._sock, [of(errno.EMFILE)] * 3)
    peer(listener.endpoint).close()
    eventually(lambda: listener.trouble, 10)
    eventually(lambda: listener.trouble is None, 10)
    assert not failing.failures


def test_connection_that_cannot_be_accepted_is_closed_and_blocks_no_others(
    service, peer, monkeypatch
):
    prepare, left = zmtp_transport.prepare, [MemoryError(), SystemExit(), of(errno.EINVAL)]

    def fail_at_first(sock):
        if left:
            raise left.pop()
        return prepare(sock)

    monkeypatch.setattr(zmtp_transport, 'prepare', fail_at_first)
    for _ in range(3):
        peer(service[0].endpoint).read_to_the_end()
    works(service, peer)
    assert service[0].trouble is None


def test_blocked_listener_does_not_recover_after_its_close(service, peer):
    listener, _ = service
    listener._sock = failing = Failing(listener._sock, [of(errno.EMFILE)] * 1000)
    peer(listener.endpoint)
    eventually(lambda: listener.trouble, 10)
    listener.close()
    count = len(failing.failures)
    with pytest.raises(OSError, match=r'(?i)refused'):
        peer(listener.endpoint)
    assert len(failing.failures) == count
