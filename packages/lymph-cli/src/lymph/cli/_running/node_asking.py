"""Finds the node that a command means, and speaks to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import node_files
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.stopping import interrupts_heard
from lymph.cli.outcomes import OperationFailed
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config import Configuration
from lymph.exceptions import LookupFailure, RemoteError, RpcError
from lymph.services.node._steering.card import Card, read_card
from lymph.services.node._steering.interface import NAMESPACE, SERVICE
from lymph.services.node._steering.steering import local_container

__all__ = ['RemoteNode', 'RunningNode', 'choose', 'open_node']

_DAY = 24 * 3600.0  # seconds: a rolling restart takes as long as it takes


class RunningNode(NamedTuple):
    """A node that runs on this machine."""

    pid: int
    endpoint: str
    card: Card


class RemoteNode:
    """A running node, as a command sees it."""

    def __init__(self, client: Client, found: RunningNode) -> None:
        self.pid = found.pid
        self._client = client
        self._found = found

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of `lymph.services.node:Node`; raises OperationFailed with its reason."""
        body = {'token': self._found.card.token, **arguments}
        try:
            return self._client.request(
                self._found.endpoint, f'{SERVICE}.{method}', body, timeout=_DAY
            )
        except RemoteError as error:
            raise OperationFailed(str(error)) from error
        except RpcError as error:
            raise OperationFailed(
                f'the node, pid {self.pid}, {_fate(self.pid)}: {error}'
            ) from error


@contextmanager
def open_node(settings: Settings, pid: int | None) -> Iterator[RemoteNode]:
    """Open the node of this configuration, or the one with a pid, for a `with` block.

    Raises OperationFailed if there is none, or if it is not clear which one is meant.
    """
    show_greenlets()
    set_up_logging(settings, Configuration(), 'WARNING')
    files = settings.configuration_files() or node_files()
    with interrupts_heard(), Client(local_container(on_demand=True)) as client:
        found = choose(_running(client), tuple(map(os.path.realpath, files)), pid)
        yield RemoteNode(client, found)


def choose(nodes: Sequence[RunningNode], files: Sequence[str], pid: int | None) -> RunningNode:
    """Return the node that runs these configuration files, or that has a pid.

    Without files, the only one there is. Raises OperationFailed.
    """
    if pid is not None:
        fitting = [node for node in nodes if node.pid == pid]
        problem = f'no node has pid {pid}'
    elif files:
        fitting = [node for node in nodes if node.card.config == tuple(files)]
        problem = f'no node runs {", ".join(files)}'
    else:
        fitting = list(nodes)
        # Not used: if there is no node at all, the next error is raised.
        problem = ''
    if len(fitting) == 1:
        return fitting[0]
    if not nodes:
        raise OperationFailed('no node is running; `lymph node` starts one')
    shown = '; '.join(f'pid {node.pid} runs {", ".join(node.card.config)}' for node in nodes)
    if fitting:
        problem = f'{len(fitting)} nodes run'
    raise OperationFailed(f'{problem}; say which one with --pid or --config ({shown})')


def _fate(pid: int) -> str:
    """Say what became of a node whose call failed."""
    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return 'has ended'
    if status == psutil.STATUS_STOPPED:
        return f'is stopped (`kill -CONT {pid}` lets it go on)'
    return 'has ended' if status == psutil.STATUS_ZOMBIE else 'does not answer'


def _running(client: Client) -> list[RunningNode]:
    try:
        service = client.container.registry.get(SERVICE, NAMESPACE)
    except LookupFailure:
        return []
    found = []
    for instance in service:
        card = read_card(instance.identity)
        if card is not None and instance.pid is not None:
            found.append(RunningNode(instance.pid, instance.endpoint, card))
    return sorted(found)
