"""The two ends of a call: the caller's waits for the outcome, the service's sends the answer.

Source: the manual, sections 4.5.3 and 5.2. A call has exactly one outcome on either side; a second
one is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import gevent
from greenlet import getcurrent, greenlet

from lymph.config.printable import printable, quoted
from lymph.core._protocol.call_headers import trace_id_in
from lymph.core._system.threads import get_ident
from lymph.core._work.cancelling import Cancellation
from lymph.core._work.headers import Headers, packed_headers
from lymph.core.call_options import seconds_to_wait
from lymph.core.failures import Killed
from lymph.core.limits import SUBJECT
from lymph.core.messages import ACK, EMPTY_MAP, ERROR, NACK, NIL, REP, Message
from lymph.core.reasons import FAILED, Reason
from lymph.core.transport.base import Link, LinkDown, MessageTooLong
from lymph.exceptions import CallFacts, Cancelled, Expired, RpcError, Timeout, WrongThread
from lymph.serializers.msgpack import pack, unpack

__all__ = ['ReplyChannel', 'RequestChannel', 'Waiting', 'subject_text']

_NACK_TEXT = 2000  # characters
_SHORT_TEXT = 100  # characters, for transports whose messages must be short


class Waiting(Protocol):
    """What a RequestChannel needs of its connection."""

    endpoint: str
    heard: int
    thread: int

    def give_up(self, channel: RequestChannel) -> None:
        """Remove a call from the table of calls in flight, and tell the peer so."""

    def expired(self, channel: RequestChannel, error: Timeout) -> None:
        """End a call whose deadline has passed with `error`."""


class RequestChannel:
    """The caller's end of one request.

    The connection resolves it in the hub: with the frames of a reply, or with an error when the
    link breaks or the deadline passes. Until then it is in the table of its connection. `ticket`
    identifies its deadline in the connection's `Expirations`.
    """

    ticket: int

    __slots__ = (
        '_connection',
        '_error',
        '_frames',
        '_headers',
        '_message',
        '_waiting',
        'heard',
        'id',
        'parent',
        'sending',
        'started',
        'subject',
        'ticket',
        'timeout',
    )

    def __init__(
        self, id: bytes, subject: bytes, headers: bytes, connection: Waiting, timeout: float
    ) -> None:
        self.id = id
        self.subject = subject
        self._headers = headers  # packed, for errors
        self.heard = connection.heard  # messages that had arrived before this request was sent
        #: when the attempt of a call began, a time of `time.monotonic`; 0: it is none
        self.started = 0.0
        #: the id of the unit of work that makes the call
        self.parent: Hashable = None
        #: the greenlet that is sending the request; it waits while the peer does not read
        self.sending: greenlet | None = None
        self._connection = connection
        self.timeout = timeout  # seconds, as the caller set it, for errors
        self._frames: list[bytes] | None = None
        self._error: RpcError | None = None
        self._message: Message | None = None
        self._waiting: greenlet | None = None

    def get(self, timeout: float | None = 1) -> Message:
        """Wait up to `timeout` seconds for the reply and return it; later calls return it again.

        With None only the timeout of the request itself limits the wait. The reply is a message of
        any reply type (REP, ACK, NACK or ERROR) and is not turned into a result or an error. Raises
        Timeout when there is no reply in time, ConnectionLost when the link broke, ValueError for a
        timeout that is not a number of seconds, WrongThread in another native thread.
        """
        self._expect_own_thread()
        if self._message is None:
            if timeout is None:
                frames = self.wait()
            else:
                seconds = seconds_to_wait(timeout, self.what)
                facts: CallFacts = {**self.facts, 'timeout': timeout}
                late = Timeout(f'no reply from {self.what} within {seconds:.3g} s', **facts)
                with gevent.Timeout(seconds, late):
                    frames = self.wait()
            self._message = Message.from_frames(frames)
        return self._message

    def wait(self) -> list[bytes]:
        """Wait for the reply and return its frames; raises the RpcError that the call ended with.

        Raises RuntimeError while another greenlet waits. Must not be called in the hub.
        """
        if get_ident() != self._connection.thread:
            self._expect_own_thread()
        if self._frames is None and self._error is None:
            if self._waiting is not None:
                raise RuntimeError(f'two greenlets wait for the reply from {self.what}')
            self._waiting = getcurrent()
            try:
                gevent.get_hub().switch()
            except Cancelled:
                self.cancel()
                raise
            finally:
                self._waiting = None
        if self._error is not None:
            raise self._error
        assert self._frames is not None
        return self._frames

    @property
    def what(self) -> str:
        """The call in words, for errors: ``echo.upper at tcp://127.0.0.1:4123``."""
        return f'{subject_text(self.subject)} at {self._connection.endpoint}'

    @property
    def facts(self) -> CallFacts:
        """The facts of the call that its errors carry: keyword arguments of `RpcError`."""
        return {
            'subject': subject_text(self.subject),
            'endpoint': self._connection.endpoint,
            'timeout': self.timeout,
            'trace_id': self.trace_id,
        }

    @property
    def trace_id(self) -> str | None:
        """The trace id that the request carries."""
        return trace_id_in(self._headers)

    def cancel(self) -> None:
        """Give the call up, and tell the service so: a reply that arrives later is dropped.

        Does not wait. A call that has ended is not affected.
        """
        self._expect_own_thread()
        self._connection.give_up(self)

    def resolve(self, frames: list[bytes] | None, error: RpcError | None) -> None:
        """Set the outcome of the call and resume the waiting greenlet. Only for the hub."""
        self._frames, self._error = frames, error
        if self._waiting is not None:
            self._waiting.switch()
        elif self.sending is not None and error is not None:
            self.sending.throw(error)

    def expire(self) -> None:
        """End the call because its deadline has passed; `Expirations` calls this.

        Timeout if the request was sent. Expired if it is still being sent: then it did not run.
        """
        if self.sending is None:
            text = f'no reply from {self.what} within {self.timeout:.3g} s'
            error = Timeout(text, **self.facts)
        else:
            text = f'{self.what}: the peer read nothing for {self.timeout:.3g} s'
            error = Expired(text, **self.facts)
        self._connection.expired(self, error)

    def _expect_own_thread(self) -> None:
        if get_ident() != self._connection.thread:
            raise WrongThread(f'the reply from {self.what} was waited for')


class ReplyChannel:
    """The service's end of one request: answer it with one of `reply`, `ack`, `nack`, `error`.

    All four raise RuntimeError for a second answer; with ``unless_reply_sent=True`` they do nothing
    in this case. They raise WrongThread outside the native thread of the container. They do not
    raise when the caller has disconnected: the answer is dropped.
    """

    __slots__ = (
        '_link',
        '_new_id',
        '_thread',
        'cancellation',
        'deadline',
        'detached',
        'entered',
        'headers',
        'left',
        'message',
        'peer',
        'reply_headers',
        'reply_sent',
        'running',
        'started',
        'trace_id',
    )

    def __init__(
        self,
        link: Link,
        message: Message,
        new_id: Callable[[], bytes],
        running: dict[bytes | ReplyChannel, ReplyChannel] | None = None,
    ) -> None:
        self.message = message
        #: the network address of the caller
        self.peer = link.peer
        self.deadline: float | None = None  # a time of `time.monotonic`; None: there is none
        #: the running calls of the same caller, by the ids of their requests
        self.running: dict[bytes | ReplyChannel, ReplyChannel] = {} if running is None else running
        #: cancels the call; None if its method does not ask for that
        self.cancellation: Cancellation | None = None
        self.left = False  # whether its caller has disconnected or given up
        self.headers = EMPTY_MAP  # packed, for a REP, ACK or ERROR
        self.reply_sent = False
        self.detached = False
        self.entered = False  # whether the method was called
        self.started = 0.0  # a time of `time.monotonic`; 0: not yet
        self.trace_id: str | None = None
        #: headers that interceptors add to the answer
        self.reply_headers: Headers | None = None
        self._link = link
        self._new_id = new_id
        self._thread = get_ident()

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for the answer, and none was sent.

        That is so when the deadline has passed, or the caller has disconnected or given up. A
        caller that gives up after the method has returned, with the channel detached, is ignored.
        """
        if self.reply_sent:
            return False
        if self.left or not self._link.up:
            return True
        return self.deadline is not None and self.deadline <= time.monotonic()

    def reply(self, body: Any) -> None:
        """Send `body` as the result.

        Raises SerializationError or MessageTooLong before anything is sent.
        """
        self._send(REP, self.headers, pack(body))

    def ack(self, unless_reply_sent: bool = False) -> None:
        """Send an ACK: the caller's result is None."""
        if not (unless_reply_sent and self.reply_sent):
            self._send(ACK, self.headers, NIL)

    def nack(
        self, unless_reply_sent: bool = False, *, reason: Reason = FAILED, text: str = ''
    ) -> None:
        """Send a NACK: the caller gets an error, Failed or Refused, instead of a result.

        `reason` says whether the method ran and whether callers try another instance; see
        `lymph.core.reasons`. `text` is for people. It is cut to 2000 characters, to fewer if the
        message would be too long for the transport.
        """
        if unless_reply_sent and self.reply_sent:
            return
        headers = pack({'reason': reason})
        for length in (_NACK_TEXT, _SHORT_TEXT):
            try:
                self._send(NACK, headers, _nack_body(text, length))
            except MessageTooLong:
                continue
            return
        self._send(NACK, headers, NIL)

    def error(self, body: Mapping[str, Any] | str | None = None, **details: Any) -> None:
        """Send an ERROR: the caller gets a `RemoteError`.

        ``type`` is the name of its class (``Exception`` by default), ``message`` its text. Give
        them as keywords, as a mapping in `body`, or only the message as text in `body`. Raises
        TypeError for a `body` that is neither text nor a mapping, and SerializationError or
        MessageTooLong before anything is sent.
        """
        if isinstance(body, str):
            body = {'message': body}
        elif body is not None and not isinstance(body, Mapping):
            raise TypeError(
                "expected an error as text, as a mapping like {'type': 'ValueError', 'message': "
                f"'too long'}} or as keywords, found {quoted(body)}"
            )
        self._send(ERROR, self.headers, pack({**(body or {}), **details}))

    def detach(self) -> None:
        """Allow an answer after the method has returned; without one the caller gets a Timeout."""
        self.detached = True

    @property
    def work(self) -> bytes:
        """The id of its unit of work: that of the request."""
        return self.message.id

    def _send(self, type: bytes, headers: bytes, body: bytes) -> None:
        if get_ident() != self._thread:
            raise WrongThread(f'{self.message.subject.decode(errors="replace")} was answered')
        if self.reply_sent:
            raise RuntimeError(
                f'{self.message.subject.decode(errors="replace")} has been answered already'
            )
        if self.reply_headers:
            headers = self._with_added(headers)
        self.reply_sent = True
        try:
            self._link.send((self._new_id(), type, self.message.id, headers, body))
        except LinkDown:
            return  # the caller got ConnectionLost when the link went down
        except Killed:
            raise  # the caller does not read: another answer would only wait again
        except BaseException:
            self.reply_sent = False  # too long, or interrupted while waiting to be sent
            raise

    def _with_added(self, headers: bytes) -> bytes:
        """Return packed headers with those that interceptors have added."""
        added, self.reply_headers = self.reply_headers, None
        assert added is not None
        packed = packed_headers(unpack(headers), added)
        self.reply_headers = added  # not if they are too long: then a NACK goes without them
        return packed


def subject_text(subject: bytes) -> str:
    """Return the subject of a message as text for errors, made printable and cut."""
    return printable(subject[:SUBJECT].decode(errors='replace'))


def _nack_body(text: str, length: int) -> bytes:
    """Return the packed body of a NACK with up to `length` characters of `text`."""
    if not text:
        return NIL
    told = text[:length]
    if not told.isascii():
        told = told.encode(errors='backslashreplace').decode()[:length]  # lone surrogates
    return pack({'message': told})
