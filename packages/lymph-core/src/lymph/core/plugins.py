"""Plugins: components that extend a container without being one of its interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lymph.core._calling.caller_side import CallerSide
from lymph.core.components import Component

__all__ = ['Plugin']


class Plugin(Component):
    """Base of the plugins that the section `plugins` of the configuration names.

    A plugin does its work in `__init__`, or in `on_start` and `on_stop`. For example,
    ``container.error_hook.install(callback)`` has ``callback(error, **details)`` called for each
    error in a handler. `config` is the plugin's section.
    """

    container: CallerSide
    config: Mapping[str, Any]

    def __init__(self, container: CallerSide, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.parent = container  # until `add_component` sets it: `__init__` may use its error hook
        self.container = container
        self.config = {} if config is None else config  # an empty section knows its place
