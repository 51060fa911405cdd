"""Requests that were sent without waiting: somebody else is told how each ends."""

from __future__ import annotations

from collections.abc import Callable

from lymph.core.channels import RequestChannel
from lymph.exceptions import RpcError

__all__ = ['Ended', 'WatchedChannel']

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
