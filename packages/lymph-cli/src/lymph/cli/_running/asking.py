"""A client for the commands that ask instances or speak to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import load_configuration
from lymph.cli._running.code import code_explained, interceptors_explained
from lymph.cli._running.importing import import_from_here
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.stopping import interrupts_heard
from lymph.cli._running.suggesting import services_suggested
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.core.settings import read_transport
from lymph.core.transport.base import Transport

__all__ = ['open_client']


@contextmanager
def open_client(
    settings: Settings,
    through: Callable[[Transport], Transport] | None = None,
    *,
    plugins: bool = False,
    **parts: Any,
) -> Iterator[Client]:
    """Open a client for the duration of a `with` block; logging is set up and signals are heard.

    `through` returns the transport to use instead of the one that the configuration names; `parts`
    are the registry and the event system to use instead of those. With `plugins`, interceptors that
    the configuration names surround calls and events; commands that only ask the built-in interface
    work without, also where a plugin cannot be loaded. An error of the block about a
    service that nobody offers names the one that was probably meant. Raises ConfigurationError.
    """
    show_greenlets()
    config = load_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    with interrupts_heard():
        with code_explained():
            if through is not None:
                parts['transport'] = through(read_transport(config.view('container')))
            if plugins and 'plugins' in config:
                import_from_here()
            opened = Client.from_config(config, plugins=plugins, **parts)
        with opened as client, services_suggested(client), interceptors_explained():
            yield client
