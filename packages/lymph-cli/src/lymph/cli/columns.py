"""Rows of cells as plain text: columns as wide as their longest cell, two spaces apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len

__all__ = ['aligned']

_GAP = '  '


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as lines; a cell of several lines makes as many of its row.

    Nothing is cut or wrapped, and no line ends with spaces.
    """
    broken = [[cell.split('\n') for cell in row] for row in rows]
    count = max(map(len, broken), default=0)
    # The last column is followed by nothing, so its width does not matter.
    widths = [
        max(cell_len(part) for row in broken if number < len(row) for part in row[number])
        for number in range(count - 1)
    ]
    return ''.join(f'{line}\n' for row in broken for line in _lines(row, [*widths, 0]))


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for parts in zip_longest(*row, fillvalue=''):
        padded = (
            part + ' ' * (width - cell_len(part))
            for part, width in zip(parts, widths, strict=False)
        )
        yield _GAP.join(padded).rstrip(' ')
