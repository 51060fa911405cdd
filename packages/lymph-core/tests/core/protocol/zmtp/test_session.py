from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.zmtp.errors import ProtocolError
from lymph.core._protocol.zmtp.frames import encode_command, encode_message
from lymph.core._protocol.zmtp.handshake import GREETING, encode_ready
from lymph.core._protocol.zmtp.session import ZmtpSession, encode_ping

LIMIT = 10_000
HELLO = GREETING + encode_command(encode_ready('DEALER'))
REQUEST = [b'id', b'REQ', b'echo.echo', b'', bytes(300)]


def ping(ttl=0, context=b''):
    return encode_command(b'\x04PING' + ttl.to_bytes(2, 'big') + context)


def pong(context=b''):
    return encode_command(b'\x04PONG' + context)


def feed(session, stream, *cuts):
    edges = [0, *sorted(cuts), len(stream)]
    found = []
    for start, end in itertools.pairwise(edges):
        found += session.receive(stream[start:end])
    return found


@pytest.fixture
def session():
    """A session of a ROUTER after its handshake."""
    session = ZmtpSession('ROUTER', LIMIT)
    session.receive(HELLO)
    return session


# The handshake.


def test_two_sessions_understand_each_other():
    caller, service = ZmtpSession('DEALER', LIMIT), ZmtpSession('ROUTER', LIMIT)
    assert service.receive(caller.opening()) == []
    assert caller.receive(service.opening()) == []
    assert caller.ready
    assert service.ready
    assert service.receive(encode_message(REQUEST)) == [REQUEST]


def test_conversation_is_the_same_wherever_its_bytes_are_split():
    sent = [REQUEST, [b''], [b'x', b'y']]
    stream = HELLO + encode_message(sent[0]) + ping(5, b'context')
    stream += encode_message(sent[1]) + encode_message(sent[2])
    for first in range(len(stream) + 1):
        session = ZmtpSession('ROUTER', LIMIT)
        assert feed(session, stream, first) == sent
        assert session.ready
        assert session.answers == [pong(b'context')]
        assert session.peer_ttl == 0.5
    session = ZmtpSession('ROUTER', LIMIT)
    assert feed(session, stream, *range(len(stream))) == sent


@given(st.lists(st.integers(0, len(HELLO)), max_size=6))
def test_a_session_is_ready_with_the_last_byte_of_the_handshake(cuts):
    session = ZmtpSession('ROUTER', LIMIT)
    feed(session, HELLO[:-1], *(min(cut, len(HELLO) - 1) for cut in cuts))
    assert not session.ready
    session.receive(HELLO[-1:])
    assert session.ready


@pytest.mark.parametrize(
    ('stream', 'words'),
    [
        (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'no ZMTP greeting'),
        (GREETING[:10] + b'\x01' + GREETING[11:], 'a greeting of revision 1'),
        (GREETING[:12] + b'PLAIN'.ljust(20, b'\0') + GREETING[32:], "mechanism b'PLAIN'"),
        (GREETING + encode_message(REQUEST), 'a message before its READY'),
        (GREETING + encode_message([b'']), 'a message before its READY'),
        (GREETING + encode_message([b'']) + HELLO[64:], 'a message before its READY'),
        (GREETING + ping(), 'the command .* instead of READY'),
        (GREETING + encode_command(b'\x05ERROR\x02no'), "ERROR b'no'"),
        (GREETING + encode_command(encode_ready('PUB')), "the socket type 'PUB'"),
        (GREETING + encode_command(b'\x05READY'), "the socket type ''"),
        (GREETING + b'\x06' + (2**31).to_bytes(8, 'big'), 'a command of 2147483648 bytes'),
        (GREETING + b'\x05\x00', 'the flags 0x05'),
    ],
)
def test_peer_with_a_wrong_beginning_is_refused_however_its_bytes_are_split(stream, words):
    for cuts in ((), range(len(stream)), (64,), (len(stream) - 1,)):
        session = ZmtpSession('ROUTER', LIMIT)
        with pytest.raises(ProtocolError, match=words):
            feed(session, stream, *cuts)
        assert not session.ready


def test_peer_of_an_incompatible_socket_type_is_named_in_the_error():
    session = ZmtpSession('DEALER', LIMIT)
    with pytest.raises(ProtocolError, match=r"the peer sent the socket type 'SUB', which does not"):
        session.receive(GREETING + encode_command(encode_ready('SUB')))


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(0, 300), max_size=4))
def test_invalid_bytes_have_the_same_result_however_they_are_split(rubbish, greeted, cuts):
    def outcome(*cuts):
        session = ZmtpSession('ROUTER', LIMIT)
        if greeted:
            session.receive(HELLO)
        try:
            return feed(session, rubbish, *cuts), session.answers, session.ready
        except ProtocolError:
            return 'refused'  # in words that differ: with fewer bytes at hand, less can be quoted

    assert outcome(*cuts) == outcome()


# After it.


@pytest.mark.parametrize(
    ('context', 'answered'),
    [(b'', b''), (b'x', b'x'), (b'0123456789abcdef', b'0123456789abcdef'), (bytes(99), bytes(16))],
)
def test_a_ping_is_answered_with_its_context(session, context, answered):
    assert session.receive(ping(0, context)) == []
    assert session.answers == [pong(answered)]


def test_pings_between_the_frames_of_a_message_are_answered(session):
    stream = encode_message([b'a', b'b'])[:3] + ping(0, b'1') + encode_message([b'b'])
    assert session.receive(stream + ping(0, b'2')) == [[b'a', b'b']]
    assert session.answers == [pong(b'1'), pong(b'2')]


@pytest.mark.parametrize(
    ('ttl', 'seconds'), [(0, None), (1, 0.1), (30, 3.0), (65535, 6553.5)], ids=str
)
def test_ttl_of_a_ping_is_returned_in_seconds(session, ttl, seconds):
    assert session.peer_ttl is None
    session.receive(ping(ttl))
    assert session.peer_ttl == seconds


def test_a_later_ping_changes_the_ttl(session):
    session.receive(ping(30))
    session.receive(ping(0))
    assert session.peer_ttl is None


@pytest.mark.parametrize('body', [b'\x04PING', b'\x04PING\x00'])
def test_ping_without_a_ttl_is_rejected(session, body):
    with pytest.raises(ProtocolError, match='a PING without a TTL'):
        session.receive(encode_command(body))


@pytest.mark.parametrize(
    'body', [b'\x04PONG', b'\x04PONGcontext', b'\x05LATER', b'', encode_ready('DEALER')]
)
def test_other_commands_are_ignored(session, body):
    assert session.receive(encode_command(body) + encode_message(REQUEST)) == [REQUEST]
    assert session.answers == []


@pytest.mark.parametrize(
    ('seconds', 'tenths'), [(0, 0), (0.1, 1), (3, 30), (6553.5, 65535), (99999, 65535)]
)
def test_own_ping_has_its_ttl_in_tenths_of_a_second(seconds, tenths):
    assert encode_ping(seconds) == ping(tenths)


def test_own_ping_is_answered_by_another_session(session):
    session.receive(encode_ping())
    assert session.answers == [pong()]
    assert session.peer_ttl is None


@pytest.mark.parametrize(('minor', 'answers'), [(0, False), (1, True), (2, True)])
def test_version_shows_whether_a_peer_answers_pings(minor, answers):
    session = ZmtpSession('ROUTER', LIMIT)
    session.receive(HELLO[:11] + bytes((minor,)) + HELLO[12:])
    assert session.answers_ping is answers
    session.receive(ping())
    assert session.answers_ping


def test_message_over_the_limit_is_rejected_once_its_length_is_known(session):
    with pytest.raises(ProtocolError, match=r'2147483648 bytes .*max_message_size is 10000'):
        session.receive(b'\x02' + (2**31).to_bytes(8, 'big'))
