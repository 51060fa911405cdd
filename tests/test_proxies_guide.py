"""The examples of docs/proxies.md do what the guide says; test_type_checkers.py checks them too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub

GUIDE = (Path(__file__).parents[1] / 'docs' / 'proxies.md').read_text()
EXAMPLES = '\n\n'.join(re.findall(r'^```python\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL))


@dataclass
class OtherParcel:
    article: str
    count: str


class OtherStock(Protocol):
    def take(self, article: str) -> OtherParcel: ...


@pytest.fixture
def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(EXAMPLES, 'proxies.md', 'exec', dont_inherit=True), found)
    return found


@pytest.fixture
def container(names):
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(LocalEventSystemHub()),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    for name, cls in (('stock', 'Warehouse'), ('shop', 'Shop'), ('counter', 'Counter')):
        container.install_interface(names[cls], name)
    container.start()
    yield container
    container.stop()


def test_proxies_of_the_guide_return_parcels(names, container):
    _, shop, counter = container.interfaces
    parcel = names['Parcel']
    one, two = parcel('sock', 1), parcel('sock', 2)
    assert shop.buy('sock') == [two, one, one]
    assert counter.three() == [one, one, one]
    assert counter.proxy('shop', names['Shop']).buy('sock') == [two, one, one]
    (said,) = re.findall(r'with the path: `(.*?)`', GUIDE)
    with pytest.raises(lymph.Failed, match=re.escape(said)):
        shop.proxy('stock', OtherStock).take('sock')


def test_mistakes_that_type_checkers_find_fail_at_run_time_too(container):
    _, shop, counter = container.interfaces
    for proxy in (shop.stock, counter.api, counter.plain):
        with pytest.raises(AttributeError, match="did you mean 'take'"):
            _ = proxy.tkae
        assert not hasattr(proxy, 'emit')
    with pytest.raises(lymph.Refused, match="unexpected argument 'artcle'"):
        shop.stock.take(article='sock', artcle='sock')
    assert not hasattr(shop.stock.take('sock'), 'cuont')
