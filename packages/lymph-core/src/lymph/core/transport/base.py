"""The contract of a transport: it carries messages of several frames and does not look into them.

Vocabulary: a *listener* accepts *links* at an endpoint; a link joins two sides and carries messages
both ways, in order. Rules:

- Events of a link call its `LinkHandler`, always in the hub, so its methods must not wait. Whatever
  a handler raises, `SystemExit` and `gevent.Timeout` included, is logged; it affects neither other
  links nor later messages.
- Nothing that a peer sends, and no error of the system, ends a listener. If it cannot accept or
  receive for a while, `Listener.trouble` says why, and it recovers by itself.
- There is exactly one `link_down` for each link that `connect` returned or `link_up` announced, and
  no event after it. A link that went down is never used again.
- `link_up` is called on the connecting side after the handshake. On the accepting side it may be
  called as late as with the first message, and is never called for peers without a handshake.
- A message has 1 to 255 frames. A message over the receiver's limit takes the link down before it
  is stored in memory.
- When a link goes down, what it has received and not delivered, and what it could not send, is
  freed without waiting for the cyclic garbage collector.
- An idle link is pinged; it goes down if nothing arrives for `unresponsive_timeout`.
- After a fork, connections stay the parent's: in the child their copies are down and refuse.

`lymph.testing.contracts.transports` tests these rules.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from lymph.config import ConfigView
from lymph.exceptions import LymphError

__all__ = [
    'BUFFERED_MESSAGES',
    'DEFAULT_MAX_MESSAGE_SIZE',
    'DEFAULT_UNRESPONSIVE_TIMEOUT',
    'Link',
    'LinkDown',
    'LinkHandler',
    'Listener',
    'MessageTooLong',
    'Transport',
]

DEFAULT_MAX_MESSAGE_SIZE = 64 * 1024 * 1024  # bytes, all frames of a message together
BUFFERED_MESSAGES = 4  # the default of `max_buffered`, in messages of the largest size
DEFAULT_UNRESPONSIVE_TIMEOUT = 30.0  # seconds; longer than a loop is usually blocked


class LinkDown(LymphError):
    """A message was not sent because the link is not up yet, or not any more."""


class MessageTooLong(LymphError, ValueError):
    """A message was not sent because it is larger than `max_message_size`."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f'a message of {size} bytes cannot be sent (max_message_size is {limit} bytes)'
        )


class LinkHandler(Protocol):
    """Handles the events of links. Its methods are called in the hub and must not wait."""

    def link_up(self, link: Link) -> None:
        """Handle the end of the handshake: messages may be sent."""

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Handle a complete message."""

    def link_down(self, link: Link, reason: str) -> None:
        """Handle the end of the link; `reason` is a text for people."""


class Link(ABC):
    """One side of a connection."""

    #: the other side's address, for logs and errors
    peer: str
    #: whether messages can be sent now
    up: bool
    #: what a link that is not up yet is waiting for (empty: unknown), for errors
    stage: str = ''

    @abstractmethod
    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; wait while the other side does not read.

        In the hub it never waits: the message is dropped if the buffer is full. Raises LinkDown if
        the link is not up, MessageTooLong for more than the transport's `max_message_size`; the
        link stays usable after the latter. Messages sent before a link goes down may or may not
        have arrived.
        """

    @abstractmethod
    def close(self, reason: str = 'closed') -> None:
        """Take the link down; before, write what can be written without waiting. Idempotent."""


class Listener(ABC):
    """Accepts links at an endpoint."""

    #: the endpoint that it listens at, with the real port
    endpoint: str
    #: messages that belonged to no link, such as those of peers with another protocol version
    dropped: int = 0

    @property
    def trouble(self) -> str | None:
        """Why the listener cannot accept or receive at the moment; None if it can.

        It logs one line when this begins and one when it has recovered.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Stop accepting links; links that are up stay up. Idempotent."""


class Transport(ABC):
    """A way to carry messages.

    `max_message_size` is in bytes, for all frames of a message together; `unresponsive_timeout` is
    in seconds; `max_buffered` is in bytes, by default 4 messages of the largest size.
    """

    #: the endpoint schemes that it supports, such as ``tcp`` of ``tcp://127.0.0.1:4123``
    schemes: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        unresponsive_timeout: float = DEFAULT_UNRESPONSIVE_TIMEOUT,
        *,
        max_buffered: int | None = None,
    ) -> None:
        self.max_message_size = max_message_size  # bytes
        self.unresponsive_timeout = unresponsive_timeout  # seconds
        #: bytes of incomplete and of unsent messages that all links together may hold
        self.max_buffered = max_buffered or BUFFERED_MESSAGES * max_message_size

    @property
    def buffered(self) -> int | None:
        """Bytes of `max_buffered` that are in use; None if the transport cannot tell."""
        return None

    @classmethod
    def from_config(cls, config: ConfigView, **common: Any) -> Transport:
        """Make the transport from an `rpc` section; `common` are the keywords of every transport.

        Raises ConfigurationError, here for the key `curve`, which not every transport supports.
        """
        if 'curve' in config:
            raise config.error('curve', 'encryption with CURVE needs the transport zeromq')
        return cls(**common)

    @abstractmethod
    def address(self, ip: str, port: int) -> str:
        """Return the endpoint to listen at for an IP address and a port (0: any free one)."""

    @abstractmethod
    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at `endpoint` (port 0: any free one).

        Raises OSError if the endpoint cannot be listened at, ValueError as `connect` does.
        """

    @abstractmethod
    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin to connect to `endpoint` and return the link at once, before it is up.

        `link_up` or `link_down` follows. Raises ValueError for an endpoint of another scheme or
        form, and in a forked child.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all listeners and links. Idempotent."""
