"""Requests that are sent without waiting for the reply: counted and kept when they end."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from lymph.core._calling.calls import Call
from lymph.core._calling.outcomes import outcome_in
from lymph.core._calling.rpc import Rpc
from lymph.core._loop.current_call import current_work
from lymph.core._monitoring.recent_work import outcome_of
from lymph.core.channels import RequestChannel
from lymph.exceptions import Cancelled, RpcError

__all__ = ['Ended', 'WatchedChannel', 'send_watched']

#: called with the frames of the reply, or with the error, or with neither if nobody waits any more
Ended = Callable[[list[bytes] | None, RpcError | None], object]


class WatchedChannel(RequestChannel):
    """A RequestChannel that tells a function once how the request has ended.

    The reply may arrive, or the deadline pass, while nobody waits for it.
    """

    _ended: Ended | None = None
    _told = False

    def watch(self, ended: Ended) -> None:
        """Call `ended` when the request ends, at once if it has ended already."""
        self._ended = ended
        if self._frames is not None or self._error is not None:
            self._tell(self._frames, self._error)

    def cancel(self) -> None:
        """Give the call up; see `RequestChannel.cancel`."""
        super().cancel()
        self._tell(None, None)

    def resolve(self, frames: list[bytes] | None, error: RpcError | None) -> None:
        """Set the outcome of the call; see `RequestChannel.resolve`."""
        self._tell(frames, error)  # before the caller goes on
        super().resolve(frames, error)

    def _tell(self, frames: list[bytes] | None, error: RpcError | None) -> None:
        if self._ended is not None and not self._told:
            self._told = True
            self._ended(frames, error)


def send_watched(rpc: Rpc, call: Call, send: Callable[[], WatchedChannel]) -> RequestChannel:
    """Send a request with `send` and return its channel; count and keep the call when it ends.

    Raises what `send` raises.
    """
    figures = rpc.figures
    figures.begun += 1
    parent, started = current_work(), monotonic()
    id: bytes | None = None

    def ended(frames: list[bytes] | None, error: BaseException | None) -> None:
        if frames is not None:
            figures.replied(call, frames, monotonic())
            outcome = outcome_in(frames)
        else:
            error = error or Cancelled()
            figures.failed(call, error, monotonic())
            outcome = outcome_of(error)
        rpc.keep_attempt(call, id, parent, started, outcome)

    try:
        channel = send()
    except BaseException as error:
        ended(None, error)
        raise
    id, channel.started, channel.parent = channel.id, started, parent
    channel.watch(ended)
    return channel
