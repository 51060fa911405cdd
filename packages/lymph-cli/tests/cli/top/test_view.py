"""What keys do."""

from __future__ import annotations

from typing import Any

import click
import pytest

from lymph.cli._commands.top import command
from lymph.cli._top.columns import COLUMNS, NAME
from lymph.cli._top.listings import method_rows, queue_rows, queues_of, service_rows
from lymph.cli._top.view import Listing, Sort, TopView
from lymph.core.monitoring.overview import Snapshot

HEIGHT = 5


def listing(snapshot: Snapshot, view: TopView) -> Listing:
    rows = {'services': service_rows, 'methods': method_rows, 'queues': queue_rows}[view.table]
    return Listing(rows(snapshot, view), HEIGHT)


def typed(snapshot: Snapshot, *keys: str, view: TopView | None = None) -> TopView:
    view = view or TopView()
    for key in keys:
        view.press(key, listing(snapshot, view))
    return view


def selected(snapshot: Snapshot, view: TopView) -> str:
    rows = listing(snapshot, view).rows
    return rows[view.number(view.table, rows)].name


def names(snapshot: Snapshot, view: TopView) -> list[str]:
    return [row.name for row in listing(snapshot, view).rows]


@pytest.mark.parametrize(
    ('keys', 'name'),
    [
        ((), 'shop'),
        (('down',), 'mail'),
        (('j', 'j'), 'web'),
        (('j', 'j', 'j', 'j'), 'web'),
        (('end',), 'web'),
        (('end', 'k'), 'mail'),
        (('end', 'home'), 'shop'),
        (('page-down',), 'web'),
        (('page-down', 'page-up'), 'shop'),
        (('up',), 'shop'),
    ],
)
def test_keys_select_a_row(snapshot: Snapshot, keys: tuple[str, ...], name: str) -> None:
    assert selected(snapshot, typed(snapshot, *keys)) == name


def test_the_selected_row_stays_selected_when_others_move(snapshot: Snapshot) -> None:
    view = typed(snapshot, 'down', '0')
    assert names(snapshot, view) == ['mail', 'shop', 'web']
    assert selected(snapshot, view) == 'mail'


def test_the_row_at_its_place_is_selected_when_it_is_gone(snapshot: Snapshot) -> None:
    view = typed(snapshot, 'down')
    rest = Snapshot(0.0, services=snapshot.services[1:])
    assert selected(rest, view) == 'web'
    assert view.number('services', ()) == 0


@pytest.mark.parametrize(
    ('keys', 'order'),
    [
        ((), ['shop', 'mail', 'web']),
        (('r',), ['mail', 'shop', 'web']),
        (('0',), ['mail', 'shop', 'web']),
        (('0', 'r'), ['web', 'shop', 'mail']),
        (('1',), ['mail', 'shop', 'web']),
        (('<',), ['mail', 'shop', 'web']),
        (('<', '<'), ['mail', 'shop', 'web']),
    ],
)
def test_keys_sort(snapshot: Snapshot, keys: tuple[str, ...], order: list[str]) -> None:
    assert names(snapshot, typed(snapshot, *keys)) == order


@pytest.mark.parametrize(
    ('keys', 'sort'),
    [
        (('>',), Sort('errors')),
        (('<',), Sort('instances')),
        (('<', '<', '<'), Sort('cpu')),
        (('<', '<', '<', '>'), Sort('name')),
        (('4', 'r'), Sort('p50', True)),
        (('4', 'r', '4'), Sort('p50')),
        (('r', 'r'), Sort('rate')),
    ],
)
def test_keys_choose_the_column_to_sort_by(
    snapshot: Snapshot, keys: tuple[str, ...], sort: Sort
) -> None:
    assert typed(snapshot, *keys).sorts['services'] == sort


def test_queues_are_sorted_apart(snapshot: Snapshot) -> None:
    view = typed(snapshot, 'tab', '>')
    assert view.sorts['queues'] == Sort('delayed')
    assert view.sorts['services'] == Sort('rate')
    view = typed(snapshot, 'tab', '9')
    assert view.sorts['queues'] == Sort('waiting')


@pytest.mark.parametrize(
    ('chosen', 'queues'),
    [
        ([], ['mail.on_paid', 'shop.on_order']),
        (['shop'], ['shop.on_order']),
        (['mail.worker', 'sho'], ['mail.on_paid']),
        (['on_paid'], []),
    ],
)
def test_queues_are_those_of_the_services_that_are_named(
    snapshot: Snapshot, chosen: list[str], queues: list[str]
) -> None:
    assert [each.queue for each in queues_of(snapshot, chosen).queues] == queues


def test_a_service_is_expanded(snapshot: Snapshot) -> None:
    view = typed(snapshot, ' ')
    assert names(snapshot, view) == [
        'shop',
        '00000000 127.0.0.1:4003 host',
        '00000000 127.0.0.1:4004 host',
        'mail',
        'web',
    ]
    assert names(snapshot, typed(snapshot, ' ', view=view)) == ['shop', 'mail', 'web']


def test_an_instance_closes_its_service(snapshot: Snapshot) -> None:
    view = typed(snapshot, ' ', 'down', 'down', ' ')
    assert names(snapshot, view) == ['shop', 'mail', 'web']
    assert selected(snapshot, view) == 'shop'


def test_all_are_expanded_but_one(snapshot: Snapshot) -> None:
    view = typed(snapshot, 'e')
    assert len(names(snapshot, view)) == 8
    assert len(names(snapshot, typed(snapshot, ' ', view=view))) == 6
    assert len(names(snapshot, typed(snapshot, 'e', view=view))) == 3


def test_a_filter_is_typed(snapshot: Snapshot) -> None:
    view = typed(snapshot, '/', 'S', 'q', 'backspace')
    assert view.typing
    assert names(snapshot, view) == ['shop']
    typed(snapshot, 'enter', view=view)
    assert (view.typing, view.filter, view.ended) == (False, 'S', False)
    typed(snapshot, 'escape', view=view)
    assert names(snapshot, view) == ['shop', 'mail', 'web']


@pytest.mark.parametrize(('key', 'typing'), [('escape', False), ('clear', True)])
def test_a_filter_is_cleared_while_it_is_typed(snapshot: Snapshot, key: str, typing: bool) -> None:
    view = typed(snapshot, '/', 'x', key)
    assert (view.filter, view.typing) == ('', typing)


def test_pages_have_filters_of_their_own(snapshot: Snapshot) -> None:
    view = typed(snapshot, '/', 's', 'h', 'enter', 'enter', '/', 'y', 'enter')
    assert names(snapshot, view) == ['shop.pay']
    typed(snapshot, 'escape', view=view)
    assert names(snapshot, view) == ['shop.price', 'shop.pay']
    typed(snapshot, 'escape', view=view)
    assert names(snapshot, view) == ['shop']
    typed(snapshot, 'escape', view=view)
    assert names(snapshot, view) == ['shop', 'mail', 'web']


def test_a_filter_is_bounded(snapshot: Snapshot) -> None:
    view = typed(snapshot, '/', *'x' * 1000)
    assert len(view.filter) <= 100


def test_pages_open_and_close(snapshot: Snapshot) -> None:
    view = typed(snapshot, 'down', 'enter')
    assert (view.page, view.service, view.endpoint) == ('methods', 'mail', '')
    assert names(snapshot, view) == ['mail.price', 'mail.pay']
    typed(snapshot, 'down', 'right', view=view)
    assert (view.page, view.method) == ('method', 'mail.pay')
    typed(snapshot, 'left', view=view)
    assert (view.page, selected(snapshot, view)) == ('methods', 'mail.pay')
    typed(snapshot, 'escape', view=view)
    assert (view.page, selected(snapshot, view)) == ('services', 'mail')


def test_an_instance_opens_its_own_methods(snapshot: Snapshot) -> None:
    view = typed(snapshot, ' ', 'down', 'enter')
    assert (view.service, view.endpoint) == ('shop', 'tcp://127.0.0.1:4003')
    assert names(snapshot, view) == []  # this one has none


@pytest.mark.parametrize('keys', [('q',), ('end-of-input',), ('?', 'q'), ('enter', 'q')])
def test_q_quits(snapshot: Snapshot, keys: tuple[str, ...]) -> None:
    assert typed(snapshot, *keys).ended


@pytest.mark.parametrize('keys', [(), ('/', 'q'), ('?', 'x'), ('x', 'Q', '!', 'ü'), ('redraw',)])
def test_other_keys_do_not(snapshot: Snapshot, keys: tuple[str, ...]) -> None:
    view = typed(snapshot, *keys)
    assert not view.ended
    assert not view.help


@pytest.mark.parametrize('key', ['up', 'end', 'enter', ' ', 'e', 'tab', '>', 'r', 'page-down'])
@pytest.mark.parametrize('page', ['services', 'methods', 'method'])
def test_no_key_fails_without_rows(key: str, page: Any) -> None:
    view = TopView(page=page, table='services' if page == 'services' else 'methods')
    view.press(key, Listing((), 0))


def test_the_option_sort_has_all_columns() -> None:
    (sort,) = [each for each in command.params if each.name == 'sort']
    assert isinstance(sort.type, click.Choice)
    assert list(sort.type.choices) == [NAME, *(each.name for each in COLUMNS['services'])]
