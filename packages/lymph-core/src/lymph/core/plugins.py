"""Plugins: components that hook into a container without being one of its interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lymph.core._calling.caller_side import CallerSide
from lymph.core.components import Component

__all__ = ['Plugin']


class Plugin(Component):
    """Named under `plugins:` in the configuration; hooks in when it is installed or started.

    `container.error_hook.install(callback)` hears of errors that handlers raise.
    """

    def __init__(self, container: CallerSide, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.parent = container  # before it is added: what it uses until then is the container's
        self.container = container
        self.config = config or {}
