"""Running one call: its context, its arguments, its method, its answer."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent

from lymph.core import deadlines, trace
from lymph.core.channels import ReplyChannel
from lymph.core.hooks import Hook
from lymph.core.hosting.methods import HostedMethod
from lymph.core.messages import IDEMPOTENT
from lymph.exceptions import Refused, SerializationError

__all__ = ['run_call']

logger = logging.getLogger(__name__)


def run_call(
    method: HostedMethod,
    channel: ReplyChannel,
    trace_id: str | None,
    deadline: float | None,
    error_hook: Hook,
) -> None:
    """Run `method` for the request of `channel` and answer it, whatever happens.

    Runs in a worker, whose context is new. An exception that the method declares is sent as ERROR,
    any other as NACK `failed`, its traceback staying here.
    """
    trace.set_id(trace_id)
    deadlines.set_current(deadline)
    started = time.monotonic()
    try:
        body = _arguments(method, channel, deadline, started)
    except Refused as error:
        refuse(method, channel, error)
        return
    method.running += 1
    if method.declaration.idempotent:
        channel.headers = IDEMPOTENT
    try:
        _invoke(method, channel, body)
        method.handled += 1
    except (Exception, gevent.Timeout) as error:  # the edge of somebody else's code
        method.failed += 1
        logger.exception('%s failed', method.subject)
        error_hook(error, method=method.subject)
        text = f'{type(error).__name__} (see the log of the service for trace {trace.get_id()})'
        channel.nack(unless_reply_sent=True, text=text)
    except gevent.GreenletExit:
        method.failed += 1
        channel.nack(unless_reply_sent=True, text='the service stopped while it ran')
        raise
    finally:
        method.running -= 1
        method.seconds += time.monotonic() - started


def _invoke(method: HostedMethod, channel: ReplyChannel, body: dict[str, Any]) -> None:
    if method.declaration.raw:
        method.func(channel, **body)
        if not channel.reply_sent and not channel.detached:
            channel.nack(text=f'{method.subject} returned without an answer')
        return
    try:
        result = method.func(**body)
    except method.declaration.raises as error:
        # file names may hold what is no text
        text = str(error).encode(errors='backslashreplace').decode()
        channel.error(type=type(error).__name__, message=text)
    else:
        channel.reply(result)


def _arguments(
    method: HostedMethod, channel: ReplyChannel, deadline: float | None, now: float
) -> dict[str, Any]:
    """Return the checked arguments; raises Refused."""
    if deadline is not None and deadline <= now:
        raise Refused('the deadline of the call has passed', 'expired')
    try:
        body = channel.message.body
    except SerializationError as error:
        raise Refused(str(error), 'malformed') from error
    if not isinstance(body, dict):
        raise Refused(f'expected the arguments as a map, found {type(body).__name__}', 'malformed')
    problem = method.declaration.signature.problem(body)
    if problem is not None:
        raise Refused(problem, 'invalid_arguments')
    return body


def refuse(method: HostedMethod, channel: ReplyChannel, error: Refused) -> None:
    """Answer with a NACK that says the method did not run."""
    method.refused[error.reason] = method.refused.get(error.reason, 0) + 1
    channel.nack(reason=error.reason, text=str(error))
