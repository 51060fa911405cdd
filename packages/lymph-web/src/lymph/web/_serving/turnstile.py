"""Fair turns: however many connections have something to read, other events are handled soon.

The loop calls the watchers of all descriptors that are ready before it polls again. Thousands of
clients that send at the same moment would hold up calls for as long as all of them take. So only
some of them go on in each turn of the loop; the others follow in the next turns, in their order.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import gevent

from lymph.core._loop.turns import NextTurn

__all__ = ['HANDSHAKE', 'READ', 'InTurns', 'Turnstile']

#: What passing costs: a read with its request, and a step of a TLS handshake, which takes the
#: processor for about a millisecond.
READ: Final = 1
HANDSHAKE: Final = 16
_BUDGET: Final = 64  # in a turn


class InTurns(Protocol):
    """A connection."""

    def go_on(self) -> None:
        """Do what it has waited for. Runs in the hub; must not raise."""


class Turnstile:
    """Lets connections pass, up to a budget in each turn of the loop. All of it runs in the hub."""

    def __init__(self) -> None:
        self._loop: Any = gevent.get_hub().loop
        self._now = 0.0  # the time of the turn, which stays the same until the loop polls
        self._left = 0
        self._waiting: dict[InTurns, int] = {}
        self._next_turn = NextTurn(self._let_pass)

    def passes(self, connection: InTurns, cost: int) -> bool:
        """Tell whether `connection` passes in this turn; if not, its `go_on` is called later."""
        now = self._loop.now()
        if now != self._now:
            self._now, self._left = now, _BUDGET
        if self._left <= 0 or self._waiting:
            self._waiting[connection] = cost
            self._next_turn.ask()
            return False
        self._left -= cost
        return True

    def forget(self, connection: InTurns) -> None:
        """Do not call `go_on` of a connection that has closed."""
        if self._waiting:
            self._waiting.pop(connection, None)

    def close(self) -> None:
        """Forget all connections that wait; none passes any more."""
        self._waiting.clear()
        self._next_turn.close()

    def _let_pass(self) -> None:
        self._now, self._left = self._loop.now(), _BUDGET
        while self._waiting and self._left > 0:
            connection = next(iter(self._waiting))
            self._left -= self._waiting.pop(connection)
            connection.go_on()
        if self._waiting:
            self._next_turn.ask()
