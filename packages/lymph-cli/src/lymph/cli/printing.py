"""What is printed of data, in which form, and in color or not.

Where stdout is no terminal, a value is one line as `repr` writes it: nothing depends on a width,
and nothing takes longer than the data deserve. On a terminal values are laid out and colored, as
long as somebody may read all of that. Tables have the same lines everywhere: see
`lymph.cli._display.columns`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from lymph.cli._display.columns import aligned, pieces, with_titles
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import block, json_text, one_line, whole, write
from lymph.cli.settings import Settings
from lymph.cli.texts import VALUE, Text
from lymph.core.limits import DEPTH

__all__ = ['Printer', 'Text', 'line', 'lines', 'wants_color']

# with rich, which is not loaded for plain text
_colored = lazy('lymph.cli._display.rendering:colored')
_highlighted = lazy('lymph.cli._display.rendering:highlighted')
_laid_out = lazy('lymph.cli._display.rendering:laid_out')
_with_margin = lazy('lymph.cli._display.rendering:with_margin')
_plain = lazy('lymph.serializers.json:plain')
_dumps = lazy('json:dumps')
_terminal_size = lazy('shutil:get_terminal_size')

_COLORS = frozenset(('black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'))
#: Words of styles that click knows, too.
_PLAIN_STYLES = frozenset(('bold', 'dim', *_COLORS))
#: Containers inside each other: as many as travel, and what is printed around them.
_DEPTH = DEPTH + 8
#: Characters of a value, and rows of a table, up to which they are laid out on a terminal.
_LONGEST = 20_000
_MOST_ROWS = 500


class Printer:
    """Prints data on stdout; every method writes at once what it is given.

    All raise click's Exit when the reader has gone. Text comes from `line` and `lines`, which
    make it printable; rich takes none of it for markup.
    """

    def __init__(self, settings: Settings) -> None:
        self.color = wants_color(settings)
        self._page = _terminal_size().columns if sys.stdout.isatty() else None

    def json(self, value: Any, *, line: bool = False) -> None:
        """Print a value as a JSON document: on one line, or indented.

        Raises OperationFailed for a value that JSON cannot hold.
        """
        try:
            text = _json(value, indent=None if line else 2)
        except (TypeError, ValueError) as error:
            raise OperationFailed(
                f'JSON cannot hold this value ({error}); leave --json out'
            ) from error
        write(json_text(f'{text}\n'))

    def can_json(self, value: Any) -> bool:
        """Tell whether JSON can hold a value."""
        try:
            _json(value)
        except (TypeError, ValueError):
            return False
        return True

    def value(self, value: Any, *, label: str = '') -> None:
        """Print a value as Python writes it, on one line behind `label: ` if there is a label."""
        shown = self.represented(value, laid_out=not label)
        self.show(Text.assemble(line(label, 'bold'), ': ', shown) if label else shown)

    def represented(self, value: Any, *, laid_out: bool = True) -> Text:
        """Return a value as Python writes it: `laid_out` where there is a terminal, or one line."""
        text = repr(value)
        if len(text) > _LONGEST:
            return Text(whole(text))
        if laid_out and self._page is not None and len(text) > self._page:
            text = _laid_out(value, self._page)
        return Text(whole(text), VALUE if self.color else '')

    def source(self, text: str, language: str) -> None:
        """Print lines in a language that is highlighted in color."""
        text = whole(text)
        if self.color and len(text) <= _LONGEST:
            write(_highlighted(text, language, self._page))
        else:
            write(text)

    def listing(self, titles: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """Print a table: rows under a line of titles; see `lymph.cli._display.columns`.

        A cell is one line, such as `line` makes; text that is not from there is made printable.
        """
        cells = [[cell if isinstance(cell, Text) else line(cell) for cell in row] for row in rows]
        plain = with_titles(titles, [[cell.plain for cell in row] for row in cells])
        self._rows(plain, [[Text(style='bold')] * len(titles), *cells], None)

    def table(self, rows: Iterable[Sequence[Text]], *, wrap: bool = True) -> None:
        """Print rows of cells, names and what is said of them.

        On a terminal the last column is wrapped between words, unless it is data, not words.
        """
        cells = [list(row) for row in rows]
        plain = [[cell.plain for cell in row] for row in cells]
        self._rows(plain, cells, self._page if wrap else None)

    def _rows(
        self, plain: Sequence[Sequence[str]], cells: Sequence[Sequence[Text]], width: int | None
    ) -> None:
        if not self.color or len(plain) > _MOST_ROWS:
            write(aligned(plain, width))
            return
        shown = [
            Text.assemble(*map(_restyled, parts, cells[number]), '\n')
            for number, parts in pieces(plain, width)
        ]
        write(_in_color(Text.assemble(*shown)))

    def indented(self, text: Text) -> None:
        """Print text with a margin."""
        if self._page is None and not self.color:
            write(''.join(f'    {part}'.rstrip(' ') + '\n' for part in text.plain.split('\n')))
        else:
            write(_with_margin(text, self.color, self._page))

    def show(self, text: Text) -> None:
        """Print text; it is not wrapped."""
        if self.color and len(text) <= _LONGEST:
            write(_in_color(Text.assemble(text, '\n')))
        else:
            write(f'{text.plain}\n')


def _in_color(text: Text) -> str:
    """Return text with the escape sequences of its styles; only uncommon ones take rich."""
    if all(_PLAIN_STYLES.issuperset(style.split()) for _, style in text.parts):
        return ''.join(_styled(part, style.split()) for part, style in text.parts)
    colored: str = _colored(text)
    return colored


def _styled(text: str, words: Sequence[str]) -> str:
    if not (text and words):
        return text
    color = next((word for word in words if word in _COLORS), None)
    return click.style(text, fg=color, bold='bold' in words or None, dim='dim' in words or None)


def _restyled(part: str, cell: Text) -> Text:
    """Return a part of a cell in the cell's style."""
    return Text(part, cell.style)


def _json(value: Any, indent: int | None = None) -> str:
    text: str = _dumps(_plain(value, _DEPTH), ensure_ascii=False, allow_nan=False, indent=indent)
    return text


def line(text: str, style: str = '') -> Text:
    """Return text of others, such as a name, for one line."""
    return Text(one_line(text), style)


def lines(text: str) -> Text:
    """Return text of others that may have several lines."""
    return Text(block(text))


def wants_color(settings: Settings) -> bool:
    """Tell whether stdout gets colors: as the user says, or else on a terminal (no-color.org)."""
    if settings.color is not None:
        return settings.color
    return (
        sys.stdout.isatty() and not os.environ.get('NO_COLOR') and os.environ.get('TERM') != 'dumb'
    )
