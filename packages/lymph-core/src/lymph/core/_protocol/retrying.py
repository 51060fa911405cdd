"""Whether a failed call may be retried, and when.

Pure: errors and randomness are arguments. A call that certainly did not run may be retried. A call
that may have run is retried only if it is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable

from lymph.core.reasons import NOT_REPEATED
from lymph.exceptions import Expired, LookupFailure, Nack, RpcError

__all__ = ['RetryBudget', 'backoff', 'may_retry']

_FIRST, _LONGEST = 0.01, 0.5  # seconds


def may_retry(error: RpcError, idempotent: bool) -> bool:
    """Tell whether to retry a call that ended with `error`; `idempotent`: it may run twice."""
    if isinstance(error, (LookupFailure, Expired)):
        return False
    # an interceptor may give any object as the reason, also one without a hash
    if isinstance(error, Nack) and isinstance(error.reason, str) and error.reason in NOT_REPEATED:
        return False
    if error.executed == 'no':
        return True
    return idempotent and error.executed == 'maybe'


def backoff(attempt: int, chance: Callable[[], float]) -> float:
    """Return the seconds to wait before the next retry, after `attempt` retries.

    The first retry follows at once. Later pauses double up to 0.5 s; `chance` (numbers in [0, 1))
    shortens each by up to a half.
    """
    if not attempt:
        return 0.0
    ceiling: float = min(_LONGEST, _FIRST * 2**attempt)
    return ceiling * (0.5 + chance() / 2)


class RetryBudget:
    """Limits retries of calls that may have run: to `share` of all calls, after `burst` retries.

    If everything fails, unlimited retries would double the load on the instances that are left.
    Retries of calls that certainly did not run are not limited here.
    """

    def __init__(self, share: float = 0.1, burst: float = 100.0) -> None:
        self._share = share
        self._burst = burst
        self._left = burst
        self._calls_seen = 0

    def spend(self, calls: int) -> bool:
        """Tell whether one more call may be retried; `calls` is the number of calls made so far."""
        self._left = min(self._burst, self._left + (calls - self._calls_seen) * self._share)
        self._calls_seen = calls
        if self._left < 1:
            return False
        self._left -= 1
        return True
