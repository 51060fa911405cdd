"""Exceptions of a handler affect neither links, nor listeners, nor later messages."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator

import gevent

from lymph.core.failures import Killed
from lymph.core.transport.base import Link, LinkDown
from lymph.testing.contracts._transports.harness import TransportHarness
from lymph.testing.waiting import eventually

__all__ = ['ContainmentContract']


class _Unprintable(BaseException):
    """An error whose `str` raises."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


_ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: ValueError('a fault of a handler'),
    lambda: SystemExit(0),
    lambda: SystemExit('with a text'),
    KeyboardInterrupt,
    gevent.GreenletExit,
    Killed,
    lambda: gevent.Timeout(None),
    GeneratorExit,
    asyncio.CancelledError,
    lambda: StopIteration(1),
    MemoryError,
    BlockingIOError,
    lambda: OSError('\udcff'),
    lambda: LinkDown('another link'),
    _Unprintable,
)


def _faults() -> Iterator[BaseException]:
    return (make() for make in itertools.cycle(_ERRORS))


class ContainmentContract(TransportHarness):
    """Tests of what handlers raise."""

    def test_messages_arrive_whatever_the_handler_raises_for_those_before(self) -> None:
        """What `message_arrived` raises neither loses later messages nor closes the link."""
        link, handler, accepted, accepting = self.join()
        faults = _faults()
        for side in (handler, accepting):
            arrive = side.message_arrived

            def fail(
                link: Link,
                frames: list[bytes],
                arrive: Callable[[Link, list[bytes]], None] = arrive,
            ) -> None:
                arrive(link, frames)
                raise next(faults)

            side.message_arrived = fail  # type: ignore[method-assign]
        sent = [[b'%d' % number, b''] for number in range(300)]
        for message in sent:
            link.send(message)
            accepted.send(message)
        assert self.arrived(accepting, len(sent)) == sent
        assert self.arrived(handler, len(sent)) == sent
        # Sent one by one, each message is the last one of a chunk.
        for number, _ in enumerate(_ERRORS, 1):
            link.send([b'alone'])
            self.arrived(accepting, len(sent) + number)
            accepted.send([b'alone'])
            self.arrived(handler, len(sent) + number)
        assert link.up
        assert accepted.up

    def test_links_come_up_and_go_down_whatever_the_handler_raises(self) -> None:
        """What `link_up` and `link_down` raise does not affect this link or later ones."""
        listener, accepting = self.serve(echoes=True)
        faults = _faults()

        def fail(told: Callable[..., None]) -> Callable[..., None]:
            def fail(*facts: object) -> None:
                told(*facts)
                raise next(faults)

            return fail

        accepting.link_up = fail(accepting.link_up)  # type: ignore[method-assign]
        accepting.link_down = fail(accepting.link_down)  # type: ignore[method-assign]
        for number, _ in enumerate(_ERRORS, 1):
            handler = self.handler()
            handler.link_up = fail(handler.link_up)  # type: ignore[method-assign]
            handler.link_down = fail(handler.link_down)  # type: ignore[method-assign]
            link = self.connecting.connect(listener.endpoint, handler)
            eventually(lambda handler=handler: handler.ups, self.patience)  # type: ignore[misc]
            link.send([b'x'])
            assert self.arrived(handler, 1) == [[b'echo', b'x']]
            if number % 2:
                link.close()
            else:
                accepting.ups[-1].close()
            self.down(handler, link)
            eventually(lambda count=number: len(accepting.downs) == count, self.patience)  # type: ignore[misc]

    def test_a_link_that_cannot_be_made_goes_down_whatever_the_handler_raises(self) -> None:
        """What `link_down` raises after a failed connection does not affect the transport."""
        listener, _ = self.serve()
        listener.close()
        for make in _ERRORS:
            handler = self.handler()
            hear = handler.link_down

            def fail(
                link: Link,
                reason: str,
                hear: Callable[[Link, str], None] = hear,
                make: Callable[[], BaseException] = make,
            ) -> None:
                hear(link, reason)
                raise make()

            handler.link_down = fail  # type: ignore[method-assign]
            link = self.connecting.connect(listener.endpoint, handler)
            self.down(handler, link)
        _, handler = self.call(self.serve()[0].endpoint)
        assert handler.ups

    def test_messages_arrive_although_faults_cannot_be_logged(self) -> None:
        """Messages arrive if both the handler and the log raise."""
        link, _, _, accepting = self.join()
        arrive = accepting.message_arrived

        def fail(link: Link, frames: list[bytes]) -> None:
            arrive(link, frames)
            raise ValueError('a fault of a handler')

        def refuse(record: logging.LogRecord) -> bool:
            raise SystemExit('a fault of a filter')

        accepting.message_arrived = fail  # type: ignore[method-assign]
        loggers = [
            logging.getLogger(name)
            for name in list(logging.Logger.manager.loggerDict)
            if not name.startswith('_pytest')
        ]
        for logger in loggers:
            logger.addFilter(refuse)
        try:
            for number in range(1, 4):
                link.send([b'%d' % number])
                self.arrived(accepting, number)
        finally:
            for logger in loggers:
                logger.removeFilter(refuse)
