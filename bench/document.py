"""Writing what was measured into a page of the documentation, between two markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ['replace_section', 'table']


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    ruler = ['---', *['---:'] * (len(head) - 1)]
    return '\n'.join('| ' + ' | '.join(row) + ' |' for row in (head, ruler, *rows))


def replace_section(page: Path, name: str, text: str) -> None:
    """Put `text` between the markers of the section `name`.

    Raises ValueError when the page does not have each marker once.
    """
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    content = page.read_text()
    if content.count(begin) != 1 or content.count(end) != 1:
        raise ValueError(f'{page}: expected the lines {begin} and {end}, once each')
    before, _, rest = content.partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f'{before}{begin}\n{text.strip()}\n{end}{after}')
