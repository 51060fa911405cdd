"""Prints the configuration in effect."""

from __future__ import annotations

from typing import Any

import yaml

from lymph.cli._program.configuring import load_configuration
from lymph.cli.printing import Printer
from lymph.cli.settings import Settings

__all__ = ['run']


def run(settings: Settings, key: str | None, as_json: bool, show_secrets: bool) -> None:
    """Print the configuration, or the part of it at a key.

    Raises MissingKeyError if nothing is at the key.
    """
    config = load_configuration(settings)
    wanted = () if key is None else key
    if wanted not in config and key is not None:
        config[key]  # raises, with advice; null at the key is something
    value = config.get_raw(wanted) if show_secrets else config.get_masked(wanted)
    printer = Printer(settings)
    if as_json:
        printer.json(value)
    else:
        printer.source(_yaml(value), 'yaml')


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    if not text.replace('\n', '').isprintable():
        text = yaml.safe_dump(value, sort_keys=False)  # with escapes, as YAML writes them
    # A document that is one scalar gets an end marker, which is no part of the value.
    return text.removesuffix('...\n')
