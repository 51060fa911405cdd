"""The running calls of a caller: each is in a table of its link, by the id of its request."""

from __future__ import annotations

from lymph.core.channels import ReplyChannel
from lymph.exceptions import CancelReason

__all__ = ['begin', 'end', 'give_up', 'was_cancelled']


def begin(call: ReplyChannel) -> None:
    """Begin a call in the current greenlet: from now on its caller can give it up."""
    call.running[call.message.id] = call
    if call.cancellation is not None:
        call.cancellation.begin(call)


def end(call: ReplyChannel) -> None:
    """End a call; its greenlet may go on to another task."""
    id = call.message.id
    other = call.running.pop(id, call)
    if other is not call:  # a peer has used the id twice
        call.running[id] = other
    if call.cancellation is not None:
        call.cancellation.end()


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
