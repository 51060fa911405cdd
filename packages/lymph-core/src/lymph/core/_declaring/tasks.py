"""Tasks: methods whose calls are queued as events and run by a worker.

Source: the manual, section 5.1. A task is an event of a type of its own,
``lymph.task.NAME.METHOD``, with one durable queue that all workers of the service share; a
broadcast one reaches the workers that run at the time.
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
    """A task of one interface: calling it runs it here and now, `apply` queues it."""

    def __init__(self, task: Task, interface: _Emitter) -> None:
        functools.update_wrapper(self, task.func)
        self._task = task
        self._interface = interface

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._task.func(self._interface, *args, **kwargs)

    def apply(self, /, **arguments: Any) -> None:
        """Queue the task for a worker; returns when that is safe.

        Raises TypeError when the arguments do not fit the method, SerializationError for one that
        cannot travel, EmitFailure when the task may be lost.
        """
        problem = self._task.signature.problem(arguments)
        if problem is not None:
            raise TypeError(f'{self._interface.name}.{self._task.name}: {problem}')
        self._interface.emit(self._task.event_type(self._interface.name), arguments)


class Task:
    """What `lymph.task` makes of a method."""

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
