"""The memory of a link that is down is free at once, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

from lymph.core.transport.base import Link, LinkDown
from lymph.testing.contracts._transports.harness import TransportHarness
from lymph.testing.waiting import eventually

__all__ = ['LettingGoContract']

_LINKS = 5


class LettingGoContract(TransportHarness):
    """Tests of the memory of links that are down."""

    def test_links_that_were_closed_are_let_go_of_without_the_garbage_collector(self) -> None:
        """A closed link is not part of a reference cycle."""
        for close in (_first, _second):
            with _without_collector():
                accepting = _Noticing()
                listener = self.listening.listen(self.endpoint(), accepting)
                self._come_and_go(listener.endpoint, accepting, close)

    def test_a_link_that_fills_up_is_let_go_of_without_the_garbage_collector(self) -> None:
        """A link closed while senders wait on it is not part of a reference cycle."""
        with _without_collector():
            accepting, calling = _Noticing(), _Noticing()
            listener = self.listening.listen(self.endpoint(), accepting)
            link = self.connecting.connect(listener.endpoint, calling)
            eventually(lambda: calling.known, self.patience)
            sent = []

            # The link is an argument: a closure would keep it after `del link`.
            def send(link: Link) -> None:
                try:
                    while True:
                        link.send([bytes(16 * 1024)])
                        sent.append(16 * 1024)
                        # Twice the bound of the contract: this link does not make senders wait.
                        if sum(sent) > 2 * self.most_on_the_way:
                            return
                except LinkDown:
                    return

            senders = [gevent.spawn(send, link) for _ in range(3)]
            eventually(lambda: sum(sent) > 0, self.patience)
            gevent.get_hub().loop.run_callback(link.close)
            gevent.joinall(senders, timeout=self.patience)
            # Nothing here may keep the link, neither the name nor the greenlets that send.
            del link
            senders.clear()
            eventually(lambda: calling.gone and accepting.gone, self.patience)

    def _come_and_go(
        self, endpoint: str, accepting: _Noticing, close: Callable[[Link, Link], None]
    ) -> None:
        for number in range(1, _LINKS + 1):
            calling = _Noticing()
            link = self.connecting.connect(endpoint, calling)
            eventually(lambda calling=calling: calling.known, self.patience)  # type: ignore[misc]
            link.send([b'x', bytes(100_000)])
            eventually(lambda count=number: len(accepting.known) == count, self.patience)  # type: ignore[misc]
            accepted = accepting.known[-1]()
            assert accepted is not None
            accepted.send([b'y', bytes(100_000)])
            eventually(lambda calling=calling: calling.heard, self.patience)  # type: ignore[misc]
            close(link, accepted)
            del link, accepted
            eventually(lambda calling=calling: calling.gone, self.patience)  # type: ignore[misc]
        eventually(lambda: accepting.gone, self.patience)


class _Noticing:
    """A link handler that keeps no reference to links, as those of services and callers."""

    def __init__(self) -> None:
        self.known: list[weakref.ref[Link]] = []
        self.heard = 0

    @property
    def gone(self) -> bool:
        """Whether all links have been freed."""
        return all(known() is None for known in self.known)

    def link_up(self, link: Link) -> None:
        """Remember a link weakly."""
        self.known.append(weakref.ref(link))

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Count a message."""
        self.heard += 1

    def link_down(self, link: Link, reason: str) -> None:
        """Do nothing."""


def _first(link: Link, accepted: Link) -> None:
    link.close()


def _second(link: Link, accepted: Link) -> None:
    accepted.close()


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
