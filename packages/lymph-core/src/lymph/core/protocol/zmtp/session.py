"""One side of a ZMTP connection from its first byte to its last.

Theory: both sides send a greeting, then READY, then messages. The owner of a session sends
`opening()` once, gives every received chunk to `receive`, delivers the messages it returns, and
sends whatever stands in `answers`. `receive` raises ProtocolError when the link has to be closed.
The session never waits and knows no clock: how long a handshake may take is its owner's business.
"""

from __future__ import annotations

from lymph.core.protocol.zmtp.errors import ProtocolError
from lymph.core.protocol.zmtp.frames import FrameDecoder, encode_command
from lymph.core.protocol.zmtp.handshake import (
    GREETING,
    GREETING_SIZE,
    check_greeting,
    encode_ready,
    read_ready,
)

__all__ = ['Session', 'encode_ping']

_PING, _PONG = b'\x04PING', b'\x04PONG'
_PING_CONTEXT = 16  # bytes of a PING that its PONG returns at most (RFC 37/ZMTP)


def encode_ping(ttl: float) -> bytes:
    """Return a PING; after `ttl` seconds of silence the peer is to close (0: never)."""
    return encode_command(_PING + min(int(ttl * 10), 65535).to_bytes(2, 'big'))


class Session:
    """The state of one side; `ready` becomes True when messages may be sent."""

    def __init__(self, socket_type: str, max_message_size: int) -> None:
        self.ready = False
        self.answers: list[bytes] = []
        #: seconds of silence after which the peer wants the link closed; None: it did not say
        self.peer_ttl: float | None = None
        self._socket_type = socket_type
        self._decoder = FrameDecoder(max_message_size)
        self._greeting = b''

    def opening(self) -> bytes:
        """Return what has to be sent first.

        Greeting and READY together: a peer whose greeting turns out unfit ends the link anyway.
        """
        return GREETING + encode_command(encode_ready(self._socket_type))

    def receive(self, data: bytes) -> list[list[bytes]]:
        """Take a received chunk and return the messages that it completes.

        Raises ProtocolError.
        """
        if not self.ready and len(self._greeting) < GREETING_SIZE:
            missing = GREETING_SIZE - len(self._greeting)
            self._greeting += data[:missing]
            check_greeting(self._greeting)
            data = data[missing:]
            if not data:
                return []
        decoder = self._decoder
        messages = decoder.feed(data)
        if decoder.commands:
            commands, decoder.commands = decoder.commands, []
            for command in commands:
                self._obey(command)
        if messages and not self.ready:
            raise ProtocolError('a message before its READY')
        return messages

    def _obey(self, command: bytes) -> None:
        if not self.ready:
            read_ready(command, self._socket_type)
            self.ready = True
        elif command.startswith(_PING):
            self.peer_ttl = int.from_bytes(command[5:7], 'big') / 10 or None
            self.answers.append(encode_command(_PONG + command[7 : 7 + _PING_CONTEXT]))
        # PONG proves life by having arrived; unknown commands are ignored, as the RFC asks
