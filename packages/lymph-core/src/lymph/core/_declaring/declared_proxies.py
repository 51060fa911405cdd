"""Proxies that know which methods there are, because a class declares them.

They refuse other names, and take arguments without names, as the class does for type checkers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from lymph.config.printable import printable
from lymph.config.suggestions import close_name
from lymph.core._declaring.callables import expect_method
from lymph.core._declaring.declarations import RpcDeclaration, declared
from lymph.core._declaring.positional import by_name
from lymph.core._declaring.proxies import Proxy, ProxyMethod, Target
from lymph.core._declaring.signatures import Signature
from lymph.core.components import Component

__all__ = ['DeclaredMethods', 'DeclaredProxy']

_NAME: Final = 200  # characters of a name in an error


@dataclass(frozen=True)
class _DeclaredMethod:
    """A method that a class declares: its function and its parameters that travel."""

    func: Callable[..., Any]
    signature: Signature


class DeclaredMethods:
    """The methods that a class declares for a proxy.

    In an interface, and in any other class that uses `lymph.rpc` or `lymph.raw_rpc`, these are the
    methods that are declared so. In other classes, such as a plain Protocol, they are all public
    functions. Raises TypeError for a class without any, and for a function that cannot be called
    from elsewhere.
    """

    def __init__(self, cls: type) -> None:
        self.name = printable(cls.__qualname__, _NAME)
        self._methods: Mapping[str, _DeclaredMethod] = {
            name: _DeclaredMethod(note.func, note.signature)
            for name, note in declared(cls, RpcDeclaration).items()
        }
        if not self._methods and not issubclass(cls, Component):
            self._methods = dict(_public_functions(cls))
        if not self._methods:
            raise TypeError(
                f'expected a class that declares methods with lymph.rpc, found none in {self.name}'
            )

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def __getitem__(self, name: str) -> _DeclaredMethod:
        """Return a method; raises AttributeError for a name that the class does not declare."""
        found = self._methods.get(name)
        if found is None:
            close = close_name(name, self._methods)
            advice = f'; did you mean {close!r}?' if close else ''
            raise AttributeError(
                f'{self.name} declares no remote method {printable(name, _NAME)!r}{advice}'
            )
        return found


def _public_functions(cls: type) -> Iterator[tuple[str, _DeclaredMethod]]:
    for name in dir(cls):
        func = inspect.getattr_static(cls, name)
        if isinstance(func, FunctionType) and not name.startswith('_'):
            expect_method(func, 'rpc')
            yield name, _DeclaredMethod(func, Signature(func))


class DeclaredProxyMethod(ProxyMethod[..., Any]):
    """One remote method that a class declares."""

    __slots__ = ('_declared',)

    def __init__(self, target: Target, name: str, declared: _DeclaredMethod) -> None:
        super().__init__(target, name)
        self._declared = declared

    def _named(self, args: tuple[Any, ...], arguments: dict[str, Any]) -> dict[str, Any]:
        return by_name(self._subject, self._declared.signature.parameters, args, arguments)


class DeclaredProxy(Proxy):
    """Calls the methods that a class declares."""

    def __init__(self, target: Target, methods: DeclaredMethods) -> None:
        self._target = target
        self._methods = methods
        if 'with_options' in methods:  # otherwise Python finds the method of this class
            self.__dict__['with_options'] = self.__getattr__('with_options')

    def _with(self, target: Target) -> DeclaredProxy:
        return DeclaredProxy(target, self._methods)

    def __getattr__(self, name: str) -> ProxyMethod[..., Any]:
        """Return the remote method; raises AttributeError if the class does not declare it."""
        if name.startswith('_'):
            raise AttributeError(name)
        method = DeclaredProxyMethod(self._target, name, self._methods[name])
        self.__dict__[name] = method
        return method
