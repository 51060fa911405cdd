"""Where the body of a request comes from."""

from __future__ import annotations

from typing import Protocol

__all__ = ['Incoming']


class Incoming(Protocol):
    """The bytes that a client sends, received as they are needed."""

    @property
    def buffer(self) -> bytearray:
        """What has arrived and is not used yet; may be removed from its front."""

    def fill(self, timeout: float) -> bool:
        """Wait for more bytes; return False when the client will send no more.

        Raises TimeoutError after `timeout` seconds, and other OSErrors.
        """
