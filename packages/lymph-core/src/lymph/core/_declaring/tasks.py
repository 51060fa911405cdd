"""Tasks: methods whose calls are queued as events and run by a worker.

Source: the manual, section 5.1. Each task has its own event type, ``lymph.task.NAME.METHOD``, and
one durable queue that all workers of the service share. A broadcast task goes to every worker that
is running when it is queued, and to no others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, overload

from lymph.core._declaring.callables import expect_method
from lymph.core._declaring.signatures import Signature, expect_parameters
from lymph.exceptions import SubscriptionError

__all__ = ['BoundTask', 'Task']


class _Emitter(Protocol):
    name: str

    def emit(self, event_type: str, payload: dict[str, Any], delay: float = 0) -> None: ...


class BoundTask:
    """A task of an interface object: calling it runs it directly, `apply` queues it."""

    def __init__(self, task: Task, interface: _Emitter) -> None:
        functools.update_wrapper(self, task.func)
        self._task = task
        self._interface = interface

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._task.func(self._interface, *args, **kwargs)

    def apply(self, /, **arguments: Any) -> None:
        """Queue the task for a worker; return when the event system has stored it safely.

        Raises TypeError when the arguments do not fit the method, SerializationError when they
        cannot be serialized, EmitFailure when the task may be lost.
        """
        problem = self._task.signature.problem(arguments)
        if problem is not None:
            raise TypeError(f'{self._interface.name}.{self._task.name}: {problem}')
        self._interface.emit(self._task.event_type(self._interface.name), arguments)


class Task:
    """The descriptor that `lymph.task` returns; see there for the parameters."""

    kind = 'task'

    def __init__(
        self,
        func: Callable[..., Any],
        sequential: bool = False,
        broadcast: bool = False,
        retry: int = 0,
    ) -> None:
        expect_method(func, self.kind)
        expect_parameters(func, 'self')
        functools.update_wrapper(self, func)
        self.func = func
        self.name = func.__name__
        self.sequential = sequential
        self.broadcast = broadcast
        self.retry = retry
        self.signature = Signature(func)
        self._lymph_declaration = self

    @overload
    def __get__(self, interface: None, owner: type) -> Task: ...

    @overload
    def __get__(self, interface: _Emitter, owner: type) -> BoundTask: ...

    def __get__(self, interface: _Emitter | None, owner: type) -> Task | BoundTask:
        return self if interface is None else BoundTask(self, interface)

    def event_type(self, interface_name: str) -> str:
        """Return the event type that carries this task for an interface."""
        return f'lymph.task.{interface_name}.{self.name}'

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise SubscriptionError(f'{self.func.__qualname__} is a task; call it on an interface')
