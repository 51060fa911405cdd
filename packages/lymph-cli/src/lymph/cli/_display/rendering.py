"""What takes rich: colors, highlighting, and values laid out; imported when something needs it."""

from __future__ import annotations

import io

from rich import text as rich_text
from rich.console import Console
from rich.highlighter import ReprHighlighter
from rich.padding import Padding
from rich.pretty import pretty_repr
from rich.syntax import Syntax

from lymph.cli.texts import VALUE, Text

__all__ = ['colored', 'highlighted', 'laid_out', 'with_margin']

#: Columns of a page that is not a terminal: nothing that is colored there is wrapped.
_ENDLESS = 10_000


def colored(text: Text) -> str:
    """Return text with the escape sequences of its styles; it is not wrapped."""
    return _printed(_rich(text), True, None)


def with_margin(text: Text, color: bool, width: int | None) -> str:
    """Return text with a margin, wrapped between words where `width` says how wide the page is."""
    return _printed(Padding(_rich(text), (0, 0, 0, 4)), color, width)


def highlighted(text: str, language: str, width: int | None) -> str:
    """Return lines in a programming language in color."""
    return _printed(Syntax(text.rstrip('\n'), language, background_color='default'), True, width)


def laid_out(value: object, width: int) -> str:
    """Return a value as Python writes it, on several lines where it does not fit on one."""
    return pretty_repr(value, max_width=width)


def _rich(text: Text) -> rich_text.Text:
    shown = rich_text.Text()
    for part, style in text.parts:
        if style == VALUE:
            shown.append_text(ReprHighlighter()(rich_text.Text(part)))
        else:
            shown.append(part, style)
    return shown


def _printed(renderable: rich_text.Text | Padding | Syntax, color: bool, width: int | None) -> str:
    console = Console(
        file=io.StringIO(),
        force_terminal=color,
        no_color=not color,
        width=_ENDLESS if width is None else width,
    )
    with console.capture() as capture:
        if isinstance(renderable, rich_text.Text):
            console.print(renderable, soft_wrap=True, end='')
        else:
            console.print(renderable)
    text = capture.get()
    return text if color else '\n'.join(line.rstrip(' ') for line in text.split('\n'))
