"""Frames are read from bytes in chunks of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from struct import pack
from typing import Any

import gevent
import pytest
from amqp.exceptions import UnexpectedFrame
from gevent import socket
from hypothesis import given
from hypothesis import strategies as st

from lymph.events.kombu._rabbitmq.wire import Wire
from lymph.testing.waiting import eventually

Peer = Callable[[Any], object]


@pytest.fixture
def connect() -> Iterator[Callable[[], tuple[Wire, Any]]]:
    """Return wires with the sockets at their other ends."""
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    ends: list[Any] = [listener]

    def connect() -> tuple[Wire, Any]:
        wire = Wire(f'127.0.0.1:{listener.getsockname()[1]}')
        wire.connect()
        peer, _ = listener.accept()
        ends.extend((wire, peer))
        assert peer.recv(8) == b'AMQP\x00\x00\x09\x01'
        return wire, peer

    yield connect
    for each in ends:
        each.close()


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return pack('>BHI', kind, channel, len(payload)) + payload + b'\xce'


FRAMES = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 65535), st.binary(max_size=100)))


@given(FRAMES, st.lists(st.integers(0, 10_000)))
def test_frames_are_read_completely_for_any_chunking(
    frames: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    data = b''.join(frame(*each) for each in frames)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    wire = Wire('nowhere:1')
    wire.sock = _Replay(pieces)
    assert [wire.read_frame() for _ in frames] == frames
    with pytest.raises(ConnectionResetError):
        wire.read_frame()


class _Replay:
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = iter(pieces)

    def recv(self, size: int) -> bytes:
        return next(self.pieces, b'')


def test_frame_without_its_end_marker_is_rejected(connect: Callable[[], tuple[Wire, Any]]) -> None:
    wire, peer = connect()
    peer.sendall(frame(1, 0, b'x')[:-1] + b'\x00')
    with pytest.raises(UnexpectedFrame, match='expected 0xce'):
        wire.read_frame()


def test_oversized_frame_is_rejected_before_it_is_read(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    peer.sendall(pack('>BHI', 3, 1, 1 << 30))
    with pytest.raises(UnexpectedFrame, match='something else'):
        wire.read_frame()


def test_written_frames_arrive_in_order_without_blocking_the_writer(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    pieces = [bytes([n % 256]) * 70_000 for n in range(100)]
    for piece in pieces:  # far more than the socket takes
        wire.write(memoryview(piece))
    received = b''
    while len(received) < 7_000_000:
        received += peer.recv(1 << 20)
    assert received == b''.join(pieces)


def test_frames_written_in_one_turn_of_the_loop_are_sent_together(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    gevent.sleep(0)
    for _ in range(100):
        wire.write(b'x' * 10)
    assert peer.recv(1 << 20) == b'x' * 1000


def test_writing_after_the_peer_has_closed_is_an_error(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    peer.close()
    with pytest.raises(ConnectionResetError):
        wire.read_frame()
    wire.close()
    with pytest.raises(BrokenPipeError):
        wire.write(b'x')


def test_reader_gets_the_error_of_a_failed_write(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack('ii', 1, 0))
    reader = gevent.spawn(wire.read_frame)
    gevent.sleep(0)
    peer.close()
    wire.write(b'x')
    reader.join(5)
    assert isinstance(reader.exception, OSError)
    assert 'another greenlet' not in str(reader.exception)
    wire.close()


def test_later_reader_gets_the_error_of_an_earlier_failed_write(
    connect: Callable[[], tuple[Wire, Any]],
) -> None:
    wire, peer = connect()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack('ii', 1, 0))
    peer.close()
    wire.write(b'x')
    eventually(lambda: not wire.connected)
    with pytest.raises(OSError, match='reset by peer'):
        wire.read_frame()
