"""A request that a test sent, and its reply."""

from __future__ import annotations

from typing import Any

from lymph.core.channels import RequestChannel
from lymph.core.messages import Message

__all__ = ['SentRequest']


class SentRequest:
    """A request that was sent; `get`, `type`, `headers` and `body` wait for its reply.

    `channel` is its RequestChannel.
    """

    def __init__(self, channel: RequestChannel) -> None:
        self.channel = channel

    def get(self, timeout: float | None = None) -> Message:
        """Return the reply, of any type; later calls return the same one.

        Waits up to `timeout` seconds (default: the timeout of the request, which is also the
        limit).

        Raises Timeout if no reply arrives in time, and ConnectionLost if the link goes down.
        """
        return self.channel.get(timeout)

    @property
    def type(self) -> bytes:
        """The type of the reply, for example `Message.REP`."""
        return self.get().type

    @property
    def headers(self) -> dict[str, Any]:
        """The headers of the reply."""
        return self.get().headers

    @property
    def body(self) -> Any:
        """The body of the reply."""
        return self.get().body
