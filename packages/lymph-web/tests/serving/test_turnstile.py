"""How many connections go on in a turn of the loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lymph.testing.waiting import eventually
from lymph.web._serving.turnstile import HANDSHAKE, READ, Turnstile


class Connection:
    """Notes the time of the loop at which it may go on."""

    def __init__(self, name: int, turnstile: Turnstile, went_on: list[int]) -> None:
        self.name = name
        self._turnstile = turnstile
        self._went_on = went_on

    def passes(self, cost: int) -> bool:
        return self._turnstile.passes(self, cost)

    def go_on(self) -> None:
        self._went_on.append(self.name)


@pytest.fixture
def turnstile() -> Iterator[Turnstile]:
    turnstile = Turnstile()
    yield turnstile
    turnstile.close()


@pytest.fixture
def went_on() -> list[int]:
    return []


@pytest.fixture
def connections(turnstile: Turnstile, went_on: list[int]) -> list[Connection]:
    return [Connection(number, turnstile, went_on) for number in range(200)]


def test_connections_beyond_the_budget_go_on_in_later_turns_in_their_order(connections, went_on):
    assert [each.passes(READ) for each in connections] == [True] * 64 + [False] * 136
    assert went_on == []
    eventually(lambda: len(went_on) == 136)
    assert went_on == list(range(64, 200))


def test_handshakes_use_more_of_the_budget(connections, went_on):
    passed = [each.passes(HANDSHAKE) for each in connections[:10]]
    assert passed == [True] * 4 + [False] * 6
    assert not connections[10].passes(READ)
    eventually(lambda: len(went_on) == 7)
    assert went_on == list(range(4, 11))


def test_turn_of_the_loop_brings_a_new_budget(connections, went_on):
    assert all(each.passes(READ) for each in connections[:64])
    eventually(lambda: connections[64].passes(READ))
    assert went_on in ([], [64])


def test_connection_that_has_closed_does_not_go_on(connections, went_on, turnstile):
    for each in connections:
        each.passes(READ)
    for each in connections[:100]:
        turnstile.forget(each)
    eventually(lambda: len(went_on) == 100)
    assert went_on == list(range(100, 200))
