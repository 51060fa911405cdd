"""Checks values against types and converts them to these types.

The conversion is strict: it rejects text for a number, a number for text, a boolean for a number,
and 1.0 for an int. It accepts the forms that values have in formats without their types: an int
for a float; ISO 8601 text for a date; text for a UUID, Decimal or Enum; a list for a tuple or a
set; text for a number that is a key of a mapping, since all keys in JSON are text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from lymph.core._typing.admitting import needs_of
from lymph.core._typing.explaining import explained
from lymph.core._typing.misfits import ENDS, Misfit
from lymph.core._typing.models import validated

__all__ = ['Arguments', 'Value']

#: base64 text is not accepted as bytes: both formats have bytes of their own
_NATIVE: Final = (bytes, bytearray, memoryview)


def _made(kind: Any, value: Any) -> Any:
    """Make instances of the classes that msgspec does not know."""
    if hasattr(kind, '__pydantic_validator__') and not isinstance(value, kind):
        return validated(kind, value)
    return value  # msgspec checks its type


def _converter(hint: Any) -> Callable[[Any], Any]:
    """Return the function that makes a value of a type; it raises what msgspec raises."""
    options: dict[str, Any] = {}
    needs = needs_of(hint)
    if needs.bytes:
        options['builtin_types'] = _NATIVE
    if needs.keys:
        options['str_keys'] = True
    if needs.classes:
        options['dec_hook'] = _made
    convert = msgspec.convert
    if options:
        return partial(convert, type=hint, **options)
    return lambda value: convert(value, hint)  # each keyword costs more than a small value


class Value:
    """Converts received values to the type `hint`; raises Misfit."""

    def __init__(self, hint: Any) -> None:
        self._hint = hint
        self._convert = _converter(hint)

    def __call__(self, value: Any) -> Any:
        """Return the converted value."""
        try:
            return self._convert(value)
        except ENDS:
            raise
        except BaseException as error:
            raise explained(error, value, self._convert, self._hint) from error


class Arguments:
    """Converts the received arguments of a function; raises Misfit.

    `hints` maps names to types; `others` is the type of all other arguments, None if there may be
    no others.
    """

    def __init__(self, hints: Mapping[str, Any], others: Any = None) -> None:
        fields = [(name, hint, msgspec.UNSET) for name, hint in hints.items()]
        kind = msgspec.defstruct('Arguments', fields, kw_only=True, gc=False)
        self._hints = hints
        self._kind = kind
        self._convert = _converter(kind)
        self._others = None if others is None else Value(others)

    def __call__(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the converted arguments."""
        try:
            made = self._convert(arguments)
        except ENDS:
            raise
        except BaseException as error:
            misfit = explained(error, arguments, self._convert, self._kind)
            raise misfit if misfit.steps else self._named(arguments, misfit) from error
        hints = self._hints
        if len(arguments) == len(hints) and self._others is None:
            return msgspec.structs.asdict(made)
        found = {name: getattr(made, name) for name in arguments if name in hints}
        if self._others is not None and len(found) < len(arguments):
            for name, value in arguments.items():
                if name not in hints:
                    found[name] = self._other(name, value)
        return found

    def _other(self, name: str, value: Any) -> Any:
        assert self._others is not None
        try:
            return self._others(value)
        except Misfit as misfit:
            raise misfit.below(name) from misfit.__cause__

    def _named(self, arguments: dict[str, Any], misfit: Misfit) -> Misfit:
        """Return the error with the name of the argument that does not fit, which it lacks."""
        for name, value in arguments.items():
            if name not in self._hints:
                continue
            try:
                Value(self._hints[name])(value)
            except Misfit as found:
                return found.below(name)
        return misfit
