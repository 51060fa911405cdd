"""Frames of ZMTP 3: a flags byte, a length of one or eight bytes, a body.

Source: RFC 23/ZMTP, "Framing". The decoder never trusts a length: a message that would exceed the
limit is refused when its header is seen, before anything of it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from lymph.core.protocol.zmtp.errors import ProtocolError

__all__ = ['MAX_FRAMES', 'FrameDecoder', 'encode_command', 'encode_message']

MORE, LONG, COMMAND = 1, 2, 4
MAX_FRAMES = 255  # frames a message; keeps a flood of empty frames from filling memory
MAX_COMMAND = 65536  # bytes; ours have less than 100, others may add properties

_SHORT_MORE = tuple(bytes((MORE, size)) for size in range(256))
_SHORT_LAST = tuple(bytes((0, size)) for size in range(256))


def encode_message(frames: Sequence[bytes]) -> bytes:
    """Return the bytes of a message of one or more frames."""
    parts = []
    for frame in frames:
        size = len(frame)
        if size < 256:
            parts.append(_SHORT_MORE[size])
        else:
            parts.append(b'\x03' + size.to_bytes(8, 'big'))
        parts.append(frame)
    size = len(frames[-1])
    parts[-2] = _SHORT_LAST[size] if size < 256 else b'\x02' + size.to_bytes(8, 'big')
    return b''.join(parts)


def encode_command(body: bytes) -> bytes:
    """Return the bytes of a command frame."""
    size = len(body)
    if size < 256:
        return bytes((COMMAND, size)) + body
    return bytes((COMMAND | LONG,)) + size.to_bytes(8, 'big') + body


class FrameDecoder:
    """Cuts a stream of bytes into messages and commands.

    Commands may stand between the frames of a message (libzmq puts heartbeats there); they are
    never taken for a part of it.
    """

    def __init__(self, max_message_size: int) -> None:
        self.max_message_size = max_message_size
        self.commands: list[bytes] = []
        self._chunks: list[bytes] = []
        self._have = 0  # bytes in chunks
        self._need = 0  # bytes without which decoding cannot go on
        self._frames: list[bytes] = []
        self._size = 0  # bytes in frames

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Return the messages that `data` completes; commands are added to `commands`.

        Raises ProtocolError; the decoder cannot be used after that.
        """
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b''.join(self._chunks)
            self._chunks = []
        messages = []
        frames = self._frames
        position, end = 0, len(data)
        need = 2
        while position + 2 <= end:
            flags = data[position]
            if flags <= MORE:
                start = position + 2
                size = data[position + 1]
            elif not flags & LONG:
                start = position + 2
                size = data[position + 1]
                self._check_flags(flags)
            else:
                self._check_flags(flags)
                start = position + 9
                if start > end:
                    need = 9
                    break
                size = int.from_bytes(data[position + 1 : start], 'big')
            stop = start + size
            if flags & COMMAND:
                if size > MAX_COMMAND:
                    raise ProtocolError(f'a command of {size} bytes (limit {MAX_COMMAND})')
            elif self._size + size > self.max_message_size:
                raise ProtocolError(
                    f'a message of {self._size + size} bytes or more'
                    f' (max_message_size is {self.max_message_size})'
                )
            if stop > end:
                need = stop - position
                break
            position = stop
            if flags & COMMAND:
                self.commands.append(data[start:stop])
                continue
            frames.append(data[start:stop])
            if flags & MORE:
                self._size += size
                if len(frames) >= MAX_FRAMES:
                    raise ProtocolError(f'a message of more than {MAX_FRAMES} frames')
            else:
                messages.append(frames)
                self._frames = frames = []
                self._size = 0
        if position < end:
            self._chunks = [data[position:] if position else data]
            self._have = end - position
            self._need = need
        return messages

    @staticmethod
    def _check_flags(flags: int) -> None:
        if flags > 7 or (flags & COMMAND and flags & MORE):
            raise ProtocolError(f'a frame with the flags 0x{flags:02x}')
