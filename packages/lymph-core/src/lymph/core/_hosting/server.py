"""Incoming requests: each message at the endpoint is dropped, refused, or given to a worker.

Runs in the hub, so nothing here waits. A message that is not a request is counted and dropped. A
request that cannot be served is answered with a NACK that carries the reason. A CANCEL of a caller
reaches only calls of the same link.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final

import gevent

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core._hosting import calls
from lymph.core._hosting.calls import refuse, run_call
from lymph.core._hosting.giving_up import give_up
from lymph.core._hosting.methods import HostedMethod, MethodTable
from lymph.core._loop.deadlines import Expirations
from lymph.core._loop.hooks import Hook
from lymph.core._monitoring.call_log import CallLog, call_logger
from lymph.core._monitoring.recent_work import WorkEntry
from lymph.core._protocol.call_headers import read_usual
from lymph.core._work.cancelling import Cancellation
from lymph.core.channels import ReplyChannel, subject_text
from lymph.core.limits import HEADERS, ID
from lymph.core.messages import CANCEL, REQ, Message, id_source
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.monitoring.metrics import Sample
from lymph.core.reasons import DRAINING, STARTING, Reason
from lymph.core.transport.base import Link
from lymph.core.workers import Workers
from lymph.exceptions import Refused, SerializationError

__all__ = ['RequestServer']

logger = logging.getLogger(__name__)

describe('rpc.callers', 'gauge', 'Callers that are connected.')
describe(
    'rpc.dropped',
    'counter',
    'Messages that no method got, by the reason: refused, or not answered at all.',
    tags=('reason',),
)

_SAID: Final = {STARTING: 'this instance is starting', DRAINING: 'this instance is stopping'}
_VITAL = 16  # calls of the built-in interface that may run at once; `pool_size` does not count them

# types of optional headers
_TEXT = (str, type(None))
_SECONDS = (float, int, type(None))


class RequestServer:
    """The link handler of a container's endpoint.

    Calls of the built-in interface (`vital` methods) have workers of their own and are never
    refused because of the state of the container: an operator can always ask for its status.
    """

    def __init__(
        self,
        methods: MethodTable,
        workers: Workers,
        error_hook: Hook,
        call_log: CallLog | None = None,
    ) -> None:
        #: why calls are refused: the container is starting, or stopping; None: they are served
        self.refusing: Reason | None = None
        self.last_request = time.monotonic()
        #: the running calls of each caller, by the ids of their requests; a call whose id was taken
        #: is its own key
        self.links: dict[Link, dict[bytes | ReplyChannel, ReplyChannel]] = {}
        #: calls that were refused because all handlers were busy
        self.overloaded = 0
        self._methods = methods
        self._workers = workers
        self._vital_workers = Workers(_VITAL)
        self._error_hook = error_hook
        self._log = LimitedLog(calls.logger)
        self._call_log = call_log or CallLog()
        self._expirations = Expirations()
        self._new_id = id_source()
        self._dropped: dict[str, int] = {}

    def in_progress(self) -> Iterator[WorkEntry]:
        """Yield the calls that run, for `RecentWork`; not those of the built-in interface."""
        for running in self.links.values():
            for channel in running.values():
                name = channel.message.subject
                if channel.trace_id is not None and not name.startswith(b'lymph.'):
                    known = 'rpc', channel.trace_id, channel.work, None, name, channel.peer
                    yield (*known, channel.started, None, '', 1)

    def link_up(self, link: Link) -> None:
        """Add a caller."""
        self.links[link] = {}

    def link_down(self, link: Link, reason: str) -> None:
        """Remove a caller: calls that run for it are given up, and their replies dropped."""
        run_soon = gevent.get_hub().loop.run_callback
        for channel in self.links.pop(link, {}).values():
            run_soon(give_up, channel, 'caller gone')  # one by one: there may be thousands
        logger.debug('%s: %s', link.peer, reason)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Start the method that a request names, or refuse it."""
        if len(frames) != 5:
            self._drop('frame_count')
            return
        if frames[1] != REQ:
            if frames[1] == CANCEL:
                self._give_up(link, frames[2])
            else:
                self._drop('type')
            return
        message = Message.from_frames(frames)
        channel = ReplyChannel(link, message, self._new_id, self.links[link])
        try:
            method, trace_id, channel.deadline = self._open(message)
        except Refused as error:
            if len(message.id) > HEADERS:
                self._drop('id')  # the answer would contain it
                return
            self._drop(error.reason)
            channel.nack(reason=error.reason, text=str(error))
            self._log_refused(channel, error.reason, subject_text(message.subject))
            return
        if method.cancellable:
            channel.cancellation = Cancellation(self._expirations)
        workers = self._vital_workers if method.vital else self._workers
        if self.refusing is not None and not method.vital:
            reason = refuse(method, channel, Refused(_SAID[self.refusing], self.refusing))
            self._log_refused(channel, reason, method.subject, method.interface.version, trace_id)
        elif not workers.try_start(
            run_call, method, channel, trace_id, self._error_hook, self._log, self._call_log
        ):
            self.overloaded += not method.vital
            text = f'all {workers.size} handlers are busy'
            reason = refuse(method, channel, Refused(text, 'overloaded'))
            self._log_refused(channel, reason, method.subject, method.interface.version, trace_id)

    def _log_refused(
        self,
        channel: ReplyChannel,
        reason: str,
        subject: str,
        version: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Log a call that was refused at once, if such calls are logged."""
        log = self._call_log
        if not log.least or call_logger.isEnabledFor(logging.DEBUG):
            log.answered(subject, channel.peer, version, trace_id, 0.0, reason)

    def _give_up(self, link: Link, id: bytes) -> None:
        """Handle a CANCEL: the caller does not wait for the call `id` any more.

        One for an unknown id is counted: the call has ended meanwhile, or there was none on this
        link.
        """
        channel = self.links[link].get(id) if len(id) <= ID else None
        if channel is None or channel.left:
            self._drop('cancel')
        else:
            give_up(channel, 'given up')

    def settle(self) -> None:
        """Cancel no call any more that runs now: its handler is about to be killed."""
        for running in self.links.values():
            for channel in running.values():
                if channel.cancellation is not None:
                    channel.cancellation.settle()

    @property
    def cancelled(self) -> int:
        """The number of calls that were cancelled."""
        return sum(method.cancelled for method in self._methods)

    def abandon(self) -> None:
        """In a forked child, cancel no call: all of them are the parent's."""
        self._expirations.close()

    def close(self) -> None:
        """End running calls of the built-in interface; log how many error lines were left out."""
        self._vital_workers.kill()
        self._expirations.close()
        self._log.close()

    def __iter__(self) -> Iterator[Sample]:
        """Yield the number of callers, of dropped messages, and the counts of each method."""
        yield 'rpc.callers', len(self.links), {}
        for reason, count in list(self._dropped.items()):
            yield 'rpc.dropped', count, {'reason': reason}
        yield from self._methods.samples()

    def _open(self, message: Message) -> tuple[HostedMethod, str | None, float | None]:
        """Return the method, trace id and deadline of a request; raises Refused."""
        if len(message.id) > ID:
            found = f'found {len(message.id)}'
            raise Refused(f'expected an id of at most {ID} bytes, {found}', 'malformed')
        usual = read_usual(message.packed_headers)
        trace_id, budget, version = _read_headers(message) if usual is None else (*usual, None)
        self.last_request = now = time.monotonic()
        method = self._methods.find(message.subject, version)
        return method, trace_id, None if budget is None else now + budget

    def _drop(self, reason: str) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + 1


def _read_headers(message: Message) -> tuple[str | None, float | None, str | None]:
    """Return the trace id, the timeout (seconds) and the version of a request; raises Refused."""
    try:
        headers = message.headers
    except SerializationError as error:
        raise Refused(f'headers: {error}', 'malformed') from error
    trace_id = headers.get('trace_id')
    version = headers.get('version')
    budget = headers.get('timeout')
    if not isinstance(budget, _SECONDS) or budget != budget:
        raise Refused(f'expected timeout as seconds, found {quoted(budget)}', 'malformed')
    if not isinstance(version, _TEXT):
        raise Refused(f'expected version as text, found {quoted(version)}', 'malformed')
    if trace_id is not None and not trace.is_valid(trace_id):
        kind = trace.RULE if isinstance(trace_id, str) else 'text'
        raise Refused(f'expected trace_id as {kind}, found {quoted(trace_id)}', 'malformed')
    return trace_id, budget, version
