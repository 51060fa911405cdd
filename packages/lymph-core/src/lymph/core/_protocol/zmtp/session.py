"""One side of a ZMTP connection from its first byte to its last.

Theory: both sides send a greeting, then READY, then messages. The owner of a session sends
`opening()` once, passes every received chunk to `receive`, delivers the messages that it returns,
and sends the bytes in `answers`. `receive` raises ProtocolError if the link has to be closed; after
that the session must not be used. A session never waits and has no clock: its owner enforces the
time limits of the handshake and of silence.
"""

from __future__ import annotations

from lymph.core._protocol.zmtp.errors import ProtocolError
from lymph.core._protocol.zmtp.frames import FrameDecoder, encode_command, take_command
from lymph.core._protocol.zmtp.handshake import (
    GREETING,
    GREETING_SIZE,
    check_greeting,
    encode_ready,
    minor_version,
    read_ready,
)

__all__ = ['ZmtpSession', 'encode_ping']

_PING, _PONG = b'\x04PING', b'\x04PONG'
_PING_SIZE = len(_PING) + 2  # bytes of a PING without a context
_PING_CONTEXT = 16  # bytes of a PING's context that its PONG returns at most (RFC 37/ZMTP)


def encode_ping(ttl: float = 0.0) -> bytes:
    """Return a PING. The peer should close the link after `ttl` seconds of silence (0: never)."""
    return encode_command(_PING + min(int(ttl * 10), 65535).to_bytes(2, 'big'))


class ZmtpSession:
    """The state of one side; `ready` becomes True when messages may be sent."""

    def __init__(self, socket_type: str, max_message_size: int) -> None:
        self.ready = False
        self.answers: list[bytes] = []
        #: whether the peer answers a PING; peers with ZMTP 3.0 may not know it
        self.answers_ping = False
        #: seconds of silence after which the peer wants the link closed; None: it has not said so
        self.peer_ttl: float | None = None
        #: bytes of incomplete commands and messages that were received
        self.held = 0
        self._socket_type = socket_type
        self._decoder = FrameDecoder(max_message_size)
        self._greeted = False
        self._start = b''  # the received part of an incomplete greeting or READY

    def release(self) -> None:
        """Free all received data; after that the session must not be used."""
        self._start = b''
        self.held = 0
        self.answers.clear()
        self._decoder.release()

    def opening(self) -> bytes:
        """Return the bytes to send first: greeting and READY.

        READY does not wait for the peer's greeting: if that is invalid, the link is closed anyway.
        """
        return GREETING + encode_command(encode_ready(self._socket_type))

    def receive(self, data: bytes) -> list[list[bytes]]:
        """Process a received chunk and return the messages that it completes.

        Raises ProtocolError if the link has to be closed.
        """
        if not self.ready:
            data = self._shake_hands(data)
            if not data:
                self.held = len(self._start)
                return []
        decoder = self._decoder
        messages = decoder.feed(data)
        self.held = decoder.held
        if decoder.commands:
            commands, decoder.commands = decoder.commands, []
            for command in commands:
                self._obey(command)
        return messages

    def _shake_hands(self, data: bytes) -> bytes:
        """Process the bytes of greeting and READY; return the bytes after them."""
        start = self._start + data
        if not self._greeted:
            check_greeting(start[:GREETING_SIZE])
            if len(start) < GREETING_SIZE:
                self._start = start
                return b''
            self._greeted = True
            self.answers_ping = minor_version(start) >= 1
            start = start[GREETING_SIZE:]
        command, rest = take_command(start)
        if command is None:
            self._start = rest
            return b''
        read_ready(command, self._socket_type)
        self._start = b''
        self.ready = True
        return rest

    def _obey(self, command: bytes) -> None:
        if command.startswith(_PING):
            if len(command) < _PING_SIZE:
                raise ProtocolError('a PING without a TTL')
            self.answers_ping = True
            self.peer_ttl = int.from_bytes(command[5:_PING_SIZE], 'big') / 10 or None
            context = command[_PING_SIZE : _PING_SIZE + _PING_CONTEXT]
            self.answers.append(encode_command(_PONG + context))
        # a PONG needs no action, since any data shows life; the RFC says to ignore other commands
