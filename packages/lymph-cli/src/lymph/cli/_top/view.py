"""What the user looks at, and what keys change of it. Pure.

================  ==================================================================================
page              what is shown
================  ==================================================================================
services          services, expanded ones with their instances; queues below
methods           the methods and handlers of a service, or of one of its instances
method            one of them, with the distribution of its latencies
help              the keys
================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from lymph.cli._top.columns import COLUMNS, NAME

__all__ = ['KEYS', 'ListedRow', 'Listing', 'Page', 'Sort', 'TableName', 'TopView']

Page = Literal['services', 'methods', 'method']
TableName = Literal['services', 'methods', 'queues']

#: the keys, as the page of help explains them
KEYS: Final = (
    ('up, down, j, k', 'select the row above or below; also page up and down, home, end'),
    ('enter, right', 'open: the methods of a service or an instance, the latencies of a method'),
    ('escape, left', 'clear the filter, else go back'),
    ('space', 'show or hide the instances of a service; e: of all'),
    ('<, >', 'sort by the column to the left or right; r: in reverse'),
    ('1 to 9, 0', 'sort by this column; 0: by name'),
    ('/', 'filter by name: what is typed is in it'),
    ('tab', 'go to the queues and back'),
    ('p', 'pause, and go on'),
    ('ctrl-l', 'draw the screen again'),
    ('?, h', 'show or hide this help'),
    ('q, ctrl-c', 'quit'),
)
_LONGEST: Final = 100  # characters of a filter


class Sort(NamedTuple):
    """By which column; `reverse` is against its usual order: numbers descend, names ascend."""

    column: str
    reverse: bool = False


class ListedRow(NamedTuple):
    """A row: `key` tells it from others, `name` is its first cell, `item` has the figures.

    `service` and `endpoint` say what it belongs to; `depth` is how far its name is indented.
    `problem` is shown in place of figures.
    """

    key: str
    name: str
    item: object
    service: str = ''
    endpoint: str = ''
    depth: int = 0
    problem: str = ''


class Listing(NamedTuple):
    """The rows of the table that keys act on, sorted, and how many fit on the screen."""

    rows: Sequence[ListedRow]
    height: int


@dataclass
class TopView:
    """The state of the screen, apart from the figures."""

    page: Page = 'services'
    table: TableName = 'services'
    sorts: dict[str, Sort] = field(
        default_factory=lambda: {
            'services': Sort('rate'),
            'methods': Sort('rate'),
            'queues': Sort('waiting'),
        }
    )
    #: by page: which names are shown; that of services is for queues, too
    filters: dict[str, str] = field(default_factory=dict)
    typing: bool = False
    help: bool = False
    paused: bool = False
    ended: bool = False
    #: names of services whose instances are shown; with `all_expanded`, of those that are not
    expanded: set[str] = field(default_factory=set)
    all_expanded: bool = False
    #: by table: the key of the selected row, its number, and the number of the first row shown
    selected: dict[str, tuple[str, int]] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    #: what the other pages are about
    service: str = ''
    endpoint: str = ''
    method: str = ''

    @property
    def filter(self) -> str:
        """The text that the names on this page must have in them."""
        return self.filters.get(self.page, '')

    def is_expanded(self, service: str) -> bool:
        """Tell whether the instances of a service are shown."""
        return (service in self.expanded) != self.all_expanded

    def number(self, table: str, rows: Sequence[ListedRow]) -> int:
        """Return the number of the selected row; if it is gone, that of one at its place."""
        key, number = self.selected.get(table, ('', 0))
        for index, row in enumerate(rows):
            if row.key == key:
                return index
        return max(0, min(number, len(rows) - 1))

    def press(self, key: str, listing: Listing) -> None:
        """Do what a key means; unknown ones mean nothing."""
        if self.typing:
            self._type(key)
        elif self.help:
            self.help = False
            self.ended = key == 'q'
        elif key in _MOVES:
            self._move(key, listing)
        elif key in _ACTIONS:
            _ACTIONS[key](self, listing)
        elif key.isdecimal() and len(key) == 1:
            self._sort_by_number(int(key))

    def _type(self, key: str) -> None:
        if key in ('escape', 'clear'):
            self.filters[self.page] = ''
            self.typing = key == 'clear'
        elif key in ('enter', 'tab', 'up', 'down', 'end-of-input'):
            self.typing = False
        elif key == 'backspace':
            self.filters[self.page] = self.filter[:-1]
        elif len(key) == 1:
            self.filters[self.page] = (self.filter + key)[:_LONGEST]

    def _move(self, key: str, listing: Listing) -> None:
        rows = listing.rows
        if not rows:
            return
        page = max(1, listing.height - 1)
        step = {'page-up': -page, 'page-down': page, 'home': -len(rows), 'end': len(rows)}
        number = self.number(self.table, rows) + step.get(key, _MOVES[key])
        number = max(0, min(number, len(rows) - 1))
        self.selected[self.table] = rows[number].key, number

    def open(self, listing: Listing) -> None:
        """Open what the selected row is about."""
        rows = listing.rows
        if not rows or self.table == 'queues':
            return
        row = rows[self.number(self.table, rows)]
        if self.page == 'services':
            self.page, self.table = 'methods', 'methods'
            self.service, self.endpoint = row.service, row.endpoint
            self.selected.pop('methods', None)
            self.filters.pop('methods', None)
        elif self.page == 'methods':
            self.page, self.method = 'method', row.key

    def back(self, _listing: Listing) -> None:
        """Clear the filter, else go back one page."""
        if self.page == 'method':
            self.page = 'methods'
        elif self.filter:
            self.filters[self.page] = ''
        elif self.page == 'methods':
            self.page, self.table = 'services', 'services'
        else:
            self.table = 'services'

    def expand(self, listing: Listing) -> None:
        """Show or hide the instances of the selected service."""
        if self.table != 'services' or not listing.rows:
            return
        row = listing.rows[self.number('services', listing.rows)]
        self.expanded ^= {row.service}
        # the row of an instance may vanish
        parent = next(each for each in listing.rows if each.service == row.service)
        if row.endpoint:
            self.selected['services'] = parent.key, listing.rows.index(parent)

    def expand_all(self, _listing: Listing) -> None:
        """Show or hide all instances."""
        self.all_expanded = not self.all_expanded
        self.expanded = set()

    def switch(self, _listing: Listing) -> None:
        """Go to the queues, or back."""
        if self.page == 'services':
            self.table = 'queues' if self.table == 'services' else 'services'

    def sort_beside(self, step: int) -> None:
        """Sort by the column to the right or left."""
        names = [NAME, *(each.name for each in COLUMNS[self.table])]
        number = names.index(self.sorts[self.table].column) + step
        self.sorts[self.table] = Sort(names[number % len(names)])

    def _sort_by_number(self, number: int) -> None:
        names = [NAME, *(each.name for each in COLUMNS[self.table])]
        if number < len(names):
            self.sorts[self.table] = Sort(names[number])

    def reverse(self, _listing: Listing) -> None:
        """Sort in the opposite order."""
        sort = self.sorts[self.table]
        self.sorts[self.table] = Sort(sort.column, not sort.reverse)

    def toggle(self, name: str) -> None:
        """Turn on or off what is called `name`."""
        setattr(self, name, not getattr(self, name))


_MOVES: Final = {
    'up': -1,
    'k': -1,
    'down': 1,
    'j': 1,
    **dict.fromkeys(('page-up', 'page-down', 'home', 'end'), 0),
}
_ACTIONS: Final = {
    'q': lambda view, _: view.toggle('ended'),
    'end-of-input': lambda view, _: view.toggle('ended'),
    '?': lambda view, _: view.toggle('help'),
    'h': lambda view, _: view.toggle('help'),
    'p': lambda view, _: view.toggle('paused'),
    '/': lambda view, _: view.toggle('typing'),
    '<': lambda view, _: view.sort_beside(-1),
    '>': lambda view, _: view.sort_beside(1),
    'r': TopView.reverse,
    'tab': TopView.switch,
    'back-tab': TopView.switch,
    ' ': TopView.expand,
    'e': TopView.expand_all,
    'enter': TopView.open,
    'right': TopView.open,
    'escape': TopView.back,
    'left': TopView.back,
    'backspace': TopView.back,
}
