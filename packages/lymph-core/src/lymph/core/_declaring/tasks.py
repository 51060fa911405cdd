"""Tasks: methods whose calls are queued as events and run by a worker.

Source: the manual, section 5.1. Each task has its own event type, ``lymph.task.NAME.METHOD``, and
one durable queue that all workers of the service share. A broadcast task goes to every worker that
is running when it is queued, and to no others.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, overload

from lymph.core._declaring.callables import expect_method, name_of
from lymph.core._declaring.positional import by_name
from lymph.core._declaring.signatures import Signature, expect_parameters
from lymph.core._typing.misfits import Misfit
from lymph.core._typing.plans import CallTypes
from lymph.exceptions import SubscriptionError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['BoundTask', 'Task']

P = ParamSpec('P')
R = TypeVar('R')
#: the signature of the method of an object; see `lymph.core._declaring.method_types`
Bound_co = TypeVar('Bound_co', bound=Callable[..., Any], covariant=True)


class _Emitter(Protocol):
    name: str

    def emit(self, event_type: str, payload: dict[str, Any], delay: float = 0) -> None: ...


class BoundTask(Generic[P, R]):
    """A task of an interface object: calling it runs it directly, `apply` queues it."""

    def __init__(self, task: Task[Callable[P, R]], interface: _Emitter) -> None:
        functools.update_wrapper(self, task.func)
        self._task = task
        self._interface = interface

    def __call__(self, /, *args: P.args, **arguments: P.kwargs) -> R:
        """Run the task here and now."""
        result: R = self._task.func(self._interface, *args, **arguments)
        return result

    def apply(self, /, *args: P.args, **arguments: P.kwargs) -> None:
        """Queue the task for a worker; return when the event system has stored it safely.

        The arguments are those of the method. Raises TypeError when they do not fit it or its
        annotations, SerializationError when they cannot be serialized, EmitFailure when the task
        may be lost.
        """
        called = f'{self._interface.name}.{self._task.name}'
        signature = self._task.signature
        named: dict[str, Any] = arguments
        if args:
            named = by_name(called, signature.parameters, args, arguments)
        problem = signature.problem(named)
        if problem is not None:
            raise TypeError(f'{called}: {problem}')
        plan = self._task.types.plan(type(self._interface), self._task.name)
        if plan is not None:
            try:
                plan.convert(unpack(pack(named)))  # as the worker converts what it receives
            except Misfit as misfit:
                raise TypeError(f'{called}: {misfit}') from misfit
        self._interface.emit(self._task.event_type(self._interface.name), named)


class Task(Generic[Bound_co]):
    """The descriptor that `lymph.task` returns; see there for the parameters."""

    kind = 'task'
    partitioned = False

    def __init__(
        self,
        func: Callable[..., Any],
        sequential: bool = False,
        broadcast: bool = False,
        retry: int = 0,
        check: bool = True,
    ) -> None:
        expect_method(func, self.kind)
        expect_parameters(func, 'self')
        functools.update_wrapper(self, func)
        self.func = func
        #: the name of the attribute; until it is assigned, that of the function
        self.name = getattr(func, '__name__', 'task')
        self._named = False
        self.sequential = sequential
        self.broadcast = broadcast
        self.retry = retry
        self.signature = Signature(func)
        self.types = CallTypes(func, 1, check)
        self._lymph_declaration = self

    def __set_name__(self, owner: type, name: str) -> None:
        if self._named and name != self.name:  # an alias is a task of its own
            alias = copy.copy(self)
            alias.name, alias._lymph_declaration = name, alias  # noqa: SLF001 - its own class
            setattr(owner, name, alias)
        else:
            self.name, self._named = name, True

    @overload
    def __get__(
        self: Task[Callable[P, R]], interface: None, owner: type
    ) -> Task[Callable[P, R]]: ...

    @overload
    def __get__(
        self: Task[Callable[P, R]], interface: _Emitter, owner: type | None = None
    ) -> BoundTask[P, R]: ...

    def __get__(self: Any, interface: _Emitter | None, owner: type | None = None) -> Any:
        return self if interface is None else BoundTask(self, interface)

    def queue(self, name: str) -> str:
        """Return the queue's name after that of the interface; `name` is the attribute."""
        return name

    def event_type(self, interface_name: str) -> str:
        """Return the event type that carries this task for an interface."""
        return f'lymph.task.{interface_name}.{self.name}'

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise SubscriptionError(f'{name_of(self.func)} is a task; call it on an interface')
