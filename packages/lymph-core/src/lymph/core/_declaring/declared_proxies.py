"""Proxies that know the methods of the service, because a class declares them.

They reject other names, accept positional arguments, and convert results to their annotated types,
as the class promises to type checkers.
"""

from __future__ import annotations

from typing import Any

from lymph.core import trace
from lymph.core._declaring.declared_methods import DeclaredMethod, DeclaredMethods
from lymph.core._declaring.positional import by_name
from lymph.core._declaring.proxies import Proxy, ProxyMethod, Target
from lymph.core._typing.misfits import Misfit
from lymph.core.reasons import FAILED
from lymph.core.transport.endpoints import endpoint_of
from lymph.exceptions import Failed

__all__ = ['DeclaredProxy']


class DeclaredProxyMethod(ProxyMethod[..., Any]):
    """One remote method that a class declares."""

    __slots__ = ('_convert', '_declared')

    def __init__(self, target: Target, name: str, declared: DeclaredMethod) -> None:
        super().__init__(target, name)
        self._declared = declared
        self._convert = declared.convert

    def _named(self, args: tuple[Any, ...], arguments: dict[str, Any]) -> dict[str, Any]:
        return by_name(self._subject, self._declared.parameters, args, arguments)

    def _call(self, body: Any) -> Any:
        result = super()._call(body)
        if self._convert is None:
            return result
        try:
            return self._convert(result)
        except Misfit as misfit:
            target = self._target
            raise Failed(
                f'{self._subject}: the result does not fit its annotation: {misfit}',
                FAILED,
                subject=self._subject,
                endpoint=endpoint_of(target.address),
                timeout=target.options.timeout,
                trace_id=target.options.trace_id or trace.get_id(),
            ) from misfit


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
        """Return the remote method.

        Raises AttributeError if the class does not declare it, ConfigurationError if its result is
        annotated with a type that cannot be resolved or checked.
        """
        if name.startswith('_'):
            raise AttributeError(name)
        method = DeclaredProxyMethod(self._target, name, self._methods[name])
        self.__dict__[name] = method
        return method
