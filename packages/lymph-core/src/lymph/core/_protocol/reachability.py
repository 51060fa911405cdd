"""What a caller knows of the way to one endpoint, and when to try it again.

Pure: times and chance come in. States and transitions:

==========  ================  ==========================================================
state       event             next state
==========  ================  ==========================================================
idle        `dial`            connecting
connecting  `came_up`         up
connecting  `failed`          failed, to be tried again after a pause
up          `went_down`       failed, with the first pause: nobody knows what happened
up          `closed`          idle: this side did not need it any more
failed      `dial`            probing, when the pause is over, or for want of another
probing     `came_up`         up
probing     `failed`          failed, with twice the pause
connecting  `closed`          idle, or failed as before
probing     `closed`          idle, or failed as before
==========  ================  ==========================================================

A link that goes down soon after it came up counts as a failure after those before it, or a peer
that greets and hangs up would be called again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ['FIRST_PAUSE', 'LONGEST_PAUSE', 'Reachability', 'State']

State = Literal['idle', 'connecting', 'up', 'failed', 'probing']

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries
_SOON = 1.0  # seconds; a link that stood for less proves nothing


class Reachability:
    """The way to one endpoint; times are of one clock, in seconds."""

    __slots__ = ('_up_since', 'ended', 'failures', 'reason', 'state', 'until')

    def __init__(self) -> None:
        self.state: State = 'idle'
        self.failures = 0  # in a row
        self.reason = ''  # of the last failure
        self.ended = 0.0  # when that was
        self.until = 0.0  # before this it is not tried while others serve
        self._up_since = 0.0

    def may_dial(self, now: float) -> bool:
        """Tell whether to connect now; calls go elsewhere meanwhile if they can."""
        return self.state == 'idle' or (self.state == 'failed' and now >= self.until)

    def insist_at(self) -> float:
        """Return when somebody who has nobody else to call may connect.

        One failure in a row may be chance; after more, tries keep the first pause between them.
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
        """Note that no connection was made, or that one that was up is lost.

        `chance` gives numbers in [0, 1), so that many callers do not come back at one time.
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
