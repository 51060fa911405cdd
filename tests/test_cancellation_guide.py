"""The example in docs/cancellation.md does what the text says."""

from __future__ import annotations

import contextlib
import pathlib
import re

import pytest

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.testing.waiting import eventually

DOCUMENT = pathlib.Path(__file__).parents[1] / 'docs' / 'cancellation.md'


@pytest.fixture
def reports():
    (example,) = re.findall(
        r'^```python\n(.*?)^```', DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    names = {}
    exec(example, names)
    container = ServiceContainer(MemoryTransport(), StaticServiceRegistry(), NullEventSystem())
    interface = container.install_interface(names['Reports'], 'reports')
    container.start()
    yield interface
    container.stop()


def test_methods_of_the_guide_end_as_it_says(reports):
    container = reports.container

    def call(method, pages, timeout):
        return container.request(
            container.endpoint, f'reports.{method}', {'pages': pages}, timeout=timeout
        )

    for method in ('fill', 'build', 'store'):
        assert call(method, 3, timeout=30) == [0, 1, 2]
    del reports.built
    for method in ('fill', 'build'):
        with contextlib.suppress(lymph.Timeout):  # what `fill` returns may arrive just in time
            call(method, 3000, timeout=0.05)
        eventually(lambda: container.status()['handlers']['running'] == 0)
    assert reports.built
    assert container.status()['handlers']['cancelled'] == 1
