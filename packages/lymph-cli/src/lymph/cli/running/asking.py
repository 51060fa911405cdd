"""A client for the commands that ask instances or speak to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lymph.cli.configuring import load_configuration
from lymph.cli.logs import set_up_logging
from lymph.cli.running.code import code_explained
from lymph.cli.running.stacks import show_greenlets
from lymph.cli.running.stopping import interrupts_heard
from lymph.cli.settings import Settings
from lymph.client import Client

__all__ = ['open_client']


@contextmanager
def open_client(settings: Settings) -> Iterator[Client]:
    """Open a client for the duration of a `with` block; logging is set up and signals are heard.

    Raises ConfigurationError.
    """
    show_greenlets()
    config = load_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    with interrupts_heard():
        with code_explained():
            opened = Client.from_config(config)
        with opened as client:
            yield client
