"""Counts of the calls that a container makes: how each ended, and how long it took.

Peers must not be able to make new series. So a call counts under its own names only when a reply
has shown that they exist:

==================  ===============  =============================================================
tag `service`       tag `method`     calls of
==================  ===============  =============================================================
its name            the method       methods that a reply has shown to exist
its name            ``other``        other methods of services that the registry has shown to exist
``other``           ``other``        all others, and those for which the table has no room
``endpoint``        as for services  endpoints (``tcp://host:port``), all of them together
==================  ===============  =============================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from logging import DEBUG
from typing import Final

from lymph.config.printable import printable
from lymph.core._calling.calls import Call
from lymph.core._calling.outcomes import reason_in
from lymph.core._monitoring.call_log import CallLog, call_logger
from lymph.core.channels import subject_text
from lymph.core.limits import SUBJECT
from lymph.core.messages import ERROR, NACK
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import Histogram
from lymph.core.monitoring.metrics import Sample
from lymph.core.reasons import FAILED, REASONS
from lymph.core.transport.endpoints import scheme_of
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    LookupFailure,
    Nack,
    NotConnected,
    RemoteError,
    Timeout,
)

__all__ = ['MOST', 'MOST_SERVICES', 'CallFigures', 'CalledMethod', 'ending']

#: methods with a series of their own
MOST: Final = 500
#: services with a series for other methods
MOST_SERVICES: Final = 100

_OTHER: Final = 'other'
_ENDPOINT: Final = 'endpoint'
_TAGS: Final = ('service', 'method')

FINISHED: Final = describe(
    'calls.finished',
    'counter',
    'Calls that this process made, by how they ended; retries are part of their call.',
    tags=(*_TAGS, 'outcome', 'reason'),
)
DURATION: Final = describe(
    'calls.duration',
    'histogram',
    'How long calls took that this process made, however they ended.',
    unit='seconds',
    tags=_TAGS,
)
RUNNING: Final = describe(
    'calls.running', 'gauge', 'Calls of this process that have not ended yet.'
)

#: the first class that fits tells the outcome; an Expired is a Timeout, too
_OUTCOMES: Final = (
    (RemoteError, 'error'),
    (Expired, 'expired'),
    (Timeout, 'timeout'),
    (LookupFailure, 'lookup_failure'),
    (NotConnected, 'not_connected'),
    (ConnectionLost, 'connection_lost'),
    (Exception, _OTHER),
)

#: reasons of a NACK that only a peer gives that has the method
_SHOWN: Final = frozenset({FAILED, 'invalid_arguments', 'overloaded'})


def ending(error: BaseException) -> tuple[str, str]:
    """Return the outcome of a call that ended with `error`, and the reason of a NACK.

    The outcome is one of ``error`` (that the method declares), ``nack``, ``timeout``, ``expired``,
    ``not_connected``, ``lookup_failure``, ``connection_lost``, ``cancelled`` (the caller was ended
    or does not wait any more), and ``other``, such as an error of an interceptor.
    """
    if isinstance(error, Nack):
        reason: object = error.reason  # an interceptor may give any object
        return 'nack', reason if isinstance(reason, str) and reason in REASONS else _OTHER
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome, ''
    return 'cancelled', ''


class CalledMethod:
    """The calls of one method, or of several that share a series."""

    __slots__ = ('_ok', 'durations', 'failed', 'tags')

    def __init__(self, service: str, method: str) -> None:
        self.tags = {'service': service, 'method': method}
        self.durations = Histogram(DURATION, self.tags)
        self.failed: dict[tuple[str, str], int] = {}  # (outcome, reason) -> calls
        self._ok = 0

    def __iter__(self) -> Iterator[Sample]:
        failed = list(self.failed.items())
        # nobody counts them, to save calls the time; never less than before, even if a call ends
        # while another native thread reads
        succeeded = sum(self.durations.counts) - sum(count for _, count in failed)
        self._ok = max(self._ok, succeeded)
        yield FINISHED, self._ok, {**self.tags, 'outcome': 'ok', 'reason': ''}
        for (outcome, reason), count in failed:
            yield FINISHED, count, {**self.tags, 'outcome': outcome, 'reason': reason}
        yield from self.durations


class CallFigures:
    """The calls that a container makes. Whoever makes a call increments `begun`.

    A call ends with one of `succeeded`, `failed`, `ended` and `replied`. `call_log` gets a line
    about each call if it wants one.
    """

    def __init__(self, call_log: CallLog) -> None:
        self._call_log = call_log
        #: see `CallLog.least`
        self.least = call_log.least
        self.begun = 0
        #: (service, subject) -> the calls of a method that exists; has at most `MOST` entries
        self.methods: dict[tuple[str, bytes], CalledMethod] = {}
        self._others: dict[str, CalledMethod] = {}  # by service; at most `MOST_SERVICES` + 2

    def answered(self, call: Call) -> CalledMethod:
        """Return the entry for the method of a call that a reply has shown to exist."""
        service = _service(call.address)
        key = service, call.subject
        method = self.methods.get(key)
        if method is None:
            if len(self.methods) >= MOST:
                return self._other(service, True)
            method = self.methods[key] = CalledMethod(service, subject_text(call.subject))
        return method

    def succeeded(self, call: Call, now: float) -> None:
        """Count a call that has a result now."""
        self._observe(self.answered(call), call, 'ok', now)

    def failed(self, call: Call, error: BaseException, now: float) -> None:
        """Count a call that ended with `error` now."""
        outcome, reason = ending(error)
        self.ended(call, outcome, reason, now)

    def ended(self, call: Call, outcome: str, reason: str, now: float) -> None:
        """Count a call that ended now without a result; see `ending`."""
        if outcome == 'error' or reason in _SHOWN:
            method = self.answered(call)
        else:
            service = _service(call.address)
            known = self.methods.get((service, call.subject))
            method = known or self._other(service, call.known > 0 or service == _ENDPOINT)
        key = outcome, reason
        method.failed[key] = method.failed.get(key, 0) + 1
        self._observe(method, call, f'{outcome} {reason}' if reason else outcome, now)

    def replied(self, call: Call, frames: list[bytes], now: float) -> None:
        """Count a call whose reply arrived now, as frames."""
        if frames[1] == NACK:
            reason = reason_in(frames[3])
            self.ended(call, 'nack', reason if reason in REASONS else _OTHER, now)
        elif frames[1] == ERROR:
            self.ended(call, 'error', '', now)
        else:
            self.succeeded(call, now)

    def log(self, call: Call, outcome: str, seconds: float) -> None:
        """Write a line about a call to the call log."""
        instance = call.tried[-1] if call.tried else printable(call.address, SUBJECT)
        version, trace_id = call.options.version, call.trace_id
        subject = subject_text(call.subject)
        self._call_log.called(subject, instance, version, trace_id, seconds, outcome)

    def _observe(self, method: CalledMethod, call: Call, outcome: str, now: float) -> None:
        seconds = now - call.deadline + call.timeout
        method.durations.observe(seconds, call.trace_id or None)
        if seconds >= self.least or call_logger.isEnabledFor(DEBUG):
            self.log(call, outcome, seconds)

    def __iter__(self) -> Iterator[Sample]:
        methods = [*self.methods.values(), *self._others.values()]
        ended = sum(chain.from_iterable(method.durations.counts for method in methods))
        yield RUNNING, self.begun - ended, {}
        for method in methods:
            yield from method

    def _other(self, service: str, exists: bool) -> CalledMethod:
        """Return the entry for all methods of a service that have none of their own."""
        method = self._others.get(service)
        if method is None:
            if not exists or len(self._others) >= MOST_SERVICES:
                service = _OTHER
            method = self._others.setdefault(service, CalledMethod(service, _OTHER))
        return method


def _service(address: str) -> str:
    return _ENDPOINT if '://' in address and scheme_of(address) is not None else address
