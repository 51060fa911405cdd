"""Running one call in the service: set its context, check its arguments, run it, answer it."""

from __future__ import annotations

import logging
from bisect import bisect_left
from logging import DEBUG
from time import monotonic
from typing import Any, cast

from lymph.config.printable import printable
from lymph.core import trace
from lymph.core._declaring.signatures import Signature
from lymph.core._hosting.giving_up import was_cancelled
from lymph.core._hosting.methods import HostedMethod
from lymph.core._loop.current_call import set_current_call
from lymph.core._loop.hooks import Hook
from lymph.core._monitoring.call_log import CallLog, call_logger
from lymph.core._typing.misfits import Misfit
from lymph.core._work.chains import surround
from lymph.core._work.headers import Headers, arrived
from lymph.core._work.units import Unit, in_unit
from lymph.core.call_options import OPTIONS
from lymph.core.channels import ReplyChannel
from lymph.core.failures import Killed, error_name, error_text, log_failure
from lymph.core.interceptors import Work
from lymph.core.messages import IDEMPOTENT
from lymph.core.monitoring.histograms import SECONDS
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.reasons import DRAINING, FAILED, FORBIDDEN, REASONS, Reason
from lymph.exceptions import Cancelled, Refused

__all__ = ['logger', 'run_call']

logger = logging.getLogger(__name__)

_is_logged = call_logger.isEnabledFor

_REASON = 255  # characters of a reason
_TOLD = 64 * 1024  # characters of a declared error's text that are sent to the caller


def run_call(
    method: HostedMethod,
    channel: ReplyChannel,
    trace_id: str | None,
    error_hook: Hook,
    log: LimitedLog,
    call_log: CallLog,
) -> None:
    """Run `method` for the request of `channel` and answer it, whatever happens.

    Runs in a worker, in an empty context; `channel` becomes its current call. An exception that
    the method declares is sent as ERROR, a Refused that is raised before the method was called as
    NACK with its reason; any other, `SystemExit` included, as NACK with the reason ``failed``,
    while its traceback is only logged here. A cancelled call is not a failure, but its NACK
    has the same reason. The caller is answered before the error is logged and `error_hook` is
    called. `log` limits how often errors of one class are logged for a method. The call log has a
    line about the call if it wants one.

    From the outside in: the context of the call is set; interceptors of plugins; the unit of work,
    whose resources are closed here; the interceptor of the interface itself
    (`lymph.core._work.chains`); the deadline and the arguments are checked; the method. The result
    is packed and sent outside of all of them.
    """
    if trace_id is None:
        trace_id = trace.new_id()
    trace.go_on(trace_id)
    set_current_call(channel)
    # a call in the table of its caller can be given up; inlined, since this runs for every call
    running, cancellation = channel.running, channel.cancellation
    id = channel.message.id
    key: bytes | ReplyChannel = id
    if id in running:
        key = channel  # a CANCEL reaches only the first call of this id
    running[key] = channel
    if cancellation is not None:
        cancellation.begin(channel)
    channel.started = started = monotonic()
    channel.trace_id = trace_id
    method.running += 1
    ended = 'ok'
    try:
        ended = _answer(method, channel, started)
        method.handled += 1
    except Killed:
        ended = 'Killed'
        method.failed += 1
        reason = FAILED if channel.entered else DRAINING
        channel.nack(unless_reply_sent=True, reason=reason, text='the service stopped while it ran')
        raise
    except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
        ended = error_name(error)
        if issubclass(type(error), Cancelled) and was_cancelled(channel):
            _cancelled(method, channel, error)
        elif channel.entered or not issubclass(type(error), Refused):
            method.failed += 1
            _failed(method, channel, error, error_hook, log)
        else:
            ended = refuse(method, channel, error)  # type: ignore[arg-type]  # it is a Refused
            cause = error.__cause__
            if isinstance(cause, Misfit) and cause.raised is not None:
                _report(method, cause.raised, error_hook, log)
    finally:
        del running[key]
        if cancellation is not None:
            cancellation.end()
        method.running -= 1
        # inlined `Histogram.observe`, since this runs for every call
        now = monotonic()
        seconds = now - started
        durations = method.durations
        bucket = bisect_left(SECONDS, seconds)
        durations.counts[bucket] += 1
        durations.sum += seconds
        durations.exemplars[bucket] = trace_id, seconds, now
        recent = method.recent
        if recent is not None:
            keep = recent.add if ended == 'ok' else recent.put
            peer, name = channel.peer, method.subject
            keep(('rpc', trace_id, id, None, name, peer, started, seconds, ended, 1))
        if seconds >= call_log.least or _is_logged(DEBUG):
            subject, version = method.subject, method.interface.version
            call_log.answered(subject, channel.peer, version, trace_id, seconds, ended)


def _answer(method: HostedMethod, channel: ReplyChannel, now: float) -> str:
    """Run the method inside its interceptors; send its result, or an error that it declares.

    Returns ``ok``, or the name of the error.
    """
    declaration, steps = method.declaration, method.chain.steps
    try:
        if steps:
            work = RpcWork(method, channel)
            result = surround(steps, work, work.enter)
        elif Unit.needed:
            result = in_unit(_enter, method, channel, now)
        else:
            result = _enter(method, channel, now)
    except (Killed, Cancelled):
        raise
    except declaration.raises as error:
        if issubclass(type(error), Refused) and not channel.entered:
            raise
        name = error_name(error)
        channel.error(type=name, message=error_text(error, _TOLD))
        return name
    if not (declaration.raw and channel.entered):
        channel.reply(result)
    elif not channel.reply_sent and not channel.detached:
        channel.nack(text=f'{method.subject} returned without an answer')
        return 'failed'
    return 'ok'


class RpcWork(Work):
    """A request, as the interceptors of the service see it."""

    kind = 'rpc'

    def __init__(self, method: HostedMethod, channel: ReplyChannel) -> None:
        super().__init__('rpc', method.subject)
        self.interface = method.interface.name
        self.peer = channel.peer
        self.trace_id = trace.get_id()
        self.deadline = channel.deadline
        self.raises = method.declaration.raises
        self._method = method
        self._channel = channel

    def enter(self) -> Any:
        """Call the method."""
        chain, now = self._method.chain, monotonic()
        return chain.enter(_enter, self._method, self._channel, now, self._arguments)

    def _read_arguments(self) -> dict[str, Any]:
        return _body(self._channel)

    def _read_headers(self) -> Headers:
        return arrived(self._channel.message.headers)

    def _read_reply_headers(self) -> Headers:
        self._channel.reply_headers = added = Headers()
        return added


def _enter(
    method: HostedMethod,
    channel: ReplyChannel,
    now: float,
    arguments: dict[str, Any] | None = None,
) -> Any:
    """Call the method with the arguments of the request, or with `arguments`.

    Raises Refused if the deadline has passed or the arguments do not fit the method.
    """
    deadline = channel.deadline
    if deadline is not None and deadline <= now:
        raise Refused('the deadline of the call has passed', 'expired')
    body = _body(channel) if arguments is None else arguments
    declaration = method.declaration
    problem = declaration.signature.problem(body)
    if problem is not None:
        hint = _about_options(declaration.signature, body)
        raise Refused(f'{problem}{hint}', 'invalid_arguments')
    if method.plan is not None:
        try:
            body = method.plan.convert(body)
        except Misfit as misfit:
            raise Refused(str(misfit), 'invalid_arguments') from misfit
    channel.entered = True
    if declaration.idempotent:
        channel.headers = IDEMPOTENT
    return method.func(channel, **body) if declaration.raw else method.func(**body)


def _body(channel: ReplyChannel) -> dict[str, Any]:
    """Return the arguments of a request; raises Refused if there are none."""
    try:
        body = channel.message.body
    except Exception as error:
        raise Refused(error_text(error), 'malformed') from error
    if not isinstance(body, dict):
        raise Refused(f'expected the arguments as a map, found {type(body).__name__}', 'malformed')
    return body


def _cancelled(method: HostedMethod, channel: ReplyChannel, error: BaseException) -> None:
    """Handle that a call was cancelled: send a NACK. It is no error of the method."""
    method.cancelled += 1
    reason: Reason = FAILED if channel.entered else 'expired'
    channel.nack(unless_reply_sent=True, reason=reason, text=f'cancelled: {error}')
    logger.debug('%s was cancelled: %s (trace %s)', method.subject, error, trace.get_id())


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
        error_hook(error, method=method.subject, trace_id=trace.get_id())


def _report(method: HostedMethod, error: BaseException, error_hook: Hook, log: LimitedLog) -> None:
    """Log an error that code of a class raised while it made an argument; call hooks."""
    if log.admit(logging.ERROR, f'{method.subject} ({error_name(error)})'):
        log_failure(logger, error, '%s: an argument cannot be made', method.subject)
    error_hook(error, method=method.subject, trace_id=trace.get_id())


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


def refuse(method: HostedMethod, channel: ReplyChannel, error: Refused) -> str:
    """Send a NACK with the reason of `error`, and return this reason: the method did not run."""
    reason: object = error.reason
    if not isinstance(reason, str) or not reason or reason == FAILED:
        reason = FORBIDDEN  # `failed` would say that the method ran
    # counted separately only if known: an interceptor may pass on a reason of another service
    counted = reason if reason in REASONS else 'other'
    method.refused[counted] = method.refused.get(counted, 0) + 1
    told = printable(reason, _REASON)
    channel.nack(reason=cast('Reason', told), text=error_text(error))
    return told
