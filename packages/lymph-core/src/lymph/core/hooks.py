"""Hooks: lists of callbacks that outlive any one of them failing."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from lymph.core.failures import Killed, described, log_failure

__all__ = ['Hook']

logger = logging.getLogger(__name__)


class Hook:
    """Calls every installed callback with the arguments it is called with.

    A callback that raises, whatever it is, is logged with its traceback; the others still run.
    """

    def __init__(self, name: str = 'hook') -> None:
        self.name = name
        self._callbacks: dict[object, Callable[..., Any]] = {}

    def install(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Add `callback`; the returned function takes it out again."""
        place = object()  # the same callback may be installed twice
        self._callbacks[place] = callback
        return functools.partial(self._uninstall, place)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        for callback in tuple(self._callbacks.values()):
            try:
                callback(*args, **kwargs)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                name = described(callback)
                log_failure(logger, error, '%s: callback %s failed', self.name, name)

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def _uninstall(self, place: object) -> None:
        self._callbacks.pop(place, None)
