from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.zmtp.errors import ProtocolError
from lymph.core._protocol.zmtp.frames import (
    MAX_FRAMES,
    FrameDecoder,
    encode_command,
    encode_message,
    take_command,
)

LIMIT = 100_000

frames = st.binary(max_size=20) | st.builds(bytes, st.integers(250, 260)) | st.just(bytes(70_000))
messages = st.lists(frames, min_size=1, max_size=7).filter(lambda m: sum(map(len, m)) <= LIMIT)
commands = st.binary(max_size=10) | st.builds(bytes, st.integers(250, 300))


def feed_in_pieces(decoder, stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found = []
    for start, end in itertools.pairwise(edges):
        if end > start:
            found += decoder.feed(stream[start:end])
    return found


# What is sent is what arrives.


@pytest.mark.parametrize(
    ('message', 'stream'),
    [
        ([b''], b'\x00\x00'),
        ([b'a'], b'\x00\x01a'),
        ([b'a', b'', b'bc'], b'\x01\x01a\x01\x00\x00\x02bc'),
        ([bytes(255)], b'\x00\xff' + bytes(255)),
        ([bytes(256)], b'\x02\0\0\0\0\0\0\x01\x00' + bytes(256)),
        ([bytes(256), b'a'], b'\x03\0\0\0\0\0\0\x01\x00' + bytes(256) + b'\x00\x01a'),
        ([b'', bytes(65536)], b'\x01\x00\x02\0\0\0\0\0\x01\0\0' + bytes(65536)),
    ],
)
def test_message_has_the_bytes_of_the_specification(message, stream):
    assert encode_message(message) == stream
    assert FrameDecoder(LIMIT).feed(stream) == [message]


@pytest.mark.parametrize(
    ('body', 'stream'),
    [
        (b'', b'\x04\x00'),
        (b'\x04PING\0\0', b'\x04\x07\x04PING\0\0'),
        (bytes(256), b'\x06\0\0\0\0\0\0\x01\x00' + bytes(256)),
    ],
)
def test_command_has_the_bytes_of_the_specification(body, stream):
    assert encode_command(body) == stream
    decoder = FrameDecoder(LIMIT)
    assert decoder.feed(stream) == []
    assert decoder.commands == [body]


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 300_000), max_size=8))
def test_messages_arrive_unchanged_however_the_stream_is_split(sent, cuts):
    stream = b''.join(map(encode_message, sent))
    assert feed_in_pieces(FrameDecoder(LIMIT), stream, cuts) == sent


@given(st.lists(st.tuples(st.binary(max_size=4), st.booleans()), max_size=12), st.data())
def test_a_long_length_for_a_short_frame_is_understood(parts, data):
    stream = b''.join(b'\x03' + len(p).to_bytes(8, 'big') + p for p, _ in parts) + b'\x00\x00'
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=4))
    assert feed_in_pieces(FrameDecoder(LIMIT), stream, cuts) == [[*(p for p, _ in parts), b'']]


def test_stream_split_anywhere_gives_the_same_messages_and_commands():
    sent = [[b'a', b'', bytes(300)], [b'x'], [bytes(256)]]
    ping = b'\x04PING\0\0'
    stream = b''.join((encode_message(sent[0]), encode_command(ping), encode_command(bytes(256))))
    stream += encode_message(sent[1]) + encode_message(sent[2])
    for first in range(len(stream)):
        for second in {first + 1, first + 2, first + 9, len(stream) - 1}:
            decoder = FrameDecoder(LIMIT)
            assert feed_in_pieces(decoder, stream, [first, second]) == sent
            assert decoder.commands == [ping, bytes(256)]
    decoder = FrameDecoder(LIMIT)
    assert feed_in_pieces(decoder, stream, range(len(stream))) == sent


@given(
    st.lists(st.lists(st.tuples(frames, st.lists(commands, max_size=2)), min_size=1, max_size=4)),
    st.lists(st.integers(0, 300_000), max_size=8),
)
def test_commands_between_the_frames_of_a_message_are_not_part_of_it(conversation, cuts):
    stream, sent, between = b'', [], []
    for parts in conversation:
        message = [frame for frame, _ in parts]
        if sum(map(len, message)) > LIMIT:
            continue
        sent.append(message)
        for frame, before in parts[:-1]:
            stream += b''.join(map(encode_command, before)) + encode_message([frame, b''])[:-2]
            between += before
        stream += encode_message(message[-1:])
    decoder = FrameDecoder(LIMIT)
    assert feed_in_pieces(decoder, stream, cuts) == sent
    assert decoder.commands == between


# Nothing is believed.


@pytest.mark.parametrize('flags', [f for f in range(256) if f not in (0, 1, 2, 3, 4, 6)])
def test_reserved_flags_and_commands_with_the_more_flag_are_rejected(flags):
    with pytest.raises(ProtocolError, match=f'the flags 0x{flags:02x}'):
        FrameDecoder(LIMIT).feed(bytes((flags, 1, 0)))
    with pytest.raises(ProtocolError, match=f'the flags 0x{flags:02x}'):
        FrameDecoder(LIMIT).feed(encode_message([b'x']) + bytes((flags, 1)))


@pytest.mark.parametrize('size', [LIMIT + 1, 2**31, 2**32, 2**63, 2**64 - 1])
@pytest.mark.parametrize('flags', [b'\x02', b'\x03'])
def test_frame_over_the_limit_is_rejected_once_its_header_is_known(size, flags):
    decoder = FrameDecoder(LIMIT)
    header = flags + size.to_bytes(8, 'big')
    for byte in header[:-1]:
        assert decoder.feed(bytes((byte,))) == []
    with pytest.raises(ProtocolError, match=f'a message of {size} bytes or more .* is {LIMIT}'):
        decoder.feed(header[-1:])


def test_the_frames_of_a_message_count_together():
    half = bytes(LIMIT // 2)
    assert FrameDecoder(LIMIT).feed(encode_message([half, half])) == [[half, half]]
    for message in ([half, half, b'x'], [half, b'x', half], [bytes(LIMIT + 1)]):
        stream = encode_message(message)
        for cut in (1, 2, 9, 50_000, len(stream) - 1, len(stream)):
            with pytest.raises(ProtocolError, match=f'a message of {LIMIT + 1} bytes or more'):
                feed_in_pieces(FrameDecoder(LIMIT), stream, [cut])


def test_one_message_after_another_may_have_the_size_of_the_limit():
    sent = [[bytes(LIMIT - 1), b'x']] * 3
    assert FrameDecoder(LIMIT).feed(b''.join(map(encode_message, sent))) == sent


@pytest.mark.parametrize('size', [65_537, 2**31, 2**64 - 1])
def test_command_over_its_own_limit_is_rejected(size):
    with pytest.raises(ProtocolError, match=f'a command of {size} bytes'):
        FrameDecoder(2**70).feed(b'\x06' + size.to_bytes(8, 'big'))


def test_number_of_frames_is_limited():
    assert FrameDecoder(LIMIT).feed(encode_message([b''] * MAX_FRAMES)) == [[b''] * MAX_FRAMES]
    stream = encode_message([b''] * (MAX_FRAMES + 1))
    for cut in (0, 1, 100, len(stream) - 2):
        with pytest.raises(ProtocolError, match=f'more than {MAX_FRAMES} frames'):
            feed_in_pieces(FrameDecoder(LIMIT), stream, [cut])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_invalid_bytes_are_decoded_alike_however_they_are_split(rubbish, cuts):
    def outcome(cuts):
        decoder, found = FrameDecoder(1000), []
        edges = [0, *sorted(cuts), len(rubbish)]
        try:
            for start, end in itertools.pairwise(edges):
                found += decoder.feed(rubbish[start:end])
        except ProtocolError as error:
            return str(error)
        return found, decoder.commands

    assert outcome(cuts) == outcome([])


def test_a_peer_that_sends_two_bytes_at_a_time_costs_no_more_memory_than_it_sends():
    size = 400_000
    decoder = FrameDecoder(size)
    pieces = [bytes((n % 251, n % 241)) for n in range(size // 2 - 100)]
    tracemalloc.start()
    try:
        assert decoder.feed(b'\x02' + size.to_bytes(8, 'big')) == []
        for piece in pieces:
            decoder.feed(piece)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 2 * size


# The first command of a connection.


@pytest.mark.parametrize('body', [b'', b'\x05READY', bytes(255), bytes(256), bytes(65_536)])
def test_command_is_returned_once_it_is_complete(body):
    stream = encode_command(body)
    for cut in {0, 1, 2, 8, 9, len(stream) - 1} & set(range(len(stream))):
        assert take_command(stream[:cut]) == (None, stream[:cut])
    assert take_command(stream) == (body, b'')
    assert take_command(stream + b'rest') == (body, b'rest')


@pytest.mark.parametrize(
    ('start', 'words'),
    [
        (b'\x00', 'a message before its READY'),
        (b'\x03', 'a message before its READY'),
        (b'\x05\x00', 'the flags 0x05'),
        (b'\x0c\x00', 'the flags 0x0c'),
        (b'\x06\xff\xff\xff\xff\xff\xff\xff\xff', 'a command of 18446744073709551615 bytes'),
    ],
)
def test_invalid_command_is_rejected(start, words):
    with pytest.raises(ProtocolError, match=words):
        take_command(start)
