"""Text from elsewhere, made safe to log, to print and to quote in an error.

Text from peers, from files and from other people's code may contain control characters, which forge
log lines and drive terminals, or lone surrogates, which cannot be encoded, or may be too long. All
of it goes through `printable` or `quoted` before a person sees it.
"""

from __future__ import annotations

import itertools
import reprlib
import types
import unicodedata

__all__ = ['QUOTED', 'is_line', 'object_name', 'printable', 'quoted']

QUOTED = 60  # characters of a value in an error
_NAME = 200  # characters of the name of an object
_ELLIPSIS = '...'
#: Unicode's categories of control characters, surrogates, line and paragraph separators.
_NOT_IN_A_LINE = frozenset(('Cc', 'Cs', 'Zl', 'Zp'))


def printable(text: str, limit: int | None = None) -> str:
    """Return `text` as one line without control, format, private-use or surrogate characters.

    Such characters become escapes (``\\n``, ``\\x1b``, ``\\u202e``); letters of all scripts and
    spaces stay. `limit` is the most characters to return, by default all; text that is cut ends in
    three dots. No more than `limit` characters are examined.
    """
    if limit is not None and len(text) > limit:
        return printable(text[:limit], None)[: max(limit - len(_ELLIPSIS), 0)] + _ELLIPSIS
    if not text.isprintable():
        text = ''.join(c if c.isprintable() else _escape(c) for c in text)
    # Escapes may have made it longer than `limit`.
    if limit is not None and len(text) > limit:
        return text[: max(limit - len(_ELLIPSIS), 0)] + _ELLIPSIS
    return text


def quoted(value: object, limit: int = QUOTED) -> str:
    """Return the `repr` of a value for an error: printable, at most `limit` characters.

    Never raises an `Exception`: a value whose `repr` raises one is named by its type. Only the
    beginning of long text and containers is read.
    """
    if isinstance(value, str):
        text = repr(value if len(value) <= limit else value[:limit] + _ELLIPSIS)
    elif isinstance(value, (bytes, bytearray)):
        text = repr(bytes(value[: limit + 1]))
    else:
        text = _Short(limit).repr(value)
    return printable(text, limit)


def object_name(found: object) -> str:
    """Return the words for an object that an error has found in place of another one.

    `the class a.B`, `the function a.b`, `the module a` or `an instance of a.B`, without addresses
    in memory, so that the text is the same in every run. Values of built-in types are quoted.
    """
    if isinstance(found, types.ModuleType):
        return f'the module {printable(found.__name__, _NAME)}'
    if isinstance(found, (type, types.FunctionType)):
        kind = 'class' if isinstance(found, type) else 'function'
        return f'the {kind} {printable(f"{found.__module__}.{found.__qualname__}", _NAME)}'
    if isinstance(found, (bool, int, float, str, bytes, list, tuple, dict, set, type(None))):
        return quoted(found)
    cls = type(found)
    return f'an instance of {printable(f"{cls.__module__}.{cls.__qualname__}", _NAME)}'


def is_line(text: str) -> bool:
    """Return whether text is one line and not blank, without control characters and surrogates."""
    if text.isprintable():
        return bool(text.strip())
    return bool(text.strip()) and not any(unicodedata.category(c) in _NOT_IN_A_LINE for c in text)


class _Short(reprlib.Repr):
    """`repr` that reads only the beginning of containers, and never raises an `Exception`."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = limit

    def repr1(self, x: object, level: int) -> str:
        """Return the `repr` of a value, down to `level` more levels of containers."""
        try:
            if isinstance(x, (dict, set, frozenset)) and len(x) > self.maxdict:
                return self._beginning(x, level)  # reprlib would sort all members
            return super().repr1(x, level)
        except Exception:  # noqa: BLE001 - others' __repr__, or an int of too many digits
            return f'<{type(x).__name__} without a repr>'

    def _beginning(
        self, members: dict[object, object] | set[object] | frozenset[object], level: int
    ) -> str:
        first = itertools.islice(members, self.maxdict)
        if isinstance(members, dict):
            shown = [
                f'{self.repr1(k, level - 1)}: {self.repr1(members[k], level - 1)}' for k in first
            ]
        else:
            shown = [self.repr1(member, level - 1) for member in first]
        return '{' + ', '.join((*shown, _ELLIPSIS)) + '}' if level > 0 else '{...}'


def _escape(character: str) -> str:
    return repr(character)[1:-1]
