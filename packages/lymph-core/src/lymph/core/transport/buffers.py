"""How many bytes all links of a transport hold together, and who waits or gives way for it.

Theory: each direction of a link has a *holding*: what of an incomplete message has arrived, or what
is still to be sent. Healthy peers hold little, or much for a moment; greedy ones hold much for
long. The sum of all holdings has a limit, of which three parts are set aside:

- the largest message there may be, for the link whose *turn* it is;
- an eighth, for small holdings: each may have its *share*, this eighth divided by their number;
- the rest, in which everybody does as he likes.

==========================================  ======================================================
sum                                         what happens
==========================================  ======================================================
up to the rest                              nothing
above                                       links that hold more than a share are not read from,
                                            and messages of more than a share are not sent, but
                                            for the one whose turn it is: they get it one by one,
                                            and lose it when they do nothing for 1/4 s
the same, and in 2 s less than 1/16 of the  the greediest link is closed, and more of them until
limit came free                             the sum is half the rest
above the limit                             the greediest link is closed at once
==========================================  ======================================================

The *greediest* link is, of those that nobody keeps from going on and that hold at least their
average, the one with the most bytes times seconds since the oldest of these bytes came. So a link
that holds less than others, that waits for its turn or uses it, is not closed; nor is, to end a
standstill, one whose oldest byte came in the last 2 s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

__all__ = ['BufferedBytes', 'Buffers', 'by_greed']

_TICK = 0.25  # seconds between two looks, while somebody waits
_STALL = 8  # looks
_CLOSED_AT_ONCE = 500  # links; then the loop gets its turn
_STEP = 1024 * 1024  # bytes that a link may read before it is looked at again


class Buffers:
    """Counts what the links of a transport hold; lives in the hub.

    `limit` and `largest`, the size of the largest message, in bytes; the limit is twice the latter
    or more.
    """

    def __init__(
        self, limit: int, largest: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.held = 0  # bytes
        #: whether the sum is so high that links wait for their turn
        self.tight = False
        self._clock = clock
        self._small = limit // 8  # what is set aside for small holdings
        self._tight = max(0, limit - largest - self._small)
        self._holdings: set[BufferedBytes] = set()  # those of more than nothing
        self._turn: BufferedBytes | None = None
        self._on_hold: dict[BufferedBytes, Callable[[], None]] = {}  # how each is read again
        self._waiting = 0  # senders
        self._room = Event()
        self._released = 0  # bytes, since the last look
        self._loop = gevent.get_hub().loop
        self._timer = self._loop.timer(_TICK, _TICK, ref=False)
        self._looking = False
        self._looks = 0
        self._seen: tuple[BufferedBytes | None, int] = (None, 0)  # whose turn it was, and its size

    def holding(self, give_way: Callable[[str], None], received: bool = False) -> BufferedBytes:
        """Return a new holding; `give_way(reason)` closes its link.

        `received` tells that it is of incomplete messages, not of messages to be sent.
        """
        return BufferedBytes(self, give_way, received)

    def close(self) -> None:
        """Let everybody go on."""
        self._timer.stop()
        self._looking = False
        self._wake()

    # for holdings alone

    def change(self, holding: BufferedBytes, size: int, renewed: bool) -> None:
        """Note that a holding has `size` bytes; `renewed`: the oldest of them just came."""
        before, holding.size = holding.size, size
        self.held += size - before
        self.tight = self.held > self._tight
        if not size:
            self._holdings.discard(holding)
        elif renewed or not before:
            holding.since = self._clock()
            self._holdings.add(holding)
        # A turn ends with the message that it was for: one more message was received, or all that
        # was to be sent has left. Bytes to be sent that are renewed and more than before are that
        # message itself, which was put into an empty buffer.
        done = renewed and (holding.received or size <= before)
        passed_on = holding is self._turn and (done or not size)
        if passed_on:
            self._turn = None
        if size < before:
            self._released += before - size
        # While the sum is high and the turn is taken, those who wait could not go on anyway.
        if size < before or passed_on:
            if (self._on_hold or self._waiting) and (passed_on or self.held <= self._tight):
                self._wake()
        elif self.held > self.limit:
            self._relieve(self.limit)

    def excessive(self, holding: BufferedBytes, more: int) -> bool:
        """Tell whether a holding may not grow at the moment by `more` bytes."""
        if self.held + more <= self._tight:
            return False
        sharing = len(self._holdings) + (not holding.size)
        if holding.size + more <= self._small // sharing:
            return False
        if self._turn is None:
            self._turn = holding
        return self._turn is not holding

    def has_turn(self, holding: BufferedBytes) -> bool:
        """Tell whether it is the turn of a holding."""
        return holding is self._turn

    def hold(self, holding: BufferedBytes, resume: Callable[[], None]) -> None:
        """Call `resume` in the hub when the link may be read again."""
        self._on_hold[holding] = resume
        self._look_out()

    def wait(self) -> None:
        """Wait until something came free."""
        self._waiting += 1
        self._look_out()
        try:
            self._room.wait()
        finally:
            self._waiting -= 1

    def forget(self, holding: BufferedBytes) -> None:
        """Forget a holding whose link has gone down, and wake its senders."""
        self._on_hold.pop(holding, None)
        if holding.size:
            self.change(holding, 0, False)
        if holding is self._turn:
            self._turn = None
        if self._on_hold or self._waiting:
            self._wake()

    def _wake(self) -> None:
        """Let senders look, and read again from as many links as there is room for."""
        room, self._room = self._room, Event()
        room.set()
        for _ in range(max(0, self._tight - self.held) // _STEP + 1):
            if not self._on_hold:
                break
            holding = min(self._on_hold, key=lambda h: h.since)
            self._loop.run_callback(self._on_hold.pop(holding))

    def _look_out(self) -> None:
        if not self._looking:
            self._looking = True
            self._looks = self._released = 0
            self._timer.again(self._look)

    def _look(self) -> None:
        """Pass on a turn that nobody uses, and end a standstill."""
        if not self._on_hold and not self._waiting:
            self._looking = False
            self._timer.stop()
            return
        turn = self._turn
        # The holding has the same size as a look ago: it does not use its turn.
        if turn is not None and self._seen == (turn, turn.size):
            self._turn = None
        self._seen = (turn, turn.size if turn is not None else 0)
        self._looks += 1
        if self._looks % _STALL == 0:
            released, self._released = self._released, 0
            # Next to nothing came free in 2 s, so those whose bytes are older block the others.
            if released < self.limit // 16:
                self._relieve(self._tight // 2, self._clock() - _STALL * _TICK)
        self._wake()

    def _relieve(self, goal: int, before: float = math.inf) -> None:
        """Close greedy links until no more than `goal` bytes are held, or only others are left.

        Others are those who wait, whose turn it is, or whose oldest byte came after `before`.
        """
        # Looked for before the first is closed: each closing wakes some of those who wait.
        free = [
            holding
            for holding in self._holdings
            if holding not in self._on_hold
            and holding is not self._turn
            and holding.since <= before
        ]
        closed = 0
        while self.held > goal and closed < _CLOSED_AT_ONCE:
            if not free:
                if self.held <= self.limit:
                    return
                free = list(self._holdings)
            for holding in by_greed(free, self._clock()):
                if self.held <= goal or closed >= _CLOSED_AT_ONCE:
                    return
                if holding.size:  # else its link was closed for what its other direction held
                    self._close(holding)
                    closed += 1
            free = [holding for holding in free if holding.size]

    def _close(self, holding: BufferedBytes) -> None:
        text = f'it held {holding.size} of {self.limit} bytes that all links together may hold'
        give_way = holding.give_way
        holding.end()
        give_way(f'{text} (container.rpc.max_buffered)')


class BufferedBytes:
    """The bytes that one direction of a link holds."""

    __slots__ = ('_buffers', '_ended', 'give_way', 'received', 'since', 'size')

    def __init__(
        self, buffers: Buffers, give_way: Callable[[str], None], received: bool = False
    ) -> None:
        self.size = 0
        #: when the oldest byte came, seconds by the clock of the buffers
        self.since = 0.0
        self.received = received
        self.give_way = give_way
        self._buffers = buffers
        self._ended = False

    def set(self, size: int, renewed: bool = False) -> None:
        """Note that there are `size` bytes; `renewed`: none of those that were there before."""
        if not self._ended and (size != self.size or renewed):
            self._buffers.change(self, size, renewed)

    def excessive(self, more: int = 0) -> bool:
        """Tell whether `more` bytes are too many to be added at the moment."""
        return self._buffers.excessive(self, more)

    @property
    def may_grow(self) -> bool:
        """Whether there is room for much more, or it is this one's turn."""
        return not self._buffers.tight or self._buffers.has_turn(self)

    def hold(self, resume: Callable[[], None]) -> None:
        """Call `resume` in the hub when there may be more; once, unless the holding ends."""
        self._buffers.hold(self, resume)

    def wait(self) -> None:
        """Wait until there may be more, or the holding ends; look again afterwards."""
        self._buffers.wait()

    def end(self) -> None:
        """Hold nothing, for good. Idempotent."""
        if not self._ended:
            self._buffers.forget(self)
            self._ended = True
            self.give_way = _ignore


def by_greed(holdings: Sequence[BufferedBytes], now: float) -> list[BufferedBytes]:
    """Return the holdings of average size or more, that of the most bytes times seconds first."""
    average = sum(holding.size for holding in holdings) / len(holdings)
    return sorted(
        (holding for holding in holdings if holding.size >= average),
        key=lambda holding: (holding.size * (now - holding.since), holding.size),
        reverse=True,
    )


def _ignore(reason: str) -> None:
    """Close a link that is closed."""
