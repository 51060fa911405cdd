"""The types that checkers give to declared methods, which stay plain functions at run time.

Python's type system cannot derive a class whose methods also have `defer` from another class. So
the decorators themselves promise it: for checkers a declared method is a descriptor, and an object
has a `ProxyMethod` in its place. So a proxy can have the type of the class that declares them.

`RpcMethod` and `RawRpcMethod` hold the signature of a bound method as one covariant Callable.
With a ParamSpec, pyright would reject an override that adds a parameter with a default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
)

if TYPE_CHECKING:
    from lymph.core._declaring.proxies import ProxyMethod
    from lymph.core._loop.results import AsyncResult
    from lymph.core.channels import ReplyChannel

__all__ = ['AnyMethod', 'AnyRawMethod', 'RawRpcMethod', 'RpcMethod']

P = ParamSpec('P')
R = TypeVar('R')
R_co = TypeVar('R_co', covariant=True)
Bound_co = TypeVar('Bound_co', bound=Callable[..., Any], covariant=True)


class _WithSelf(Protocol[P, R_co]):
    """A function whose first parameter is called self, such as ``def f(self, **rest)``.

    Concatenate stands for a parameter without a name. mypy rejects such functions for it, because
    their `rest` could have a ``self``.
    """

    def __call__(_, self: Any, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class _WithSelfAndChannel(Protocol[P, R_co]):
    def __call__(
        _, self: Any, channel: ReplyChannel, *args: P.args, **kwargs: P.kwargs
    ) -> R_co: ...


#: a method as its author writes it: self, then the parameters P
AnyMethod: TypeAlias = _WithSelf[P, R] | Callable[Concatenate[Any, P], R]

#: the same for raw_rpc: self and the channel, then the parameters P
AnyRawMethod: TypeAlias = (
    _WithSelfAndChannel[P, R] | Callable[Concatenate[Any, 'ReplyChannel', P], R]
)


class RpcMethod(Generic[Bound_co]):
    """What checkers see in a class where a method is declared with `lymph.rpc`."""

    @overload
    def __get__(
        self: RpcMethod[Callable[P, R]], instance: None, owner: type
    ) -> Callable[Concatenate[Any, P], R]: ...

    @overload
    def __get__(
        self: RpcMethod[Callable[P, R]], instance: object, owner: type | None = None
    ) -> ProxyMethod[P, R]: ...

    def __get__(self: Any, instance: Any, owner: Any = None) -> Any:
        """Return the function, or the method of an object."""

    # The first form is for decorators that stand above `lymph.rpc`. pyright uses the second where
    # an object has to fit a Protocol, because it does not call `__get__` there.

    @overload
    def __call__(
        self: RpcMethod[Callable[P, R]], instance: Any, /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    def __call__(self: RpcMethod[Callable[P, R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def __call__(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""


class RawProxyMethod(Protocol[P, R_co]):
    """What checkers see of a method declared with `lymph.raw_rpc`, on an object.

    A proxy calls it without the channel and returns what the service replies.
    """

    @overload
    def __call__(self, channel: ReplyChannel, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def defer(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Any]:
        """Call the method in the background and return an AsyncResult."""


class RawRpcMethod(Generic[Bound_co]):
    """What checkers see in a class where a method is declared with `lymph.raw_rpc`."""

    @overload
    def __get__(
        self: RawRpcMethod[Callable[P, R]], instance: None, owner: type
    ) -> Callable[Concatenate[Any, ReplyChannel, P], R]: ...

    @overload
    def __get__(
        self: RawRpcMethod[Callable[P, R]], instance: object, owner: type | None = None
    ) -> RawProxyMethod[P, R]: ...

    def __get__(self: Any, instance: Any, owner: Any = None) -> Any:
        """Return the function, or the method of an object."""

    def __call__(
        self: RawRpcMethod[Callable[P, R]],
        instance: Any,
        channel: ReplyChannel,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call the function."""
        raise NotImplementedError  # no object of this class exists
