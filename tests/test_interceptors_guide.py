"""The examples of docs/interceptors.md run, and its table of the error hook is that of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.interceptors import KINDS
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.testing.waiting import eventually

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / 'docs' / 'interceptors.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope='module')
def names() -> dict[str, Any]:
    """The names that the blocks define, one after another."""
    found: dict[str, Any] = {}
    for block in BLOCKS:
        exec(dedent(block), found)
    return found


@pytest.fixture
def container() -> Any:
    made = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(LocalEventSystemHub()),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    yield made
    made.stop()


def test_plugin_and_interface_of_the_guide_intercept(names, container):
    slow = container.install_plugin(names['SlowWork'], {'limit': 0})
    container.install_interface(names['Stock'], 'stock')
    container.start()
    with pytest.raises(lymph.Refused, match='say who you are') as caught:
        container.request('stock', 'stock.take', {'article': 'sock'}, timeout=30)
    assert caught.value.reason == 'forbidden'
    assert set(slow.slow) == {'rpc stock.take', 'try stock.take', 'call stock.take'}


def test_headers_of_the_guide_are_sent_and_received(names, container):
    billing = container.install_plugin(names['Billing'], {'account': 'shop'})

    class Shop(lymph.Interface):
        @lymph.rpc()
        def buy(self):
            return 'bought'

    container.install_interface(Shop, 'shop')
    container.start()
    for _ in range(2):
        assert container.request('shop', 'shop.buy', timeout=30) == 'bought'
    assert billing.spent == 6


def test_unit_test_of_the_guide_passes(names):
    names['test_nobody_takes_anonymously']()


def rows(title: str) -> list[list[str]]:
    """Return the cells of the first table below a title."""
    chapter = GUIDE.split(f'\n## {title}\n')[1]
    table = re.findall(r'^\|.*\|$', chapter.split('\n## ')[0], re.MULTILINE)
    return [[cell.strip() for cell in row.strip('|').split(' | ')] for row in table[2:]]


def test_guide_lists_all_kinds_of_work():
    assert {row[0].strip('`') for row in rows('Units of work')} == KINDS


def reported() -> dict[str, set[str]]:
    """Return the keywords with which each module of lymph calls an error hook."""
    found: dict[str, set[str]] = {}
    for path in ROOT.glob('packages/*/src/**/*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in ('error_hook', '_error_hook'):
                module = '.'.join(path.with_suffix('').parts)
                name = 'lymph' + module.rpartition('.src.lymph')[2]
                keywords = {str(keyword.arg) for keyword in node.keywords}
                assert found.setdefault(name, keywords) == keywords
    return found


def test_guide_lists_the_details_of_every_call_of_the_error_hook():
    documented = {
        row[2].strip('`'): set(re.findall(r'`(\w+)`', row[1])) for row in rows('The error hook')
    }
    assert documented == reported()
    assert all('trace_id' in details for details in documented.values())


def test_error_hook_gets_the_trace_id_of_calls_and_spawned_greenlets(container):
    class Failing(lymph.Interface):
        @lymph.rpc()
        def fail(self):
            self.spawn(self.broken)
            raise KeyError('broken')

        def broken(self):
            raise ValueError('broken')

    told = []
    container.error_hook.install(lambda error, **details: told.append((type(error), details)))
    failing = container.install_interface(Failing, 'failing')
    container.start()
    with pytest.raises(lymph.Failed) as caught:
        container.request('failing', 'failing.fail', timeout=30, trace_id='mine')
    eventually(lambda: len(told) == 2)
    assert caught.value.trace_id == 'mine'
    by_kind = dict(told)
    assert by_kind[KeyError] == {'method': 'failing.fail', 'trace_id': 'mine'}
    details = by_kind[ValueError]
    assert (details['component'], details['trace_id']) == (failing, 'mine')
