"""A call and its attempts, as interceptors on the side of the caller see them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from lymph.core._calling.calls import Call, Extras
from lymph.core._work.headers import Headers, arrived
from lymph.core.channels import subject_text
from lymph.core.interceptors import Kind, Work
from lymph.core.messages import unpack_headers
from lymph.exceptions import RpcError, SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['CallWork', 'TryWork']


class _CallerWork(Work):
    """What a call and its attempts have in common."""

    def __init__(self, kind: Kind, call: Call) -> None:
        super().__init__(kind, subject_text(call.subject))
        self.address = call.address
        self.trace_id = call.trace_id
        self.deadline = call.deadline
        self.options = call.options
        self._call = call
        if call.extras is None:
            call.extras = Extras()
        self._extras = call.extras

    def _read_headers(self) -> Headers:
        self._extras.added = added = Headers()
        return added

    def _unpacked(self, body: object) -> dict[str, Any]:
        """Return arguments, packed or not, as a dict; raises TypeError for anything else."""
        return self._as_dict(unpack(body) if isinstance(body, bytes) else body)

    @property
    def reply_headers(self) -> MutableMapping[str, Any]:
        """The headers of the reply to the last attempt; empty if there was none."""
        try:
            return arrived(unpack_headers(self._extras.replied or b'\x80'))
        except SerializationError:
            return arrived({})


class CallWork(_CallerWork):
    """A whole call. `body` holds its arguments, packed or not; `request` makes the attempts."""

    def __init__(
        self, call: Call, body: Mapping[str, Any] | bytes | None, request: Callable[[Call], Any]
    ) -> None:
        super().__init__('call', call)
        self._body = body
        self._request = request

    def run(self) -> Any:
        """Make the call with the arguments and headers as they are now; return its result."""
        call, body = self._call, self._body if self._arguments is None else self._arguments
        call.packed = body if isinstance(body, bytes) else pack({} if body is None else body)
        if call.deadline <= time.monotonic():
            raise call.no_time(call.timeout)
        return self._request(call)

    def join_trace(self, trace_id: str) -> None:
        """Make the call a part of another trace than it was begun in; not after `run`."""
        self.trace_id = self._call.trace_id = trace_id

    def _read_arguments(self) -> dict[str, Any]:
        return self._unpacked({} if self._body is None else self._body)


class TryWork(_CallerWork):
    """One attempt of a call; `number` counts from 1.

    `peer` is the endpoint that it goes to, None if there is none. `attempt` sends the request and
    waits for the result, or raises the error that explains why there is no endpoint.
    """

    def __init__(
        self, call: Call, number: int, peer: str | None, attempt: Callable[[], Any]
    ) -> None:
        super().__init__('try', call)
        self.peer = peer
        self.attempt = number
        self._attempt = attempt
        self._ended = False
        self._failure: RpcError | None = None
        self._for_all = self._extras.added
        self._packed = call.packed
        self._extras.replied = None

    def run(self) -> Any:
        """Make the attempt with the arguments and headers as they are now; return its result."""
        if self._arguments is not None:
            self._call.packed = pack(self._arguments)
        try:
            result = self._attempt()
        except RpcError as error:
            self._failure = error
            raise
        finally:
            self._ended = True
        return result

    def settles(self, error: RpcError) -> bool:
        """Tell whether an interceptor raised `error` although the attempt may have run."""
        if not self._ended or error is self._failure:
            return False
        return self._failure is None or self._failure.executed != 'no'

    def end(self) -> None:
        """Undo the changes of this attempt: the next one starts from those of the call."""
        self._extras.added = self._for_all
        self._call.packed = self._packed

    def _read_arguments(self) -> dict[str, Any]:
        return self._unpacked(self._packed)

    def _read_headers(self) -> Headers:
        self._extras.added = added = Headers() if self._for_all is None else self._for_all.copied()
        return added
