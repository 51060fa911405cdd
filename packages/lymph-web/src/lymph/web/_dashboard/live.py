"""The streams of all pages: each is a viewer of something, and takes a place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Request, Response

from lymph.web._dashboard.frames import named_frame
from lymph.web._gateway.streaming.bodies import StreamBody, stream_response

__all__ = ['LiveStreams', 'Source']

_MOST: Final = 50  # streams; a page has up to two of them
_WAITING: Final = 2000  # events that wait for one page
_SIZE: Final = 4 * 2**20  # bytes of these
_HEARTBEAT: Final = 15.0  # seconds
_RETRY_AFTER: Final = 5  # seconds


class Source(Protocol):
    """Where the events of a stream come from."""

    def join(self, viewer: Any) -> None:
        """Put events into `viewer` from now on."""

    def leave(self, viewer: Any) -> None:
        """Put no more events into `viewer`."""


class LiveStreams:
    """Answers requests for streams; `is_draining` is whether the process is about to stop."""

    def __init__(self, is_draining: Callable[[], bool]) -> None:
        self._is_draining = is_draining
        self._ended = False
        self._open: set[LiveStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ending(self) -> bool:
        """Whether new streams end at once."""
        return self._ended or self._is_draining()

    def answer(self, request: Request, source: Source, hello: dict[str, Any]) -> Response:
        """Return a stream of the events of `source`, which begins with `hello`.

        Without a place, the first part of the body raises ServiceUnavailable.
        """
        return stream_response(request, lambda link: LiveStream(self, source, hello, link))

    def enter(self, stream: LiveStream) -> None:
        """Give a stream its place; raises ServiceUnavailable if there is none."""
        if len(self._open) >= _MOST:
            text = f'{_MOST} pages are open already; close some of them'
            raise ServiceUnavailable(text, retry_after=_RETRY_AFTER)
        self._open.add(stream)

    def leave(self, stream: LiveStream) -> None:
        """Free the place of a stream."""
        self._open.discard(stream)

    def end(self) -> None:
        """End all streams, and each new one after its first part."""
        self._ended = True
        for stream in tuple(self._open):
            stream.end()


class LiveStream(StreamBody):
    """The body of one answer; `link` is its connection."""

    def __init__(
        self, streams: LiveStreams, source: Source, hello: dict[str, Any], link: Any
    ) -> None:
        super().__init__(_WAITING, _HEARTBEAT, lambda: streams.ending, link, _SIZE)
        self._streams = streams
        self._source = source
        self._hello = hello

    def on_begin(self) -> None:
        """Take a place and join the source; raises ServiceUnavailable if there is no place."""
        self._streams.enter(self)
        self.put(named_frame('hello', self._hello))
        self._source.join(self)

    def on_close(self) -> None:
        """Leave the source, and free the place."""
        self._source.leave(self)
        self._streams.leave(self)
