"""Text cut and padded to the columns of a terminal. Pure."""

from __future__ import annotations

from lymph.cli._display.columns import text_width
from lymph.cli.texts import Text

__all__ = ['cut', 'cut_text', 'padded']


def cut(text: str, width: int, *, unicode: bool = True) -> str:
    """Return printable text that takes at most `width` columns; a mark stands for what is cut."""
    if text_width(text) <= width:
        return text
    if width <= 0:
        return ''
    kept, room = '', width - 1
    for character in text:
        room -= text_width(character)
        if room < 0:
            break
        kept += character
    return kept + ('…' if unicode else '~')


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return text with spaces behind it, or before it with `right`, up to `width` columns."""
    spaces = ' ' * (width - text_width(text))
    return spaces + text if right else text + spaces


def cut_text(text: Text, width: int) -> Text:
    """Return styled text that takes at most `width` columns."""
    parts: list[Text] = []
    for part, style in text.parts:
        wide = text_width(part)
        if wide > width:
            return Text.assemble(*parts, Text(cut(part, width, unicode=False)[:-1], style))
        parts.append(Text(part, style))
        width -= wide
    return text
