"""Running blocking functions in a native thread, while the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gevent

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    Arguments = TypeVarTuple('Arguments')

__all__ = ['in_thread']

T = TypeVar('T')


def in_thread(func: Callable[[Unpack[Arguments]], T], *args: Unpack[Arguments]) -> T:
    """Run `func(*args)` in a thread of the hub's pool; return its result or raise its error.

    `func` must not use gevent.
    """
    # errors are returned by the thread: gevent prints the traceback of those that are raised there
    pool: Any = gevent.get_hub().threadpool
    result: T
    result, error = pool.apply(_attempt, (func, args))
    if error is not None:
        raise error
    return result


def _attempt(func: Callable[..., T], args: tuple[Any, ...]) -> tuple[T | None, Exception | None]:
    try:
        return func(*args), None
    except Exception as error:  # noqa: BLE001 - raised again by `in_thread`
        return None, error
