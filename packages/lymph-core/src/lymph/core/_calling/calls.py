"""One call across all its attempts: the request, the deadline, and the endpoints tried so far."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core._protocol.call_headers import pack_headers
from lymph.core._work.headers import Headers
from lymph.core.call_options import CallOptions
from lymph.core.channels import subject_text
from lymph.core.transport.endpoints import endpoint_of, expect_address
from lymph.core.versioning import Version, parse_version
from lymph.exceptions import Expired, NotConnected, RpcError
from lymph.serializers.msgpack import pack

__all__ = ['BUILTIN', 'Call', 'Extras']

#: how the subjects of methods of the built-in interface begin
BUILTIN: Final = b'lymph.'

# Seconds; more than the rounding of deadlines (`core._loop.deadlines`).
_CANCELLED_FIRST = 0.03
_REASONS = 3  # of unreachable instances that one error message quotes


class Extras:
    """What interceptors add to a call and may know of it.

    `added` are the headers of all attempts, or of the current one. `replied` are the packed headers
    of the reply to the last attempt. `settled`: an interceptor has replaced the outcome of an
    attempt that may have run, so no other attempt may follow.
    """

    __slots__ = ('added', 'replied', 'settled')

    def __init__(self) -> None:
        self.added: Headers | None = None  # made when an interceptor asks for them
        self.replied: bytes | None = None
        self.settled = False


_parsed = functools.lru_cache(maxsize=256)(parse_version)


class Call:
    """One call across all its attempts.

    `packed` is the packed body. The deadline is `timeout` seconds after the Call is created;
    `options.timeout` is ignored here, since `begin` has applied it.
    """

    __slots__ = (
        'address',
        'deadline',
        'ended',
        'expires',
        'extras',
        'known',
        'options',
        'packed',
        'subject',
        'timeout',
        'trace_id',
        'tried',
        'unreached',
        'wanted',
    )

    def __init__(
        self, address: str, subject: bytes, packed: bytes, timeout: float, options: CallOptions
    ) -> None:
        self.address = address
        self.subject = subject
        self.packed = packed
        self.timeout = timeout
        self.options = options
        self.deadline = time.monotonic() + timeout
        #: when the last attempt that had a result ended, a time of `time.monotonic`
        self.ended = 0.0
        #: when the wait for a reply ends, for the connection
        self.expires = self.deadline
        #: the same for all attempts; '' for a message of `send_message` that has none
        self.trace_id = options.trace_id or trace.get_id() or trace.new_id()
        version = options.version
        self.wanted: Version | None = None if version is None else _parsed(version)
        self.tried: tuple[str, ...] = ()  # endpoints
        self.known = 0  # instances that the last attempt could choose from
        self.unreached: dict[str, str] = {}  # endpoint -> why it could not be connected to
        self.extras: Extras | None = None  # made where interceptors surround the call

    @classmethod
    def begin(
        cls,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None,
        options: CallOptions,
        default_timeout: float,
        *,
        even_late: bool = False,
    ) -> Call:
        """Return a call that begins now and has the timeout of its options.

        If the current work has less time left, the call gets only that time. A `body` of bytes is
        taken as packed already. Raises SerializationError for a body that cannot be serialized,
        TypeError for an address or a method that is not text, ValueError for a method that cannot
        be encoded as UTF-8, Expired when no time is left unless `even_late`.
        """
        if type(address) is not str:
            expect_address(address)
        try:
            method = subject.encode()
        except (AttributeError, UnicodeEncodeError) as error:
            kind = TypeError if isinstance(error, AttributeError) else ValueError
            found = f"such as 'echo.upper', found {quoted(subject)}"
            raise kind(f'expected the method to call as text, {found}') from None
        packed = body if type(body) is bytes else pack({} if body is None else body)
        timeout = default_timeout if options.timeout is None else options.timeout
        seconds = deadlines.remaining(timeout)
        call = cls(address, method, packed, seconds, options)
        if seconds <= 0 and not even_late:
            raise call.no_time(timeout)
        if seconds < timeout and deadlines.is_cancellable():
            # the work itself ends now, with Cancelled instead of a Timeout of this call
            call.expires += _CANCELLED_FIRST
        return call

    def no_time(self, timeout: float) -> Expired:
        """Return the error of a call that cannot begin; `timeout` is what the caller asked for."""
        subject = subject_text(self.subject)
        return Expired(
            f'{subject}: no time left for the call',
            subject=subject,
            endpoint=endpoint_of(self.address),
            timeout=timeout,
            trace_id=self.options.trace_id or trace.get_id(),
        )

    def headers(self) -> bytes:
        """Return the packed headers of a request that is sent now, with the time left."""
        left = self.deadline - time.monotonic()
        added = None if self.extras is None else self.extras.added
        return pack_headers(self.trace_id, left, self.options.version, added)

    def describe(self, error: RpcError) -> None:
        """Add the facts of this call to `error` where it lacks them."""
        error.add_facts(
            subject=subject_text(self.subject),
            endpoint=endpoint_of(self.address),
            timeout=self.timeout,
            trace_id=self.trace_id or None,
        )

    @property
    def exhausted(self) -> bool:
        """Whether all known instances have failed to connect."""
        return 0 < max(1, self.known) <= len(self.unreached)

    def not_connected(self) -> NotConnected | Expired:
        """Return the error for the whole call: how many instances are known, and why none works.

        Expired if no connection was tried because the deadline had passed before.
        """
        if not self.unreached:
            return Expired(f'{subject_text(self.subject)}: no time left to connect')
        if not self.known:
            return NotConnected(*self.unreached.values())
        count = len(self.unreached)
        endpoint = next(iter(self.unreached)) if count == 1 else None
        known = '1 instance' if self.known == 1 else f'{self.known} instances'
        found = 'none reachable' if count >= self.known else f'{count} not reachable'
        reasons = '; '.join([*self.unreached.values()][:_REASONS])
        return NotConnected(
            f'{known} of {self.address} known, {found}: {reasons}', endpoint=endpoint
        )
