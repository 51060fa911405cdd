"""The result of a call in the background: gevent's AsyncResult, with types.

gevent publishes no types, and those of the distribution types-gevent say that `get` may return
None. Checkers see a class of lymph instead, which is the same with and without types-gevent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import gevent.event

    R = TypeVar('R')

    class AsyncResult(gevent.event.AsyncResult[R], Generic[R]):
        """The result of a call that runs in the background."""

        def get(self, block: bool = True, timeout: float | None = None) -> R:
            """Wait for the call; return its result or raise its error.

            Raises `gevent.Timeout` when it has not ended after `timeout` seconds, or at once if
            `block` is False.
            """

        def get_nowait(self) -> R:
            """Return `get(block=False)`."""

else:
    from gevent.event import AsyncResult

__all__ = ['AsyncResult']
