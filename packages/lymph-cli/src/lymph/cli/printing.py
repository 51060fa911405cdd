"""What is printed of data, in which form, and in color or not.

Where stdout is no terminal, a value is one line as `repr` writes it: nothing depends on a width,
and nothing takes longer than the data deserve. On a terminal values are laid out and colored, as
long as somebody may read all of that. Tables have the same lines everywhere (`lymph.cli.columns`).
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.highlighter import ReprHighlighter
from rich.padding import Padding
from rich.pretty import pretty_repr
from rich.syntax import Syntax
from rich.text import Text

from lymph.cli.columns import aligned, pieces, with_titles
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import block, json_text, one_line, whole, write
from lymph.cli.settings import Settings
from lymph.core.limits import DEPTH
from lymph.serializers.json import plain

__all__ = ['Printer', 'line', 'lines', 'wants_color']

#: Containers inside each other: as many as travel, and what is printed around them.
_DEPTH = DEPTH + 8
#: Columns of a page that is not a terminal: nothing that is colored there is wrapped.
_ENDLESS = 10_000
#: Characters of a value, and rows of a table, up to which they are laid out on a terminal.
_LONGEST = 20_000
_MOST_ROWS = 500


class Printer:
    """Prints data on stdout; every method writes at once what it is given.

    All raise click's Exit when whoever reads has gone. Text comes from `line` and `lines`, which
    make it printable; rich takes none of it for markup.
    """

    def __init__(self, settings: Settings) -> None:
        self.color = wants_color(settings)
        terminal = sys.stdout.isatty()
        self._console = Console(
            file=io.StringIO(),
            force_terminal=self.color,
            no_color=not self.color,
            width=None if terminal else _ENDLESS,
        )
        self._page = self._console.width if terminal else None

    def json(self, value: Any, *, line: bool = False) -> None:
        """Print a value as a JSON document: on one line, or indented.

        Raises OperationFailed for a value that JSON cannot hold.
        """
        try:
            text = _json(value, indent=None if line else 2)
        except (TypeError, ValueError) as error:
            raise OperationFailed(f'not to be had as JSON ({error}); leave --json out') from error
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
            text = pretty_repr(value, max_width=self._page)
        shown = Text(whole(text))
        return ReprHighlighter()(shown) if self.color else shown

    def source(self, text: str, language: str) -> None:
        """Print lines in a language that is highlighted in color."""
        text = whole(text)
        if self.color and len(text) <= _LONGEST:
            self._lay_out(Syntax(text.rstrip('\n'), language, background_color='default'))
        else:
            write(text)

    def listing(self, titles: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """Print a table: rows under a line of titles; see `lymph.cli.columns`.

        A cell is one line, such as `line` makes; text that is not from there is made printable.
        """
        cells = [[cell if isinstance(cell, Text) else line(cell) for cell in row] for row in rows]
        plain = with_titles(titles, [[cell.plain for cell in row] for row in cells])
        self._rows(plain, [[Text(style='bold')] * len(titles), *cells], None)

    def table(self, rows: Iterable[Sequence[Text]]) -> None:
        """Print rows of cells, names and what is said of them.

        On a terminal the last column is wrapped between words.
        """
        cells = [list(row) for row in rows]
        self._rows([[cell.plain for cell in row] for row in cells], cells, self._page)

    def _rows(
        self, plain: Sequence[Sequence[str]], cells: Sequence[Sequence[Text]], width: int | None
    ) -> None:
        if not self.color or len(plain) > _MOST_ROWS:
            write(aligned(plain, width))
            return
        shown = [
            Text.assemble(*map(_restyled, parts, cells[number]))
            for number, parts in pieces(plain, width)
        ]
        self._lay_out(Text('\n').join(shown))

    def indented(self, text: Text) -> None:
        """Print text with a margin."""
        if self._is_plain:
            write(''.join(f'    {part}'.rstrip(' ') + '\n' for part in text.plain.split('\n')))
        else:
            self._lay_out(Padding(text, (0, 0, 0, 4)))

    def show(self, text: Text) -> None:
        """Print text; it is not wrapped."""
        if self.color and len(text) <= _LONGEST:
            self._lay_out(text)
        else:
            write(f'{text.plain}\n')

    @property
    def _is_plain(self) -> bool:
        return self._page is None and not self.color

    def _lay_out(self, renderable: Text | Padding | Syntax) -> None:
        with self._console.capture() as capture:
            self._console.print(renderable, soft_wrap=isinstance(renderable, Text))
        text = capture.get()
        if not self.color:
            text = '\n'.join(line.rstrip(' ') for line in text.split('\n'))
        write(text)


def _restyled(part: str, cell: Text) -> Text:
    """Return a part of a cell in the cell's style."""
    shown = Text(part, cell.style)
    return ReprHighlighter()(shown) if cell.spans else shown


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(plain(value, _DEPTH), ensure_ascii=False, allow_nan=False, indent=indent)


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
