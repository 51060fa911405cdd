"""Whether a failed call may be tried again, and when.

Pure: errors and chance come in. A call that surely did not run may be repeated anywhere; one that
may have run only if its author says that running twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable

from lymph.core.reasons import NOT_REPEATED
from lymph.exceptions import Expired, LookupFailure, Nack, RpcError

__all__ = ['RetryBudget', 'backoff', 'may_retry']

_FIRST, _LONGEST = 0.01, 0.5  # seconds


def may_retry(error: RpcError, idempotent: bool) -> bool:
    """Tell whether a call that ended with `error` may be tried on another instance."""
    if isinstance(error, (LookupFailure, Expired)):
        return False
    if isinstance(error, Nack) and error.reason in NOT_REPEATED:
        return False
    if error.executed == 'no':
        return True
    return idempotent and error.executed == 'maybe'


def backoff(attempt: int, chance: Callable[[], float]) -> float:
    """Return the seconds to wait after `attempt` retries; the first retry is made at once."""
    if not attempt:
        return 0.0
    ceiling: float = min(_LONGEST, _FIRST * 2**attempt)
    return ceiling * (0.5 + chance() / 2)


class RetryBudget:
    """How many calls that may have run may be repeated: a share of all calls.

    When everything fails, repeating everything doubles the load on whatever is left. Repeats of
    calls that surely did not run are not counted here.
    """

    def __init__(self, share: float = 0.1, burst: float = 100.0) -> None:
        self._share = share
        self._burst = burst
        self._left = burst
        self._calls_seen = 0

    def spend(self, calls: int) -> bool:
        """Tell whether one more may be repeated; `calls` is how many were made so far."""
        self._left = min(self._burst, self._left + (calls - self._calls_seen) * self._share)
        self._calls_seen = calls
        if self._left < 1:
            return False
        self._left -= 1
        return True
