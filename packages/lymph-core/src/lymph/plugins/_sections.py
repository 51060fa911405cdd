"""The sections of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lymph.config import Configuration, ConfigView

__all__ = ['as_view']


def as_view(config: Mapping[str, Any], name: str) -> ConfigView:
    """Return the section of a plugin as a view; errors name the keys as in a file."""
    if isinstance(config, ConfigView):
        return config
    return Configuration({'plugins': {name: dict(config)}}).view(['plugins', name])
