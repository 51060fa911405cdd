"""ARCHITECTURE.md names exactly the files that handle calls, events and configured values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event as Signal

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core._work.units import Unit
from lymph.core.container import ServiceContainer
from lymph.testing._walks.drawings import check_walk, drawn

ARCHITECTURE = (Path(__file__).parents[1] / 'ARCHITECTURE.md').read_text()
IN_PROCESS = {'registry': {'class': 'static'}, 'events': {'class': 'null'}, 'block_threshold': 0}

#: what timers of the embedded event system run, whenever their time has come
EMBEDDED_UPKEEP = {
    'core._system.processes',  # watches the processes of other owners
    'core.greenlets',  # a worker is made when the last one has not finished yet
    'events._embedded.cleanup',  # deletes what is left of deleted queues
    'events._embedded.claims',  # renews claims
    'events._embedded.owners',  # removes dead owners
}


@pytest.fixture(autouse=True)
def no_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that other tests of this run have declared resources: a call then opens a unit."""
    monkeypatch.setattr(Unit, 'needed', False)


class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text: str) -> str:
        return text.upper()


class Listener(lymph.Interface):
    def apply_config(self, config: Any) -> None:
        self.handled = Signal()

    @lymph.event('order.paid')
    def on_paid(self, event: lymph.Event) -> None:
        self.handled.set()

    def emit_and_handle(self) -> None:
        self.handled.clear()
        self.emit('order.paid', {'n': 1})
        assert self.handled.wait(30)


def container(**sections: Any) -> ServiceContainer:
    config = Configuration({'container': {**IN_PROCESS, **sections}})
    return ServiceContainer.from_config(config.view('container'))


def test_files_that_handle_a_call_are_those_of_the_document() -> None:
    service = container()
    service.install_interface(Echo, 'echo')
    service.start(register=False)
    known = {'class': 'static', 'services': {'echo': [service.endpoint]}}
    try:
        config = Configuration({'container': {**IN_PROCESS, 'registry': known}})
        with Client.from_config(config) as client:
            echo = client.proxy('echo', timeout=30)
            check_walk(
                lambda: echo.upper(text='x'),
                drawn(ARCHITECTURE, 'A call, from its caller to its method and back'),
            )
    finally:
        service.stop()


@pytest.mark.parametrize(
    ('system', 'upkeep'), [('local', {'core.greenlets'}), ('embedded', EMBEDDED_UPKEEP)]
)
def test_files_that_handle_an_event_are_those_of_the_document(
    system: str, upkeep: set[str], tmp_path: Path
) -> None:
    section = {'path': str(tmp_path)} if system == 'embedded' else {}
    service = container(events={'class': system, **section})
    listener = service.install_interface(Listener, 'listener')
    service.start(register=False)
    try:
        walk = drawn(ARCHITECTURE, 'Every event', 'Events leased from a store', f'Over {system}')
        check_walk(listener.emit_and_handle, walk, upkeep)
    finally:
        service.stop()


def test_files_that_handle_a_configured_value_are_those_of_the_document(
    tmp_path: Path,
) -> None:
    file = tmp_path / 'lymph.yml'
    file.write_text('rpc:\n  timeout: $(env.TIMEOUT)\n')

    def read() -> None:
        config = Configuration(environ={'TIMEOUT': '3'})
        config.load_file(file)
        assert config.view('rpc').get_seconds('timeout') == 3

    check_walk(read, drawn(ARCHITECTURE, 'A configuration value, from its file to its reader'))
