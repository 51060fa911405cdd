"""Data on stdout, words on stderr: what is printed, in which form, and in color or not."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, NoReturn

from click.exceptions import Exit
from rich.console import Console, RenderableType
from rich.highlighter import ReprHighlighter
from rich.pretty import pretty_repr
from rich.syntax import Syntax
from rich.text import Text

from lymph.cli.outcomes import READER_GONE, OperationFailed
from lymph.cli.settings import Settings
from lymph.serializers.json import plain

__all__ = ['Printer', 'say']

#: Columns of a page that is not a terminal: nothing in a table is wrapped.
_ENDLESS = 10_000
#: Columns in which a value is laid out where there is no terminal.
_PAGE = 88


class Printer:
    """Prints data on stdout; every method writes at once what it is given.

    All raise click's Exit when whoever reads has gone.
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
                plain(value), ensure_ascii=False, allow_nan=False, indent=None if line else 2
            )
        except (TypeError, ValueError) as error:
            raise OperationFailed(f'not to be had as JSON ({error}); leave --json out') from error
        write(f'{text}\n')

    def value(self, value: Any, *, label: str = '') -> None:
        """Print a value as Python writes it, on one line behind `label: ` if there is a label."""
        text = repr(value) if label else pretty_repr(value, max_width=self._page)
        styled = ReprHighlighter()(Text(text))
        self.show(Text.assemble((label, 'bold'), ': ', styled) if label else styled)

    def source(self, text: str, language: str) -> None:
        """Print text in a language that is highlighted in color."""
        if self.color:
            self.show(Syntax(text.rstrip('\n'), language, background_color='default'))
        else:
            write(text)

    def show(self, *renderables: RenderableType) -> None:
        """Print what rich can render; text is not wrapped."""
        with self._console.capture() as capture:
            for each in renderables:
                self._console.print(each, soft_wrap=isinstance(each, Text))
        text = capture.get()
        if not self.color:
            text = '\n'.join(line.rstrip(' ') for line in text.split('\n'))
        write(text)


def wants_color(settings: Settings) -> bool:
    """Tell whether stdout gets colors: as the user says, or else on a terminal (no-color.org)."""
    if settings.color is not None:
        return settings.color
    return (
        sys.stdout.isatty() and not os.environ.get('NO_COLOR') and os.environ.get('TERM') != 'dumb'
    )


def write(text: str) -> None:
    """Write text to stdout now; raises click's Exit when whoever reads has gone."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _reader_gone()


def say(words: str) -> None:
    """Write a line to stderr."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - this is what the user is told


def _reader_gone() -> NoReturn:
    # What is still buffered goes nowhere; Python would complain about it when it exits.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    raise Exit(READER_GONE)
