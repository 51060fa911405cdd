"""Units of work: code that runs in one shares its resources, which are closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, Final, TypeVar

from lymph.core._work.opened import Key, Opened, Opener
from lymph.exceptions import ResourceError

__all__ = ['Unit', 'current_unit', 'in_unit', 'leave_unit']

R = TypeVar('R')

_NOTHING: Final[Mapping[Key, Any]] = {}

_unit: ContextVar[Unit | None] = ContextVar('lymph_unit', default=None)

#: returns the unit of work of the current context, None if it has none
current_unit = _unit.get


class Unit:
    """A unit of work, as a context manager: it ends with the block and its exception.

    An error of the block stays its outcome, whatever closing the resources raises or suppresses.
    After a success, the first error of closing is raised. All resources are closed in any case.
    """

    #: whether a class of this process declares a resource: without one, calls open no units
    needed: ClassVar[bool] = False

    __slots__ = ('_before', '_ended', '_opened', 'values')

    def __init__(self) -> None:
        self.values: Mapping[Key, Any] = _NOTHING  # of resources that are open
        self._opened: Opened | None = None  # made when the first one is opened
        self._ended = False

    def __enter__(self) -> None:
        self._before = _unit.get()
        _unit.set(self)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if self._opened is not None:
                self._opened.close(error)
        finally:
            self._ended = True
            # an abandoned generator may end its unit in another context, which keeps its own
            if _unit.get() is self:
                _unit.set(self._before)
            self._before = None

    def open(self, resource: Opener, owner: Any) -> Any:
        """Return the value of a resource of `owner`; open it if it is not open.

        Raises what opening it raises; ResourceError if the unit has ended, the resource was closed,
        or it is used while it is being opened by the same greenlet.
        """
        if self._ended:
            raise ResourceError(
                f'{resource.name_on(owner)} was used after its unit of work had ended; '
                'open a unit for work that continues: `with lymph.core.resources.unit():`'
            )
        if self._opened is None:
            self._opened = Opened()
            self.values = self._opened.values
        return self._opened.open(resource, owner)


def in_unit(func: Callable[..., R], *args: Any) -> R:
    """Call a function in a unit of work of its own; return what it returns."""
    with Unit():
        return func(*args)


def leave_unit() -> None:
    """Leave the unit of work of the context that was copied for a new greenlet."""
    _unit.set(None)
