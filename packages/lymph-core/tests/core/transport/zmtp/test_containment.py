"""Errors that neither a peer nor a handler causes end one link and nothing else."""

from __future__ import annotations

import gevent
import pytest

from lymph.core._protocol.zmtp.liveness import Liveness
from lymph.core._protocol.zmtp.session import ZmtpSession
from lymph.core.transport._zmtp.flusher import Flusher
from lymph.core.transport._zmtp.link import ZmtpLink
from lymph.core.transport._zmtp.writer import Writer
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

ERRORS = [MemoryError(), SystemExit(1), KeyboardInterrupt(), gevent.Timeout(None), RuntimeError()]


@pytest.fixture
def service(transport):
    handler = RecordingHandler(echoes=True)
    yield transport(heartbeat_interval=0.05).listen('tcp://127.0.0.1:0', handler), handler
    assert handler.violations == []


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ('owner', 'method', 'reason'),
    [
        (ZmtpSession, 'receive', 'reading failed: '),
        (ZmtpLink, '_deliver', 'reading failed: '),
        (Writer, '_next_chunk', 'write failed: '),
    ],
    ids=['read', 'deliver', 'write'],
)
def test_error_within_a_link_ends_only_that_link(
    service, peer, monkeypatch, error, owner, method, reason
):
    listener, handler = service
    well, ill = (peer(listener.endpoint).shake_hands() for _ in range(2))
    for one in (well, ill):
        one.send_message(b'x')
        assert one.receive() == [b'echo', b'x']
    works, left = getattr(owner, method), [error]

    def fail_once(self, *args):
        if left:
            raise left.pop()
        return works(self, *args)

    monkeypatch.setattr(owner, method, fail_once)
    ill.send_message(b'x')
    ill.read_to_the_end()
    eventually(lambda: handler.downs, 10)
    assert handler.downs[0][1].startswith(reason)
    assert type(error).__name__ in handler.downs[0][1]
    for one in (well, peer(listener.endpoint).shake_hands()):
        one.send_message(b'y')
        assert one.receive() == [b'echo', b'y']
    assert len(handler.downs) == 1


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_error_in_one_liveness_check_does_not_affect_others(service, peer, monkeypatch, error):
    listener, _ = service
    verdict, left = Liveness.question_due, [error]

    def fail_once(self, looks):
        if left:
            raise left.pop()
        return verdict(self, looks)

    monkeypatch.setattr(Liveness, 'question_due', fail_once)
    for one in [peer(listener.endpoint).shake_hands() for _ in range(2)]:
        one.read_until(b'PING')
    assert not left


def test_links_that_cannot_be_written_to_do_not_affect_others(monkeypatch):
    flusher, flushed = Flusher(), []

    class Broken:
        def flush(self):
            raise SystemExit

    class Well:
        def flush(self):
            flushed.append(self)

    for one in (Well(), Broken(), Well()):
        flusher.mark(one)
    eventually(lambda: len(flushed) == 2, 10)
