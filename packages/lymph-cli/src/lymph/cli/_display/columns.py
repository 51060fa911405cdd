"""Rows of cells as plain text: columns as wide as their longest cell, two spaces apart.

A table begins with a line of titles and has the same columns whatever is in it: an empty cell is
written as ``-``, so that the columns of a row can be counted. No cell is cut or wrapped. A line
that is longer than a terminal is wide runs over into the next one there, as any other text does;
names, identities, ids and endpoints can always be copied.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

__all__ = ['EMPTY', 'aligned', 'pieces', 'table', 'text_width', 'with_titles']

#: What stands for an empty cell of a table.
EMPTY = '-'
_GAP = '  '
#: Columns of a terminal that the last cell must have for itself to be wrapped.
_ROOM = 20


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as lines: the titles, then the rows in the order they are given in."""
    return aligned(with_titles(titles, rows))


def with_titles(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return the rows of a table, the titles as the first, with `EMPTY` for empty cells."""
    return [list(titles), *([cell if cell.strip() else EMPTY for cell in row] for row in rows)]


def aligned(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return the rows as lines; a cell of several lines makes as many of its row.

    Nothing is cut, and no line ends with spaces. With the `width` of a terminal, the last column,
    which is prose then, is wrapped between words where that leaves it enough room.
    """
    lines = (''.join(parts).rstrip(' ') for _, parts in pieces(rows, width))
    return ''.join(f'{line}\n' for line in lines)


def pieces(
    rows: Sequence[Sequence[str]], width: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of `aligned`: the number of the row, and its cells, padded."""
    broken = [[cell.split('\n') for cell in row] for row in rows]
    count = max(map(len, broken), default=0)
    # The last column is followed by nothing, so its width does not matter.
    widths = [
        max(text_width(part) for row in broken if number < len(row) for part in row[number])
        for number in range(count - 1)
    ]
    room = 0 if width is None else width - sum(each + len(_GAP) for each in widths)
    if room >= _ROOM:
        broken = [
            [*row[:-1], _wrapped(row[-1], room)] if len(row) == count else row for row in broken
        ]
    for number, row in enumerate(broken):
        for parts in zip_longest(*row, fillvalue=''):
            padded = [
                part + ' ' * (wide - text_width(part)) + _GAP
                for part, wide in zip(parts, widths, strict=False)
            ]
            yield number, [*padded, *parts[len(widths) :]]


def text_width(text: str) -> int:
    """Return how many columns of a terminal a line of printable text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ('Mn', 'Me', 'Cf'):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ('W', 'F') else 1


def _wrapped(lines: Sequence[str], room: int) -> list[str]:
    wrapper = textwrap.TextWrapper(
        room, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )
    return [part for line in lines for part in wrapper.wrap(line) or ['']]
