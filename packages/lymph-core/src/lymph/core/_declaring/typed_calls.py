"""Functions for proxies that have the type of a class, and for their methods.

A proxy has `with_options`, and its methods have `defer`, but a class that declares the methods has
neither. So type checkers accept these functions instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from lymph.config.printable import quoted
from lymph.core._declaring.proxies import Proxy, ProxyMethod

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core._loop.results import AsyncResult
    from lymph.core.call_options import CallKeywords

__all__ = ['defer', 'with_options']

P = ParamSpec('P')
R = TypeVar('R')
T = TypeVar('T')


def defer(method: Callable[P, R], /, *args: P.args, **arguments: P.kwargs) -> AsyncResult[R]:
    """Call a method of a proxy in the background: ``lymph.defer(self.stock.take, article='x')``.

    It is the same as ``self.stock.take.defer(article='x')``, which type checkers accept only if the
    method is declared with `lymph.rpc`. Raises TypeError for another function.
    """
    if not isinstance(method, ProxyMethod):
        raise TypeError(f'expected a method of a proxy to call, found {quoted(method)}')
    return method.defer(*args, **arguments)


def with_options(proxy: T, **changes: Unpack[CallKeywords]) -> T:
    """Return a proxy with other options: ``lymph.with_options(self.stock, timeout=3).take()``.

    It is the same as ``self.stock.with_options(timeout=3)``, but keeps the type of a proxy that was
    made with a class. Errors are those of `Proxy.with_options`, and TypeError for anything else
    than a proxy.
    """
    if not isinstance(proxy, Proxy):
        raise TypeError(f'expected a proxy to change the options of, found {quoted(proxy)}')
    return cast('T', Proxy.with_options(proxy, **changes))
