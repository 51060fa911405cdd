"""Comparison of actual with expected calls, with the differences in words.

Calls are `mock.call(name, *arguments, **arguments)`. Expected calls may have PyHamcrest matchers in
place of values, also inside lists and mappings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hamcrest.core.matcher import Matcher
from hamcrest.core.string_description import StringDescription

from lymph.config.suggestions import close_name

if TYPE_CHECKING:
    from unittest.mock import _Call

    Call = _Call
    """What `mock.call(...)` returns."""

__all__ = ['Expectation', 'difference', 'show', 'show_call']


@dataclass(frozen=True)
class Expectation:
    """Actual calls, to compare with expected ones.

    `noun` is the word for a call in the differences, such as `event`.
    """

    made: Sequence[Call]
    noun: str = 'call'

    def exactly(self, expected: Sequence[Call]) -> str | None:
        """Return None if exactly these calls were made in this order, else the difference."""
        wrong = self._first_difference(expected)
        if wrong is None:
            return None
        return '\n'.join([wrong, _listing('expected', expected), _listing('found', self.made)])

    def in_order(self, expected: Sequence[Call]) -> str | None:
        """Return None if the expected calls were made in this order, else the difference.

        Other calls may have been made between them.
        """
        position = 0
        for call in expected:
            found = self._find(call, position)
            if found is None:
                return '\n'.join([self._guess(call, position), _listing('found', self.made)])
            position = found + 1
        return None

    def _first_difference(self, expected: Sequence[Call]) -> str | None:
        for index, (wanted, made) in enumerate(zip(expected, self.made, strict=False)):
            differs = difference(wanted, made)
            if differs is not None:
                return f'{self.noun} {index + 1} is not as expected: {differs}'
        if len(expected) > len(self.made):
            missing = show_call(expected[len(self.made)])
            return (
                f'expected {self._count(expected)}, found {len(self.made)}; '
                f'the first that is missing: {missing}'
            )
        if len(expected) < len(self.made):
            surplus = show_call(self.made[len(expected)])
            return (
                f'expected {self._count(expected)}, found {len(self.made)}; '
                f'the first that was not expected: {surplus}'
            )
        return None

    def _find(self, call: Call, start: int, stop: int | None = None) -> int | None:
        for index in range(start, len(self.made) if stop is None else stop):
            if difference(call, self.made[index]) is None:
                return index
        return None

    def _guess(self, call: Call, position: int) -> str:
        """Return the likely reason why an expected call was not found."""
        missing = f'no {self.noun} {show_call(call)}'
        # The first case that applies:
        #
        # the same call was made earlier        it came too early: name the call it should follow
        # calls of the same name were made      show how the closest differs; prefer later ones
        # no call of the name was made          suggest a similar name, if there is one
        earlier = self._find(call, 0, position)
        if earlier is not None:
            last = f'{missing} after {self.noun} {position}, {show_call(self.made[position - 1])}'
            # If it came right before, `last` shows it already.
            return last if earlier == position - 1 else f'{last}; there is one before it'
        same_name = [made for made in self.made if _name(made) == _name(call)]
        later = [made for made in self.made[position:] if _name(made) == _name(call)]
        candidates = later or same_name
        if candidates:
            closest = min((difference(call, made) or '' for made in candidates), key=_weight)
            return f'{missing}; the closest differs: {closest}'
        names = sorted({str(_name(made)) for made in self.made})
        close = close_name(str(_name(call)), names)
        return f'{missing}; did you mean {close!r}?' if close else missing

    def _count(self, calls: Sequence[Call]) -> str:
        return f'{len(calls)} {self.noun}{"" if len(calls) == 1 else "s"}'


def difference(expected: Call, made: Call) -> str | None:
    """Return in words how an actual call differs from an expected one, or None if they match."""
    if _name(expected) != _name(made):
        return f'expected {show(_name(expected))}, found {show(_name(made))}'
    found = [
        *_sequence_differences('', expected.args[1:], made.args[1:]),
        *_mapping_differences('', expected.kwargs, made.kwargs),
    ]
    return '; '.join(found) or None


def show_call(call: Call) -> str:
    """Return a call as code: ``echo.upper(text='foo')``."""
    arguments = [show(value) for value in call.args[1:]]
    arguments += [f'{name}={show(value)}' for name, value in call.kwargs.items()]
    return f'{_name(call)}({", ".join(arguments)})'


def show(value: Any) -> str:
    """Return a value as code; a matcher describes itself: ``<a string starting with 'f'>``."""
    if isinstance(value, Matcher):
        description = StringDescription()
        value.describe_to(description)
        return f'<{description}>'
    if type(value) is dict:
        return '{' + ', '.join(f'{key!r}: {show(item)}' for key, item in value.items()) + '}'
    if type(value) is list:
        return '[' + ', '.join(map(show, value)) + ']'
    return repr(value)


def _listing(word: str, calls: Iterable[Call]) -> str:
    lines = [f'    {show_call(call)}' for call in calls] or ['    none']
    return '\n'.join([f'{word}:', *lines])


def _name(call: Call) -> Any:
    return call.args[0] if call.args else None


def _weight(differs: str) -> tuple[int, int]:
    return differs.count('; '), len(differs)


def _differences(path: str, expected: Any, made: Any) -> list[str]:
    if isinstance(expected, Matcher):
        fits = expected.matches(made)
    elif isinstance(expected, Mapping) and isinstance(made, Mapping):
        return _mapping_differences(path, expected, made)
    elif isinstance(expected, (list, tuple)) and isinstance(made, (list, tuple)):
        # Both arrive as lists.
        return _sequence_differences(path, expected, made)
    else:
        fits = bool(expected == made)
    return [] if fits else [f'{path}: expected {show(expected)}, found {show(made)}']


def _mapping_differences(
    path: str, expected: Mapping[Any, Any], made: Mapping[Any, Any]
) -> list[str]:
    return _items(lambda key: f'{path}.{key}' if path else str(key), expected, made)


def _sequence_differences(path: str, expected: Sequence[Any], made: Sequence[Any]) -> list[str]:
    return _items(
        lambda index: f'{path}[{index}]' if path else 'payload',
        dict(enumerate(expected)),
        dict(enumerate(made)),
    )


def _items(
    label: Callable[[Any], str], expected: Mapping[Any, Any], made: Mapping[Any, Any]
) -> list[str]:
    found = []
    for key, value in expected.items():
        if key in made:
            found += _differences(label(key), value, made[key])
        else:
            found.append(f'{label(key)}: expected {show(value)}, found nothing')
    found += [
        f'{label(key)}: expected nothing, found {show(value)}'
        for key, value in made.items()
        if key not in expected
    ]
    return found
