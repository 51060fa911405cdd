"""The screen as lines: a header, tables or bars, and what keys do. Pure.

No line is wider than the screen, and there are never more lines than it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lymph.cli._top.cells import cut, cut_text, padded
from lymph.cli._top.columns import COLUMNS, NAME, Column, shown_columns
from lymph.cli._top.headers import header_lines
from lymph.cli._top.latencies import latency_lines
from lymph.cli._top.listings import method_rows, method_shown, queue_rows, service_rows
from lymph.cli._top.view import KEYS, ListedRow, Listing, TableName, TopView
from lymph.cli.output import one_line
from lymph.cli.printing import Text, line
from lymph.core.monitoring.overview import Snapshot

__all__ = ['Frame', 'Size', 'frame']

_HINTS: Final = {
    'services': 'q quit  ? help  enter methods  space instances  <> sort  / filter  tab queues',
    'queues': 'q quit  ? help  <> sort  / filter  tab services',
    'methods': 'q quit  ? help  enter latencies  esc back  <> sort  / filter',
    'method': 'q quit  ? help  esc back',
}
_LEAST_QUEUES: Final = 8  # lines of both tables below which the queues are left out


class Size(NamedTuple):
    """Columns and lines of a terminal; `unicode`: whether it shows other characters than ASCII."""

    columns: int
    lines: int
    unicode: bool = True


class Frame(NamedTuple):
    """The lines of a screen, and the rows that keys act on."""

    lines: list[Text]
    listing: Listing


def frame(snapshot: Snapshot | None, view: TopView, size: Size, interval: float) -> Frame:
    """Return the screen; None: nothing is known yet."""
    if snapshot is None:
        return Frame(_bounded([line('asking all instances...')], size), Listing((), 1))
    if view.help:
        return Frame(_bounded(_help_lines(), size), Listing((), 1))
    head = header_lines(snapshot, view, interval)
    height = max(0, size.lines - len(head) - 1)
    if view.page == 'services':
        body, listing = _services(snapshot, view, size, height)
    elif view.page == 'methods':
        body, listing = _table('methods', method_rows(snapshot, view), view, size, height)
    else:
        body = latency_lines(method_shown(snapshot, view), size.columns, height, size.unicode)
        listing = Listing((), height)
    filling = [Text()] * (height - len(body))
    return Frame(_bounded([*head, *body, *filling, _foot(view)], size), listing)


def _services(
    snapshot: Snapshot, view: TopView, size: Size, height: int
) -> tuple[list[Text], Listing]:
    """Return the table of services, and that of queues below if there is room."""
    services = service_rows(snapshot, view)
    queues = queue_rows(snapshot, view)
    if view.table == 'services' and (height < _LEAST_QUEUES or not snapshot.queues):
        return _table('services', services, view, size, height)
    share = height // 2 if view.table == 'queues' else height // 3
    below = min(max(share, 3), len(queues) + 2)
    upper, above = _table('services', services, view, size, height - below)
    lower, beneath = _table('queues', queues, view, size, below - 1)
    lines = [*upper, *[Text()] * (height - below - len(upper)), Text(), *lower]
    return lines, beneath if view.table == 'queues' else above


def _table(
    table: TableName, rows: Sequence[ListedRow], view: TopView, size: Size, height: int
) -> tuple[list[Text], Listing]:
    """Return the titles and the rows that fit, the selected one among them."""
    room = max(0, height - 1)
    selected = view.number(table, rows)
    offset = min(view.offsets.get(table, 0), max(0, len(rows) - room))
    offset = max(min(offset, selected), selected - room + 1, 0)
    view.offsets[table] = offset
    shown = rows[offset : offset + room]
    columns = shown_columns(COLUMNS[table], rows, size.columns)
    wide = size.columns - sum(each.width + 1 for each in columns)
    lines = [_titles(table, columns, wide, view)]
    for number, row in enumerate(shown, offset):
        lines.append(_row(row, columns, wide, view.table == table and number == selected, size))
    if not rows:
        lines.append(Text('none' + (' like that' if view.filter else ''), 'dim'))
    return lines[:height], Listing(rows, room)


def _titles(table: TableName, columns: Sequence[Column], wide: int, view: TopView) -> Text:
    sort = view.sorts[table]
    first = {'services': 'SERVICE', 'methods': 'METHOD', 'queues': 'QUEUE'}[table]
    cells = [(NAME, first, wide, False)]
    cells += [(each.name, each.title, each.width, True) for each in columns]
    style = 'bold' if view.table == table else 'dim'
    parts: list[Text] = []
    for name, title, width, right in cells:
        # `RATE/S*`: sorted by it; `RATE/S^`: in reverse. There is room for the mark between two.
        mark = ('^' if sort.reverse else '*') if name == sort.column else ''
        text = padded(cut(title, width - len(mark) + right) + mark, width + right, right=right)
        parts.append(Text(text, style))
    return Text.assemble(*parts)


def _row(row: ListedRow, columns: Sequence[Column], wide: int, selected: bool, size: Size) -> Text:
    mark = '>' if selected else ' '
    name = cut(one_line(f'{mark}{"  " * row.depth}{row.name}'), wide, unicode=size.unicode)
    parts: list[str | Text] = [Text(padded(name, wide), 'bold' if selected else '')]
    if row.problem:
        words = cut(one_line(row.problem), max(0, size.columns - wide - 2), unicode=size.unicode)
        return Text.assemble(*parts, '  ', Text(words, 'red'))
    for each in columns:
        text = cut(each.text(row.item), each.width, unicode=size.unicode)
        parts += [' ', Text(padded(text, each.width, right=True), each.style(row.item))]
    return Text.assemble(*parts)


def _foot(view: TopView) -> Text:
    if view.typing:
        return Text.assemble('filter: ', line(view.filter, 'bold'), '_')
    hints = _HINTS[view.table if view.page == 'services' else view.page]
    if view.filter:
        return Text.assemble('filter: ', line(view.filter, 'bold'), Text(f'  {hints}', 'dim'))
    return Text(hints, 'dim')


def _help_lines() -> list[Text]:
    width = max(len(keys) for keys, _ in KEYS)
    return [
        Text('Keys of lymph top', 'bold'),
        Text(),
        *(Text.assemble(Text(padded(keys, width), 'bold'), f'  {words}') for keys, words in KEYS),
        Text(),
        Text('any key goes back', 'dim'),
    ]


def _bounded(lines: Sequence[Text], size: Size) -> list[Text]:
    return [cut_text(each, size.columns) for each in lines[: size.lines]]
