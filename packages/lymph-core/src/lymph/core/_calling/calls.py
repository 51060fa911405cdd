"""One call, for as long as it is tried: what it asks, until when, and whom it has asked."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core._protocol.call_headers import pack_headers
from lymph.core.messages import PackedArguments
from lymph.core.versioning import Version, parse_version
from lymph.exceptions import Expired, NotConnected
from lymph.serializers.msgpack import pack

__all__ = ['Call']

_REASONS = 3  # that one error tells, of instances that cannot be reached
_LONGEST = 1e10  # seconds: three hundred years

_parsed = functools.lru_cache(maxsize=256)(parse_version)


class Call:
    """One call, for as long as it is tried."""

    __slots__ = (
        'address',
        'deadline',
        'known',
        'packed',
        'patient',
        'subject',
        'timeout',
        'tried',
        'unreached',
        'version',
        'wanted',
    )

    def __init__(
        self, address: str, subject: bytes, packed: bytes, timeout: float, version: str | None
    ) -> None:
        self.address = address
        self.subject = subject
        self.packed = packed
        self.timeout = timeout  # seconds
        self.deadline = time.monotonic() + timeout
        self.version = version
        self.wanted: Version | None = None if version is None else _parsed(version)
        self.patient = True  # whether any number of instances may be connected to
        self.tried: tuple[str, ...] = ()  # endpoints
        self.known = 0  # instances there were to choose from at the last try
        self.unreached: dict[str, str] = {}  # endpoint -> why

    @classmethod
    def begin(
        cls,
        address: str,
        subject: str,
        arguments: Mapping[str, Any] | None,
        timeout: float,
        version: str | None,
    ) -> Call:
        """Return a call with `timeout` seconds, or with what the current work has left of them.

        Raises SerializationError for arguments that cannot travel, Expired when no time is left.
        """
        if type(arguments) is PackedArguments:
            packed = arguments.packed
        else:
            packed = pack({} if arguments is None else arguments)
        try:
            budget = deadlines.remaining(timeout)
            is_time = budget < _LONGEST
        except TypeError:
            is_time = False
        if not is_time:
            raise ValueError(f'{subject}: expected a timeout in seconds, found {quoted(timeout)}')
        if budget <= 0:
            raise Expired(f'{subject}: no time left for the call')
        return cls(address, subject.encode(), packed, budget, version)

    def headers(self) -> bytes:
        """Return the packed headers of a request that leaves now."""
        trace_id = trace.get_id() or trace.new_id()
        return pack_headers(trace_id, self.deadline - time.monotonic(), self.version)

    @property
    def exhausted(self) -> bool:
        """Whether none of the instances that are known can be connected to."""
        return 0 < max(1, self.known) <= len(self.unreached)

    def not_connected(self) -> NotConnected:
        """Return what `unreached` means for the whole call."""
        if not self.known:
            return NotConnected(*self.unreached.values())
        count = len(self.unreached)
        known = '1 instance' if self.known == 1 else f'{self.known} instances'
        found = 'none reachable' if count >= self.known else f'{count} not reachable'
        reasons = '; '.join([*self.unreached.values()][:_REASONS])
        return NotConnected(f'{known} of {self.address} known, {found}: {reasons}')
