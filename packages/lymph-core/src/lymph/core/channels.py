"""The two ends of a call: where its outcome is waited for, and where it is answered.

Source: the manual, sections 4.5.3 and 5.2. A call has exactly one outcome on either side: whatever
comes second is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gevent
from greenlet import getcurrent, greenlet

from lymph.config.printable import printable, quoted
from lymph.core._protocol.call_headers import trace_id_in
from lymph.core._system.threads import get_ident
from lymph.core.failures import Killed
from lymph.core.limits import SUBJECT
from lymph.core.messages import ACK, EMPTY_MAP, ERROR, NACK, NIL, REP, Message
from lymph.core.reasons import FAILED, Reason
from lymph.core.transport.base import Link, LinkDown, MessageTooLong
from lymph.exceptions import Expired, RpcError, Timeout, WrongThread
from lymph.serializers.msgpack import pack

__all__ = ['ReplyChannel', 'RequestChannel', 'Waiting', 'subject_text']

_NACK_TEXT = 2000  # characters
_SHORT_TEXT = 100  # where messages may not be long


class Waiting(Protocol):
    """The connection that a call waits on, as its channel knows it."""

    endpoint: str
    heard: int
    thread: int

    def forget(self, channel: RequestChannel) -> None:
        """Drop a call."""

    def expired(self, channel: RequestChannel, error: Timeout) -> None:
        """End a call whose deadline has passed."""


class RequestChannel:
    """The caller's end of one request.

    The connection resolves it, from the hub: with the frames of a reply, or with an error when the
    link breaks or the deadline passes. It is in its connection's table until then, and no longer;
    `ticket` is what the connection got for its deadline.
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
        'sending',
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
        self.heard = connection.heard  # what had arrived on the connection when this was sent
        #: the greenlet that hands the request over, which waits while the peer does not read
        self.sending: greenlet | None = None
        self._connection = connection
        self.timeout = timeout  # seconds the caller gave it, for errors
        self._frames: list[bytes] | None = None
        self._error: RpcError | None = None
        self._message: Message | None = None
        self._waiting: greenlet | None = None

    def get(self, timeout: float | None = 1) -> Message:
        """Return the reply, waiting up to `timeout` seconds for it; again, the same one.

        None sets no limit beside the timeout that the request was sent with. Raises Timeout when
        there is no reply in time, ConnectionLost when the link broke. The reply may
        be of any type; it is not turned into a result. Raises WrongThread in another native thread.
        """
        self._expect_own_thread()
        if self._message is None:
            if timeout is None:
                frames = self.wait()
            else:
                facts = {**self.facts, 'timeout': timeout}
                late = Timeout(f'no reply from {self.what} within {float(timeout):.3g} s', **facts)
                with gevent.Timeout(timeout, late):
                    frames = self.wait()
            self._message = Message.from_frames(frames)
        return self._message

    def wait(self) -> list[bytes]:
        """Return the frames of the reply; raises the RpcError the call ended with.

        One greenlet may wait at a time; it cannot be the hub.
        """
        if get_ident() != self._connection.thread:
            self._expect_own_thread()
        if self._frames is None and self._error is None:
            if self._waiting is not None:
                raise RuntimeError(f'two greenlets wait for the reply from {self.what}')
            self._waiting = getcurrent()
            try:
                gevent.get_hub().switch()
            finally:
                self._waiting = None
        if self._error is not None:
            raise self._error
        assert self._frames is not None
        return self._frames

    @property
    def what(self) -> str:
        """The call in words, for errors."""
        return f'{subject_text(self.subject)} at {self._connection.endpoint}'

    @property
    def facts(self) -> dict[str, Any]:
        """What errors of the call have as attributes: the keyword arguments of `RpcError`."""
        return {
            'subject': subject_text(self.subject),
            'endpoint': self._connection.endpoint,
            'timeout': self.timeout,
            'trace_id': trace_id_in(self._headers),
        }

    def cancel(self) -> None:
        """Wait no longer: a reply that still arrives is dropped."""
        self._expect_own_thread()
        self._connection.forget(self)

    def resolve(self, frames: list[bytes] | None, error: RpcError | None) -> None:
        """Give the call its outcome and let the waiting greenlet go on. Only for the hub."""
        self._frames, self._error = frames, error
        if self._waiting is not None:
            self._waiting.switch()
        elif self.sending is not None and error is not None:
            self.sending.throw(error)

    def expire(self) -> None:
        """Take the call's deadline as passed."""
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

    A second answer is an error of the method (RuntimeError), except with
    ``unless_reply_sent=True``, which then does nothing. A caller that has gone away is no error.
    It is answered in the native thread of its container; elsewhere that is a WrongThread.
    """

    __slots__ = ('_link', '_new_id', '_thread', 'detached', 'headers', 'message', 'reply_sent')

    def __init__(self, link: Link, message: Message, new_id: Callable[[], bytes]) -> None:
        self.message = message
        self.headers = EMPTY_MAP  # of a reply, an acknowledgement or an error
        self.reply_sent = False
        self.detached = False
        self._link = link
        self._new_id = new_id
        self._thread = get_ident()

    def reply(self, body: Any) -> None:
        """Send `body` as the result.

        Raises SerializationError or MessageTooLong before anything is sent.
        """
        self._send(REP, self.headers, pack(body))

    def ack(self, unless_reply_sent: bool = False) -> None:
        """Send an acknowledgement, which carries no result."""
        if not (unless_reply_sent and self.reply_sent):
            self._send(ACK, self.headers, NIL)

    def nack(
        self, unless_reply_sent: bool = False, *, reason: Reason = FAILED, text: str = ''
    ) -> None:
        """Send a NACK, which tells the caller that there is no result.

        `reason` tells whether the method ran, and whether callers try elsewhere; see
        `lymph.core.reasons`. `text` is for a person to read; it is cut, and left out if it makes
        the answer longer than a message may be.
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
        """Send an error: ``type`` is the name of its class, ``message`` its text.

        A `body` that is text is the message. The caller gets a `RemoteError` of the given type, or
        of the type ``Exception``. Raises TypeError for a `body` that is neither text nor a mapping.
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
        """Keep the channel to answer after the handler has returned."""
        self.detached = True

    def _send(self, type: bytes, headers: bytes, body: bytes) -> None:
        if get_ident() != self._thread:
            raise WrongThread(f'{self.message.subject.decode(errors="replace")} was answered')
        if self.reply_sent:
            raise RuntimeError(
                f'{self.message.subject.decode(errors="replace")} has been answered already'
            )
        self.reply_sent = True
        try:
            self._link.send((self._new_id(), type, self.message.id, headers, body))
        except LinkDown:
            return  # a caller that has gone has its outcome without us
        except Killed:
            raise  # while the caller did not read: another answer would only wait again
        except BaseException:
            self.reply_sent = False  # too long, or interrupted while it waited to be handed over
            raise


def subject_text(subject: bytes) -> str:
    """Return the subject of a message as text for errors, cut and printable."""
    return printable(subject[:SUBJECT].decode(errors='replace'))


def _nack_body(text: str, length: int) -> bytes:
    """Return the body of a NACK with up to `length` characters of a text, printed or not."""
    if not text:
        return NIL
    told = text[:length]
    if not told.isascii():
        told = told.encode(errors='backslashreplace').decode()[:length]  # lone surrogates
    return pack({'message': told})
