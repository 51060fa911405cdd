"""Decides when each publication is sent and how it ends. Pure: no socket, clock or greenlet.

The owner offers publications, sends what `next` returns, and reports what the broker answers. Times
are passed in: seconds of a clock that never goes back. Every publication ends once, in a state
marked with `*`. `acked`, `channel_lost` and `end_all` return what they end, so that the owner can
wake the greenlets that wait for it.

A publication (queued, sent and refused ones are under way):

    state            event                              next state
    ---------------  ---------------------------------  ------------------------------------------
    new              offer                              queued; still new when too much waits
    queued           sent                               sent
    queued           unsendable: it has no frames       unsendable *
    sent             acked                              confirmed *; unroutable * after `returned`
    sent             nacked                             refused
    sent             channel_lost                       queued; rejected * if it is the offender
    refused          tick: the pause is over            queued
    refused          channel_lost                       queued
    under way        expired: its caller stops waiting  expired *
    under way        end_all: the owner stops           stopped *

The channel:

    state            event                              next state
    ---------------  ---------------------------------  ------------------------------------------
    closed           channel_opened                     open
    open             nacked: one for the second time    draining
    draining         the last answer; tick: 1 s passed  drained
    any              channel_lost                       closed

Rules:

- Only an open channel gets publications, and always the one that was offered first. At most 1000
  are unanswered at a time, and no more are sent while the unanswered ones have 8 MiB or more.
- A publication that expires after it was sent keeps its number until the broker answers or the
  channel is lost: the broker counts it, too.
- A broker refuses (basic.nack) what it cannot take now: a queue is full or has lost its leader. It
  is sent again after a pause, which doubles while refusals go on.
- RabbitMQ 3.10 keeps refusing over a channel whose first publication to a queue came while that
  queue had no leader. So a second refusal wears the channel out: it gets nothing more, and once it
  is drained its owner closes it and opens another. A connection that is lost meanwhile takes the
  worn channel with it; the next one is open like any other.
- A broker that closes a channel does not say which publication offended it. Those that were
  unanswered become suspects, and while there are suspects one publication is sent at a time. A
  suspect that ends the next channel alone is rejected.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import takewhile
from operator import attrgetter
from typing import Generic, Literal, TypeVar

from lymph.events.kombu._connecting.bounds import Bounds

__all__ = ['ChannelState', 'Outbox', 'OutboxItem', 'PublicationState']

# fmt: off
PublicationState = Literal[
    'new', 'queued', 'sent', 'refused',
    'confirmed', 'unroutable', 'unsendable', 'rejected', 'expired', 'stopped',
]
# fmt: on
ChannelState = Literal['closed', 'open', 'draining', 'drained']

_BOUNDS = Bounds()  # what waits to be sent
_WINDOW = 1000  # publications sent and not answered
_WINDOW_BYTES = 8 << 20
_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds before a refused publication is sent again
_DRAINING = 1.0  # seconds for the broker to answer what was sent over a worn channel
_RENEWALS = 3.0  # seconds from the nack that wears out a channel to the next one that may

_UNDER_WAY = ('queued', 'sent', 'refused')


class OutboxItem:
    """The state of a publication of `size` bytes. Only an outbox changes it."""

    __slots__ = ('number', 'reason', 'size', 'state', 'times_refused', 'times_sent')

    def __init__(self, size: int) -> None:
        self.size = size
        self.state: PublicationState = 'new'
        self.number = 0  # in the order of offers
        self.times_sent = 0
        self.times_refused = 0
        #: why it is unroutable, unsendable or rejected
        self.reason = ''

    @property
    def under_way(self) -> bool:
        """Whether it was offered and has not ended."""
        return self.state in _UNDER_WAY


T = TypeVar('T', bound=OutboxItem)


class Outbox(Generic[T]):
    """The publications of one channel at a time; at first none is open.

    `bounds` limits the queued and refused publications, `window` and `window_bytes` those that are
    sent and unanswered.
    """

    def __init__(
        self, bounds: Bounds = _BOUNDS, window: int = _WINDOW, window_bytes: int = _WINDOW_BYTES
    ) -> None:
        self.channel: ChannelState = 'closed'
        #: bytes of the queued and refused publications
        self.waiting_bytes = 0
        self._bounds = bounds
        self._window = window
        self._window_bytes = window_bytes
        self._offered = 0
        self._queued: OrderedDict[T, None] = OrderedDict()
        self._unanswered: dict[int, T] = {}  # by delivery tag: all that is sent, some expired
        self._unanswered_bytes = 0
        self._tag = 0  # of the last publication over this channel; the broker counts the same way
        self._refused: dict[T, None] = {}
        self._suspects: set[T] = set()
        self._pause = _PAUSE
        self._pause_ends = 0.0
        self._draining_ends = 0.0
        self._next_renewal = float('-inf')

    @property
    def waiting(self) -> int:
        """How many publications are queued or refused."""
        return len(self._queued) + len(self._refused)

    @property
    def due(self) -> float | None:
        """When to call `tick`; None while only other events can change anything."""
        times = [self._pause_ends] if self._refused else []
        if self.channel == 'draining':
            times.append(self._draining_ends)
        return min(times, default=None)

    # The owner's side.

    def offer(self, publication: T) -> bool:
        """Queue a new publication; return False, and change nothing, when too much waits."""
        waiting = len(self._queued) + len(self._refused)
        if not self._bounds.admit(waiting, self.waiting_bytes, publication.size):
            return False
        self._offered += 1
        publication.number = self._offered
        publication.state = 'queued'
        self._queued[publication] = None
        self.waiting_bytes += publication.size
        return True

    def next(self) -> T | None:
        """Return the publication to send now, or None. It stays queued until `sent`."""
        if self.channel != 'open' or not self._queued:
            return None
        unanswered = self._unanswered
        # One at a time: if the broker closes the channel, it was because of this one.
        if self._suspects:
            if unanswered:
                return None
        elif len(unanswered) >= self._window or self._unanswered_bytes >= self._window_bytes:
            return None
        return next(iter(self._queued))

    def sent(self, publication: T) -> int:
        """Expect the broker's answer to what `next` returned; call this once its frames exist.

        Return the delivery tag by which the broker will answer.
        """
        self._unqueue(publication)
        self._tag += 1
        self._unanswered[self._tag] = publication
        self._unanswered_bytes += publication.size
        publication.state = 'sent'
        publication.times_sent += 1
        publication.reason = ''
        return self._tag

    def unsendable(self, publication: T, reason: str) -> None:
        """End a publication that `next` returned and that cannot be encoded."""
        if publication.state == 'queued':
            self._unqueue(publication)
            publication.reason = reason
            self._end(publication, 'unsendable')

    def expired(self, publication: T) -> None:
        """End a publication that nobody waits for any more; one that has ended is unchanged."""
        if publication.state == 'queued':
            self._unqueue(publication)
        elif publication.state == 'refused':
            del self._refused[publication]
            self.waiting_bytes -= publication.size
        elif publication.state != 'sent':
            return
        self._end(publication, 'expired')

    def end_all(self) -> list[T]:
        """End and return everything that is under way. The channel is lost as well."""
        self.channel_lost()
        ended, self._queued = list(self._queued), OrderedDict()
        self.waiting_bytes = 0
        for publication in ended:
            self._end(publication, 'stopped')
        return ended

    # The broker's answers. Each concerns `tag`, or with `multiple` all tags up to it.

    def acked(self, tag: int, multiple: bool) -> list[T]:
        """Handle a confirm and return the publications that it ends. Unknown tags are ignored."""
        ended = []
        for publication in self._answered(tag, multiple):
            if publication.times_refused:
                self._pause = _PAUSE  # the broker accepts again what it refused before
            if publication.state == 'sent':
                self._end(publication, 'unroutable' if publication.reason else 'confirmed')
                ended.append(publication)
        return ended

    def nacked(self, tag: int, multiple: bool, now: float) -> None:
        """Handle a refusal: hold the publications until a pause is over."""
        for publication in self._answered(tag, multiple):
            if publication.state != 'sent':
                continue
            if not self._refused:
                self._pause_ends = now + self._pause
            self._refused[publication] = None
            self.waiting_bytes += publication.size
            publication.state = 'refused'
            publication.times_refused += 1
            if publication.times_refused > 1:
                self._wear_out(now)

    def returned(self, matches: Callable[[T], bool], reason: str) -> None:
        """Note that the publications that match reached no queue; their confirm follows."""
        for publication in self._unanswered.values():
            if matches(publication):
                publication.reason = reason

    # The channel, and time.

    def channel_opened(self) -> None:
        """Publish over a new channel, on which the broker counts from 1."""
        self.channel = 'open'
        self._tag = 0

    def channel_lost(self, offence: str | None = None) -> list[T]:
        """Queue sent and refused publications again; return those that are rejected.

        `offence` is the broker's reason if it has closed the channel. Without one, the channel
        ended for a reason that is independent of the publications.
        """
        self.channel = 'closed'
        sent = [each for each in self._unanswered.values() if each.under_way]
        self._unanswered.clear()
        self._unanswered_bytes = 0
        rejected: list[T] = []
        if offence is not None:
            if len(sent) == 1 and sent[0] in self._suspects:
                rejected, sent = sent, []
                rejected[0].reason = offence
                self._end(rejected[0], 'rejected')
            self._suspects.update(sent)
        self.waiting_bytes += sum(each.size for each in sent)
        self._queue_again([*sent, *self._refused])
        return rejected

    def tick(self, now: float) -> None:
        """Do what is due; calling it too early changes nothing."""
        if self._refused and now >= self._pause_ends:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._queue_again(self._refused)
        if self.channel == 'draining' and now >= self._draining_ends:
            self.channel = 'drained'

    # Parts of the above.

    def _unqueue(self, publication: T) -> None:
        del self._queued[publication]
        self.waiting_bytes -= publication.size

    def _queue_again(self, publications: Iterable[T]) -> None:
        """Queue publications that were sent or refused; the queue keeps the order of offers."""
        everything = sorted([*publications, *self._queued], key=attrgetter('number'))
        self._queued = OrderedDict.fromkeys(everything)
        for publication in everything:
            publication.state = 'queued'
        self._refused.clear()

    def _answered(self, tag: int, multiple: bool) -> list[T]:
        unanswered = self._unanswered
        if multiple:
            tags = list(takewhile(lambda each: each <= tag, unanswered))
        else:
            tags = [tag] if tag in unanswered else []
        answered = []
        for each in tags:
            publication = unanswered.pop(each)
            self._unanswered_bytes -= publication.size
            answered.append(publication)
        if self.channel == 'draining' and not unanswered:
            self.channel = 'drained'
        return answered

    def _end(self, publication: T, state: PublicationState) -> None:
        publication.state = state
        if self._suspects:
            self._suspects.discard(publication)

    def _wear_out(self, now: float) -> None:
        if self.channel == 'open' and now >= self._next_renewal:
            self.channel = 'draining' if self._unanswered else 'drained'
            self._draining_ends = now + _DRAINING
            self._next_renewal = now + _RENEWALS
