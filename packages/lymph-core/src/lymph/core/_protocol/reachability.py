"""What a caller knows of the reachability of one endpoint, and when to dial it again.

Pure: times and randomness are arguments. States and transitions:

==========  ================  ==========================================================
state       event             next state
==========  ================  ==========================================================
idle        `dial`            connecting
connecting  `came_up`         up
connecting  `failed`          failed, to be dialled again after a pause
up          `failed`          failed, with the first pause, since the reason is unknown
up          `closed`          idle: this side did not need the link any more
failed      `dial`            probing, when the pause is over or there is no other instance
probing     `came_up`         up
probing     `failed`          failed, with twice the pause
connecting  `closed`          idle, or failed as before
probing     `closed`          idle, or failed as before
==========  ================  ==========================================================

A link that goes down within a second after it came up is one more failure in a row. Otherwise a
peer that accepts connections and closes them at once would be dialled again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ['FIRST_PAUSE', 'LONGEST_PAUSE', 'Reachability', 'State']

State = Literal['idle', 'connecting', 'up', 'failed', 'probing']

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two dials
_SOON = 1.0  # seconds; a link that was up for less does not show that the peer works


class Reachability:
    """The reachability of one endpoint. All times are seconds of the same monotonic clock."""

    __slots__ = ('_up_since', 'ended', 'failures', 'reason', 'state', 'until')

    def __init__(self) -> None:
        self.state: State = 'idle'
        self.failures = 0  # in a row
        self.reason = ''  # of the last failure
        self.ended = 0.0  # time of the last failure
        self.until = 0.0  # not dialled before this time while other instances can serve
        self._up_since = 0.0

    def may_dial(self, now: float) -> bool:
        """Tell whether to connect at the time `now`: not while connecting or in a pause."""
        return self.state == 'idle' or (self.state == 'failed' and now >= self.until)

    def insist_at(self) -> float:
        """Return the time from which a call that has no other instance may connect.

        A single failure may be chance, so there is no pause. After several in a row, the first
        pause has to pass since the last one.
        """
        return self.ended + FIRST_PAUSE if self.failures > 1 else self.ended

    def dial(self) -> None:
        """Note that a connection is being made."""
        self.state = 'probing' if self.failures else 'connecting'

    def came_up(self, now: float) -> None:
        """Note that the link is up."""
        self.state = 'up'
        self._up_since = now

    def failed(self, now: float, reason: str, chance: Callable[[], float]) -> None:
        """Note that connecting has failed, or that a link that was up is lost.

        `chance` returns numbers in [0, 1); it varies the pause by a quarter, so that many callers
        do not dial again at the same time.
        """
        if self.state == 'up' and now - self._up_since >= _SOON:
            self.failures = 0
        self.failures += 1
        pause: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 10))
        self.state = 'failed'
        self.reason = reason
        self.ended = now
        self.until = now + pause * (0.75 + chance() / 2)

    def closed(self) -> None:
        """Note that this side has closed the link, whatever its state."""
        if self.state == 'up':
            self.failures = 0
        self.state = 'failed' if self.failures else 'idle'
