"""Checking the arguments of a call against a method's signature before it runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core._declaring.callables import name_of
from lymph.core._declaring.describing import annotation_text, parameter_text, value_text

__all__ = ['Signature', 'expect_parameters']


class Signature:
    """The keyword arguments that a method takes.

    `skip` is the number of leading parameters that the framework fills (self, channel). Raises
    TypeError for a method with positional-only parameters, which callers could not fill.
    """

    def __init__(self, func: Callable[..., Any], skip: int = 1) -> None:
        signature = inspect.signature(func)
        filled, parameters = _split(list(signature.parameters.values()), skip)
        self.parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        for parameter in self.parameters:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise TypeError(
                    f'{name_of(func)}: arguments travel by name,'
                    f' but {parameter.name!r} is positional-only'
                )
        self._func = func
        self._returns = signature.return_annotation
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        #: the names of parameters that the framework fills
        self.filled = frozenset(p.name for p in filled if p.kind is p.POSITIONAL_OR_KEYWORD)
        self._names = frozenset(p.name for p in self.parameters)
        self._required = frozenset(p.name for p in self.parameters if p.default is p.empty)

    def problem(self, arguments: Mapping[Any, Any]) -> str | None:
        """Return a sentence about what is wrong with `arguments`, None if they fit."""
        given = arguments.keys()
        if self._required <= given and (given <= self._names):
            return None
        for key in given:
            if not isinstance(key, str):
                return f'expected argument names as text, found {quoted(key)}'
        missing = sorted(self._required - given)
        if missing:
            return f'missing argument {", ".join(map(repr, missing))} (takes: {self})'
        for key in given:
            if key in self.filled if self.takes_any else key not in self._names:
                close = close_name(key, self._names)
                hint = f'; did you mean {close!r}?' if close else ''
                return f'unexpected argument {quoted(key)} (takes: {self}){hint}'
        return None

    def described(self) -> list[str]:
        """Return the parameters as their author wrote them: ``text: str = 'x'``."""
        return [parameter_text(self._func, parameter) for parameter in self.parameters]

    def facts(self) -> dict[str, Any]:
        """Return facts about the parameters and the return value for `lymph.inspect`.

        `parameters` is a list of dicts with `name`, `type` and `default`, as text; type and default
        are None if there is none. `takes_any` tells whether the method also takes other arguments
        (``**``). `returns` is the return annotation as text, or None.
        """
        return {
            'parameters': [
                {
                    'name': parameter.name,
                    'type': annotation_text(self._func, parameter.annotation),
                    'default': value_text(parameter.default),
                }
                for parameter in self.parameters
            ],
            'takes_any': self.takes_any,
            'returns': annotation_text(self._func, self._returns),
        }

    def __str__(self) -> str:
        texts = [_named(parameter) for parameter in self.parameters]
        if self.takes_any:
            texts.append('**')
        return ', '.join(texts) or 'nothing'


def _split(
    parameters: list[inspect.Parameter], skip: int
) -> tuple[list[inspect.Parameter], list[inspect.Parameter]]:
    """Return the parameters that `skip` positional arguments fill, and the others."""
    for number, parameter in enumerate(parameters[:skip]):
        if parameter.kind is parameter.VAR_POSITIONAL:  # it takes all of them that are left
            return parameters[:number], parameters[number:]
    return parameters[:skip], parameters[skip:]


def _named(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    return f'{parameter.name}={quoted(parameter.default)}'


def expect_parameters(func: Callable[..., Any], *names: str, only: bool = False) -> None:
    """Raise TypeError unless `func` takes one positional argument for each of `names`.

    With `only`, it must not need any other argument.
    """
    listed = ' and '.join(names)
    try:
        signature = inspect.signature(func)
    except ValueError:  # written in C without a signature: calling it is the only way to know
        return
    try:
        signature.bind_partial(*names)
    except TypeError:
        raise TypeError(f'{name_of(func)}: expected the parameters {listed}') from None
    if not only:
        return
    try:
        signature.bind(*names)
    except TypeError as error:
        needed = f'expected no parameters but {listed} without a default'
        raise TypeError(f'{name_of(func)}: {needed} ({error})') from None
