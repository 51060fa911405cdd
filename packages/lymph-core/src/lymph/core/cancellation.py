"""`given_up`: whether anybody still waits for the answer of the current call.

`docs/cancellation.md` describes how calls are given up and cancelled.
"""

from __future__ import annotations

from lymph.core._loop.current_call import current_call

__all__ = ['given_up']


def given_up() -> bool:
    """Return True if nobody waits for the answer of the current call any more.

    That is so when its deadline has passed, its caller has disconnected, or its caller has said
    that it gave up; of an HTTP request, when its deadline has passed. False after the answer was
    sent, and outside of calls and requests: in events, tasks and spawned greenlets. In a deferred
    call, it is about the call whose handler deferred it. It costs a fraction of a microsecond, so a
    loop may ask in every round.
    """
    call = current_call()
    return call is not None and call.given_up
