"""What is printed of data, in which form, and in color or not."""

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
from rich.table import Table
from rich.text import Text

from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import block, json_text, one_line, whole, write
from lymph.cli.settings import Settings
from lymph.core.limits import DEPTH
from lymph.serializers.json import plain

__all__ = ['Printer', 'line', 'lines', 'represented', 'wants_color']

#: Containers inside each other: as many as travel, and what is printed around them.
_DEPTH = DEPTH + 8
#: Columns of a page that is not a terminal: nothing in a table is wrapped.
_ENDLESS = 10_000
#: Columns in which a value is laid out where there is no terminal.
_PAGE = 88


class Printer:
    """Prints data on stdout; every method writes at once what it is given.

    All raise click's Exit when whoever reads has gone. Text comes from `line`, `lines` and
    `represented`, which make it printable; rich takes none of it for markup.
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
        self._page = self._console.width if terminal else _PAGE

    def json(self, value: Any, *, line: bool = False) -> None:
        """Print a value as a JSON document: on one line, or indented.

        Raises OperationFailed for a value that JSON cannot hold.
        """
        try:
            text = json.dumps(
                plain(value, _DEPTH),
                ensure_ascii=False,
                allow_nan=False,
                indent=None if line else 2,
            )
        except (TypeError, ValueError) as error:
            raise OperationFailed(f'not to be had as JSON ({error}); leave --json out') from error
        write(json_text(f'{text}\n'))

    def value(self, value: Any, *, label: str = '') -> None:
        """Print a value as Python writes it, on one line behind `label: ` if there is a label."""
        shown = represented(value, None if label else self._page)
        self.show(Text.assemble(line(label, 'bold'), ': ', shown) if label else shown)

    def source(self, text: str, language: str) -> None:
        """Print lines in a language that is highlighted in color."""
        text = whole(text)
        if self.color:
            self.show(Syntax(text.rstrip('\n'), language, background_color='default'))
        else:
            write(text)

    def table(self, rows: Iterable[Sequence[Text]], *, wrap: bool = True) -> None:
        """Print rows of cells; what is too long for its column is wrapped or cut."""
        table = Table.grid(padding=(0, 2))
        for number, row in enumerate(rows):
            for _ in row if number == 0 else ():
                table.add_column(no_wrap=not wrap, overflow='fold' if wrap else 'ellipsis')
            table.add_row(*row)
        self.show(table)

    def indented(self, text: Text) -> None:
        """Print text with a margin."""
        self.show(Padding(text, (0, 0, 0, 4)))

    def show(self, *renderables: Text | Table | Padding | Syntax) -> None:
        """Print what rich has laid out; text is not wrapped."""
        with self._console.capture() as capture:
            for each in renderables:
                self._console.print(each, soft_wrap=isinstance(each, Text))
        text = capture.get()
        if not self.color:
            text = '\n'.join(line.rstrip(' ') for line in text.split('\n'))
        write(text)


def line(text: str, style: str = '') -> Text:
    """Return text of others, such as a name, for one line."""
    return Text(one_line(text), style)


def lines(text: str) -> Text:
    """Return text of others that may have several lines."""
    return Text(block(text))


def represented(value: Any, width: int | None = None) -> Text:
    """Return a value as Python writes it, laid out in `width` columns, or on one line."""
    text = repr(value) if width is None else pretty_repr(value, max_width=width)
    return ReprHighlighter()(Text(whole(text)))


def wants_color(settings: Settings) -> bool:
    """Tell whether stdout gets colors: as the user says, or else on a terminal (no-color.org)."""
    if settings.color is not None:
        return settings.color
    return (
        sys.stdout.isatty() and not os.environ.get('NO_COLOR') and os.environ.get('TERM') != 'dumb'
    )
