"""A transport that shows the headers of calls and their replies as they pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lymph.config.printable import quoted
from lymph.core.messages import unpack_headers
from lymph.core.transport.base import Link, LinkHandler, Listener, Transport
from lymph.exceptions import SerializationError

__all__ = ['HeaderDump']

_VALUE = 2000  # characters that are shown of a value


class HeaderDump(Transport):
    """Passes everything on to another transport, and tells the headers of calls of one subject.

    ``> REQ echo.upper to tcp://127.0.0.1:4123`` and ``> timeout: 0.99`` are what was sent, each try
    of a call with its own; ``< REP from ...`` and ``< idempotent: True`` are what came back.
    """

    schemes = ()

    def __init__(self, transport: Transport, subject: str, tell: Callable[[str], None]) -> None:
        super().__init__(
            transport.max_message_size,
            transport.unresponsive_timeout,
            max_buffered=transport.max_buffered,
        )
        self._transport = transport
        self._subject = subject.encode()
        self._tell = tell

    @property
    def buffered(self) -> int | None:
        """See `Transport.buffered`."""
        return self._transport.buffered

    def address(self, ip: str, port: int) -> str:
        """See `Transport.address`."""
        return self._transport.address(ip, port)

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """See `Transport.listen`."""
        return self._transport.listen(endpoint, handler)

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin a link whose calls are shown."""
        watch = _Watch(endpoint, self._subject, self._tell)
        link = self._transport.connect(endpoint, _WatchedHandler(handler, watch))
        return _WatchedLink(link, watch)

    def close(self) -> None:
        """See `Transport.close`."""
        self._transport.close()


class _Watch:
    """Tells of the calls on one link."""

    def __init__(self, endpoint: str, subject: bytes, tell: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._subject = subject
        self._tell = tell
        self._ids: set[bytes] = set()

    def sent(self, frames: Sequence[bytes]) -> None:
        if len(frames) == 5 and frames[2] == self._subject:
            self._ids.add(frames[0])
            self._show('>', frames, f'{self._subject.decode(errors="replace")} to')

    def arrived(self, frames: Sequence[bytes]) -> None:
        if len(frames) == 5 and frames[2] in self._ids:
            self._ids.discard(frames[2])
            self._show('<', frames, 'from')

    def _show(self, mark: str, frames: Sequence[bytes], words: str) -> None:
        type = frames[1].decode(errors='replace')
        self._tell(f'{mark} {type} {words} {self._endpoint}')
        try:
            headers = unpack_headers(frames[3])
        except SerializationError as error:
            self._tell(f'{mark} headers that cannot be read: {error}')
            return
        for name, value in headers.items():
            shown = value[:_VALUE] if isinstance(value, str) else quoted(value, _VALUE)
            self._tell(f'{mark} {name}: {shown}')


class _WatchedHandler:
    """Hears what happens on a link before the handler it belongs to."""

    def __init__(self, handler: LinkHandler, watch: _Watch) -> None:
        self._handler = handler
        self._watch = watch

    def link_up(self, link: Link) -> None:
        self._handler.link_up(link)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        self._watch.arrived(frames)
        self._handler.message_arrived(link, frames)

    def link_down(self, link: Link, reason: str) -> None:
        self._handler.link_down(link, reason)


class _WatchedLink(Link):
    """Sends over another link."""

    def __init__(self, link: Link, watch: _Watch) -> None:
        self._link = link
        self._watch = watch

    @property
    def peer(self) -> str:  # type: ignore[override]  # nobody sets what another link knows
        return self._link.peer

    @property
    def up(self) -> bool:  # type: ignore[override]  # the same
        return self._link.up

    @property
    def stage(self) -> str:  # type: ignore[override]  # the same
        return self._link.stage

    def send(self, frames: Sequence[bytes]) -> None:
        self._watch.sent(frames)
        self._link.send(frames)

    def close(self, reason: str = 'closed') -> None:
        self._link.close(reason)
