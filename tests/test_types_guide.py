"""The example of docs/types.md does what the guide says."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.exceptions import Refused
from lymph.testing.waiting import eventually

GUIDE = (Path(__file__).parents[1] / 'docs' / 'types.md').read_text()
(EXAMPLE,) = re.findall(r'^```python\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(EXAMPLE, 'types.md', 'exec', dont_inherit=True), found)
    return found


@pytest.fixture
def shop(names):
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(LocalEventSystemHub()),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    shop = container.install_interface(names['Shop'], 'shop')
    container.start()
    yield shop
    container.stop()


def test_example_of_the_guide_accepts_valid_orders_and_explains_errors_in_others(
    names, shop, capsys
):
    order = names['Order'](1, [names['Line']('sock', 2, 3), names['Line']('shoe', 30.0)])
    assert shop.request('shop', 'shop.total', order=order) == 36
    assert shop.request('shop', 'shop.cheapest', order=order)['article'] == 'sock'
    (said,) = re.findall(r'^lymph: shop.total at \S+: (.*)$', GUIDE, re.MULTILINE)
    wrong = {'id': 1, 'lines': [{'article': 'sock', 'price': '2'}]}
    with pytest.raises(Refused, match=re.escape(said)):
        shop.request('shop', 'shop.total', order=wrong)
    shop.emit('order.paid', order)
    shop.emit('order.returned', {'id': 2})
    shop.send.apply(order={'id': 1, 'day': '2016-02-19'})
    with pytest.raises(TypeError, match=r'^shop\.send: order\.day: expected a date'):
        shop.send.apply(order={'id': 1, 'day': 'soon'})
    printed: list[str] = []

    def heard() -> bool:
        printed.append(capsys.readouterr().out)
        return 'order.paid' in ''.join(printed) and '[]\n' in ''.join(printed)

    eventually(heard)
    shop.send(order=names['Order'](1, day=date(2016, 2, 19)))
    assert capsys.readouterr().out == '2016-02-19\n'
