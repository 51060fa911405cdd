"""Resources of a unit of work: opened when they are first used, closed when the work ends.

::

    class Accounts(lymph.Interface):
        @lymph.resource
        def session(self) -> Iterator[Session]:
            with Session(self.engine) as session, session.begin():
                yield session

        @lymph.rpc()
        def rename(self, account: str, name: str) -> None:
            self.session.get_one(Account, account).name = name

A unit of work is a call that is answered, an event or a task that is handled, or an HTTP request
until its method has returned. See docs/resources.md.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from lymph.core import trace
from lymph.core._declaring.callables import expect_method, name_of
from lymph.core._declaring.class_bodies import note
from lymph.core._declaring.declarations import expect_undeclared
from lymph.core._work.opened import Manager
from lymph.core._work.units import Unit, current_unit
from lymph.core._work.yielding import Yielding
from lymph.core.components import Component
from lymph.core.failures import described
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.exceptions import ResourceError

__all__ = ['Resource', 'resource', 'unit']

logger = logging.getLogger(__name__)

T = TypeVar('T')
T_co = TypeVar('T_co', covariant=True)

_MISSING: Any = object()


class Resource(Generic[T_co]):
    """The descriptor that `lymph.resource` returns.

    Read from an instance, it is the value that is open in the current unit of work. A subclass
    may override it, and ``super().session`` is the resource of the base class. An attribute that is
    set on the instance replaces it, as tests do with a fake.
    """

    kind = 'resource'

    def __init__(self, func: Callable[[Any], object]) -> None:
        self.func = func
        self.name = ''
        self._log: LimitedLog | None = None
        functools.update_wrapper(self, func)  # type: ignore[arg-type]  # only in the stubs
        self._lymph_declaration = self

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name  # an alias is the same resource
        Unit.needed = True

    @overload
    def __get__(self, owner: None, cls: type | None = None) -> Resource[T_co]: ...

    @overload
    def __get__(self, owner: object, cls: type | None = None) -> T_co: ...

    def __get__(self, owner: object, cls: type | None = None) -> Resource[T_co] | T_co:
        if owner is None:
            return self
        unit = current_unit()
        if unit is None:
            raise ResourceError(
                f'{self.name_on(owner)}: expected a unit of work (a call, an event, a task, '
                'an HTTP request), found none here; elsewhere, and in a spawned greenlet, '
                'open one: `with lymph.core.resources.unit():`'
            )
        value = unit.values.get((self, id(owner)), _MISSING)
        return unit.open(self, owner) if value is _MISSING else value  # type: ignore[no-any-return]

    if TYPE_CHECKING:  # at run time, an attribute of the object comes before the resource

        def __set__(self, owner: object, value: Any) -> None: ...

    def name_on(self, owner: object) -> str:
        """Return the name of the resource for errors: ``Accounts.session``."""
        return f'{type(owner).__name__}.{self.name}'

    def manager(self, owner: object) -> Manager:
        """Return a context manager that opens and closes the resource for `owner`.

        Raises ResourceError if the method returns anything else.
        """
        made = self.func(owner)
        if isinstance(made, GeneratorType):
            return Yielding(made, self.name_on(owner))
        if not all(hasattr(type(made), name) for name in ('__enter__', '__exit__')):
            raise ResourceError(
                f'{self.name_on(owner)}: expected a method that yields once or returns a context '
                f'manager, found {described(made)}'
            )
        return made  # type: ignore[return-value]  # it is one

    def report(self, owner: object, error: BaseException) -> None:
        """Log an error of closing the resource, and call the error hook of a component."""
        if self._log is None:
            self._log = LimitedLog(logger)  # needs no `close`: its timer ends by itself
        name = self.name_on(owner)
        self._log.write(logging.ERROR, name, '%s could not be closed', name, exc_info=error)
        if isinstance(owner, Component):
            owner.error_hook(error, component=owner, resource=name, trace_id=trace.get_id())

    def __repr__(self) -> str:
        return f'<resource {self.func.__qualname__}>'


@overload
def resource(func: Callable[[Any], AbstractContextManager[T]]) -> Resource[T]: ...


@overload
def resource(func: Callable[[Any], Iterator[T]]) -> Resource[T]: ...


def resource(func: Callable[[Any], object] | None = None) -> Resource[Any]:
    """Declare a resource of the units of work of an interface, a component or a plugin.

    The method is a generator function with one ``yield``, or returns a context manager. The value
    of the attribute is what it yields, or what the context manager returns when it is entered.

    - It is opened when it is first used in a unit of work, once for each unit and object, and
      closed when the unit ends, the last opened first.
    - The ``yield`` raises the error of the unit, whichever it is. A resource cannot change it: if
      closing fails after an error, that is logged and passed to the error hook.
    - If closing fails after a success, the unit fails with this error. All other resources are
      closed, with the error.
    - If opening fails, the error is raised where the resource was used. The next use tries again.

    Raises TypeError for anything but a method that takes only self. Using it raises ResourceError
    outside a unit of work.
    """
    if func is None:
        raise TypeError('write @lymph.resource without parentheses')
    if not (isinstance(func, FunctionType) and inspect.isgeneratorfunction(func)):
        expect_method(func, 'resource')
    expect_undeclared(func)
    try:
        inspect.signature(func).bind(None)
    except TypeError as error:
        raise TypeError(
            f'{name_of(func)}: expected a resource to take only self ({error})'
        ) from None
    declared: Resource[Any] = Resource(func)
    note(func, declared)
    return declared


def unit() -> AbstractContextManager[None]:
    """Return a context manager that is a new unit of work, even within another one.

    Its resources are closed at the end of the block, with the block's error if there is one. For
    tests, which call methods directly, and for spawned greenlets::

        with lymph.core.resources.unit():
            accounts.rename('a1', 'Ada')
    """
    return Unit()
