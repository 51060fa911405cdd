"""The methods that a class declares, as a proxy needs them: parameters, and types of results."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final

from lymph.config.printable import printable
from lymph.config.suggestions import close_name
from lymph.core._declaring.callables import expect_method
from lymph.core._declaring.declarations import RpcDeclaration, declared
from lymph.core._declaring.signatures import Signature
from lymph.core._typing.plans import result_of
from lymph.core.components import Component

__all__ = ['DeclaredMethod', 'DeclaredMethods', 'methods_of']

_NAME: Final = 200  # characters of a name in an error


class DeclaredMethod:
    """A method that a class declares.

    `parameters` are those that callers send. `convert` converts a received result to its annotated
    type, and raises `Misfit` if it does not fit; it is None if every result fits. Reading `convert`
    raises ConfigurationError for an annotation that cannot be resolved or checked.
    """

    def __init__(
        self,
        parameters: list[inspect.Parameter],
        convert: Callable[[], Callable[[Any], Any] | None],
    ) -> None:
        self.parameters = parameters
        self._convert = convert

    @functools.cached_property
    def convert(self) -> Callable[[Any], Any] | None:
        """See the class. Names are resolved late: they may be defined after the class is used."""
        return self._convert()


class DeclaredMethods:
    """The methods that a class declares for a proxy.

    In an interface, and in any other class that uses `lymph.rpc` or `lymph.raw_rpc`, these are the
    methods that are declared so. In other classes, such as a plain Protocol, they are all public
    functions. `cls` may have arguments, as ``Box[int]`` has. Raises TypeError for a class without
    methods, and for a function that cannot be called from elsewhere.
    """

    def __init__(self, cls: Any) -> None:
        plain: type = typing.get_origin(cls) or cls
        self.name = printable(plain.__qualname__, _NAME)
        self._variables = dict(
            zip(getattr(plain, '__parameters__', ()), typing.get_args(cls), strict=False)
        )
        self._methods = {
            # the annotation of a raw method is not that of its reply
            name: self._method(plain, name, note.func, note.signature, note.check and not note.raw)
            for name, note in declared(plain, RpcDeclaration).items()
        }
        if not self._methods and not issubclass(plain, Component):
            self._methods = {
                name: self._method(plain, name, func, Signature(func))
                for name, func in _public_functions(plain)
            }
        if not self._methods:
            raise TypeError(
                f'expected a class that declares methods with lymph.rpc, found none in {self.name}'
            )

    def _method(
        self,
        cls: type,
        name: str,
        func: Callable[..., Any],
        signature: Signature,
        check: bool = True,
    ) -> DeclaredMethod:
        def convert() -> Callable[[Any], Any] | None:
            owner = next(base for base in cls.__mro__ if name in vars(base))
            what = f'{owner.__qualname__}.{name}'
            return result_of(what, func, owner, self._variables) if check else None

        return DeclaredMethod(signature.parameters, convert)

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def __getitem__(self, name: str) -> DeclaredMethod:
        """Return a method; raises AttributeError for a name that the class does not declare."""
        found = self._methods.get(name)
        if found is None:
            close = close_name(name, self._methods)
            advice = f'; did you mean {close!r}?' if close else ''
            raise AttributeError(
                f'{self.name} declares no remote method {printable(name, _NAME)!r}{advice}'
            )
        return found

    def check(self) -> None:
        """Raise ConfigurationError unless the results of all methods can be converted."""
        for method in self._methods.values():
            _ = method.convert


#: a class is read once, however many proxies are made with it
methods_of = functools.lru_cache(maxsize=256)(DeclaredMethods)


def _public_functions(cls: type) -> Iterator[tuple[str, FunctionType]]:
    for name in dir(cls):
        func = inspect.getattr_static(cls, name)
        if isinstance(func, FunctionType) and not name.startswith('_'):
            expect_method(func, 'rpc')
            yield name, func
