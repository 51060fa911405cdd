"""Links come up and go down, and notify their handler once."""

from __future__ import annotations

import gevent
import pytest

from lymph.core.transport.base import Link, LinkDown
from lymph.testing.contracts._transports.harness import TransportHarness
from lymph.testing.waiting import eventually

__all__ = ['LinksContract']


class LinksContract(TransportHarness):
    """Tests of links."""

    def test_connecting_never_waits(self) -> None:
        """`connect` may be called in the hub."""
        listener, _ = self.serve()
        handler = self.handler()
        gevent.get_hub().loop.run_callback(self.connecting.connect, listener.endpoint, handler)
        eventually(lambda: handler.ups, self.patience)

    def test_a_link_knows_its_peer(self) -> None:
        """`peer` is the endpoint on the connecting side, and a text on the accepting side."""
        listener, accepting = self.serve()
        link, _ = self.call(listener.endpoint)
        assert link.peer == listener.endpoint
        link.send([b''])
        self.arrived(accepting, 1)
        assert isinstance(accepting.sources[0].peer, str)

    def test_link_is_up_only_once_it_is_established(self) -> None:
        """Until a link is up, `send` raises LinkDown."""
        listener, _ = self.serve()
        handler = self.handler()
        link = self.connecting.connect(listener.endpoint, handler)
        assert not link.up
        with pytest.raises(LinkDown, match='not up yet'):
            link.send([b'early'])
        eventually(lambda: link.up, self.patience)

    def test_the_connecting_side_closes(self) -> None:
        """Both sides are notified once; the first reason counts."""
        link, handler, accepted, accepting = self.join()
        link.close('enough')
        link.close('again')
        assert not link.up
        self.down(handler, link)
        self.down(accepting, accepted)
        assert handler.downs == [(link, 'enough')]

    def test_the_accepting_side_closes(self) -> None:
        """Both sides are notified once; the first reason counts."""
        link, handler, accepted, accepting = self.join()
        accepted.close('enough')
        accepted.close('again')
        assert not accepted.up
        self.down(handler, link)
        self.down(accepting, accepted)
        assert accepting.downs == [(accepted, 'enough')]

    def test_both_sides_close_at_once(self) -> None:
        """Each side is notified once."""
        link, handler, accepted, accepting = self.join()
        accepted.close()
        link.close()
        self.down(handler, link)
        self.down(accepting, accepted)

    def test_what_was_sent_before_closing_arrives(self) -> None:
        """`close` discards no messages that were sent before it."""
        link, handler, accepted, accepting = self.join()
        sent = [[b'%d' % n] for n in range(500)]
        for message in sent:
            link.send(message)
        link.close()
        self.down(accepting, accepted)
        assert accepting.messages == sent
        assert handler.lost == [link]

    def test_what_the_accepting_side_sent_before_closing_arrives(self) -> None:
        """Closing the transport discards no messages that were sent before."""
        link, handler, accepted, _ = self.join()
        sent = [[b'%d' % n] for n in range(500)]
        for message in sent:
            accepted.send(message)
        self.listening.close()
        self.down(handler, link)
        assert handler.messages == sent

    def test_a_link_that_is_down_refuses_messages(self) -> None:
        """`send` raises LinkDown on both sides, with the reason of the side that closed."""
        link, handler, accepted, accepting = self.join()
        link.close('enough')
        with pytest.raises(LinkDown, match='enough'):
            link.send([b'late'])
        self.down(accepting, accepted)
        for side in (link, accepted):
            with pytest.raises(LinkDown):
                side.send([b'late'])
        assert handler.messages == accepting.messages == []

    def test_a_handler_that_closes_the_link_hears_no_further_message(self) -> None:
        """No message is delivered after `close`, even if it has been received."""
        listener, accepting = self.serve()
        arrive = accepting.message_arrived

        def close(link: Link, frames: list[bytes]) -> None:
            arrive(link, frames)
            link.close()

        accepting.message_arrived = close  # type: ignore[method-assign]
        link, handler = self.call(listener.endpoint)
        for number in range(10):
            link.send([b'%d' % number])
        self.down(handler, link)
        self.down(accepting, *accepting.ups)
        assert accepting.messages == [[b'0']]

    def test_a_link_that_is_closed_before_it_is_up_never_comes_up(self) -> None:
        """A link closed while it connects goes down with that reason, without `link_up`."""
        listener, accepting = self.serve()
        handler = self.handler()
        link = self.connecting.connect(listener.endpoint, handler)
        link.close('never mind')
        self.down(handler, link)
        another, _ = self.call(listener.endpoint)
        another.send([b'x'])
        self.arrived(accepting, 1)
        assert handler.ups == []
        assert handler.downs == [(link, 'never mind')]

    def test_after_a_link_went_down_a_new_one_may_be_made(self) -> None:
        """An endpoint can be connected to again and again."""
        listener, accepting = self.serve(echoes=True)
        for _ in range(5):
            link, handler = self.call(listener.endpoint)
            link.send([b'x'])
            self.arrived(handler, 1)
            link.close()
            self.down(accepting, *accepting.ups)
        assert len(accepting.lost) == 5
