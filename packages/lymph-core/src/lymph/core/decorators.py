"""The decorators that declare methods of an interface as callable, event handlers or tasks.

Source: the manual, sections 4.4.3, 4.5.2 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from lymph.config.printable import quoted
from lymph.core._declaring.callables import check_flags, check_retry
from lymph.core._declaring.class_bodies import note
from lymph.core._declaring.declarations import (
    EventDeclaration,
    RpcDeclaration,
    declare,
    expect_undeclared,
)
from lymph.core._declaring.method_types import AnyMethod, AnyRawMethod, RawRpcMethod, RpcMethod
from lymph.core._declaring.tasks import Task
from lymph.core.failures import described
from lymph.events.topics import check_pattern

__all__ = ['event', 'raw_rpc', 'rpc', 'task']

P = ParamSpec('P')
R = TypeVar('R')
Handler = TypeVar('Handler', bound=Callable[[Any, Any], Any])  # takes self and the event


def rpc(
    raises: tuple[type[BaseException], ...] | type[BaseException] = (),
    idempotent: bool = False,
    *,
    check: bool = True,
    cancel: bool | None = None,
) -> Callable[[AnyMethod[P, R]], RpcMethod[Callable[P, R]]]:
    """Make a method callable from other processes: ``@lymph.rpc()``.

    Callers get exceptions of the classes in `raises` as RemoteError, all others as Failed.
    `idempotent=True` says that running the method twice does no harm, so callers retry a call even
    if it may have run. Annotated arguments are checked and converted before the method runs, unless
    `check` is false; see docs/types.md.

    `cancel=True` says that a call that nobody waits for any more is cancelled: `lymph.Cancelled` is
    raised in the method where it waits; see docs/cancellation.md. With `cancel=False` it always
    runs to its end; the default is the setting `container.rpc.cancel`, which is false unless
    configured.

    Raises TypeError without parentheses, for anything but exception classes in `raises`, and for a
    function that cannot be such a method (async, generator, positional-only parameters, or declared
    already).
    """
    if _is_method(raises):
        raise TypeError('write @lymph.rpc() with parentheses')
    classes = raises if isinstance(raises, tuple) else (raises,)
    if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        raise TypeError(f'expected exception classes in raises, found {described(raises)}')
    check_flags(idempotent=idempotent, check=check)
    _check_cancel(cancel)

    def make(func: Callable[..., Any]) -> Any:  # the function itself, whatever checkers see
        return declare(
            func,
            RpcDeclaration(func, raises=classes, idempotent=idempotent, check=check, cancel=cancel),
        )

    return make


def raw_rpc(
    *misused: object, check: bool = True, cancel: bool | None = None
) -> Callable[[AnyRawMethod[P, R]], RawRpcMethod[Callable[P, R]]]:
    """Make a method callable that sends its answer itself: ``@lymph.raw_rpc()``.

    It gets a `ReplyChannel` as first argument after `self`. The caller gets a NACK if the method
    returns without having answered or detached the channel. `check` and errors are those of `rpc`,
    and so is `cancel`: a call that was answered, or whose method has returned, is not cancelled.
    """
    if misused:
        raise TypeError('write @lymph.raw_rpc() with parentheses')
    check_flags(check=check)
    _check_cancel(cancel)

    def make(func: Callable[..., Any]) -> Any:  # as in `rpc`
        return declare(func, RpcDeclaration(func, raw=True, check=check, cancel=cancel))

    return make


def event(
    *event_types: str,
    sequential: bool = False,
    broadcast: bool = False,
    once: bool = False,
    retry: int = 0,
    queue_name: str | None = None,
    check: bool = True,
) -> Callable[[Handler], Handler]:
    """Make a method the handler of events: ``@lymph.event('task_done')``.

    The method takes the event as its one argument. The instances of the interface share the queue
    ``<interface name>.<method>``, so each event is handled by one of them.

    ``event_types``
        Dot-separated types; ``*`` stands for one word, ``#`` for zero or more.
    ``sequential``
        Each instance handles one event at a time.
    ``broadcast``
        Every instance handles every event.
    ``once``
        Only the first event is handled. No other one is begun, even while the first is retried.
    ``retry``
        How many attempts may follow the first. An event whose handler raises is delivered again,
        after growing delays, while its `attempt` is at most `retry`; then it becomes a dead letter.
        Attempts that are lost with their process or connection use up retries too, but the event
        becomes a dead letter only when the handler raises, or when eleven consumers were lost with
        it. See `lymph.events.deliveries`.
    ``queue_name``
        Replaces the method's name in the name of the queue, so that the method can be renamed.
    ``check``
        By the annotation of its parameter, the method gets the event (`lymph.Event`), the event
        with a `body` of a type (``lymph.Event[Order]``), or the payload as an object (``Order``);
        an event that does not fit is a dead letter at once. False: always the event as it is.

    Raises TypeError without event types, for values of a wrong type, and for a function that cannot
    be a handler; ValueError for an invalid event type, `retry` or `queue_name`.
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
    check_flags(sequential=sequential, broadcast=broadcast, once=once, check=check)
    return lambda func: declare(
        func,
        EventDeclaration(func, event_types, sequential, broadcast, once, retry, queue_name, check),
    )


def task(
    sequential: bool = False, broadcast: bool = False, retry: int = 0, *, check: bool = True
) -> Callable[[AnyMethod[P, R]], Task[Callable[P, R]]]:
    """Make a method a task: ``self.method.apply(**arguments)`` queues it for a worker.

    With `sequential` each worker runs one call of the task at a time. With `broadcast` every worker
    runs it. `retry` is how many attempts may follow the first when the task raises; attempts that
    are lost with their worker count too, as in `event`. Annotated arguments are checked where the
    task is queued, and checked and converted where it runs, unless `check` is false. Raises
    TypeError without parentheses and for a function that cannot be a task, ValueError for a
    negative `retry`.
    """
    if _is_method(sequential):
        raise TypeError('write @lymph.task() with parentheses')
    check_retry(retry)
    check_flags(sequential=sequential, broadcast=broadcast, check=check)

    def make(func: Callable[..., Any]) -> Task[Callable[P, R]]:
        expect_undeclared(func)
        made: Task[Callable[P, R]] = Task(func, sequential, broadcast, retry, check)
        note(func, made)
        return made

    return make


def _check_cancel(cancel: object) -> None:
    if cancel is not None:
        check_flags(cancel=cancel)


def _is_method(found: object) -> bool:
    """Tell whether a decorator's first argument is a method: it was written without parentheses."""
    methods = (staticmethod, classmethod, property)
    return isinstance(found, methods) or (callable(found) and not isinstance(found, type))
