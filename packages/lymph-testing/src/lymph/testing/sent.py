"""A request that a test sent, and its reply."""

from __future__ import annotations

from typing import Any

from lymph.core.channels import RequestChannel
from lymph.core.messages import Message

__all__ = ['SentRequest']


class SentRequest:
    """A request on its way: `get` waits for the reply, and so does reading a part of it.

    `channel` is the RequestChannel; `type`, `headers` and `body` are those of the reply.
    """

    def __init__(self, channel: RequestChannel) -> None:
        self.channel = channel

    def get(self, timeout: float | None = None) -> Message:
        """Return the reply as it came, whatever its type; again, the same one.

        Waits for up to `timeout` seconds, and no longer than the request was given. Raises Timeout
        when there is no reply by then, ConnectionLost when the link broke.
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
