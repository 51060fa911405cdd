"""One request and its answer, on its way from a WSGI application to the client.

If an application fails before the first byte of its answer is sent, the client gets an error page,
as if a handler had failed. If an answer fails later, or does not keep to its length, the connection
closes, so that nothing can be taken for the missing rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from lymph.core.failures import Killed
from lymph.web._answering.faults import AnswerAborted, ClientGone, ErrorAnswers
from lymph.web._http.bodies import Body
from lymph.web._http.environs import LINK_KEY, make_environ
from lymph.web._http.files import FileBody, Region
from lymph.web._http.framing import SENT_WHOLE, Framing, whole_answer
from lymph.web._http.heads import Head
from lymph.web._http.limits import Limits
from lymph.web._http.opening import AnswerError, Opening, check_part, parts_of
from lymph.web._serving.link import HttpLink

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ['Exchange', 'ExchangeHost']

_TOGETHER = 64 * 1024  # bytes that are sent in one piece; more is not worth a copy
_REQUEST_KEY = 'werkzeug.request'  # where werkzeug's Request puts itself
_CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
_NOT_STARTED = Opening()  # of all answers that have not begun; never started itself


class ExchangeHost(Protocol):
    """What an answer needs of the server."""

    limits: Limits
    #: makes the answer if the application fails
    faults: ErrorAnswers
    #: the WSGI environment that all requests share
    environ: dict[str, Any]

    def closing(self) -> bool:
        """Tell whether connections close after the answer that is on its way."""

    def date(self) -> str:
        """Return the line of Date."""


class Exchange:
    """Answers the request of `head` on `link`, once. Runs in a worker."""

    __slots__ = ('_body', '_ended', '_failed', '_framing', '_head', '_host', '_length', '_link',
                 '_opening', 'environ')  # fmt: skip

    def __init__(self, link: HttpLink, head: Head, host: ExchangeHost) -> None:
        self._link = link
        self._head = head
        self._host = host
        self._failed = self._ended = False
        self._opening = _NOT_STARTED
        self._framing: Framing | None = None  # None until the head is sent
        self._length: int | None = None
        self._body: Body | None = None
        if head.has_body:
            self._body = Body(head, link, host.limits, self._proceed)
            link.connection.body = self._body
        #: the WSGI environment of the request
        self.environ = environ = make_environ(
            host.environ, head, BytesIO() if self._body is None else self._body
        )
        environ[LINK_KEY] = link
        if link.peer is not None:
            environ['REMOTE_ADDR'], environ['REMOTE_PORT'] = link.peer
        if link.wire is not None:
            environ['wsgi.url_scheme'] = 'https'

    def run(self, application: WSGIApplication) -> bool:
        """Send the answer of `application`; return whether the connection can be used again.

        Raises ClientGone.
        """
        try:
            self._run(application)
        except (Killed, ClientGone):
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            if self._framing is not None:
                if not isinstance(error, AnswerAborted):  # which has been logged
                    self._host.faults.log_and_report(error, self.environ)
                if self._framing.takes_body:
                    self._link.close()  # at once: the client must see that a part is missing
                    return False
                return not self._framing.closes
            self._failed = True
            self._opening, self._length = _NOT_STARTED, None
            self._run(self._host.faults.answer(error, self.environ))
        finally:
            self._ended = True
            # this is a cycle: else all of the request stays until the garbage is collected
            self.environ.pop(_REQUEST_KEY, None)
        return self._framing is not None and not self._framing.closes

    def _run(self, application: WSGIApplication) -> None:
        result = application(self.environ, self._start_response)
        if type(result) is list and len(result) == 1 and self._send_whole(result[0]):
            return  # as nearly all answers
        try:
            self._send_body(result)
        finally:
            self._close(result)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if self._opening is _NOT_STARTED:
            self._opening = Opening()
        self._opening.start(status, headers, exc_info)
        return self._write_part

    def start(self, opening: Opening) -> Callable[[bytes], None]:
        """Start the answer as `start_response` does, with status and fields that are checked.

        Raises AnswerError if it was started before.
        """
        if self._opening.status:
            raise AnswerError('expected start_response to be called once, or with exc_info')
        self._opening = opening
        return self._write_part

    def _write_part(self, data: bytes) -> None:
        if self._ended:
            raise AnswerError('expected no more of an answer that has ended')
        self._write(check_part(data))

    def _send_whole(self, data: object) -> bool:
        """Send an ordinary answer whose whole body is `data`; return False for others."""
        head = self._head
        if (
            type(data) is not bytes
            or len(data) > _TOGETHER
            or self._framing is not None
            or head.version != 'HTTP/1.1'
            or head.method == 'HEAD'
            or self._closes()
        ):
            return False
        answer = whole_answer(self._opening, data, self._host.date)
        if answer is None:
            return False
        self._opening.sent = True
        self._framing, self._ended = SENT_WHOLE, True
        self._link.send(answer)
        return True

    def _send_body(self, result: Iterable[bytes]) -> None:
        kind = type(result)
        if kind is list or kind is tuple or isinstance(result, (list, tuple)):
            parts = [part if type(part) is bytes else check_part(part) for part in result]
            self._length = length = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
            if length <= _TOGETHER and self._framing is None:
                data = parts[0] if len(parts) == 1 else b''.join(parts)
                self._framing = framing = self._begin()
                head = framing.head(self._host.date)
                if framing.whole(data):
                    self._link.send(head + data)
                    return
                self._link.send(head)
                parts = [data]
            result = parts
        elif isinstance(result, FileBody) and self._link.wire is None:
            region = result.region()
            if region is not None:
                self._send_file(region)
                return
        for part in parts_of(result):
            data = check_part(part)
            if data and not self._write(data).takes_body:
                return
        end = (self._framing or self._write(b'')).end()
        if end:
            self._link.send(end)

    def _write(self, data: bytes) -> Framing:
        """Send a part of the body, and the head before the first."""
        framing, head = self._framing, b''
        if framing is None:
            framing = self._framing = self._begin()
            head = framing.head(self._host.date)
        body = framing.part(data)
        if head and len(head) + len(body) > _TOGETHER:
            self._link.send(head)
            head = b''
        if head or body:
            self._link.send(head + body if head else body)
        framing.count(data)
        return framing

    def _begin(self) -> Framing:
        """Decide how the answer is framed."""
        self._opening.send()
        head = self._head
        return Framing(self._opening, head.method, head.version, self._length, self._closes())

    def _closes(self) -> bool:
        """Tell whether the connection has to close after this answer."""
        body = self._body
        return (
            self._failed
            or not self._head.keep_alive
            or self._host.closing()
            or (body is not None and body.abandoned)
        )

    def _send_file(self, region: Region) -> None:
        """Send what is left of a regular file, without reading it."""
        self._length = region.size
        framing = self._write(b'')
        if framing.takes_body:
            size = framing.allowed(region.size)
            framing.count_bytes(self._link.send_file(region.descriptor, region.start, size))
        framing.end()

    def _proceed(self) -> None:
        """Ask for a body, unless its client has an answer already."""
        if self._framing is None:
            try:
                self._link.send(_CONTINUE)
            except ClientGone as error:
                raise ConnectionError(str(error)) from None

    def _close(self, result: object) -> None:
        # the answer is what it is by now
        try:
            close: Callable[[], None] | None = getattr(result, 'close', None)
            if close is not None:
                close()
        except (Killed, ClientGone):
            raise
        except BaseException as error:  # noqa: BLE001 - other people's code
            self._host.faults.log_and_report(error, self.environ)
