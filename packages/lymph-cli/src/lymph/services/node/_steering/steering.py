"""Lets a running node be steered: a container with its interface, at loopback and registered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gevent

from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.failures import error_text
from lymph.discovery._embedded.registry import EmbeddedServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.exceptions import LymphError
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._steering.card import CardFile
from lymph.services.node._steering.interface import SERVICE, Node

__all__ = ['local_container', 'steered']

_LOOPBACK = '127.0.0.1'


@contextmanager
def steered(fleet: Fleet, config: Sequence[str]) -> Iterator[None]:
    """Let the fleet be steered for the duration of a `with` block.

    `config` are the paths of its configuration files. What keeps it from being steered is one line
    of the node, which goes on without.
    """
    serving = gevent.spawn(_serve, fleet, config)
    try:
        yield
    finally:
        serving.kill()


def local_container(*, on_demand: bool) -> ServiceContainer:
    """Return a container that knows the processes of this machine alone.

    Raises ConfigurationError.
    """
    return ServiceContainer.from_config(
        Configuration({'block_threshold': 0}),
        ip=_LOOPBACK,
        port=0,
        registry=EmbeddedServiceRegistry(),
        events=NullEventSystem(),
        on_demand=on_demand,
    )


def _serve(fleet: Fleet, config: Sequence[str]) -> None:
    card: CardFile | None = None
    container: ServiceContainer | None = None
    try:
        container = local_container(on_demand=False)
        card = CardFile(container.identity, config)
        node = container.install_interface(Node, SERVICE)
        assert isinstance(node, Node)
        node.steer(fleet, card.card.token)
        container.start()
        container.join()
    except (LymphError, OSError) as error:
        fleet.output.say(f'`lymph node ps` and the like do not work: {error_text(error)}')
    finally:
        if container is not None:
            container.stop()
        if card is not None:
            card.remove()
