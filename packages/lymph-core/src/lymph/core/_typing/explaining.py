"""Turns validation errors of msgspec into errors in our words, with the whole path.

msgspec ends its sentence with a path, in which every key of a mapping is ``[...]``::

    Expected `int`, got `str` - at `$.order.prices[...]`
    Expected `int`, got `str` - at `key` in `$.order.prices`

`search` finds the keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from lymph.config.printable import quoted
from lymph.core._typing.allowed import allowed_values
from lymph.core._typing.misfits import Misfit, key_step
from lymph.core._typing.search import UNKNOWN, Search, at
from lymph.core._typing.words import found_word, spoken
from lymph.core.failures import error_line, error_name, error_text

__all__ = ['explained']

#: the module that calls msgspec
_CALLER: Final = 'lymph.core._typing.converting'

_SENTENCE: Final = re.compile(
    r'(?P<text>.*) - at `(?P<path>(?:\$|key)[^`]*)`(?: in `(?P<within>\$[^`]*)`)?', re.DOTALL
)
_STEP: Final = re.compile(r'\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]')
_KINDS: Final = re.compile(r'Expected `(?P<expected>[^`]*)`, got `(?P<found>[^`]*)`')
_BOUNDS: Final = re.compile(r'Expected `(?P<expected>[^`]*)`(?P<bound>.*)', re.DOTALL)
_MISSING: Final = re.compile(r'Object missing required field `(?P<name>.*)`', re.DOTALL)
_SURPLUS: Final = re.compile(r'Object contains unknown field `(?P<name>.*)`', re.DOTALL)
_UNHASHABLE: Final = re.compile(r"unhashable type: '(\w+)'")
_INVALID: Final = re.compile(r'Invalid (?:enum )?value .*', re.DOTALL)

#: about a key that cannot be the name of a field; that of a mapping has ``, got ...``
_NO_NAME: Final = 'Expected `str`'

#: what msgspec says about a text that it cannot read -> what was expected
_FORMATS: Final = {
    'Invalid RFC3339 encoded datetime': 'a date and time in ISO 8601, as 2016-02-19T12:30:00',
    'Invalid RFC3339 encoded date': 'a date in ISO 8601, as 2016-02-19',
    'Invalid RFC3339 encoded time': 'a time in ISO 8601, as 12:30:00',
    'Invalid UUID': 'a UUID',
    'Invalid UUID bytes': 'a UUID',
    'Invalid decimal string': 'a decimal number',
}


def explained(error: BaseException, value: Any, convert: Callable[[Any], Any], hint: Any) -> Misfit:
    """Return the error for `value`, which ``convert(value)`` refused with `error`.

    `hint` is the type to which it converts.
    """
    if isinstance(error, msgspec.ValidationError) and _in_python(error):
        # of a conversion in the code of a class: its path does not begin where ours does
        return Misfit((), error_text(error) or error_line(error))
    if not isinstance(error, msgspec.ValidationError) and not _in_python(error):
        return Misfit((), _unhashable(error))
    if not isinstance(error, msgspec.ValidationError):
        # raised by code of a class, with no path; the text is not for others, as that of errors
        # that a method does not declare
        return Misfit((), f'{error_name(error)} was raised while it was made', error)
    said = str(error)
    sentence = _SENTENCE.fullmatch(said)
    text, path, within = (said, '$', None) if sentence is None else sentence.groups()
    search = Search(value, said, convert)
    steps = search.concrete(_parsed(within or path))
    shown = [step if known else key_step(step) for step, known in steps]
    real = [step for step, _ in steps]
    if within is not None:
        key = _no_name(at(value, real)) if text == _NO_NAME else search.key_at(real)
        reason = _reason(text, key, lambda: allowed_values(hint, real, keys=True))
        expected = reason.partition(', found ')[0]
        found = '' if key is UNKNOWN else f', found {quoted(key)}'
        return Misfit(shown, f'{expected} as key{found}')
    cause = error.__cause__
    if isinstance(cause, Misfit):
        return cause.below(*shown)
    if cause is not None:  # a ValueError or TypeError that a class has raised
        return Misfit(shown, error_text(cause) or error_line(cause))
    return Misfit(shown, _reason(text, at(value, real), lambda: allowed_values(hint, real)))


def _parsed(path: str) -> list[Any]:
    """Return the steps of a path: names, indices and `UNKNOWN` for keys."""
    steps: list[Any] = []
    for step in _STEP.finditer(path):
        name, index = step.groups()
        steps.append(name if name else UNKNOWN if index is None else int(index))
    return steps


def _no_name(mapping: Any) -> Any:
    """Return the first key that cannot be the name of a field, or UNKNOWN."""
    keys = mapping if isinstance(mapping, dict) else ()
    return next((key for key in keys if not isinstance(key, str)), UNKNOWN)


def _in_python(error: BaseException) -> bool:
    """Tell whether an error was raised by code of a class, not by msgspec itself."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get('__name__') != _CALLER


def _unhashable(error: BaseException) -> str:
    """Return the reason for what msgspec itself raised: a member of a set that cannot be hashed."""
    kind = _UNHASHABLE.match(error_text(error))
    return f'expected hashable members, found {spoken(kind[1])}' if kind else error_line(error)


def _reason(text: str, value: Any, allowed: Callable[[], str]) -> str:
    """Return the reason in our words; `value` is the one that does not fit, or UNKNOWN."""
    found = '' if value is UNKNOWN else f', found {quoted(value)}'
    if kinds := _KINDS.fullmatch(text):
        kind = spoken(kinds['found']) if value is UNKNOWN else found_word(value)
        return f'expected {spoken(kinds["expected"])}, found {kind}'
    if bounds := _BOUNDS.fullmatch(text):
        bound, got, size = bounds['bound'].rpartition(', got ')
        end = f', found {size}' if got else found
        return f'expected {spoken(bounds["expected"])}{bound if got else bounds["bound"]}{end}'
    if missing := _MISSING.fullmatch(text):
        return f'missing field {quoted(missing["name"])}'
    if surplus := _SURPLUS.fullmatch(text):
        return f'unknown field {quoted(surplus["name"])}'
    if _INVALID.fullmatch(text):
        return f'expected {allowed() or "one of the allowed values"}{found}'
    if text in _FORMATS:
        return f'expected {_FORMATS[text]}{found}'
    return f'{text[:1].lower()}{text[1:]}'
