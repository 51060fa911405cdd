"""The tools of the transport tests."""

from __future__ import annotations

from typing import Any, ClassVar

import gevent
import pytest

from lymph.core.transport.base import Link, Listener, Transport
from lymph.testing.contracts._transports.recording import RecordingHandler
from lymph.testing.waiting import eventually

__all__ = ['TransportHarness']


class TransportHarness:
    """Makes transports, links and handlers for the tests, and closes them."""

    #: seconds to wait for something that has to happen
    patience: ClassVar[float] = 10.0
    #: bytes in messages of 16 KiB that may be in flight before a sender has to wait
    most_on_the_way: ClassVar[int] = 64 * 1024 * 1024

    def make_transport(self, **options: Any) -> Transport:
        """Return a new transport.

        Options: `max_message_size` in bytes, `unresponsive_timeout` in seconds.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    def make_connecting_transport(self, **options: Any) -> Transport:
        """Return a transport that connects to the listeners of `make_transport`."""
        return self.make_transport(**options)

    def endpoint(self) -> str:
        """Return an endpoint to listen at, which stands for any free one."""
        return self.listening.address('127.0.0.1', 0)

    # The tools of the tests.

    @pytest.fixture(autouse=True)
    def _transports(self) -> Any:
        self._opened: list[Transport] = []
        self._handlers: list[RecordingHandler] = []
        self.begin()
        yield
        for transport in self._opened:
            transport.close()
        gevent.sleep(0)
        assert [violation for handler in self._handlers for violation in handler.violations] == []

    def begin(self, **options: Any) -> None:
        """Make two new transports: `listening` and `connecting`."""
        self.listening = self.make_transport(**options)
        self.connecting = self.make_connecting_transport(**options)
        self._opened += [self.listening, self.connecting]

    def handler(self, echoes: bool = False) -> RecordingHandler:
        """Return a handler whose findings are checked after the test."""
        self._handlers.append(RecordingHandler(echoes))
        return self._handlers[-1]

    def serve(self, echoes: bool = False) -> tuple[Listener, RecordingHandler]:
        """Return a listener and its handler."""
        handler = self.handler(echoes)
        return self.listening.listen(self.endpoint(), handler), handler

    def call(self, endpoint: str) -> tuple[Link, RecordingHandler]:
        """Return a link that is up, and its handler."""
        handler = self.handler()
        link = self.connecting.connect(endpoint, handler)
        eventually(
            lambda: handler.ups == [link], self.patience, lambda: f'link_up, {handler.downs}'
        )
        return link, handler

    def join(self) -> tuple[Link, RecordingHandler, Link, RecordingHandler]:
        """Return both sides of a link, after one message: caller's link, and handler, accepted."""
        listener, accepting = self.serve()
        link, handler = self.call(listener.endpoint)
        link.send([b'first'])
        self.arrived(accepting, 1)
        accepting.messages.clear()
        return link, handler, accepting.sources.pop(), accepting

    def arrived(self, handler: RecordingHandler, count: int) -> list[list[bytes]]:
        """Wait until `count` messages have arrived; return them."""
        eventually(
            lambda: len(handler.messages) >= count,
            self.patience,
            lambda: f'{count} messages to arrive ({len(handler.messages)} did; {handler.downs})',
        )
        return handler.messages

    def down(self, handler: RecordingHandler, *links: Link) -> None:
        """Wait until exactly these links are down."""
        eventually(lambda: set(handler.lost) == set(links), self.patience)
