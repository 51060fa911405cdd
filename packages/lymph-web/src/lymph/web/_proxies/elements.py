"""Splitting the header fields of proxies, from the right: each proxy adds on the right.

What is on the left may come from the client, so nothing there may change how the rest is read: a
quotation mark that is never closed, for example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ['Element', 'forwarded_elements', 'list_items']

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t -\x7e\x80-\xff])*"'
_PAIR: Final = rf'{_TOKEN}=(?:{_TOKEN}|{_QUOTED})'
_ELEMENT: Final = re.compile(rf'{_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*')
_EACH: Final = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|({_QUOTED}))')
_ESCAPED: Final = re.compile(r'\\(.)')

_COMMAS: Final = 4  # inside the quoted strings of one element
_LONGEST: Final = 1024  # characters of an element


class Element(NamedTuple):
    """One element: what it says, by lower-case names, and where its text begins."""

    pairs: dict[str, str]
    start: int


def list_items(text: str) -> Iterator[tuple[str, int]]:
    """Yield the items of a comma-separated list and where they begin, from the right."""
    end = len(text)
    while end >= 0:
        comma = text.rfind(',', 0, end)
        yield text[comma + 1 : end].strip(' \t'), comma + 1
        end = comma


def forwarded_elements(text: str) -> Iterator[Element]:
    """Yield the elements of a ``Forwarded`` field from the right, up to the first malformed one.

    Source: RFC 7239, section 4. An element that names a parameter twice is malformed.
    """
    end = len(text)
    while end >= 0:
        start = _start_of_element(text, end)
        if start is None:
            return
        found = [
            (name.lower(), token or _ESCAPED.sub(r'\1', quoted[1:-1]))
            for name, token, quoted in _EACH.findall(text[start:end])
        ]
        pairs = dict(found)
        if len(pairs) != len(found):
            return
        yield Element(pairs, start)
        end = start - 1


def _start_of_element(text: str, end: int) -> int | None:
    """Return where the shortest element that ends at `end` begins; a comma may be in quotes."""
    comma = end
    for _ in range(1 + _COMMAS):
        comma = text.rfind(',', max(0, end - _LONGEST), comma)
        if comma < 0 and end > _LONGEST:
            return None
        if _ELEMENT.fullmatch(text[comma + 1 : end].strip(' \t')):
            return comma + 1
        if comma < 0:
            return None
    return None
