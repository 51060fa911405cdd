"""Configuration files, the plugins they name, and the base of every error of lymph."""

from __future__ import annotations

from lymph.config.configuration import Configuration
from lymph.config.exceptions import (
    ConfigurationError,
    LymphError,
    MissingKeyError,
    PluginError,
)
from lymph.config.locations import Location, Position
from lymph.config.views import ConfigView

__all__ = [
    'ConfigView',
    'Configuration',
    'ConfigurationError',
    'Location',
    'LymphError',
    'MissingKeyError',
    'PluginError',
    'Position',
]
