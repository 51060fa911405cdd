"""Frames of ZMTP 3: a flags byte, a length of one or eight bytes, a body.

Source: RFC 23/ZMTP, "Framing". The decoder never trusts a length: a message that would exceed the
limit is rejected when its header arrives, before any of it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from lymph.core._protocol.zmtp.errors import ProtocolError

__all__ = ['MAX_FRAMES', 'FrameDecoder', 'encode_command', 'encode_message', 'take_command']

MORE, LONG, COMMAND = 1, 2, 4
MAX_FRAMES = 255  # frames a message; keeps a flood of empty frames from filling memory
MAX_COMMAND = 65536  # bytes; ours have less than 100, other implementations may add properties
_FRAME = 64  # bytes of memory that a frame takes in addition to its content
_SMALL = 4096  # bytes; smaller chunks are joined with the previous one

# the headers of short frames by their size
_MORE = tuple(bytes((MORE, size)) for size in range(256))
_LAST = tuple(bytes((0, size)) for size in range(256))


def encode_message(frames: Sequence[bytes]) -> bytes:
    """Return the bytes of a message of one or more frames."""
    if len(frames) == 5:
        a, b, c, d, e = frames
        try:  # every call makes two such messages; with short frames this takes half the time
            return b''.join(
                (
                    _MORE[len(a)],
                    a,
                    _MORE[len(b)],
                    b,
                    _MORE[len(c)],
                    c,
                    _MORE[len(d)],
                    d,
                    _LAST[len(e)],
                    e,
                )
            )
        except IndexError:  # one of the frames is not short
            pass
    *first, last = frames
    parts = [part for frame in first for part in (_header(frame, MORE), frame)]
    return b''.join((*parts, _header(last, 0), last))


def _header(frame: bytes, flags: int) -> bytes:
    size = len(frame)
    return bytes((flags, size)) if size < 256 else bytes((flags | LONG,)) + size.to_bytes(8, 'big')


def encode_command(body: bytes) -> bytes:
    """Return the bytes of a command frame."""
    size = len(body)
    if size < 256:
        return bytes((COMMAND, size)) + body
    return bytes((COMMAND | LONG,)) + size.to_bytes(8, 'big') + body


def take_command(data: bytes) -> tuple[bytes | None, bytes]:
    """Return the body of the command at the beginning of `data`, and the bytes after it.

    Returns None and `data` while the command is incomplete. Raises ProtocolError if `data` does not
    begin with a command.
    """
    if data and not data[0] & COMMAND:
        raise ProtocolError('a message before its READY')
    if len(data) < 2:
        return None, data
    start, size = _read_header(data[0], data, 0)
    if start + size > len(data):
        return None, data
    return data[start : start + size], data[start + size :]


class FrameDecoder:
    """Splits a stream of bytes into messages and commands.

    Commands may come between the frames of a message (libzmq puts heartbeats there); they are not
    part of it. `max_message_size` is in bytes, for all frames together.
    """

    def __init__(self, max_message_size: int) -> None:
        self.max_message_size = max_message_size
        self.commands: list[bytes] = []
        self._chunks: list[bytes] = []
        self._have = 0  # bytes in chunks
        self._need = 0  # bytes in chunks that are needed before decoding can continue
        self._frames: list[bytes] = []
        self._size = 0  # bytes in frames
        #: bytes of memory that an incomplete message takes so far
        self.held = 0

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Return the messages that `data` completes; append commands to `commands`.

        Raises ProtocolError; after that the decoder must not be used.
        """
        # One loop with few calls, since every message passes here. `need` is the number of bytes
        # from `position` that the next step requires: a header, or a whole frame.
        if self._chunks:
            if not self._enough_with(data):
                return []
            data = b''.join(self._chunks)
            self._chunks = []
        messages = []
        frames, total, limit = self._frames, self._size, self.max_message_size
        position, end, need = 0, len(data), 2
        last = end - 2
        while position <= last:
            flags = data[position]
            if flags <= MORE:  # a short frame, as nearly all frames are
                start = position + 2
                size = data[position + 1]
            else:
                start, size = _read_header(flags, data, position)
                if start > end:
                    need = 9
                    break
                if flags & COMMAND:
                    if start + size > end:
                        need = start + size - position
                        break
                    position = start + size
                    self.commands.append(data[start:position])
                    continue
            stop = start + size
            if total + size > limit:
                found = f'a message of {total + size} bytes or more (max_message_size is {limit})'
                raise ProtocolError(found)
            if stop > end:
                need = stop - position
                break
            position = stop
            frames.append(data[start:stop])
            if not flags & MORE:
                messages.append(frames)
                frames = []
                total = 0
            elif len(frames) < MAX_FRAMES:
                total += size
            else:
                raise ProtocolError(f'a message of more than {MAX_FRAMES} frames')
        self._frames, self._size = frames, total
        self.held = total + _FRAME * len(frames) if frames else 0
        if position < end:
            self._chunks = [data[position:] if position else data]
            self._have, self._need = end - position, need
            self.held += self._have
        return messages

    def release(self) -> None:
        """Free all incomplete data; after that the decoder must not be used."""
        self._chunks, self._frames, self.commands = [], [], []
        self.held = 0

    def _enough_with(self, data: bytes) -> bool:
        """Store a chunk and tell whether decoding can continue.

        Small chunks are joined, so that a peer that sends single bytes does not cause many objects.
        """
        chunks = self._chunks
        if len(data) < _SMALL and len(chunks[-1]) < _SMALL:
            chunks[-1] += data
        else:
            chunks.append(data)
        self._have += len(data)
        self.held += len(data)
        return self._have >= self._need


def _read_header(flags: int, data: bytes, position: int) -> tuple[int, int]:
    """Return the start and the size of the body of a long frame or a command.

    If the header is incomplete, the start is beyond the end of `data`. Raises ProtocolError.
    """
    # the higher bits are reserved, and a command always has a single frame
    if flags > MORE | LONG | COMMAND or (flags & COMMAND and flags & MORE):
        raise ProtocolError(f'a frame with the flags 0x{flags:02x}')
    if flags & LONG:
        start = position + 9
        size = int.from_bytes(data[position + 1 : start], 'big') if start <= len(data) else 0
    else:
        start, size = position + 2, data[position + 1]
    if flags & COMMAND and size > MAX_COMMAND:
        raise ProtocolError(f'a command of {size} bytes (limit {MAX_COMMAND})')
    return start, size
