"""What `lymph.inspect` answers about an interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lymph
from lymph.patterns.serial_events import serial_event

if TYPE_CHECKING:
    from nowhere import Order


class Shop(lymph.Interface):
    """Sells things."""

    @lymph.rpc(raises=(KeyError, ValueError), idempotent=True, check=False)
    def price(self, order: Order, *, currency: str = 'EUR') -> int | None:
        """Return the price."""

    @lymph.event('order.*', 'order', retry=3, sequential=True, queue_name='orders')
    def on_order(self, event):
        """Handle an order."""

    @lymph.event('tick', broadcast=True)
    def on_tick(self, event):
        pass

    @lymph.event('first', once=True)
    def on_first(self, event):
        pass

    @serial_event('stock', partition_count=3, retry=1)
    def on_stock(self, event):
        """Count."""

    @lymph.task(retry=2)
    def mail(self, to: str, text: str = ''):
        """Send a mail."""


@pytest.fixture(params=[False, True], ids=['instance', 'worker'])
def described(request, world):
    service = world.container((Shop, 'shop', '1.5'), worker=request.param)
    return lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()


def test_interfaces_are_described_alike_by_instances_and_workers(described):
    assert described['interfaces'] == [
        {'name': 'shop', 'version': '1.5', 'class': 'Shop', 'help': 'Sells things.'}
    ]
    assert len(described['identity']) == 16
    [mail] = described['tasks']
    assert mail == {
        'name': 'shop.mail',
        'version': '1.5',
        'help': 'Send a mail.',
        'params': ['to: str', "text: str = ''"],
        'parameters': [
            {'name': 'to', 'type': 'str', 'default': None},
            {'name': 'text', 'type': 'str', 'default': "''"},
        ],
        'takes_any': False,
        'returns': None,
        'queue': 'shop.mail',
        'sequential': False,
        'broadcast': False,
        'retry': 2,
    }
    events = {event['name']: event for event in described['events']}
    assert events['shop.on_order'] == {
        'name': 'shop.on_order',
        'version': '1.5',
        'help': 'Handle an order.',
        'types': ['order.*', 'order'],
        'queue': 'shop.orders',
        'sequential': True,
        'broadcast': False,
        'once': False,
        'retry': 3,
        'partitions': None,
    }
    assert events['shop.on_tick']['broadcast'] is True
    assert events['shop.on_first']['once'] is True
    assert events['shop.on_stock']['partitions'] == 3
    assert events['shop.on_stock']['retry'] == 1


def test_method_is_described_with_all_that_callers_need(world):
    service = world.container((Shop, 'shop'))
    methods = lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()
    [price] = [each for each in methods['methods'] if each['name'] == 'shop.price']
    assert price['params'] == ['order: Order', "currency: str = 'EUR'"]
    assert price['returns'] == 'int | None'
    assert price['raises'] == ['KeyError', 'ValueError']
    assert price['idempotent'] is True


class Undocumented(Shop):
    pass


def test_docstring_of_a_base_class_is_not_that_of_an_interface(world):
    service = world.container((Undocumented, 'shop'))
    described = lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()
    assert described['interfaces'][0]['help'] == ''
