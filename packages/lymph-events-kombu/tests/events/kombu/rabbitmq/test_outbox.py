"""The decisions of an outbox, by its table and against a model."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lymph.events.kombu._connecting.bounds import Bounds
from lymph.events.kombu._rabbitmq.outbox import (
    Outbox,
    OutboxItem,
    PublicationState,
)

FOR_ALL = 100  # seconds after which every pause is over


def opened(count: int = 0, **limits: Any) -> tuple[Outbox[OutboxItem], list[OutboxItem]]:
    """Return an outbox with an open channel, and `count` publications offered to it."""
    outbox: Outbox[OutboxItem] = Outbox(**limits)
    items = [OutboxItem(1) for _ in range(count)]
    for item in items:
        assert outbox.offer(item)
    outbox.channel_opened()
    return outbox, items


def send(outbox: Outbox[OutboxItem]) -> dict[OutboxItem, int]:
    """Send everything that may be sent, and return it with its delivery tags."""
    sent = {}
    while (item := outbox.next()) is not None:
        sent[item] = outbox.sent(item)
    return sent


def wear_out(outbox: Outbox[OutboxItem]) -> float:
    """Reject the first publication twice and return the time; all others stay unconfirmed."""
    outbox.nacked(1, False, 0)
    now = outbox.due or 0
    outbox.tick(now)
    (tag,) = send(outbox).values()
    outbox.nacked(tag, False, now)
    return now


# The channel.


def test_nothing_is_sent_before_a_channel_is_open() -> None:
    outbox: Outbox[OutboxItem] = Outbox()
    assert outbox.offer(OutboxItem(1))
    assert outbox.next() is None


def test_worn_channel_is_due_with_its_rejected_publications() -> None:
    outbox, _ = opened(2)
    send(outbox)
    now = wear_out(outbox)
    assert outbox.due == pytest.approx(now + 0.2)  # the second pause
    outbox.tick(now + 0.2)
    assert outbox.due == pytest.approx(now + 1)  # the end of draining


def test_reconnect_during_the_renewal_of_a_channel_stalls_nothing() -> None:
    outbox, items = opened(3)
    send(outbox)
    wear_out(outbox)
    late = OutboxItem(1)
    outbox.offer(late)
    assert outbox.channel == 'draining'
    assert not send(outbox)
    outbox.channel_lost()
    assert outbox.channel == 'closed'
    outbox.channel_opened()
    assert outbox.due is None
    assert list(send(outbox)) == [*items, late]
    assert outbox.acked(4, True) == [*items, late]


@pytest.mark.parametrize('answer', ['ack', 'nack', 'none'])
def test_worn_channel_is_drained_after_its_last_confirm_or_a_second(answer: str) -> None:
    outbox, (first, second) = opened(2)
    send(outbox)
    now = wear_out(outbox)
    assert outbox.channel == 'draining'
    if answer == 'ack':
        assert outbox.acked(2, False) == [second]
    elif answer == 'nack':
        outbox.nacked(2, False, now)
    else:
        outbox.tick(now + 0.9)
        assert outbox.channel == 'draining'
        outbox.tick(now + 1)
    assert outbox.channel == 'drained'
    assert not send(outbox)
    outbox.channel_lost()
    outbox.channel_opened()
    assert list(send(outbox)) == ([first] if answer == 'ack' else [first, second])


def test_channel_lasts_some_seconds_despite_many_rejections() -> None:
    outbox, _ = opened(1)
    send(outbox)
    now = wear_out(outbox)
    renewals = [now]
    while now < FOR_ALL:
        if outbox.channel == 'drained':
            outbox.channel_lost()
            outbox.channel_opened()
        for tag in send(outbox).values():
            outbox.nacked(tag, False, now)
            if outbox.channel == 'drained':
                renewals.append(now)
        now = outbox.due or now
        outbox.tick(now)
    assert len(renewals) > 10
    assert all(later - sooner >= 3 for sooner, later in pairwise(renewals))


# Outcomes.


def test_delays_after_rejections_double_until_a_rejected_publication_is_confirmed() -> None:
    outbox, (item,) = opened(1)
    now, pauses = 0.0, []
    while len(pauses) < 7:
        if outbox.channel == 'drained':
            outbox.channel_lost()
            outbox.channel_opened()
        (tag,) = send(outbox).values()
        outbox.nacked(tag, False, now)
        if outbox.channel == 'open':
            assert outbox.due is not None
            pauses.append(round(outbox.due - now, 3))
            now = outbox.due
            outbox.tick(now)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    (tag,) = send(outbox).values()
    assert outbox.acked(tag, False) == [item]
    outbox.offer(OutboxItem(1))
    (tag,) = send(outbox).values()
    outbox.nacked(tag, False, now)
    assert outbox.due == pytest.approx(now + 0.1)


def test_later_rejected_publications_wait_for_the_same_delay() -> None:
    outbox, items = opened(2)
    send(outbox)
    outbox.nacked(1, False, 0)
    outbox.nacked(2, False, 0.05)
    assert outbox.due == 0.1
    outbox.tick(0.1)
    assert list(send(outbox)) == items


def test_returned_publication_ends_with_its_confirm_and_the_reason() -> None:
    outbox, (first, second) = opened(2)
    send(outbox)
    outbox.returned(lambda item: item is second, 'no route')
    assert outbox.acked(2, True) == [first, second]
    assert first.state == 'confirmed'
    assert second.state == 'unroutable'
    assert second.reason == 'no route'


def test_returned_publication_that_is_sent_again_can_be_confirmed() -> None:
    outbox, (item,) = opened(1)
    send(outbox)
    outbox.returned(lambda item: True, 'no route')
    outbox.channel_lost()
    outbox.channel_opened()
    send(outbox)
    assert outbox.acked(1, False) == [item]
    assert item.state == 'confirmed'


def test_publication_that_makes_the_broker_close_channels_is_found() -> None:
    outbox, items = opened(5)
    bad, rejected, confirmed = items[2], [], []
    for _ in range(6):
        sent = send(outbox)
        if bad in sent:
            rejected += outbox.channel_lost('too large')
            outbox.channel_opened()
        else:
            confirmed += outbox.acked(max(sent.values()), True)
    assert rejected == [bad]
    assert bad.state == 'rejected'
    assert bad.reason == 'too large'
    assert confirmed == [item for item in items if item is not bad]
    later = [OutboxItem(1), OutboxItem(1)]
    assert all(map(outbox.offer, later))
    assert list(send(outbox)) == later  # together again


@pytest.mark.parametrize('end', ['confirmed', 'unsendable', 'expired'])
def test_after_the_end_of_the_last_suspect_more_than_one_is_sent(end: str) -> None:
    outbox, (suspect,) = opened(1)
    send(outbox)
    outbox.channel_lost('too large')
    outbox.channel_opened()
    others = [OutboxItem(1), OutboxItem(1)]
    assert all(map(outbox.offer, others))
    if end == 'confirmed':
        assert list(send(outbox)) == [suspect]
        outbox.acked(1, False)
    elif end == 'unsendable':
        outbox.unsendable(suspect, 'no frames')
    else:
        outbox.expired(suspect)
    assert suspect.state == end
    assert list(send(outbox)) == others


def test_expired_publication_stays_expired_if_it_cannot_be_sent() -> None:
    outbox, (item, other) = opened(2)
    assert outbox.next() is item
    outbox.expired(item)
    outbox.unsendable(item, 'no frames')
    assert (item.state, item.reason) == ('expired', '')
    assert list(send(outbox)) == [other]


def test_a_single_loss_of_a_channel_rejects_nothing() -> None:
    outbox, (item,) = opened(1)
    send(outbox)
    assert outbox.channel_lost('no exchange') == []
    outbox.channel_opened()
    assert list(send(outbox)) == [item]
    assert outbox.channel_lost() == []  # the connection: no word about publications
    assert item.state == 'queued'


def test_unsendable_publication_takes_no_delivery_tag() -> None:
    outbox, (first, second) = opened(2)
    assert outbox.next() is first
    outbox.unsendable(first, 'no frames')
    assert (first.state, first.reason) == ('unsendable', 'no frames')
    assert list(send(outbox)) == [second]
    assert outbox.acked(1, False) == [second]


def test_expired_publication_occupies_the_window_until_it_is_confirmed() -> None:
    outbox, (first, second) = opened(2, window=1)
    send(outbox)
    outbox.expired(first)
    assert outbox.next() is None
    assert outbox.acked(1, False) == []
    assert first.state == 'expired'
    assert list(send(outbox)) == [second]


def test_all_publications_end_when_the_owner_stops() -> None:
    outbox, items = opened(4, window=3)
    send(outbox)
    outbox.nacked(1, False, 0)
    outbox.expired(items[1])
    assert outbox.end_all() == [items[0], items[2], items[3]]
    assert {item.state for item in items} == {'stopped', 'expired'}
    assert (outbox.waiting, outbox.waiting_bytes) == (0, 0)


# Bounds.


@pytest.mark.parametrize(
    ('held', 'size', 'admitted'),
    [
        ([], 0, True),
        ([], 101, True),
        ([1], 99, True),
        ([1], 100, False),
        ([101], 1, False),
        ([1, 1], 1, True),
        ([1, 1, 1], 1, False),
    ],
    ids=str,
)
def test_waiting_publications_are_bounded_by_number_and_bytes(
    held: list[int], size: int, admitted: bool
) -> None:
    outbox: Outbox[OutboxItem] = Outbox(Bounds(events=3, size=100))
    for each in held:
        assert outbox.offer(OutboxItem(each))
    item = OutboxItem(size)
    assert outbox.offer(item) is admitted
    assert item.under_way is admitted


def test_no_more_is_sent_than_the_window_holds() -> None:
    outbox, items = opened(3, window=2)
    assert list(send(outbox)) == items[:2]
    outbox, items = opened(3, window_bytes=2)
    assert list(send(outbox)) == items[:2]
    outbox.acked(1, False)
    assert list(send(outbox)) == items[2:]


# Whatever happens.


class Item(OutboxItem):
    """A publication with a name for the output of hypothesis."""

    def __init__(self, name: int, size: int, sendable: bool) -> None:
        super().__init__(size)
        self.name = name
        self.sendable = sendable

    def __repr__(self) -> str:
        return f'#{self.name}'


class Model(RuleBasedStateMachine):
    """Tracks the state of each publication, and what was sent to the broker over its channel."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.items: list[Item] = []
        self.unanswered: dict[int, Item] = {}  # at the broker
        self.tag = 0
        self.confirmable: set[Item] = set()  # the broker has confirmed it
        self.sent: Counter[Item] = Counter()
        self.ended: Counter[Item] = Counter()

    @initialize(window=st.integers(1, 4), window_bytes=st.integers(1, 8), events=st.integers(1, 6))
    def begin(self, window: int, window_bytes: int, events: int) -> None:
        self.window, self.window_bytes, self.bounds = window, window_bytes, Bounds(events, 12)
        self.outbox: Outbox[Item] = Outbox(self.bounds, window, window_bytes)
        self.outbox.channel_opened()

    # What the owner does.

    @rule(size=st.integers(1, 5), sendable=st.sampled_from([True, True, True, True, False]))
    def offer(self, size: int, sendable: bool) -> None:
        item = Item(len(self.items), size, sendable)
        waiting = self.those('queued', 'refused')
        held = sum(each.size for each in waiting)
        room = len(waiting) < self.bounds.events and held + size <= max(self.bounds.size, size)
        assert self.outbox.offer(item) is room
        if room:
            self.items.append(item)
        self.send()

    def send(self) -> None:
        """Send everything that may be sent, as the owner does after each event."""
        while (item := self.outbox.next()) is not None:
            assert item is self.those('queued')[0], 'not in the order of offers'
            assert len(self.unanswered) < self.window
            assert sum(each.size for each in self.unanswered.values()) < self.window_bytes
            if item.sendable:
                self.tag += 1
                self.sent[item] += 1
                assert self.outbox.sent(item) == self.tag
                self.unanswered[self.tag] = item
            else:
                self.outbox.unsendable(item, 'no frames')
                self.ended[item] += 1

    @precondition(lambda self: len(self.items) > 3)
    @rule(data=st.data(), under_way=st.booleans())
    def expire(self, data: st.DataObject, under_way: bool) -> None:
        items = [item for item in self.items if item.under_way is under_way] or self.items
        item = data.draw(st.sampled_from(items))
        self.ended[item] += item.under_way
        before = item.state
        self.outbox.expired(item)
        assert item.state == ('expired' if before in ('queued', 'sent', 'refused') else before)

    @precondition(lambda self: self.outbox.channel == 'closed')
    @rule()
    def open(self) -> None:
        self.outbox.channel_opened()
        assert self.outbox.next() is next(iter(self.those('queued')), None)
        self.send()

    # What the broker and the network do.

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data(), multiple=st.booleans())
    def confirm(self, data: st.DataObject, multiple: bool) -> None:
        tag = self.draw_tag(data)
        answered = self.answered(tag, multiple)
        self.confirmable.update(answered)
        waited_for = [item for item in answered if item.state == 'sent']
        assert self.outbox.acked(tag, multiple) == waited_for
        self.ended.update(waited_for)
        self.send()

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data(), multiple=st.booleans())
    def refuse(self, data: st.DataObject, multiple: bool) -> None:
        tag = self.draw_tag(data)
        answered = self.answered(tag, multiple)
        waited_for = [item for item in answered if item.state == 'sent']
        self.outbox.nacked(tag, multiple, self.now)
        assert [item for item in answered if item.state == 'refused'] == waited_for
        self.send()

    def draw_tag(self, data: st.DataObject) -> int:
        """Draw a tag that is unconfirmed or unknown."""
        return data.draw(st.sampled_from([*self.unanswered, self.tag + 1]))

    def answered(self, tag: int, multiple: bool) -> list[Item]:
        """Remove the publications that the broker confirms with this tag."""
        tags = [each for each in self.unanswered if each == tag or (multiple and each < tag)]
        return [self.unanswered.pop(each) for each in tags]

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(list(self.unanswered.values())))
        self.outbox.returned(lambda each: each is item, 'no queue')

    @precondition(lambda self: self.outbox.channel != 'closed')
    @rule(another=st.booleans())
    def lose(self, another: bool) -> None:
        self.unanswered.clear()
        self.tag = 0
        assert self.outbox.channel_lost() == []
        if another:
            self.open()

    @precondition(lambda self: self.unanswered)
    @rule(another=st.booleans())
    def close(self, another: bool) -> None:
        suspects = [item for item in self.unanswered.values() if item.state == 'sent']
        self.unanswered.clear()
        self.tag = 0
        rejected = self.outbox.channel_lost('offended')
        assert rejected in ([], suspects)
        assert len(rejected) <= 1
        self.ended.update(rejected)
        if another:
            self.open()

    @precondition(lambda self: self.outbox.due is not None)
    @rule(seconds=st.sampled_from([0.05, 0.1, 0.5, 1, 3]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = self.outbox.due
        self.outbox.tick(self.now)
        if due is None or due > self.now:
            assert self.outbox.due == due, 'something was done before it was due'
        self.send()

    # What always holds.

    @invariant()
    def each_publication_is_in_one_place(self) -> None:
        waiting = self.those('queued', 'refused')
        assert self.outbox.waiting == len(waiting)
        assert self.outbox.waiting_bytes == sum(item.size for item in waiting)
        assert set(self.those('sent')) <= set(self.unanswered.values())
        assert len(waiting) <= self.bounds.events + self.window

    @invariant()
    def what_is_queued_is_sent_while_nothing_is_unanswered(self) -> None:
        if self.outbox.channel == 'open' and not self.unanswered:
            assert not self.those('queued')

    @invariant()
    def nothing_is_sent_uncounted(self) -> None:
        assert all(item.times_sent == self.sent[item] for item in self.items)

    @invariant()
    def each_publication_ends_once(self) -> None:
        assert all(self.ended[item] == (not item.under_way) for item in self.items)

    @invariant()
    def what_is_confirmed_was_confirmed_by_the_broker(self) -> None:
        assert set(self.those('confirmed')) <= self.confirmable

    def teardown(self) -> None:
        """With a broker that confirms, every pending publication is confirmed."""
        left = self.those('queued', 'sent', 'refused')
        for _ in range(2 * len(left) + 4):
            if self.outbox.channel == 'drained':
                self.lose(another=True)
            if self.outbox.channel == 'closed':
                self.open()
            self.send()
            self.unanswered.clear()
            self.confirmable.update(left)
            self.ended.update(self.outbox.acked(self.tag, True))
            self.now = max(self.outbox.due or 0, self.now)
            self.outbox.tick(self.now)
        assert not self.those('queued', 'sent', 'refused'), 'it stalls'
        self.each_publication_ends_once()

    def those(self, *states: PublicationState) -> list[Item]:
        return [item for item in self.items if item.state in states]


TestModel = Model.TestCase
