"""The contract of transports, as tests.

A transport's author runs them by subclassing, for pytest to collect::

    class TestMyTransport(TransportContract):
        def make_transport(self, **options):
            return MyTransport(**options)

        def endpoint(self):
            return 'mine://'

Two transports that speak the same protocol are tried against each other by overriding
`make_connecting_transport` as well.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import gevent
import pytest
from greenlet import getcurrent

from lymph.core.transport.base import Link, LinkDown, Listener, MessageTooLong, Transport
from lymph.testing.waiting import eventually

__all__ = ['RecordingHandler', 'TransportContract', 'open_descriptors']


def open_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(os.listdir('/dev/fd'))


class RecordingHandler:
    """A link handler that remembers what it heard and checks the rules of hearing.

    It sends back what arrives, with ``echo`` as first frame, when `echoes` is True.
    """

    def __init__(self, echoes: bool = False) -> None:
        self.echoes = echoes
        self.ups: list[Link] = []
        self.downs: list[tuple[Link, str]] = []
        self.messages: list[list[bytes]] = []
        self.sources: list[Link] = []
        self.violations: list[str] = []

    def link_up(self, link: Link) -> None:
        """Remember a link that came up."""
        self._check(getcurrent() is gevent.get_hub(), 'link_up outside of the hub')
        self._check(link not in self.ups, 'a second link_up')
        self._check(link not in self.lost, 'link_up after link_down')
        self._check(link.up, 'link_up of a link that is not up')
        self.ups.append(link)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Remember a message, and return it if asked to."""
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
        """Remember a link that went down."""
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


class TransportContract:
    """Tests that every transport passes."""

    #: seconds to wait for what has to happen
    patience: ClassVar[float] = 10.0
    #: bytes that may be on their way, in messages of 16 KiB, before a sender has to wait
    most_on_the_way: ClassVar[int] = 64 * 1024 * 1024

    def make_transport(self, **options: Any) -> Transport:
        """Return a new transport; options: `max_message_size`, `unresponsive_timeout`."""
        raise NotImplementedError

    def make_connecting_transport(self, **options: Any) -> Transport:
        """Return one that connects to what the others listen at."""
        return self.make_transport(**options)

    def endpoint(self) -> str:
        """Return an endpoint to listen at: any that is free."""
        return self.listening.address('127.0.0.1', 0)

    # What the tests are written in.

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
        """Make the two transports anew: `listening` and `connecting`."""
        self.listening = self.make_transport(**options)
        self.connecting = self.make_connecting_transport(**options)
        self._opened += [self.listening, self.connecting]

    def handler(self, echoes: bool = False) -> RecordingHandler:
        """Return a handler whose findings are looked at when the test ends."""
        self._handlers.append(RecordingHandler(echoes))
        return self._handlers[-1]

    def serve(self, echoes: bool = False) -> tuple[Listener, RecordingHandler]:
        """Return a listener and what it hears."""
        handler = self.handler(echoes)
        return self.listening.listen(self.endpoint(), handler), handler

    def call(self, endpoint: str) -> tuple[Link, RecordingHandler]:
        """Return a link that is up and what it hears."""
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
        """Wait until `count` messages have arrived and return them."""
        eventually(
            lambda: len(handler.messages) >= count,
            self.patience,
            lambda: f'{count} messages to arrive ({len(handler.messages)} did; {handler.downs})',
        )
        return handler.messages

    def down(self, handler: RecordingHandler, *links: Link) -> None:
        """Wait until exactly these links have gone down."""
        eventually(lambda: set(handler.lost) == set(links), self.patience)

    # Messages.

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
        link, handler, accepted, accepting = self.join()
        link.send(message)
        assert self.arrived(accepting, 1) == [message]
        accepted.send(tuple(message))
        assert self.arrived(handler, 1) == [message]

    def test_messages_arrive_in_order_both_ways(self) -> None:
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
        listener, accepting = self.serve(echoes=True)
        callers = [self.call(listener.endpoint) for _ in range(50)]
        for number, (link, _) in enumerate(callers):
            link.send([b'%d' % number])
        for number, (_, handler) in enumerate(callers):
            assert self.arrived(handler, 1) == [[b'echo', b'%d' % number]]
        assert len(accepting.ups) == len(set(accepting.ups)) == 50

    def test_a_handler_may_send_when_the_link_comes_up(self) -> None:
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

    # Sizes.

    @pytest.mark.parametrize('frames', [1, 5])
    def test_a_message_of_the_largest_size_arrives(self, frames: int) -> None:
        self.begin(max_message_size=1_000_000)
        link, handler, accepted, accepting = self.join()
        message = [bytes(1_000_000 // frames)] * frames
        link.send(message)
        assert self.arrived(accepting, 1) == [message]
        accepted.send(message)
        assert self.arrived(handler, 1) == [message]

    @pytest.mark.parametrize('frames', [1, 5])
    def test_a_larger_message_is_refused_where_it_is_sent(self, frames: int) -> None:
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
        self.begin(max_message_size=1_000_000)
        self.connecting = self.make_connecting_transport()
        self._opened.append(self.connecting)
        link, handler, accepted, accepting = self.join()
        link.send([bytes(1_000_000 // frames)] * frames + [b'x'])
        self.down(handler, link)
        self.down(accepting, accepted)
        assert accepting.messages == []

    # Links.

    def test_connecting_never_waits(self) -> None:
        listener, _ = self.serve()
        handler = self.handler()
        gevent.get_hub().loop.run_callback(self.connecting.connect, listener.endpoint, handler)
        eventually(lambda: handler.ups, self.patience)

    def test_a_link_knows_its_peer(self) -> None:
        listener, accepting = self.serve()
        link, _ = self.call(listener.endpoint)
        assert link.peer == listener.endpoint
        link.send([b''])
        self.arrived(accepting, 1)
        assert isinstance(accepting.sources[0].peer, str)

    def test_a_link_is_not_up_before_it_is(self) -> None:
        listener, _ = self.serve()
        handler = self.handler()
        link = self.connecting.connect(listener.endpoint, handler)
        assert not link.up
        with pytest.raises(LinkDown, match='not up yet'):
            link.send([b'early'])
        eventually(lambda: link.up, self.patience)

    def test_the_connecting_side_closes(self) -> None:
        link, handler, accepted, accepting = self.join()
        link.close('enough')
        link.close('again')
        assert not link.up
        self.down(handler, link)
        self.down(accepting, accepted)
        assert handler.downs == [(link, 'enough')]

    def test_the_accepting_side_closes(self) -> None:
        link, handler, accepted, accepting = self.join()
        accepted.close('enough')
        accepted.close('again')
        assert not accepted.up
        self.down(handler, link)
        self.down(accepting, accepted)
        assert accepting.downs == [(accepted, 'enough')]

    def test_both_sides_close_at_once(self) -> None:
        link, handler, accepted, accepting = self.join()
        accepted.close()
        link.close()
        self.down(handler, link)
        self.down(accepting, accepted)

    def test_what_was_sent_before_closing_arrives(self) -> None:
        link, handler, accepted, accepting = self.join()
        sent = [[b'%d' % n] for n in range(500)]
        for message in sent:
            link.send(message)
        link.close()
        self.down(accepting, accepted)
        assert accepting.messages == sent
        assert handler.lost == [link]

    def test_what_the_accepting_side_sent_before_closing_arrives(self) -> None:
        link, handler, accepted, _ = self.join()
        sent = [[b'%d' % n] for n in range(500)]
        for message in sent:
            accepted.send(message)
        self.listening.close()
        self.down(handler, link)
        assert handler.messages == sent

    def test_a_link_that_is_down_refuses_messages(self) -> None:
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
        listener, accepting = self.serve(echoes=True)
        for _ in range(5):
            link, handler = self.call(listener.endpoint)
            link.send([b'x'])
            self.arrived(handler, 1)
            link.close()
            self.down(accepting, *accepting.ups)
        assert len(accepting.lost) == 5

    # Listeners.

    def test_nobody_who_listens_is_known_at_once(self) -> None:
        listener, _ = self.serve()
        endpoint = listener.endpoint
        listener.close()

        def refused() -> bool:
            handler = self.handler()
            link = self.connecting.connect(endpoint, handler)
            eventually(lambda: handler.ups or handler.downs, self.patience)
            link.close()
            return not handler.ups and handler.downs[0][1].startswith('connection failed')

        eventually(refused, self.patience)

    @pytest.mark.parametrize(
        'endpoint',
        ['', 'echo', 'nonsense://127.0.0.1:1', '://', 'tcp://127.0.0.1:99999999', 'tcp://'],
    )
    def test_what_is_no_endpoint_is_refused(self, endpoint: str) -> None:
        with pytest.raises(ValueError, match='expected an endpoint like'):
            self.connecting.connect(endpoint, self.handler())
        with pytest.raises(ValueError, match='expected an endpoint like'):
            self.listening.listen(endpoint, self.handler())

    def test_two_listeners_have_two_endpoints(self) -> None:
        (one, of_one), (two, of_two) = self.serve(), self.serve()
        assert one.endpoint != two.endpoint
        for listener, accepting in ((one, of_one), (two, of_two)):
            link, _ = self.call(listener.endpoint)
            link.send([listener.endpoint.encode()])
            assert self.arrived(accepting, 1) == [[listener.endpoint.encode()]]

    def test_an_endpoint_that_is_taken_is_refused_and_stays_with_its_owner(self) -> None:
        listener, accepting = self.serve()
        descriptors = open_descriptors()
        another = self.make_transport()
        for transport in (self.listening, another):
            with pytest.raises(OSError, match='in use'):
                transport.listen(listener.endpoint, self.handler())
        another.close()
        eventually(lambda: open_descriptors() <= descriptors, self.patience)
        link, _ = self.call(listener.endpoint)
        link.send([b'x'])
        self.arrived(accepting, 1)

    def test_a_listener_that_is_closed_leaves_its_links_up(self) -> None:
        listener, accepting = self.serve(echoes=True)
        link, handler = self.call(listener.endpoint)
        link.send([b'x'])
        self.arrived(handler, 1)
        listener.close()
        listener.close()
        link.send([b'y'])
        assert self.arrived(handler, 2) == [[b'echo', b'x'], [b'echo', b'y']]
        assert accepting.downs == []

    def test_an_endpoint_is_free_again_after_its_listener_was_closed(self) -> None:
        listener, _ = self.serve()
        listener.close()

        def listen_again() -> bool:
            try:
                self.listening.listen(listener.endpoint, self.handler())
            except OSError:
                return False
            return True

        eventually(listen_again, self.patience)
        self.call(listener.endpoint)

    # Transports.

    def test_closing_a_transport_takes_all_its_links_down(self) -> None:
        listener, accepting = self.serve(echoes=True)
        callers = [self.call(listener.endpoint) for _ in range(20)]
        for link, handler in callers:
            link.send([b'x'])
            self.arrived(handler, 1)
        self.listening.close()
        self.listening.close()
        self.down(accepting, *accepting.ups)
        for link, handler in callers:
            self.down(handler, link)

    def test_closing_a_transport_takes_down_what_is_connecting(self) -> None:
        listener, _ = self.serve()
        handler = self.handler()
        link = self.connecting.connect(listener.endpoint, handler)
        self.connecting.close()
        self.down(handler, link)
        assert handler.ups == []

    def test_nothing_is_left_of_many_links(self) -> None:
        listener, accepting = self.serve(echoes=True)
        self.call(listener.endpoint)
        descriptors = open_descriptors()
        for rounds in range(1, 4):
            callers = [self.call(listener.endpoint) for _ in range(50)]
            for link, handler in callers:
                link.send([b'x'])
                self.arrived(handler, 1)
            for link, handler in callers:
                link.close()
                self.down(handler, link)
            eventually(lambda: len(accepting.lost) == 50 * rounds, self.patience)  # noqa: B023
            eventually(lambda: open_descriptors() <= descriptors, self.patience)

    # Back pressure.

    def test_a_sender_that_never_rests_waits_for_its_peer(self) -> None:
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
    """Keeps nothing but the small frames."""

    def __init__(self) -> None:
        super().__init__()
        self.small: set[bytes] = set()

    def append(self, frames: list[bytes]) -> None:
        """Take a message."""
        self.small.update(frame for frame in frames if len(frame) < 100)
