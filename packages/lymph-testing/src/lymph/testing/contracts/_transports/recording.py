"""A link handler that records the calls of its links, and checks the rules for them."""

from __future__ import annotations

import os
from contextlib import suppress

import gevent
from greenlet import getcurrent

from lymph.core.transport.base import Link, LinkDown

__all__ = ['RecordingHandler', 'open_descriptors']


def open_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(os.listdir('/dev/fd'))


class RecordingHandler:
    """A link handler that records its calls and checks their order.

    With `echoes`, it sends each message back with ``echo`` as the first frame.
    """

    def __init__(self, echoes: bool = False) -> None:
        self.echoes = echoes
        self.ups: list[Link] = []
        self.downs: list[tuple[Link, str]] = []
        self.messages: list[list[bytes]] = []
        self.sources: list[Link] = []
        self.violations: list[str] = []

    def link_up(self, link: Link) -> None:
        """Record a link that came up."""
        self._check(getcurrent() is gevent.get_hub(), 'link_up outside of the hub')
        self._check(link not in self.ups, 'a second link_up')
        self._check(link not in self.lost, 'link_up after link_down')
        self._check(link.up, 'link_up of a link that is not up')
        self.ups.append(link)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Record a message, and send it back if `echoes` is set."""
        self._check(getcurrent() is gevent.get_hub(), 'message_arrived outside of the hub')
        self._check(link in self.ups, 'a message before link_up')
        self._check(link not in self.lost, 'a message after link_down')
        self._check(type(frames) is list, f'frames as {type(frames).__name__}')
        self._check({type(frame) for frame in frames} == {bytes}, 'frames that are not bytes')
        self.messages.append(frames)
        self.sources.append(link)
        if self.echoes:
            with suppress(LinkDown):  # who asked may be gone
                link.send([b'echo', *frames])

    def link_down(self, link: Link, reason: str) -> None:
        """Record a link that went down."""
        self._check(getcurrent() is gevent.get_hub(), 'link_down outside of the hub')
        self._check(link not in self.lost, 'a second link_down')
        self._check(not link.up, 'link_down of a link that is up')
        self._check(bool(reason) and '\n' not in reason, f'the reason {reason!r}')
        self.downs.append((link, reason))

    @property
    def lost(self) -> list[Link]:
        """The links that went down."""
        return [link for link, _ in self.downs]

    def _check(self, holds: bool, violation: str) -> None:
        if not holds:
            self.violations.append(violation)
