"""The resources of a unit of work: each is opened once, and closed when the unit ends.

==========  =======================================  ==============================================
state       of a unit                                a resource that is used
==========  =======================================  ==============================================
open        its work runs                            is opened, or is open already
closing     its resources are closed, last opened    the same, but one that was closed is refused
            first
closed      everything is closed                     is closed again if it was being opened
==========  =======================================  ==============================================

The greenlets of a unit may use one resource at the same time: one of them opens it, the others
wait. If it fails to open, nothing is kept, and the next use tries again.
"""

from __future__ import annotations

from typing import Any, Protocol

from gevent.event import Event
from greenlet import getcurrent

from lymph.core._work.shield import Shield
from lymph.core.failures import Killed
from lymph.exceptions import ResourceError

__all__ = ['Key', 'Manager', 'Opened', 'Opener']

Key = tuple['Opener', int]  # a resource, and the id of the object that has it


class Manager(Protocol):
    """A context manager."""

    def __enter__(self) -> Any: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> Any: ...


class Opener(Protocol):
    """A declared resource."""

    def name_on(self, owner: Any) -> str:
        """Return the resource's name for errors: ``Accounts.session``."""

    def manager(self, owner: Any) -> Manager:
        """Return a context manager that opens and closes the resource for `owner`."""

    def report(self, owner: Any, error: BaseException) -> None:
        """Handle an error of closing it that is not the outcome of the unit. Raises only Killed."""


class Opened:
    """The resources that the greenlets of one unit have opened."""

    def __init__(self) -> None:
        self.values: dict[Key, Any] = {}  # of resources that are open
        self._managers: list[tuple[Opener, Any, Manager]] = []  # the last opened at the end
        self._were: set[Key] = set()  # resources that were closed
        self._opening: dict[Key, _Opening] = {}
        self._waiting: dict[int, _Opening] = {}  # the id of a greenlet, and what it waits for
        self._closed = False

    def open(self, resource: Opener, owner: Any) -> Any:
        """Return the value of a resource of `owner`; open it if it is not open.

        Raises what opening it raises; ResourceError if it was closed, or if it is used while it is
        being opened by the same greenlet.
        """
        key = resource, id(owner)
        while key not in self.values:
            if key in self._were:
                raise ResourceError(
                    f'{resource.name_on(owner)} was used after it had been closed; resources are '
                    'closed in reverse order, so what uses this one has to open it first'
                )
            opening = self._opening.get(key)
            if opening is None:
                return self._open(key, resource, owner)
            self._wait_for(opening)
        return self.values[key]

    def close(self, error: BaseException | None) -> None:
        """Close all resources, the last opened first, protected from `Killed`.

        `error` is the error of the unit: each resource gets it, and errors of closing are only
        reported. If it is None, the first error of closing becomes the error of the unit, and is
        raised.
        """
        if not self._managers:
            self._closed = True
            return
        with Shield():
            raised = self._close(error)
            self._closed = True
            try:
                if raised is not error and raised is not None:
                    raise raised
            finally:
                del error, raised  # no reference cycle with their tracebacks

    def _close(self, error: BaseException | None) -> BaseException | None:
        """Close all resources and return the outcome of the unit; `Killed` comes before others."""
        while self._managers:
            resource, owner, manager = self._managers.pop()
            key = resource, id(owner)
            self.values.pop(key, None)
            self._were.add(key)
            try:
                if error is None:
                    manager.__exit__(None, None, None)
                else:
                    manager.__exit__(type(error), error, error.__traceback__)
            except BaseException as second:  # noqa: BLE001 - the edge of somebody else's code
                error = _outcome(error, second, resource, owner)
        try:
            return error
        finally:
            del error  # as above

    def _open(self, key: Key, resource: Opener, owner: Any) -> Any:
        opening = self._opening[key] = _Opening(resource, owner)
        try:
            manager = resource.manager(owner)
            value = manager.__enter__()
        finally:
            del self._opening[key]
            if opening.done is not None:
                opening.done.set()
        # Nothing waits from here on, so what was opened cannot be lost.
        self._managers.append((resource, owner, manager))
        if self._closed:  # meanwhile, in another greenlet
            error = ResourceError(f'{opening.name}: its unit of work ended while it was opened')
            self.close(error)
            raise error
        self.values[key] = value
        return value

    def _wait_for(self, opening: _Opening) -> None:
        """Wait until another greenlet has opened a resource, or has failed to."""
        current = id(getcurrent())
        other: _Opening | None = opening
        while other is not None:
            if other.greenlet == current:
                path = [each.name for each in self._opening.values()]
                path = [*path[path.index(opening.name) :], opening.name]
                raise ResourceError(f'{opening.name} uses itself: {" -> ".join(path)}')
            other = self._waiting.get(other.greenlet)
        self._waiting[current] = opening
        if opening.done is None:
            opening.done = Event()
        try:
            opening.done.wait()
        finally:
            del self._waiting[current]


class _Opening:
    """A resource that a greenlet is opening."""

    __slots__ = ('done', 'greenlet', 'owner', 'resource')

    def __init__(self, resource: Opener, owner: Any) -> None:
        self.resource = resource
        self.owner = owner
        self.greenlet = id(getcurrent())  # a greenlet that is referenced is not reused
        self.done: Event | None = None  # made by the first that waits

    @property
    def name(self) -> str:
        return self.resource.name_on(self.owner)


def _outcome(
    error: BaseException | None, second: BaseException, resource: Opener, owner: Any
) -> BaseException:
    """Return the outcome of a unit after `error` if closing a resource has raised `second`."""
    if error is None or isinstance(second, Killed):
        return second
    if second is not error:
        try:
            resource.report(owner, second)
        except Killed as killed:
            return killed
    return error
