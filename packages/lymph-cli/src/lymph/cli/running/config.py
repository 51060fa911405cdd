"""Prints the configuration in effect."""

from __future__ import annotations

from typing import Any

import yaml

from lymph.cli.configuring import load_configuration
from lymph.cli.masking import mask
from lymph.cli.printing import Printer
from lymph.cli.settings import Settings

__all__ = ['run']


def run(settings: Settings, key: str | None, as_json: bool, show_secrets: bool) -> None:
    """Print the configuration, or the part of it at a key.

    Raises MissingKeyError if nothing is at the key.
    """
    config = load_configuration(settings)
    if key is None:
        value = config.get_raw(())
    else:
        # Asked for first, so that a key that is not there is an error, and null is none.
        value = config.get_raw(key) if key in config else config[key]
    if not show_secrets:
        value = mask(value, name=(key or '').rpartition('.')[2])
    printer = Printer(settings)
    if as_json:
        printer.json(value)
    else:
        printer.source(_yaml(value), 'yaml')


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    # A document that is one scalar gets an end marker, which is no part of the value.
    return text.removesuffix('...\n')
