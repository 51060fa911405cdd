"""The examples of docs/resources.md do what the guide says."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.testing.waiting import eventually

GUIDE = (Path(__file__).parents[1] / 'docs' / 'resources.md').read_text()
BLOCKS = re.findall(r'^( *)```python\n(.*?)^\1```', GUIDE, re.MULTILINE | re.DOTALL)


class FakeSession:
    """Answers every statement with the same number."""

    def __init__(self, number):
        self.number = number

    def execute(self, statement):
        return self

    def scalar_one(self):
        return self.number


@pytest.fixture(scope='module')
def names() -> dict[str, Any]:
    """The names that the blocks define, one after another."""
    found: dict[str, Any] = {'FakeSession': FakeSession}
    for _, block in BLOCKS:
        exec(dedent(block), found)
    return found


@pytest.fixture
def start(tmp_path):
    """Start one of the classes; return its object."""
    containers = []

    def start(cls):
        container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            StaticServiceRegistryHub().create_registry(),
            LocalEventSystem(LocalEventSystemHub()),
            ContainerSettings(block_threshold=0, drain_timeout=0),
        )
        containers.append(container)
        config = {'database': f'sqlite:///{tmp_path}/accounts.sqlite3'}
        interface = container.install_interface(cls, 'accounts', config=config)
        container.start()
        return interface

    yield start
    for container in containers:
        container.stop()


def test_first_example_has_a_session(names, start):
    start(names['Cleaner'])  # makes the table
    accounts = start(names['Accounts'])
    assert accounts.container.request('accounts', 'accounts.count') == 0
    with pytest.raises(lymph.ResourceError, match=r'Accounts.session: expected a unit of work'):
        accounts.count()


def test_units_are_opened_in_on_start_and_in_a_greenlet(names, start):
    first = start(names['Cleaner'])
    with names['unit']():
        first.session.execute(names['text']("insert into accounts values ('ada', 0)"))
    cleaner = start(names['Cleaner'])
    eventually(lambda: cleaner.container.request('accounts', 'accounts.count') == 0)


def test_tests_of_the_guide_pass(names, start):
    names['test_accounts_are_counted'](start(names['Cleaner']))
    names['test_accounts_are_counted_by_the_database'](start(names['Accounts']))


@pytest.mark.parametrize('name', ['Wrong', 'Right'])
def test_connections_of_the_guide_are_closed(names, start, name):
    accounts = start(names[name])
    with names['unit']():
        assert accounts.connection.closed is False
        assert accounts.engine.pool.checkedout() == 1
    assert accounts.engine.pool.checkedout() == 0


def test_statement_of_the_guide_runs_in_a_thread(names, start):
    start(names['Cleaner'])
    reports = start(names['Reports'])
    assert reports.container.request('accounts', 'accounts.total') is None
