"""What is attacked, by name."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from fuzz.targets.arguments import TypedArguments
from fuzz.targets.configuration import ConfigurationFiles
from fuzz.targets.event_files import EventFiles
from fuzz.targets.gateway import GatewayClients
from fuzz.targets.http import Http
from fuzz.targets.operations import OperationsClients
from fuzz.targets.peers import Bytes, Messages, MessagesOverZeromq, OverZeromq
from fuzz.targets.registries import Embedded, Static, Zookeeper
from fuzz.targets.replies import Replies
from fuzz.targets.serializers import Json, Msgpack, Values

__all__ = ['TARGETS', 'Target']


class Target(Protocol):
    """Something that reads what others wrote."""

    def attack(self, chance: Random) -> None:
        """Try one input; raises Finding when a promise is broken."""

    def close(self) -> None:
        """End what was started; raises Finding for what only shows in the end."""


TARGETS: dict[str, Callable[[], Target]] = {
    'msgpack': Msgpack,
    'json': Json,
    'values': Values,
    'arguments': TypedArguments,
    'zmtp': Bytes,
    'zmtp-over-zeromq': OverZeromq,
    'messages': Messages,
    'messages-over-zeromq': MessagesOverZeromq,
    'replies': Replies,
    'http': Http,
    'gateway': GatewayClients,
    'operations': OperationsClients,
    'configuration': ConfigurationFiles,
    'registry-embedded': Embedded,
    'registry-zookeeper': Zookeeper,
    'registry-static': Static,
    'event-files': EventFiles,
}
