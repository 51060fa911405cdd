"""The names that a prompt defines: those of lymph, and those that plugins add.

A plugin is a function in the entry-point group `lymph.shell`. It is called with a copy of the
namespace and returns a dict of names to add.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

from lymph.config.plugins import installed, load_plugin
from lymph.core.failures import Killed, log_failure
from lymph.core.interfaces import Interface

__all__ = ['GROUP', 'complete_namespace']

logger = logging.getLogger(__name__)

GROUP = 'lymph.shell'


def complete_namespace(names: dict[str, Any]) -> dict[str, Any]:
    """Return `names`, the module `lymph`, each of ``names['interfaces']``, and names of plugins.

    An interface gets its own name, with ``_`` for characters that an identifier cannot have. A
    plugin that raises is logged and adds nothing.
    """
    interfaces: Mapping[str, Interface] = names.get('interfaces', {})
    by_name = {re.sub(r'\W|^(?=\d)', '_', name): each for name, each in interfaces.items()}
    found = {'lymph': sys.modules['lymph'], **by_name, **names}
    for plugin in sorted(installed(GROUP)):
        try:
            add: Any = load_plugin(GROUP, plugin)
            found = {**found, **add(dict(found))}
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            log_failure(logger, error, 'the plugin %s adds nothing to the shell', plugin)
    return found
