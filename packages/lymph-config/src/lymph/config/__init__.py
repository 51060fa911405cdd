"""Configuration files, the plugins they name, and the base of every error of lymph."""

from __future__ import annotations

from lymph.config.exceptions import (
    ConfigurationError,
    LymphError,
    MissingKeyError,
    PluginError,
)
from lymph.config.locations import Location, Position

__all__ = [
    'ConfigurationError',
    'Location',
    'LymphError',
    'MissingKeyError',
    'PluginError',
    'Position',
]
