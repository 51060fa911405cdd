"""Which files make up the configuration of a command.

The node's configuration is the file that LYMPH_NODE_CONFIG names, or else `.lymph.yml`, if there is
one. Its sections in `SHARED` are the defaults of every instance on the machine (manual, 4.1.3).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError
from lymph.config.sections import check_sections

__all__ = ['SHARED', 'load_configuration', 'load_node_configuration', 'node_files']

SHARED = ('components', 'container', 'dependencies', 'logging', 'plugins', 'tracing')

_DEFAULT = '.lymph.yml'


def load_configuration(
    settings: Settings, environ: Mapping[str, str] | None = None
) -> Configuration:
    """Return the configuration of an instance, or of a command that asks instances.

    Files that were given are read over the shared sections of the node's configuration; without
    any, the node's configuration is taken as it is.

    Raises ConfigurationError for a file that cannot be used.
    """
    given = settings.configuration_files(environ)
    config = _empty(settings, environ)
    for path in node_files(environ):
        config.load_file(path, SHARED if given else None, check=check_sections)
    for path in given:
        config.load_file(path, check=check_sections)
    return config


def load_node_configuration(settings: Settings) -> Configuration:
    """Return the configuration of a node: the files that were given, or else its own.

    Raises ConfigurationError for a file that cannot be used, and if there is none.
    """
    files = settings.configuration_files() or node_files()
    if not files:
        raise ConfigurationError(
            f'no configuration: expected {_DEFAULT} in this folder; give a file with --config'
        )
    config = _empty(settings)
    for path in files:
        config.load_file(path, check=check_sections)
    return config


def node_files(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the files that are the node's configuration."""
    named = (os.environ if environ is None else environ).get('LYMPH_NODE_CONFIG')
    if named:
        return tuple(path for path in named.split(os.pathsep) if path)
    return (_DEFAULT,) if Path(_DEFAULT).exists() else ()


def _empty(settings: Settings, environ: Mapping[str, str] | None = None) -> Configuration:
    config = Configuration(environ=environ)
    for path in settings.variable_files(environ):
        config.load_vars_file(path)
    return config
