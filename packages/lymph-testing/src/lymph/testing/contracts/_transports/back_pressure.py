"""Senders wait for a peer that does not read, but never in the hub."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import pytest

from lymph.core.transport.base import Link, LinkDown
from lymph.testing.contracts._transports.harness import TransportHarness
from lymph.testing.waiting import eventually

__all__ = ['BackPressureContract']


class BackPressureContract(TransportHarness):
    """Tests of senders whose peer does not read."""

    def test_a_sender_that_never_rests_waits_for_its_peer(self) -> None:
        """At most `most_on_the_way` bytes are sent and not yet received."""
        link, _, _, accepting = self.join()
        accepting.messages = _Forgetting()
        arrive, sizes = accepting.message_arrived, {'sent': 0, 'arrived': 0, 'most': 0}

        def count(link: Link, frames: list[bytes]) -> None:
            arrive(link, frames)
            sizes['arrived'] += len(frames[0])

        accepting.message_arrived = count  # type: ignore[method-assign]
        message, total = [bytes(16 * 1024)], 2 * self.most_on_the_way
        while sizes['sent'] < total:
            link.send(message)
            sizes['sent'] += len(message[0])
            sizes['most'] = max(sizes['most'], sizes['sent'] - sizes['arrived'])
        eventually(lambda: sizes['arrived'] == total, self.patience)
        assert sizes['most'] <= self.most_on_the_way

    def test_in_the_hub_a_sender_never_waits(self) -> None:
        """`send` may be called in the hub, and the link works afterwards."""
        link, handler, accepted, accepting = self.join()
        kept = handler.messages = accepting.messages = _Forgetting()
        done = gevent.event.Event()

        def flood(link: Link, message: Sequence[bytes]) -> None:
            for _ in range(2 * self.most_on_the_way // len(message[0])):
                link.send(message)
            done.set()

        for side in (link, accepted):
            done.clear()
            gevent.get_hub().loop.run_callback(flood, side, [bytes(16 * 1024)])
            assert done.wait(self.patience)
        assert link.up
        assert accepted.up

        def still_works() -> bool:
            link.send([b'request'])
            accepted.send([b'reply'])
            return {b'request', b'reply'} <= kept.small

        eventually(still_works, self.patience)

    def test_a_sender_that_waits_learns_that_the_link_went_down(self) -> None:
        """`send` raises LinkDown if the link goes down while it waits."""
        link, handler, accepted, accepting = self.join()
        accepting.messages = _Forgetting()
        arrive = accepting.message_arrived

        def close(link: Link, frames: list[bytes]) -> None:
            arrive(link, frames)
            link.close()

        accepting.message_arrived = close  # type: ignore[method-assign]

        def send_for_ever() -> None:
            while True:
                link.send([bytes(16 * 1024)])

        sender = gevent.spawn(send_for_ever)
        with pytest.raises(LinkDown):
            sender.get(timeout=self.patience)
        self.down(handler, link)
        self.down(accepting, accepted)


class _Forgetting(list[list[bytes]]):
    """A list that keeps only small frames."""

    def __init__(self) -> None:
        super().__init__()
        self.small: set[bytes] = set()

    def append(self, frames: list[bytes]) -> None:
        """Take a message."""
        self.small.update(frame for frame in frames if len(frame) < 100)
