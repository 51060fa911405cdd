"""Messages arrive unchanged and in order, up to the largest size."""

from __future__ import annotations

import logging

import gevent
import pytest

from lymph.core.transport.base import Link, MessageTooLong
from lymph.testing.contracts._transports.harness import TransportHarness

__all__ = ['MessagesContract']


class MessagesContract(TransportHarness):
    """Tests of messages."""

    @pytest.mark.parametrize(
        'message',
        [
            [b''],
            [b'', b'', b''],
            [b'one'],
            [bytes(range(256))] * 5,
            [b'', b'x', b''],
            [bytes(255), bytes(256), bytes(257), bytes(65535), bytes(65536), bytes(65537)],
            [b'x'] * 255,
            [b'\n' * 3_000_000],
        ],
        ids=['empty', 'empties', 'one', 'all bytes', 'ends', 'sizes', 'many frames', 'large'],
    )
    def test_a_message_arrives_as_it_was_sent(self, message: list[bytes]) -> None:
        """Frames of any number, size and content arrive unchanged in both directions."""
        link, handler, accepted, accepting = self.join()
        link.send(message)
        assert self.arrived(accepting, 1) == [message]
        accepted.send(tuple(message))
        assert self.arrived(handler, 1) == [message]

    def test_messages_arrive_in_order_both_ways(self) -> None:
        """Messages of both directions keep their order when sent at the same time."""
        link, handler, accepted, accepting = self.join()
        sent = [[b'%d' % n, bytes(n % 500)] for n in range(3000)]
        for number, message in enumerate(sent):
            link.send(message)
            accepted.send(message)
            if number % 100 == 0:
                gevent.sleep(0)
        assert self.arrived(accepting, len(sent)) == sent
        assert self.arrived(handler, len(sent)) == sent

    def test_messages_of_several_greenlets_are_not_mixed(self) -> None:
        """Messages of concurrent senders arrive whole, and in order for each sender."""
        link, _, _, accepting = self.join()

        def send(sender: int) -> None:
            for number in range(200):
                link.send([b'%d' % sender, bytes(sender * 300), b'%d' % number])

        gevent.joinall([gevent.spawn(send, n) for n in range(10)], raise_error=True)
        found = self.arrived(accepting, 2000)
        for sender in range(10):
            of_sender = [message for message in found if message[0] == b'%d' % sender]
            assert of_sender == [
                [b'%d' % sender, bytes(sender * 300), b'%d' % n] for n in range(200)
            ]

    def test_an_answer_goes_to_the_link_that_asked(self) -> None:
        """Each of 50 links gets the replies to its own messages only."""
        listener, accepting = self.serve(echoes=True)
        callers = [self.call(listener.endpoint) for _ in range(50)]
        for number, (link, _) in enumerate(callers):
            link.send([b'%d' % number])
        for number, (_, handler) in enumerate(callers):
            assert self.arrived(handler, 1) == [[b'echo', b'%d' % number]]
        assert len(accepting.ups) == len(set(accepting.ups)) == 50

    def test_a_handler_may_send_when_the_link_comes_up(self) -> None:
        """`send` works inside `link_up`."""
        listener, accepting = self.serve(echoes=True)
        handler = self.handler()
        come_up = handler.link_up

        def greet(link: Link) -> None:
            come_up(link)
            link.send([b'hello'])

        handler.link_up = greet  # type: ignore[method-assign]
        self.connecting.connect(listener.endpoint, handler)
        assert self.arrived(handler, 1) == [[b'echo', b'hello']]
        assert accepting.messages == [[b'hello']]

    def test_what_a_handler_raises_is_logged_and_changes_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each exception that a handler raises is logged, and the link stays up."""
        listener, accepting = self.serve()
        arrive, come_up = accepting.message_arrived, accepting.link_up

        def fail_to_arrive(link: Link, frames: list[bytes]) -> None:
            arrive(link, frames)
            raise ValueError('the fault of message_arrived')

        def fail_to_come_up(link: Link) -> None:
            come_up(link)
            raise ValueError('the fault of link_up')

        accepting.message_arrived = fail_to_arrive  # type: ignore[method-assign]
        accepting.link_up = fail_to_come_up  # type: ignore[method-assign]
        link, _ = self.call(listener.endpoint)
        with caplog.at_level(logging.ERROR):
            for number in range(3):
                link.send([b'%d' % number])
            assert self.arrived(accepting, 3) == [[b'0'], [b'1'], [b'2']]
        faults = [str(r.exc_info[1]) for r in caplog.records if r.exc_info is not None]
        assert faults.count('the fault of message_arrived') == 3
        assert faults.count('the fault of link_up') == 1
        assert link.up

    @pytest.mark.parametrize('frames', [1, 5])
    def test_a_message_of_the_largest_size_arrives(self, frames: int) -> None:
        """The frames together may have `max_message_size` bytes."""
        self.begin(max_message_size=1_000_000)
        link, handler, accepted, accepting = self.join()
        message = [bytes(1_000_000 // frames)] * frames
        link.send(message)
        assert self.arrived(accepting, 1) == [message]
        accepted.send(message)
        assert self.arrived(handler, 1) == [message]

    @pytest.mark.parametrize('frames', [1, 5])
    def test_a_larger_message_is_refused_where_it_is_sent(self, frames: int) -> None:
        """`send` raises MessageTooLong, and the link stays up."""
        self.begin(max_message_size=1_000_000)
        link, handler, accepted, accepting = self.join()
        message = [bytes(1_000_000 // frames)] * frames + [b'x']
        for side in (link, accepted):
            with pytest.raises(
                MessageTooLong, match=r'1000001 bytes .*max_message_size is 1000000'
            ):
                side.send(message)
            side.send([b'the link is as good as before'])
        self.arrived(accepting, 1)
        self.arrived(handler, 1)

    @pytest.mark.parametrize('frames', [1, 5])
    def test_a_larger_message_that_arrives_takes_the_link_down(self, frames: int) -> None:
        """A receiver closes the link on a message above its own limit."""
        self.begin(max_message_size=1_000_000)
        self.connecting = self.make_connecting_transport()
        self._opened.append(self.connecting)
        link, handler, accepted, accepting = self.join()
        link.send([bytes(1_000_000 // frames)] * frames + [b'x'])
        self.down(handler, link)
        self.down(accepting, accepted)
        assert accepting.messages == []
