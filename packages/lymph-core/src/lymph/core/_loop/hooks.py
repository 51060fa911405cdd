"""Hooks: lists of callbacks that are all called, even if some of them raise."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from lymph.core.failures import Killed, described
from lymph.core.monitoring.log_limits import LimitedLog

__all__ = ['Hook']

logger = logging.getLogger(__name__)


class Hook:
    """Calls every installed callback with the arguments that it is called with itself.

    Whatever a callback raises is logged with its traceback; the other callbacks still run.
    """

    def __init__(self, name: str = 'hook') -> None:
        self.name = name
        #: truth tests of this cost less than those of the hook
        self.callbacks: dict[object, Callable[..., Any]] = {}
        self._log: LimitedLog | None = None

    def install(self, callback: Callable[..., Any]) -> Callable[[], None]:
        """Add `callback`; return a function that removes it."""
        place = object()  # the same callback may be installed twice
        self.callbacks[place] = callback
        return functools.partial(self._uninstall, place)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        for callback in tuple(self.callbacks.values()):
            try:
                callback(*args, **kwargs)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                self._failed(callback, error)

    def __bool__(self) -> bool:
        return bool(self.callbacks)

    def _failed(self, callback: Callable[..., Any], error: BaseException) -> None:
        if self._log is None:
            self._log = LimitedLog(logger)  # needs no `close`: its timer ends by itself
        name = described(callback)
        text = '%s: callback %s failed'
        self._log.write(logging.ERROR, name, text, self.name, name, exc_info=error)

    def _uninstall(self, place: object) -> None:
        self.callbacks.pop(place, None)
