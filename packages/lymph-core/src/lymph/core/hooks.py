"""Hooks: lists of callbacks that outlive any one of them failing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

__all__ = ['Hook']

logger = logging.getLogger(__name__)


class Hook:
    """Calls every installed callback with the arguments it is called with.

    A callback that raises is logged with its traceback; the others still run.
    """

    def __init__(self, name: str = 'hook') -> None:
        self.name = name
        self._callbacks: list[Callable[..., Any]] = []

    def install(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Add `callback`; the returned function takes it out again."""
        self._callbacks.append(callback)

        def uninstall() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return uninstall

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(*args, **kwargs)
            except Exception:
                logger.exception('%s: callback %r failed', self.name, callback)

    def __bool__(self) -> bool:
        return bool(self._callbacks)
