"""The decorators that make methods of an interface reachable.

Source: the manual, sections 4.4.3, 4.5.2 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lymph.config.printable import quoted
from lymph.core._declaring.callables import check_retry
from lymph.core._declaring.declarations import EventDeclaration, RpcDeclaration, declare
from lymph.core._declaring.tasks import Task
from lymph.core.failures import described
from lymph.events.topics import check_pattern

__all__ = ['event', 'raw_rpc', 'rpc', 'task']

F = TypeVar('F', bound=Callable[..., Any])


def rpc(
    raises: tuple[type[BaseException], ...] | type[BaseException] = (), idempotent: bool = False
) -> Callable[[F], F]:
    """Make a method callable from elsewhere; it returns and raises as any other.

    Callers see exceptions of the classes in `raises` as RemoteError, others as Failed.
    `idempotent` allows callers to repeat a call that may have run.
    """
    if _is_method(raises):
        raise TypeError('write @lymph.rpc() with parentheses')
    classes = raises if isinstance(raises, tuple) else (raises,)
    if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        raise TypeError(f'expected exception classes in raises, found {described(raises)}')
    return lambda func: declare(func, RpcDeclaration(func, raises=classes, idempotent=idempotent))


def raw_rpc(*misused: object) -> Callable[[F], F]:
    """Make a method callable that answers through the ReplyChannel it gets as first argument.

    Raises TypeError for the decorator without parentheses.
    """
    if misused:
        raise TypeError('write @lymph.raw_rpc() with parentheses')
    return lambda func: declare(func, RpcDeclaration(func, raw=True))


def event(
    *event_types: str,
    sequential: bool = False,
    broadcast: bool = False,
    once: bool = False,
    retry: int = 0,
    queue_name: str | None = None,
) -> Callable[[F], F]:
    """Make a method the handler of events; it takes the event as its one argument.

    `event_types` may hold wildcards: ``*`` for one word, ``#`` for zero or more. With
    `sequential` an instance handles one event at a time, with `broadcast` every instance handles
    every event, with `once` only the first event is handled: no other one is begun, also while it
    is tried again. Instances of the interface share the queue ``<interface name>.<method>``;
    `queue_name` stands in place of the method, so that the method can be renamed.

    `retry` is how many attempts may follow the first. An event whose handler raises is delivered
    again while its `attempt` is not more than `retry`, after growing delays; then it is a dead
    letter. There is one count: an attempt that was lost with its process or its connection uses up
    one of the retries, but never makes the event a dead letter before the handler has raised (or
    eleven consumers were lost with it). See `lymph.events.deliveries`.
    """
    if not event_types:
        raise TypeError('expected at least one event type, as in @lymph.event("task_done")')
    if not all(isinstance(event_type, str) for event_type in event_types):
        raise TypeError('write @lymph.event("type") with event types as text')
    if queue_name is not None and not isinstance(queue_name, str):
        raise TypeError(f'expected queue_name as text, found {described(queue_name)}')
    if queue_name is not None and not (queue_name and queue_name.isprintable()):
        raise ValueError(f'expected queue_name as printable text, found {quoted(queue_name)}')
    for event_type in event_types:
        check_pattern(event_type)
    check_retry(retry)
    return lambda func: declare(
        func,
        EventDeclaration(func, event_types, sequential, broadcast, once, retry, queue_name),
    )


def task(
    sequential: bool = False, broadcast: bool = False, retry: int = 0
) -> Callable[[Callable[..., Any]], Task]:
    """Make a method a task: ``self.method.apply(**arguments)`` queues it for a worker.

    With `sequential` a worker runs one at a time, with `broadcast` every worker runs it. `retry`
    is how many attempts may follow the first when the task raises; lost workers count, as in
    `event`.
    """
    if _is_method(sequential):
        raise TypeError('write @lymph.task() with parentheses')
    check_retry(retry)

    def make(func: Callable[..., Any]) -> Task:
        known = getattr(func, '_lymph_declaration', None)
        if known is not None:
            raise TypeError(
                f'{func.__qualname__} is declared as {known.kind} already;'
                ' a method is one of rpc, raw_rpc, event, task, serial_event'
            )
        return Task(func, sequential, broadcast, retry)

    return make


def _is_method(found: object) -> bool:
    """Tell whether a decorator was written without its parentheses."""
    methods = (staticmethod, classmethod, property)
    return isinstance(found, methods) or (callable(found) and not isinstance(found, type))
