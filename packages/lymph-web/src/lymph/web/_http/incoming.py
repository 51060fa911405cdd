"""The bytes that a client sends, received as they are needed."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ['Incoming']

# Small enough that to take it apart, in whatever pieces, costs a few milliseconds.
_SIZE = 16 * 1024


class Incoming:
    """A buffer in front of a socket: `receive(size, timeout)` returns what has arrived.

    `spend(bytes)` is told of what was received, and may let others run. What was received and not
    yet used is in `buffer`, and may be removed from its front.
    """

    def __init__(
        self, receive: Callable[[int, float], bytes], spend: Callable[[int], None]
    ) -> None:
        self.buffer = bytearray()
        self._receive = receive
        self._spend = spend

    def fill(self, timeout: float) -> bool:
        """Wait for more bytes; return False when the client will send no more.

        Raises TimeoutError after `timeout` seconds, and other OSErrors.
        """
        data = self._receive(_SIZE, timeout)
        self.buffer += data
        self._spend(len(data))
        return bool(data)
