"""The last errors of a container's handlers, for an operator: what failed, not what it said.

Whoever can connect may read them, so the text of an error stays in the log of the service, as it
does for the caller of a method that failed. The trace id leads from here to there.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from lymph.core import trace
from lymph.core.failures import error_name

__all__ = ['RecentErrors']

_KEPT = 10
_LENGTH = 200  # characters of a name


class RecentErrors:
    """A callback for an error hook that remembers the last errors it was called with."""

    def __init__(self) -> None:
        self._errors: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def __call__(self, error: BaseException, **details: Any) -> None:
        """Remember an error; `details` are those of the hook."""
        self._errors.append(
            {
                'where': _where(details),
                'error': error_name(error)[:_LENGTH],
                'time': time.time(),
                'trace_id': trace.get_id(),
            }
        )

    def facts(self) -> list[dict[str, Any]]:
        """Return the errors, the oldest first, in serializable types.

        ==========  =========================================================================
        `where`     the method, handler or component that failed
        `error`     the class of the error
        `time`      Unix time in seconds
        `trace_id`  of the work that failed, where it had one
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
