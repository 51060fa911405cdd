"""The last errors of a container's handlers, for an operator: where and which, without their text.

Everybody who can connect may read them, so the text of an error is only in the log of the service.
The trace id helps to find it there.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from lymph.core.failures import error_name

__all__ = ['RecentErrors']

_KEPT = 10
_LENGTH = 200  # characters kept of a name


class RecentErrors:
    """A callback for an error hook that remembers the last errors it was called with."""

    def __init__(self) -> None:
        self._errors: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def __call__(self, error: BaseException, **details: Any) -> None:
        """Store an error; `details` are those that the error hook was called with."""
        self._errors.append(
            {
                'where': _where(details),
                'error': error_name(error)[:_LENGTH],
                'time': time.time(),
                'trace_id': details.get('trace_id'),
            }
        )

    def facts(self) -> list[dict[str, Any]]:
        """Return the errors, the oldest first, in serializable types.

        ==========  =========================================================================
        `where`     the method, handler or component that failed
        `error`     the name of the error's class
        `time`      Unix time in seconds
        `trace_id`  of the work that failed, or None
        ==========  =========================================================================
        """
        return list(self._errors)


def _where(details: dict[str, Any]) -> str:
    method = details.get('method')
    if isinstance(method, str):
        return method[:_LENGTH]
    for key in ('function', 'component'):
        found = details.get(key)
        if found is not None:
            name = getattr(found, '__qualname__', None)
            return (name if isinstance(name, str) else type(found).__qualname__)[:_LENGTH]
    return 'unknown'
