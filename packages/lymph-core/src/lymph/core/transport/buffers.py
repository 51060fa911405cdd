"""Limiting the bytes that all links of a transport hold: which links wait, which are closed.

Theory: each direction of a link has a *holding*: the bytes of an incomplete message that have
arrived, or the bytes that are still to be sent. Healthy peers hold little, or much for a moment;
greedy peers hold much for a long time. The limit of the sum of all holdings has three parts:

- the size of the largest message, for the link whose *turn* it is;
- an eighth, for small holdings: each may have its *share*, this eighth divided by their number;
- the rest, which all links may use freely.

==========================================  ======================================================
sum                                         what happens
==========================================  ======================================================
up to the rest                              nothing
above                                       links that hold more than a share are not read from,
                                            and messages of more than a share are not sent, except
                                            for the link whose turn it is: links get the turn one
                                            by one, and lose it if they do nothing for 1/4 s
the same, and less than 1/16 of the limit   the greediest link is closed, and more of them until
was freed in 2 s (a *standstill*)           the sum is half the rest
above the limit                             the greediest link is closed at once
==========================================  ======================================================

Links that wait for their turn, or use it, are not closed. Of the others, the *greediest* link is,
among those that hold at least the average, the one with the most bytes times seconds since its
oldest byte arrived. So links that hold less than others are not closed either. To end a standstill,
links whose oldest byte arrived in the last 2 s are spared as well.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

__all__ = ['BufferedBytes', 'Buffers', 'by_greed']

_TICK = 0.25  # seconds between two checks, while a link waits
_STALL = 8  # checks between two searches for a standstill: 2 s
_CLOSED_AT_ONCE = 500  # links closed in one turn of the loop
_STEP = 1024 * 1024  # bytes that a resumed link may read before it is checked again


class Buffers:
    """Counts the bytes that the links of a transport hold, and keeps them below `limit`.

    `limit` and `largest`, the size of the largest message, are in bytes; `limit` must be at least
    twice `largest`.
    """

    def __init__(
        self, limit: int, largest: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.held = 0  # bytes
        #: whether the sum is so high that links wait for their turn
        self.tight = False
        self._clock = clock
        self._small = limit // 8  # the part for small holdings
        self._tight = max(0, limit - largest - self._small)
        self._holdings: set[BufferedBytes] = set()  # those that are not empty
        self._turn: BufferedBytes | None = None
        self._on_hold: dict[BufferedBytes, Callable[[], None]] = {}  # functions that resume reading
        self._waiting = 0  # senders
        self._room = Event()
        self._released = 0  # bytes, since the last check for a standstill
        self._loop = gevent.get_hub().loop
        self._timer = self._loop.timer(_TICK, _TICK, ref=False)
        self._looking = False
        self._looks = 0
        self._seen: tuple[BufferedBytes | None, int] = (None, 0)  # the turn at the last check, size

    def holding(self, give_way: Callable[[str], None], received: bool = False) -> BufferedBytes:
        """Return a new holding; `give_way(reason)` must close its link.

        `received` is True for bytes of incomplete messages, False for bytes to be sent.
        """
        return BufferedBytes(self, give_way, received)

    def close(self) -> None:
        """Let all waiting links go on, and stop checking."""
        self._timer.stop()
        self._looking = False
        self._wake()

    # only for BufferedBytes

    def change(self, holding: BufferedBytes, size: int, renewed: bool) -> None:
        """Set the size of a holding; with `renewed`, its oldest byte has just arrived."""
        before, holding.size = holding.size, size
        self.held += size - before
        self.tight = self.held > self._tight
        if not size:
            self._holdings.discard(holding)
        elif renewed or not before:
            holding.since = self._clock()
            self._holdings.add(holding)
        # A turn ends with the message that it was for: the message is complete, or everything was
        # sent. If bytes to be sent are renewed and more than before, they are that message itself,
        # which was put into an empty buffer, so the turn goes on.
        done = renewed and (holding.received or size <= before)
        passed_on = holding is self._turn and (done or not size)
        if passed_on:
            self._turn = None
        if size < before:
            self._released += before - size
        # while the sum is high and the turn is taken, waiting links could not go on anyway
        if size < before or passed_on:
            if (self._on_hold or self._waiting) and (passed_on or self.held <= self._tight):
                self._wake()
        elif self.held > self.limit:
            self._relieve(self.limit)

    def excessive(self, holding: BufferedBytes, more: int) -> bool:
        """Tell whether a holding must not grow by `more` bytes now; take the turn if it is free."""
        if self.held + more <= self._tight:
            return False
        sharing = len(self._holdings) + (not holding.size)
        if holding.size + more <= self._small // sharing:
            return False
        if self._turn is None:
            self._turn = holding
        return self._turn is not holding

    def has_turn(self, holding: BufferedBytes) -> bool:
        """Tell whether a holding has the turn."""
        return holding is self._turn

    def hold(self, holding: BufferedBytes, resume: Callable[[], None]) -> None:
        """Call `resume` in the hub when the link may be read again."""
        self._on_hold[holding] = resume
        self._look_out()

    def wait(self) -> None:
        """Wait until bytes are freed or the turn is passed on."""
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
        """Wake all senders, and resume reading from as many links as there is room for."""
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
        """Pass on a turn that is not used, and end a standstill. Called every `_TICK`."""
        if not self._on_hold and not self._waiting:
            self._looking = False
            self._timer.stop()
            return
        turn = self._turn
        # same size as at the last check: the link does not use its turn
        if turn is not None and self._seen == (turn, turn.size):
            self._turn = None
        self._seen = (turn, turn.size if turn is not None else 0)
        self._looks += 1
        if self._looks % _STALL == 0:
            released, self._released = self._released, 0
            # a standstill: links whose bytes are older than 2 s block the others
            if released < self.limit // 16:
                self._relieve(self._tight // 2, self._clock() - _STALL * _TICK)
        self._wake()

    def _relieve(self, goal: int, before: float = math.inf) -> None:
        """Close greedy links until at most `goal` bytes are held or only spared links are left.

        Spared are links that wait or have the turn, and those whose oldest byte arrived after
        `before`. If more than the limit is held, they are closed as well.
        """
        # collected before the first is closed, since closing a link resumes some that wait
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
                if holding.size:  # otherwise its link was closed because of its other direction
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
        #: when the oldest byte arrived, in seconds of the clock of the buffers
        self.since = 0.0
        self.received = received
        self.give_way = give_way
        self._buffers = buffers
        self._ended = False

    def set(self, size: int, renewed: bool = False) -> None:
        """Set the number of bytes; `renewed`: they include none of the former ones."""
        if not self._ended and (size != self.size or renewed):
            self._buffers.change(self, size, renewed)

    def excessive(self, more: int = 0) -> bool:
        """Tell whether `more` bytes must not be added now."""
        return self._buffers.excessive(self, more)

    @property
    def may_grow(self) -> bool:
        """Whether there is room for much more, or this holding has the turn."""
        return not self._buffers.tight or self._buffers.has_turn(self)

    def hold(self, resume: Callable[[], None]) -> None:
        """Call `resume` once in the hub when the holding may grow; never if it ends before."""
        self._buffers.hold(self, resume)

    def wait(self) -> None:
        """Wait until the holding may be able to grow, or has ended; check again afterwards."""
        self._buffers.wait()

    def end(self) -> None:
        """Free all bytes for good. Idempotent."""
        if not self._ended:
            self._buffers.forget(self)
            self._ended = True
            self.give_way = _ignore


def by_greed(holdings: Sequence[BufferedBytes], now: float) -> list[BufferedBytes]:
    """Return the holdings of at least average size, those of most bytes times seconds first."""
    average = sum(holding.size for holding in holdings) / len(holdings)
    return sorted(
        (holding for holding in holdings if holding.size >= average),
        key=lambda holding: (holding.size * (now - holding.since), holding.size),
        reverse=True,
    )


def _ignore(reason: str) -> None:
    """Replace `give_way` of a holding that has ended."""
