"""Protects the closing of resources: `Killed` is held back until they are closed.

A commit or rollback that is interrupted leaves a connection in an unknown state. So a greenlet of
lymph is shielded while it closes the resources of a unit of work:

===============================  ==================================================================
what                             while the greenlet closes resources
===============================  ==================================================================
the first `Killed`               held back, and raised when the resources are closed
`Killed` after `lift`            raised at once: the stop has waited long enough
`Cancelled`                      thrown afterwards, unless the call has ended; see
                                 `lymph.core._work.cancelling`
timeouts of the author or of a   raised at once: they belong to the closing code
library
===============================  ==================================================================

Greenlets that are not lymph's have no shield, and lymph throws nothing into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeGuard

import gevent
from greenlet import getcurrent

from lymph.core.failures import Killed

__all__ = [
    'CLOSING',
    'Shield',
    'Shieldable',
    'cut_closing',
    'is_killed',
    'kill_in_time',
    'run_when_closed',
]

CLOSING: Final = 1.0  # seconds by which closing resources may delay the end of a greenlet


class Shieldable:
    """Mixin for greenlets: within a `Shield`, `throw` keeps `Killed` for later."""

    _shields = 0  # how many `Shield`s the greenlet is in
    _lifted = False
    _held = False  # whether `Killed` is to be raised after the last of them
    _when_closed: Callable[[], object] | None = None  # called in the hub after the last of them
    _killed = False  # whether `Killed` was thrown

    def throw(self, *args: Any) -> Any:
        """Raise an exception in the greenlet; see `gevent.Greenlet.throw`. Only for the hub."""
        if args and _is_kill(args[0]):
            self._killed = True
            if self._shields and not self._lifted:
                self._held = True
                return None
        return super().throw(*args)  # type: ignore[misc]  # of the other base class

    def lift(self) -> None:
        """Let `Killed` through from now on, whatever the greenlet does."""
        self._lifted = True

    def _leave_shield(self) -> None:
        """Leave the innermost shield. After the last one, do what was postponed."""
        self._shields -= 1
        if self._shields:
            return
        if self._when_closed is not None:
            gevent.get_hub().loop.run_callback(self._when_closed)
            self._when_closed = None
        if self._held:
            self._held = False
            raise Killed


class Shield:
    """Within this context manager, the current greenlet is not interrupted by `Killed`.

    Leaving it raises a `Killed` that was held back.
    """

    __slots__ = ('_greenlet',)

    def __enter__(self) -> None:
        greenlet = getcurrent()
        self._greenlet = greenlet if isinstance(greenlet, Shieldable) else None
        if self._greenlet is not None:
            self._greenlet._shields += 1  # noqa: SLF001 - of this module

    def __exit__(self, *outcome: object) -> None:
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is None:
            return
        greenlet._leave_shield()  # noqa: SLF001 - of this module


def run_when_closed(greenlet: object, callback: Callable[[], object]) -> bool:
    """If a greenlet is closing resources, call `callback` in the hub when they are closed.

    Returns whether it is closing resources. Only the first of several callbacks is called.
    """
    if not _shielded(greenlet):
        return False
    if greenlet._when_closed is None:  # noqa: SLF001 - of this module
        greenlet._when_closed = callback  # noqa: SLF001 - of this module
    return True


def is_killed() -> bool:
    """Tell whether the current greenlet is being ended: `Killed` was thrown into it.

    True if that cannot be known, in a greenlet that is not lymph's.
    """
    greenlet = getcurrent()
    return not isinstance(greenlet, Shieldable) or greenlet._killed  # noqa: SLF001 - see above


def kill_in_time(greenlets: Iterable[Any], timeout: float | None) -> None:
    """Raise `Killed` in greenlets and wait up to `timeout` seconds for them to end.

    With None, wait until they end. Greenlets that are still closing resources after `timeout`, or
    after a second without one, are interrupted.
    """
    victims = list(greenlets)
    gevent.killall(victims, Killed, block=False)
    gevent.joinall(victims, CLOSING if timeout is None else timeout)
    cut_closing(victims)
    if timeout is None:
        gevent.joinall(victims)


def cut_closing(greenlets: Iterable[Any]) -> None:
    """Raise `Killed` in greenlets that are closing resources; do not wait for their end."""
    closing: list[Any] = [greenlet for greenlet in greenlets if _shielded(greenlet)]
    for greenlet in closing:
        greenlet.lift()
    if closing:
        gevent.killall(closing, Killed, block=False)
        gevent.sleep(0)  # it is raised before this returns


def _shielded(greenlet: object) -> TypeGuard[Shieldable]:
    """Tell whether a greenlet is closing resources."""
    return isinstance(greenlet, Shieldable) and bool(greenlet._shields)  # noqa: SLF001 - see above


def _is_kill(thrown: object) -> bool:
    kind = thrown if isinstance(thrown, type) else type(thrown)
    return issubclass(kind, Killed)
