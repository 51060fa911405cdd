"""Which links wait, and which are closed, when all links together hold too much."""

from __future__ import annotations

import gevent
import pytest

from lymph.core.transport import buffers as module
from lymph.core.transport.buffers import Buffers, by_greed
from lymph.testing.waiting import eventually

LIMIT, LARGEST = 800, 200  # so 100 are set aside for small holdings, and 500 are left


class World:
    def __init__(self):
        self.now = 0.0
        self.buffers = Buffers(LIMIT, LARGEST, lambda: self.now)
        self.closed = []

    def holding(self, name, size=0, received=True):
        def give_way(reason):
            self.closed.append(name)

        holding = self.buffers.holding(give_way, received)
        if size:
            holding.set(size)
        return holding


@pytest.fixture
def world():
    world = World()
    yield world
    world.buffers.close()


@pytest.fixture
def impatient_world(monkeypatch):
    monkeypatch.setattr(module, '_TICK', 0.005)
    world = World()
    yield world
    world.buffers.close()


def test_held_bytes_are_the_sum_of_all_holdings(world):
    one, two = world.holding('one', 100), world.holding('two', 50, received=False)
    assert world.buffers.held == 150
    one.set(20)
    two.set(0)
    assert world.buffers.held == 20
    one.end()
    one.set(100)
    one.end()
    assert world.buffers.held == 0
    assert world.closed == []


def test_all_holdings_may_grow_while_there_is_room(world):
    holdings = [world.holding(number, 160) for number in range(3)]
    assert not any(holding.excessive() for holding in holdings)
    assert not world.holding('other', received=False).excessive(20)


def test_above_the_limit_only_one_at_a_time_and_small_holdings_may_grow(world):
    large = [world.holding(number, 170) for number in range(3)]
    small = world.holding('small', 25)
    assert [holding.excessive() for holding in large] == [False, True, True]
    assert [holding.excessive() for holding in large] == [False, True, True]
    assert not small.excessive()
    large[0].set(170, renewed=True)  # its message is complete, the next one has begun
    assert [holding.excessive() for holding in reversed(large)] == [False, True, True]


def test_holding_on_hold_resumes_when_its_turn_comes(world):
    large = [world.holding(number, 180) for number in range(3)]
    went_on = []
    assert [holding.excessive() for holding in large] == [False, True, True]
    for number in (1, 2):
        large[number].hold(lambda number=number: went_on.append(number))
    large[0].set(180, renewed=True)
    eventually(lambda: went_on, 10)
    assert went_on == [1]
    assert not large[1].excessive()
    large[1].end()
    eventually(lambda: went_on == [1, 2], 10)
    assert world.closed == []


def test_closed_holding_does_not_resume(world):
    one, two = world.holding('one', 300), world.holding('two', 300)
    went_on = []
    two.hold(lambda: went_on.append('two'))
    two.end()
    one.end()
    gevent.idle()
    assert went_on == []


def test_senders_wait_until_their_message_fits_or_it_is_their_turn(world):
    slow = world.holding('slow', 480, received=False)
    first, *others = (world.holding(name, received=False) for name in 'abc')
    sent = []

    def send(holding):
        while holding.excessive(150):
            holding.wait()
        sent.append(holding)
        holding.set(150)

    assert not first.excessive(150)
    first.set(150)
    senders = [gevent.spawn(send, other) for other in others]
    gevent.sleep(0)
    assert sent == []
    first.set(0)
    eventually(lambda: len(sent) == 1, 10)
    slow.set(200)
    gevent.joinall(senders, timeout=10)
    assert len(sent) == 2
    assert world.closed == []


def test_a_turn_ends_with_its_link(world):
    world.holding('slow', 490, received=False)
    one, two = world.holding('one', received=False), world.holding('two', received=False)
    assert not one.excessive(200)
    assert two.excessive(200)
    one.end()
    assert not two.excessive(200)


def test_a_message_of_less_than_a_share_never_waits(world):
    for number in range(3):
        world.holding(number, 180)
    turn, other = (world.holding(name, received=False) for name in 'ab')
    assert not turn.excessive(200)
    assert other.excessive(26)
    assert not other.excessive(25)


def test_greediest_link_is_closed_at_once_beyond_the_limit(world):
    world.holding('long', 300)
    world.now = 10.0
    world.holding('new', 320)
    world.now = 10.1
    world.holding('small', 10)
    world.now = 10.2
    last = world.holding('last', 180)
    assert world.closed == ['long']
    assert world.buffers.held == 510
    assert last.size == 180


def test_closed_link_holds_no_bytes(world):
    one = world.holding('one', LIMIT + 1)
    assert world.closed == ['one']
    one.set(300)
    assert world.buffers.held == 0


def test_standstill_closes_the_greediest_link(impatient_world):
    world = impatient_world
    for number in range(4):
        world.now = float(number)
        world.holding(number, 180)
    small = world.holding('small', 10)

    def wait():
        small.hold(wait)

    wait()
    eventually(lambda: world.buffers.held < 400, 10)
    assert world.closed == [0, 1, 2]  # until half of what is free for all is free
    assert world.buffers.held == 190


def test_waiting_link_is_not_closed_to_end_a_standstill(impatient_world):
    world = impatient_world
    waiting = [world.holding(number, 200) for number in range(2)]
    world.now = 10.0
    world.holding('stuck', 190)
    world.now = 11.0
    went_on = []

    def wait(holding):
        went_on.append(holding)
        holding.hold(lambda: wait(holding))

    for holding in waiting:
        wait(holding)
    eventually(lambda: world.closed, 10)
    assert world.closed == ['stuck']
    went_on.clear()
    eventually(lambda: len(set(went_on)) == 2, 10)
    assert world.closed == ['stuck']


def test_a_turn_that_is_not_used_is_passed_on(impatient_world):
    world = impatient_world
    holdings = [world.holding(number, 180) for number in range(3)]
    assert [holding.excessive() for holding in holdings] == [False, True, True]
    went_on = []

    def go_on():
        if holdings[1].excessive():
            holdings[1].hold(go_on)
        else:
            went_on.append(True)

    go_on()
    eventually(lambda: went_on, 10)
    assert holdings[0].excessive()
    assert world.closed == []


def test_no_link_is_closed_while_enough_bytes_come_free(impatient_world):
    world = impatient_world
    coming = [world.holding(number, 100, received=False) for number in range(6)]
    waiting = world.holding('waiting', 150)
    done = []
    waiting.hold(lambda: None)
    for round in range(10):
        coming[round % 6].set(0)
        coming[round % 6].set(100)
        gevent.sleep(0.01)
        waiting.hold(lambda: done.append(True))
    assert world.closed == []


@pytest.mark.parametrize(
    ('holdings', 'expected'),
    [
        ([('a', 100, 0.0), ('b', 100, 5.0)], 'a'),
        ([('a', 100, 0.0), ('b', 300, 0.0)], 'b'),
        ([('long', 90, 0.0), ('short', 100, 9.9), ('tiny', 1, 0.0)], 'long'),
        ([('tiny', 1, -1000.0), ('a', 100, 9.0)], 'a'),  # less than others hold
        ([('a', 1, 10.0), ('b', 2, 10.0)], 'b'),  # all at once: the largest
    ],
)
def test_the_greediest_holds_much_for_long(holdings, expected):
    buffers = Buffers(10**6, 10**5)
    made = {}
    for name, size, since in holdings:
        holding = buffers.holding(lambda reason: None)
        holding.set(size)
        holding.since = since
        made[holding] = name
    assert made[by_greed(list(made), 10.0)[0]] == expected
