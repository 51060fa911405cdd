"""Instances that serve HTTP at one port, while they are restarted and killed."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Set
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

WEB = """
import os
from lymph.web.interfaces import WebServiceInterface
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

class Web(WebServiceInterface):
    url_map = Map([Rule('/', endpoint='pid')])

    def pid(self, request):
        return Response(str(os.getpid()))
"""

NODE = """
sockets: {side: {port: PORT}}
instances:
    web:
        command: lymph --loglevel=warning instance -c web.yml
        numprocesses: 3
        sockets: [side]
"""


class Load:
    """Clients, each with one request at a time, on new connections and on kept ones."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        clients = [self._ask_anew] * 2 + [self._ask_on] * 2
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in clients]
        for thread in self._threads:
            thread.start()

    def others(self, node: Any, but: Set[int] = frozenset()) -> Set[int]:
        """Wait until three other processes have answered."""

        def all_three() -> Set[int]:
            found = self.answers.keys() - but
            return found if len(found) == 3 else set()

        return eventually(all_three, PATIENCE, lambda: node.stdout + node.stderr)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, client: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                client()
            except ConnectionRefusedError as error:
                if self.answers:  # else nothing has been started yet
                    self.failures.append(repr(error))
                self._over.wait(0.05)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f'{client.__name__}: {error!r}')

    def _ask_anew(self) -> None:
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=PATIENCE)
        self._ask(connection)
        connection.close()

    def _ask_on(self) -> None:
        """Send requests until the server announces that it closes the connection."""
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=PATIENCE)
        while not self._over.is_set() and self._ask(connection) and not _has_ended(connection):
            pass
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        connection.request('GET', '/')
        answer = connection.getresponse()
        self.answers[int(answer.read())] += 1
        self._over.wait(0.01)  # the instances need the processor, too
        return not answer.will_close


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Tell whether the server has closed an idle connection, as any client should check."""
    return bool(select.select([connection.sock], [], [], 0)[0])


@pytest.fixture
def ports() -> list[int]:
    with (
        socket.create_server(('127.0.0.1', 0)) as one,
        socket.create_server(('127.0.0.1', 0)) as other,
    ):
        return [int(each.getsockname()[1]) for each in (one, other)]


def test_instances_share_a_port_and_restarts_drop_no_request(shell: Any, ports: list[int]) -> None:
    port, unused = ports
    shell.write('web.py', WEB)
    shell.write('web.yml', f'interfaces: {{web: {{class: "web:Web", port: {port}}}}}\n')
    shell.write('.lymph.yml', NODE.replace('PORT', str(unused)))
    node = shell.start('node')
    load = Load(port)
    try:
        first = load.others(node)
        node.signal(signal.SIGUSR2)
        killed, *left = load.others(node, first)
        drained = 'which was replaced, ended with exit code 0'
        eventually(lambda: node.stderr.count(drained) == 3, PATIENCE, lambda: node.stderr)
    finally:
        load.end()
    assert load.failures == []

    node.said(f'nothing here accepts the connections of side (127.0.0.1:{unused})')
    os.kill(killed, signal.SIGKILL)
    after = Load(port)
    try:
        eventually(lambda: all(after.answers[each] > 5 for each in left), PATIENCE)
    finally:
        after.end()
    assert after.failures == []
    node.said('killed by SIGKILL')  # or it would count as one that did not stop well
    node.signal(signal.SIGTERM)
    assert node.end() == 0, node.stdout + node.stderr


def test_instances_that_open_a_port_together_are_replaced_without_a_lost_request(
    shell: Any, ports: list[int]
) -> None:
    port, _ = ports
    section = f'{{class: "web:Web", port: {port}, reuse_port: true}}'
    shell.write('web.py', WEB)
    shell.write('web.yml', f'interfaces: {{web: {section}}}\n')

    def start() -> Any:
        return shell.start('--loglevel=warning', 'instance', '-c', 'web.yml')

    def answering(instances: list[Any]) -> None:
        """Wait until each of some processes has answered from now on."""
        before = load.answers.copy()
        eventually(
            lambda: all(load.answers[each.pid] > before[each.pid] for each in instances),
            PATIENCE,
            lambda: f'{load.answers} {[each.stderr for each in instances]}',
        )

    load = Load(port)
    try:
        first = [start() for _ in range(3)]
        answering(first)
        second = [start() for _ in range(3)]
        answering(second)
        for old in first:
            old.signal(signal.SIGTERM)
            answering(second)  # while it drains
        for old in first:
            assert old.end() == 0, old.stderr
        answering(second)
    finally:
        load.end()
    assert load.failures == []
