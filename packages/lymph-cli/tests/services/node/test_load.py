"""A node that is changed under load, with real instances: no call fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gevent

from lymph.client import Client
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.discovery._embedded.registry import EmbeddedServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.testing.waiting import eventually

PATIENCE = 30.0
CALLERS = 3

SERVICE = """
import os
import lymph

class Echo(lymph.Interface):
    @lymph.rpc()
    def pid(self):
        return os.getpid()
"""


class Load:
    """Callers that call continuously; records which processes answered, and what failed."""

    def __init__(self, state: Path) -> None:
        self.answered: list[int] = []
        self.failed: list[Exception] = []
        self._client = Client(
            ServiceContainer.from_config(
                Configuration(),
                registry=EmbeddedServiceRegistry(str(state)),
                events=NullEventSystem(),
                on_demand=True,
            )
        )
        self._ending = False
        self._callers: list[Any] = []

    def __enter__(self) -> Load:
        self._callers = [gevent.spawn(self._call) for _ in range(CALLERS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        gevent.joinall(self._callers, timeout=PATIENCE)
        self._client.close()

    def answers_of_new(self, *known: int) -> int:
        """Wait until a process that is not `known` answers; return its pid."""
        return int(
            eventually(
                lambda: next((pid for pid in self.answered[-50:] if pid not in known), None),
                PATIENCE,
                lambda: f'{set(self.answered)}, {self.failed}',
            )
        )

    def _call(self) -> None:
        while not self._ending:
            try:
                self.answered.append(self._client.request('echo', 'echo.pid', timeout=PATIENCE))
            except Exception as error:  # noqa: BLE001 - whatever it is
                self.failed.append(error)
            gevent.sleep(0.01)


def run(shell: Any, *arguments: str) -> Any:
    """Run a command to its end while the callers keep calling."""
    command = shell.start(*arguments)
    eventually(lambda: command.process.poll() is not None, PATIENCE, ' '.join(arguments))
    assert command.end() == 0, command.stderr
    return command


def test_restart_scale_and_manual_sigterm_lose_no_call(shell: Any) -> None:
    shell.write('echo_service.py', SERVICE)
    shell.write('echo.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}')
    shell.write(
        '.lymph.yml',
        'instances: {echo: {command: lymph instance -c echo.yml, numprocesses: 2}}',
    )
    node = shell.start('node')
    node.said('echo.1 | echo at')
    node.said('echo.2 | echo at')
    with Load(shell.folder / 'state') as load:
        first = load.answers_of_new()
        second = load.answers_of_new(first)
        assert run(shell, 'node', 'restart').stderr == 'restarted echo.1, echo.2\n'
        third = load.answers_of_new(first, second)
        fourth = load.answers_of_new(first, second, third)
        os.kill(third, signal.SIGTERM)
        load.answers_of_new(first, second, third, fourth)
        assert run(shell, 'node', 'scale', 'echo', '1').stderr == 'echo has 1 process\n'
    assert load.failed == []
    node.signal(signal.SIGTERM)
    assert node.end() == 0
