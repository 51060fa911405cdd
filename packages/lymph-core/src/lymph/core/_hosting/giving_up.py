"""Running calls whose callers do not wait any more."""

from __future__ import annotations

from lymph.core.channels import ReplyChannel
from lymph.exceptions import CancelReason

__all__ = ['give_up', 'was_cancelled']


def give_up(call: ReplyChannel, reason: CancelReason) -> None:
    """Handle that the caller does not wait any more: cancel the call if its method asks for that.

    Runs in the hub. A call that has ended is not affected.
    """
    call.left = True
    if call.cancellation is not None:
        call.cancellation.throw(reason)


def was_cancelled(call: ReplyChannel) -> bool:
    """Tell whether Cancelled was thrown into the method."""
    return call.cancellation is not None and call.cancellation.thrown
