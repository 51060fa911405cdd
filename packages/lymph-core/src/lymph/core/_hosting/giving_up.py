"""What happens to a running call when its caller no longer waits."""

from __future__ import annotations

from lymph.core.channels import ReplyChannel
from lymph.exceptions import CancelReason

__all__ = ['give_up', 'was_cancelled']


def give_up(call: ReplyChannel, reason: CancelReason) -> None:
    """Record that the caller no longer waits; cancel the call if its method can be cancelled.

    Runs in the hub. A call that has ended is not affected.
    """
    call.left = True
    if call.cancellation is not None:
        call.cancellation.throw(reason)


def was_cancelled(call: ReplyChannel) -> bool:
    """Tell whether Cancelled was thrown into the method."""
    return call.cancellation is not None and call.cancellation.thrown
