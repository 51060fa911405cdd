"""Text with styles, as commands put it together; rich sees it only where it is printed in color."""

from __future__ import annotations

__all__ = ['VALUE', 'Text']

#: The style of a value as Python writes it: numbers, strings and the like get colors of their own.
VALUE = 'lymph.value'


class Text:
    """Pieces of text, each with a style in the words of rich, such as `bold red`; '' is none.

    Whoever makes one sees to it that its text is printable: `lymph.cli.printing:line` and `lines`
    do.
    """

    __slots__ = ('parts',)

    def __init__(self, text: str = '', style: str = '') -> None:
        self.parts: tuple[tuple[str, str], ...] = ((text, style),) if text or style else ()

    @classmethod
    def assemble(cls, *parts: str | Text) -> Text:
        """Return several texts as one."""
        whole = cls()
        for part in parts:
            whole.parts += part.parts if isinstance(part, Text) else ((part, ''),)
        return whole

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return ''.join(text for text, _ in self.parts)

    @property
    def style(self) -> str:
        """The style of the first piece."""
        return self.parts[0][1] if self.parts else ''

    def __len__(self) -> int:
        return sum(len(text) for text, _ in self.parts)
