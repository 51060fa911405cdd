"""The screen as lines."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lymph.cli._display.columns import text_width
from lymph.cli._top.frame import Frame, Size, frame
from lymph.cli._top.view import TopView
from lymph.core.monitoring.overview import BackendState, Load, QueueState, ServiceState, Snapshot

WIDE = Size(120, 24)


def lines(shown: Frame) -> list[str]:
    return [each.plain.rstrip() for each in shown.lines]


def shown(snapshot: Snapshot | None, view: TopView | None = None, size: Size = WIDE) -> list[str]:
    return lines(frame(snapshot, view or TopView(), size, 2.0))


def cells(text: str) -> list[str]:
    return text.split()


def test_services_are_listed_with_their_figures(snapshot: Snapshot) -> None:
    found = shown(snapshot)
    assert cells(found[4])[:6] == ['SERVICE', 'UP', 'RATE/S*', 'ERR', 'P50', 'P99']
    assert cells(found[5])[:6] == ['>shop', '2', '200', '0%', '5ms', '20ms']
    assert cells(found[6])[:3] == ['mail', '1/2', '50']
    assert cells(found[7])[:4] == ['web', '1', '-', '-']


def test_queues_are_listed_below(snapshot: Snapshot) -> None:
    found = shown(snapshot)
    assert len(found) == 24
    titles = next(number for number, each in enumerate(found) if each.startswith('QUEUE'))
    assert cells(found[titles + 1]) == ['mail.on_paid', '7', '-', '90s', '-', '0', '2']
    assert cells(found[titles + 2])[0] == 'shop.on_order'
    assert found[-1].startswith('q quit')


def test_the_header_tells_of_registry_and_broker(snapshot: Snapshot) -> None:
    summary, registry, broker, *_ = shown(snapshot)
    assert '3 services, 5 instances, 1 silent  250 calls/s  every 2s' in summary
    assert registry == 'registry the registry  connected for 16min'
    assert broker == 'broker   amqp://broker  away for 10s: connection refused'


def test_the_header_tells_of_problems(snapshot: Snapshot) -> None:
    troubled = replace(
        snapshot,
        registry=BackendState('static', away=2),
        problems={'registry': 'no answer'},
        left_out=7,
    )
    summary, registry, *_ = shown(troubled)
    assert '7 instances not asked' in summary
    assert registry == 'registry static  no answer; 2 instances without a connection'


def test_instances_are_below_their_service(snapshot: Snapshot) -> None:
    found = shown(snapshot, TopView(expanded={'mail'}))
    number = next(n for n, each in enumerate(found) if each.startswith(' mail'))
    assert cells(found[number + 1])[:4] == ['00000000', '127.0.0.1:4001', 'host', 'up']
    assert found[number + 2].endswith('  silent for 12s: no reply')


def test_methods_of_a_service(snapshot: Snapshot) -> None:
    found = shown(snapshot, TopView(page='methods', table='methods', service='shop'))
    assert found[3] == 'shop'
    assert cells(found[4]) == [
        *('METHOD', 'RATE/S*', 'ERR', 'P50', 'P99', 'MEAN', 'RUN', 'REFUSED/S', 'TOTAL'),
    ]
    assert cells(found[5])[:2] == ['>shop.price', '200']
    assert cells(found[6])[:2] == ['shop.pay', '100']


@pytest.mark.parametrize(
    ('service', 'endpoint', 'title'),
    [
        ('mail', 'tcp://127.0.0.1:4001', 'mail at tcp://127.0.0.1:4001'),
        (
            *('mail', 'tcp://127.0.0.1:4002'),
            'mail at tcp://127.0.0.1:4002  silent for 12s: no reply',
        ),
        ('mail', 'tcp://127.0.0.1:9', 'mail at tcp://127.0.0.1:9  gone'),
        ('none', '', 'none  gone'),
    ],
)
def test_the_title_tells_of_an_instance_without_figures(
    snapshot: Snapshot, service: str, endpoint: str, title: str
) -> None:
    view = TopView(page='methods', table='methods', service=service, endpoint=endpoint)
    assert shown(snapshot, view)[3] == title


def test_latencies_of_a_method_are_bars(snapshot: Snapshot) -> None:
    view = TopView(page='method', table='methods', service='shop', method='shop.price')
    found = shown(snapshot, view, Size(45, 20))
    bars = [each for each in found if '<=' in each]
    assert [re.sub('█+', lambda bar: str(len(bar[0])), each).split() for each in bars] == [
        ['<=', '2.5ms', '60', '60%', '20'],
        ['<=', '5ms', '30', '30%', '10'],
        ['<=', '10ms', '0', '0%'],
        ['<=', '25ms', '10', '10%', '3'],
    ]


def test_bars_on_a_terminal_without_unicode_are_ascii(snapshot: Snapshot) -> None:
    view = TopView(page='method', table='methods', service='shop', method='shop.price')
    found = shown(snapshot, view, Size(40, 20, unicode=False))
    assert any('####' in each for each in found)
    assert all(each.isascii() for each in found)


@pytest.mark.parametrize(
    ('method', 'words'),
    [('shop.pay', 'measures no latencies'), ('shop.gone', 'not there any more')],
)
def test_a_method_may_have_no_latencies(snapshot: Snapshot, method: str, words: str) -> None:
    view = TopView(page='method', table='methods', service='shop', method=method)
    assert any(words in each for each in shown(snapshot, view))


PAGES = [
    TopView(),
    TopView(table='queues'),
    TopView(all_expanded=True),
    TopView(help=True),
    TopView(filters={'services': 'mail'}),
    TopView(filters={'services': 'nothing like that'}),
    TopView(typing=True, filters={'services': 'x' * 100}),
    TopView(page='methods', table='methods', service='shop'),
    TopView(page='methods', table='methods', service='gone'),
    TopView(page='method', table='methods', service='shop', method='shop.price'),
]


@pytest.mark.parametrize('view', PAGES)
@pytest.mark.parametrize('columns', [1, 10, 40, 80, 300])
@pytest.mark.parametrize('height', [1, 2, 5, 12, 60])
def test_nothing_is_larger_than_the_terminal(
    snapshot: Snapshot, view: TopView, columns: int, height: int
) -> None:
    strange = ServiceState('世界' * 50 + '\x1b[31m', calls=Load(rate=1e12, total=5))
    many = replace(
        snapshot,
        services=(*snapshot.services, strange),
        queues=(*snapshot.queues, QueueState('long' * 100)),
    )
    found = frame(many, replace(view), Size(columns, height), 2.0).lines
    assert len(found) <= height
    assert all(text_width(each.plain) <= columns for each in found)
    assert '\x1b' not in ''.join(each.plain for each in found)


def test_a_narrow_terminal_has_the_most_important_columns(snapshot: Snapshot) -> None:
    found = shown(snapshot, size=Size(40, 24))
    assert cells(found[4]) == ['SERVICE', 'RATE/S*', 'ERR', 'P99']
    assert cells(found[5]) == ['>shop', '200', '0%', '20ms']


def test_columns_that_nobody_has_are_left_out(snapshot: Snapshot) -> None:
    assert 'HTTP/S' not in shown(snapshot)[4]
    web = replace(snapshot.services[2], http=Load(rate=5.0, total=10, p99=0.1), calls=Load())
    found = shown(replace(snapshot, services=(web,)))
    assert 'HTTP/S' in found[4]
    assert cells(found[5])[:3] == ['>web', '1', '5']


def test_the_selected_row_is_always_visible() -> None:
    many = Snapshot(0.0, services=tuple(ServiceState(f's{n:04}') for n in range(5000)))
    view = TopView()
    for key, name in (('end', 's4999'), ('up', 's4998'), ('home', 's0000'), ('down', 's0001')):
        view.press(key, frame(many, view, WIDE, 2.0).listing)
        found = shown(many, view)
        assert [each.split()[0] for each in found if each.startswith('>')] == [f'>{name}']
        assert len(found) == 24


def test_before_the_first_answers_it_says_so() -> None:
    assert shown(None) == ['asking all instances...']


def test_nothing_that_fits_the_filter_is_told(snapshot: Snapshot) -> None:
    found = shown(snapshot, TopView(filters={'services': 'nothing'}))
    assert 'none like that' in found
    assert found[-1].startswith('filter: nothing')


def test_help_tells_the_keys(snapshot: Snapshot) -> None:
    found = shown(snapshot, TopView(help=True))
    assert any(each.startswith('q, ctrl-c') for each in found)
