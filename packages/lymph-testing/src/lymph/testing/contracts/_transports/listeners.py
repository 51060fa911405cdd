"""Listeners own their endpoints, and transports close everything they made."""

from __future__ import annotations

import pytest

from lymph.testing.contracts._transports.harness import TransportHarness
from lymph.testing.contracts._transports.recording import open_descriptors
from lymph.testing.waiting import eventually

__all__ = ['ListenersContract']


class ListenersContract(TransportHarness):
    """Tests of listeners, and of transports as a whole."""

    def test_missing_listener_is_noticed_at_once(self) -> None:
        """A connection to an endpoint without a listener fails, and does not wait for a timeout."""
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
    def test_invalid_endpoints_are_rejected(self, endpoint: str) -> None:
        """`connect` and `listen` raise ValueError for an invalid endpoint."""
        with pytest.raises(ValueError, match='expected an endpoint like'):
            self.connecting.connect(endpoint, self.handler())
        with pytest.raises(ValueError, match='expected an endpoint like'):
            self.listening.listen(endpoint, self.handler())

    def test_two_listeners_have_two_endpoints(self) -> None:
        """A transport can have several listeners, each with its own endpoint and handler."""
        (one, of_one), (two, of_two) = self.serve(), self.serve()
        assert one.endpoint != two.endpoint
        for listener, accepting in ((one, of_one), (two, of_two)):
            link, _ = self.call(listener.endpoint)
            link.send([listener.endpoint.encode()])
            assert self.arrived(accepting, 1) == [[listener.endpoint.encode()]]

    def test_an_endpoint_that_is_taken_is_refused_and_stays_with_its_owner(self) -> None:
        """`listen` raises OSError for an endpoint in use, and leaks no descriptors."""
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
        """Closing a listener, also twice, does not affect the links it has accepted."""
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
        """A new listener can use the endpoint of a closed one."""
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

    def test_closing_a_transport_takes_all_its_links_down(self) -> None:
        """`close`, which may be repeated, takes down all links, and their peers notice."""
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
        """A link that is not up yet goes down with its transport."""
        listener, _ = self.serve()
        handler = self.handler()
        link = self.connecting.connect(listener.endpoint, handler)
        self.connecting.close()
        self.down(handler, link)
        assert handler.ups == []

    def test_nothing_is_left_of_many_links(self) -> None:
        """Closed links leave no file descriptors open."""
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
