"""The body of an answer with server-sent events, and the answer around it.

A stream begins with its first part, so that a client that has got the status line gets every event
from then on, and one that cannot be served gets an error instead. Heartbeats find out that the
client is gone, earlier if it has hung up. One that only closes its own side goes on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from gevent.event import Event as Ring
from werkzeug.wrappers import Request, Response

from lymph.web._gateway.streaming.backlogs import Backlog
from lymph.web._gateway.streaming.frames import HEARTBEAT, opening_frame
from lymph.web._http.environs import LINK_KEY

__all__ = ['StreamBody', 'stream_response']

_RETRY: Final = 2.0, 4.0  # seconds; spread, so that the clients of a stopped process come singly
_GONE: Final = 0.5  # seconds between heartbeats for a client that has hung up
_BACKLOG: Final = 1024 * 1024  # bytes


class StreamBody:
    """The body of one answer; `link` is its connection, None for servers other than lymph's.

    `most` events of `size` bytes together may wait for the client, `heartbeat` is in seconds. The
    stream ends at a heartbeat if `ending()`. Subclasses have `on_begin` and `on_close`.
    """

    def __init__(
        self,
        most: int,
        heartbeat: float,
        ending: Callable[[], bool],
        link: Any = None,
        size: int = _BACKLOG,
    ) -> None:
        self._link = link
        self._ending = ending
        self._ring = Ring()
        self._backlog = Backlog(most, size, self._ring.set)
        # A closed connection takes the first heartbeat and refuses the second one.
        self._pause = heartbeat / 2
        self._begun = False

    @property
    def behind(self) -> bool:
        """Whether the client has lost events."""
        return self._backlog.behind

    def on_begin(self) -> None:
        """Called before the first part is sent; what it raises is the answer to the client."""

    def on_close(self) -> None:
        """Called once or more when the stream has ended, also after an `on_begin` that raised."""

    def put(self, frame: bytes) -> None:
        """Take an event; never waits."""
        self._backlog.put(frame)

    def end(self) -> None:
        """End the stream now."""
        self._backlog.end()

    def __iter__(self) -> StreamBody:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begin()
            return opening_frame(random.uniform(*_RETRY))
        data = self._backlog.take()
        if not data and not self._backlog.ended:
            self._ring.clear()
            self._ring.wait(self._pause)
            data = self._backlog.take()
        if data:
            return data
        if self._backlog.ended or self._ending():  # no events arrive while a process drains
            raise StopIteration
        return HEARTBEAT

    def close(self) -> None:
        """Free everything; the stream ends."""
        self._backlog.end()
        with ExitStack() as steps:  # both are done, also if one of them raises or is interrupted
            steps.callback(self.on_close)
            if self._link is not None:
                steps.callback(self._link.watch_end, None)

    def _begin(self) -> None:
        self._begun = True
        if self._ending():
            self._backlog.end()
            return
        try:
            self.on_begin()
        except BaseException:
            self.close()
            raise
        if self._link is not None and not self._link.watch_end(self._hang_up):
            self._hang_up()

    def _hang_up(self) -> None:
        """Find out soon whether a client that sends nothing more is gone."""
        self._pause = min(self._pause, _GONE)
        self._ring.set()


def stream_response(request: Request, body: Callable[[Any], StreamBody]) -> Response:
    """Return the answer with the stream that `body(link)` makes; to HEAD, only its head."""
    response = Response(
        () if request.method == 'HEAD' else body(request.environ.get(LINK_KEY)),
        mimetype='text/event-stream',
        direct_passthrough=True,
    )
    # Proxies must neither keep, nor collect, nor compress what has to arrive now. Source: the
    # documentation of nginx, ngx_http_proxy_module, proxy_buffering.
    response.headers['Cache-Control'] = 'no-store, no-transform'
    response.headers['X-Accel-Buffering'] = 'no'
    return response
