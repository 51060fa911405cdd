"""The contract of a transport: it carries messages of several frames and knows nothing of them.

Vocabulary: a *listener* accepts *links* at an endpoint; a link joins two sides and carries messages
both ways, in order. Rules:

- What happens on a link is told to its `LinkHandler`, always from the hub: its methods never wait.
  Whatever a handler raises, `SystemExit` and `gevent.Timeout` included, is logged; it changes
  nothing for others, nor for later messages.
- Nothing that a peer sends, and no error of the system, ends a listener: it goes on by itself, and
  says so while it cannot (`Listener.trouble`).
- There is exactly one `link_down` for each link that `connect` returned or `link_up` announced, and
  nothing after it. A link that went down is never used again.
- The side that connects hears `link_up` when the two know each other; the side that accepts may
  hear it as late as with the first message, and never of peers that got no further than connecting.
- A message has 1 to 255 frames. One that is over the receiver's limit takes the link down before it
  is held in memory.
- What a link has received and not delivered, and what it could not send, is let go of when it goes
  down, without waiting for the cyclic garbage collector.
- A link that carries nothing is asked for a sign of life; one that stays silent for
  `unresponsive_timeout` goes down.
- A fork leaves connections to the parent: in the child their copies are down and refuse.

`lymph.testing.contracts.transports` has these rules as tests.
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
BUFFERED_MESSAGES = 4  # `max_buffered` in messages of the largest size
DEFAULT_UNRESPONSIVE_TIMEOUT = 30.0  # seconds; a peer whose loop is busy for less is not dead


class LinkDown(LymphError):
    """A message was given to a link that is not, or no longer, up."""


class MessageTooLong(LymphError, ValueError):
    """A message was not sent because it is over `max_message_size`."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f'a message of {size} bytes cannot be sent (max_message_size is {limit} bytes)'
        )


class LinkHandler(Protocol):
    """Hears what happens on links; called from the hub, so it never waits."""

    def link_up(self, link: Link) -> None:
        """The two sides know each other; messages may be sent."""

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """A whole message arrived."""

    def link_down(self, link: Link, reason: str) -> None:
        """The link is gone; `reason` is for a person to read."""


class Link(ABC):
    """One side of a connection."""

    #: the other side's address, for logs and errors
    peer: str
    #: whether messages can be sent now
    up: bool
    #: what a link that is not up yet waits for, if it tells, for errors
    stage: str = ''

    @abstractmethod
    def send(self, frames: Sequence[bytes]) -> None:
        """Hand over a message, waiting while the other side does not read.

        Called in the hub it never waits: a message that finds the buffer full is dropped.
        Raises LinkDown, and MessageTooLong for more than the transport's `max_message_size`, after
        which the link is as good as before. What was handed over before a link goes down may or may
        not have arrived.
        """

    @abstractmethod
    def close(self, reason: str = 'closed') -> None:
        """Take the link down after what is buffered could be written at once; idempotent."""


class Listener(ABC):
    """Accepts links at an endpoint."""

    #: where others connect to, with the real port
    endpoint: str
    #: messages so far that belonged to no link, such as those of peers of another protocol version
    dropped: int = 0

    @property
    def trouble(self) -> str | None:
        """Why nobody is accepted, or nothing received, at the moment; None: all is well.

        A listener that stands still logs one line when that begins and one when it goes on.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Accept no more links; those that are up stay up. Idempotent."""


class Transport(ABC):
    """A way to carry messages."""

    #: the endpoint schemes it speaks, as in ``tcp://127.0.0.1:4123``
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
        #: bytes that all links together may hold of incomplete messages and of unsent ones
        self.max_buffered = max_buffered or BUFFERED_MESSAGES * max_message_size

    @property
    def buffered(self) -> int | None:
        """Bytes of `max_buffered` that are in use; None: this transport does not know."""
        return None

    @classmethod
    def from_config(cls, config: ConfigView, **common: Any) -> Transport:
        """Make the transport from an `rpc` section; `common` are the keywords of every transport.

        Raises ConfigurationError.
        """
        if 'curve' in config:
            raise config.error('curve', 'encryption with CURVE needs the transport zeromq')
        return cls(**common)

    @abstractmethod
    def address(self, ip: str, port: int) -> str:
        """Return the endpoint for an IP address and a port (0: any free one)."""

    @abstractmethod
    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at `endpoint` (port 0: any free one).

        Raises OSError when it cannot be listened at, ValueError as `connect` does.
        """

    @abstractmethod
    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin a link to `endpoint` and return at once; `link_up` or `link_down` follows.

        Raises ValueError when `endpoint` is none of this transport's, or in a forked child.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all listeners and links. Idempotent."""
