"""Running one call in the service: set its context, check its arguments, run it, answer it."""

from __future__ import annotations

import logging
import time
from typing import Any

from lymph.core import trace
from lymph.core._declaring.signatures import Signature
from lymph.core._hosting.methods import HostedMethod
from lymph.core._loop.current_call import set_current_call
from lymph.core._loop.hooks import Hook
from lymph.core.call_options import OPTIONS
from lymph.core.channels import ReplyChannel
from lymph.core.failures import Killed, error_name, error_text, log_failure
from lymph.core.messages import IDEMPOTENT
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.exceptions import Refused

__all__ = ['logger', 'run_call']

logger = logging.getLogger(__name__)

_TOLD = 64 * 1024  # characters of a declared error's text that are sent to the caller


def run_call(
    method: HostedMethod,
    channel: ReplyChannel,
    trace_id: str | None,
    error_hook: Hook,
    log: LimitedLog,
) -> None:
    """Run `method` for the request of `channel` and answer it, whatever happens.

    Runs in a worker, in an empty context, whose current call `channel` becomes. An exception that
    the method declares is sent as ERROR; any other, `SystemExit` included, as NACK with the reason
    ``failed``, while its traceback is only logged here. The caller is answered before the error is
    logged and `error_hook` is called. `log` limits how often errors of one class are logged for a
    method.
    """
    trace.go_on(trace_id)
    set_current_call(channel)
    started = time.monotonic()
    try:
        body = _arguments(method, channel, started)
    except Refused as error:
        refuse(method, channel, error)
        return
    method.running += 1
    if method.declaration.idempotent:
        channel.headers = IDEMPOTENT
    try:
        _invoke(method, channel, body)
        method.handled += 1
    except Killed:
        method.failed += 1
        channel.nack(unless_reply_sent=True, text='the service stopped while it ran')
        raise
    except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
        method.failed += 1
        _failed(method, channel, error, error_hook, log)
    finally:
        method.running -= 1
        method.seconds += time.monotonic() - started


def _invoke(method: HostedMethod, channel: ReplyChannel, body: dict[str, Any]) -> None:
    """Call the method with its arguments; send its result, or an error that it declares."""
    if method.declaration.raw:
        method.func(channel, **body)
        if not channel.reply_sent and not channel.detached:
            channel.nack(text=f'{method.subject} returned without an answer')
        return
    try:
        result = method.func(**body)
    except Killed:
        raise
    except method.declaration.raises as error:
        channel.error(type=error_name(error), message=error_text(error, _TOLD))
    else:
        channel.reply(result)


def _failed(
    method: HostedMethod,
    channel: ReplyChannel,
    error: BaseException,
    error_hook: Hook,
    log: LimitedLog,
) -> None:
    """Handle an error that the method does not declare: send a NACK, log the error, call hooks."""
    name = error_name(error)
    told = log.admit(logging.ERROR, f'{method.subject} ({name})')
    entry = f'for trace {trace.get_id()}' if told else 'for the first of many'
    text = f'{name} (see the log of the service {entry})'
    try:
        channel.nack(unless_reply_sent=True, text=text)
    finally:  # also when this greenlet is killed while the caller does not read
        if told:
            log_failure(logger, error, '%s failed', method.subject)
        error_hook(error, method=method.subject)


def _arguments(method: HostedMethod, channel: ReplyChannel, now: float) -> dict[str, Any]:
    """Return the arguments of the request if they fit the method; raises Refused if they do not."""
    deadline = channel.deadline
    if deadline is not None and deadline <= now:
        raise Refused('the deadline of the call has passed', 'expired')
    try:
        body = channel.message.body
    except Exception as error:
        raise Refused(error_text(error), 'malformed') from error
    if not isinstance(body, dict):
        raise Refused(f'expected the arguments as a map, found {type(body).__name__}', 'malformed')
    signature = method.declaration.signature
    problem = signature.problem(body)
    if problem is not None:
        raise Refused(f'{problem}{_about_options(signature, body)}', 'invalid_arguments')
    return body


def _about_options(signature: Signature, body: dict[str, Any]) -> str:
    """Return a hint if the caller has confused an argument with an option of the call."""
    names = {parameter.name for parameter in signature.parameters}
    required = {each.name for each in signature.parameters if each.default is each.empty}
    for option in OPTIONS:
        if option in required and option not in body:
            return (
                f'; as a keyword of request(), {option} is an option of the call: '
                f'the argument goes into body={{{option!r}: ...}}'
            )
        if option in body and option not in names and not signature.takes_any:
            return f'; an option of the call is given as proxy.with_options({option}=...)'
    return ''


def refuse(method: HostedMethod, channel: ReplyChannel, error: Refused) -> None:
    """Send a NACK with the reason of `error`: the method did not run."""
    method.refused[error.reason] = method.refused.get(error.reason, 0) + 1
    channel.nack(reason=error.reason, text=str(error))
