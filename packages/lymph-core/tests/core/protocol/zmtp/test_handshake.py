from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.zmtp.errors import ProtocolError
from lymph.core._protocol.zmtp.handshake import (
    GREETING,
    GREETING_SIZE,
    check_greeting,
    encode_ready,
    minor_version,
    read_ready,
)


def properties(*pairs):
    """The properties of a READY command, each with the lengths of its name and value."""
    return b''.join(
        bytes((len(name),)) + name + len(value).to_bytes(4, 'big') + value for name, value in pairs
    )


def ready(*pairs):
    return b'\x05READY' + properties(*pairs)


# The greeting.


def test_greeting_is_that_of_zmtp_3_1_with_the_null_mechanism():
    assert len(GREETING) == GREETING_SIZE == 64
    assert GREETING[:12] == bytes.fromhex('ff 00 00 00 00 00 00 00 01 7f 03 01')
    assert GREETING[12:32] == b'NULL' + bytes(16)
    assert GREETING[32:] == bytes(32)
    assert minor_version(GREETING) == 1


@pytest.mark.parametrize(
    'greeting',
    [
        GREETING,
        GREETING[:11] + b'\x00' + GREETING[12:],
        b'\xff' + bytes(8) + b'\x7f\x03\x00NULL' + bytes(16) + bytes(32),
        b'\xff' + b'\xaa' * 8 + b'\x7f\x04\x07NULL' + bytes(16) + b'\x01' + b'\xbb' * 31,
    ],
    ids=['3.1', '3.0', 'padding of zeros', 'a later version, with padding and filler of its own'],
)
def test_greetings_of_zmtp_3_are_accepted_byte_by_byte(greeting):
    for end in range(GREETING_SIZE + 1):
        check_greeting(greeting[:end])


@pytest.mark.parametrize(
    ('greeting', 'seen_after', 'words'),
    [
        (b'GET / HTTP/1.1\r\n', 1, "b'G', which is no ZMTP greeting"),
        (b'\x16\x03\x01\x02\x00\x01\x00\x01', 1, 'no ZMTP greeting'),
        (b'SSH-2.0-OpenSSH_9.6\r\n', 1, 'no ZMTP greeting'),
        (b'\x01\x00', 1, 'no ZMTP greeting'),  # ZMTP 1.0: an empty identity
        (b'\xff' + bytes(7) + b'\x05\x00\x03\x01', 10, 'no ZMTP greeting'),
        (b'\xff' + bytes(8) + b'\x7f\x01\x05\x00\x00', 11, 'a greeting of revision 1'),  # ZMTP 2.0
        (b'\xff' + bytes(8) + b'\x7f\x00\x05\x00\x00', 11, 'a greeting of revision 0'),
        (GREETING[:12] + b'PLAIN'.ljust(20, b'\0'), 32, "mechanism b'PLAIN' .NULL is needed"),
        (GREETING[:12] + b'CURVE'.ljust(20, b'\0'), 32, "mechanism b'CURVE'"),
        (GREETING[:12] + b'NULLIFY'.ljust(20, b'\0'), 32, "mechanism b'NULLIFY'"),
        (GREETING[:12] + b'null'.ljust(20, b'\0'), 32, "mechanism b'null'"),
        (GREETING[:12] + bytes(20), 32, "mechanism b''"),
    ],
)
def test_other_protocols_are_recognised_as_early_as_possible(greeting, seen_after, words):
    check_greeting(greeting[: seen_after - 1])
    with pytest.raises(ProtocolError, match=words):
        check_greeting(greeting[:seen_after])


# READY.


@pytest.mark.parametrize(('ours', 'theirs'), [('DEALER', 'ROUTER'), ('ROUTER', 'DEALER')])
def test_own_ready_command_is_understood(ours, theirs):
    assert read_ready(encode_ready(theirs), ours) == {
        'socket-type': theirs.encode(),
        'identity': b'',
    }


def test_ready_has_the_bytes_of_the_specification():
    assert encode_ready('DEALER') == (
        b'\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00'
    )


@pytest.mark.parametrize(
    ('ours', 'theirs', 'fits'),
    [
        ('ROUTER', b'DEALER', True),
        ('ROUTER', b'ROUTER', True),
        ('ROUTER', b'REQ', True),
        ('DEALER', b'ROUTER', True),
        ('DEALER', b'DEALER', True),
        ('DEALER', b'REP', True),
        ('DEALER', b'REQ', False),
        ('ROUTER', b'REP', False),
        *((ours, theirs, False) for ours in ('DEALER', 'ROUTER') for theirs in
          (b'PUB', b'SUB', b'XPUB', b'PUSH', b'PULL', b'PAIR', b'dealer', b'\xff', b'')),
    ],
)  # fmt: skip
def test_compatible_socket_types_are_accepted(ours, theirs, fits):
    body = ready((b'Socket-Type', theirs))
    if fits:
        assert read_ready(body, ours)['socket-type'] == theirs
    else:
        with pytest.raises(ProtocolError, match=f'which does not go with {ours}'):
            read_ready(body, ours)


def test_property_names_are_case_insensitive_and_unknown_ones_are_kept():
    body = ready((b'SOCKET-type', b'DEALER'), (b'X-Later', b'\0\xff'), (b'Identity', b'me'))
    assert read_ready(body, 'ROUTER') == {
        'socket-type': b'DEALER',
        'x-later': b'\0\xff',
        'identity': b'me',
    }


def test_ready_without_a_socket_type_is_rejected():
    for body in (ready(), ready((b'Identity', b'DEALER'))):
        with pytest.raises(ProtocolError, match="the socket type ''"):
            read_ready(body, 'ROUTER')


def test_truncated_ready_is_rejected():
    whole = ready((b'Identity', b'x'), (b'Socket-Type', b'DEALER'))
    for end in range(len(whole)):
        with pytest.raises(ProtocolError):
            read_ready(whole[:end], 'ROUTER')
    read_ready(whole, 'ROUTER')


@pytest.mark.parametrize(
    'garbage',
    [
        b'\xff',
        b'\x0bSocket-Type\xff\xff\xff\xffDEALER',
        b'\x0bSocket-Type\x7f\xff\xff\xff',
        b'\x0bSocket-Type\x00\x00\x00\x07DEALER',
        b'\x0bSocket-Type\x00\x00\x00\x06DEALER\x01',
        b'\x0bSocket-Type\x00\x00\x00\x06DEALER\x00\x00\x00\x01',
    ],
)
def test_properties_with_wrong_lengths_are_rejected(garbage):
    with pytest.raises(ProtocolError, match='a READY command that ends within a property'):
        read_ready(b'\x05READY' + garbage, 'ROUTER')


@pytest.mark.parametrize(
    ('body', 'words'),
    [
        (b'\x05ERROR\x0cNo way, sir.', "ERROR b'No way, sir.'"),
        (b'\x05ERROR\x02No way', "ERROR b'No'"),
        (b'\x05ERROR\xffshort', "ERROR b'short'"),
        (b'\x05ERROR', "ERROR b''"),
        (b'', "the command b'' instead of READY"),
        (b'\x05HELLO', "the command b'.x05HELLO' instead of READY"),
        (b'READY', 'instead of READY'),
        (b'\x05ready', 'instead of READY'),
        (b'\x04PING\0\0', 'instead of READY'),
    ],
)
def test_other_command_instead_of_ready_is_rejected(body, words):
    with pytest.raises(ProtocolError, match=words):
        read_ready(body, 'ROUTER')


@given(st.binary(max_size=100))
def test_any_bytes_of_ready_are_read_or_rejected(rubbish):
    try:
        found = read_ready(b'\x05READY' + rubbish, 'ROUTER')
    except ProtocolError:
        return
    assert found['socket-type'] in {b'DEALER', b'ROUTER', b'REQ'}
