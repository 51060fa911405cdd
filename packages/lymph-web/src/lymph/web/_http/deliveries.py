"""The answer to one request on its way from a WSGI application to the client.

An application that fails before the first byte of its answer has left is answered for, as one whose
handler has raised. Of an answer that fails later, or does not keep to its length, the rest is
missing: the connection closes, so that nothing can be taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lymph.core.failures import Killed
from lymph.web._answering.faults import ClientGone, ErrorAnswers
from lymph.web._http.framing import Framing
from lymph.web._http.heads import Head
from lymph.web._http.opening import Opening, check_part, parts_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['AnswerSender']

_TOGETHER = 16 * 1024  # bytes of a body sent together with the head; more is not worth a copy


class AnswerSender:
    """Answers the request of `head`, once.

    `send` writes bytes to the client and raises ClientGone when that fails; `must_close` returns
    whether to close the connection after the answer; `faults` makes the answer when the application
    fails.
    """

    def __init__(
        self,
        head: Head,
        send: Callable[[bytes], None],
        must_close: Callable[[], bool],
        faults: ErrorAnswers,
    ) -> None:
        self._head = head
        self._send = send
        self._must_close = must_close
        self._faults = faults
        self._failed = False
        self._opening = Opening()
        self._framing: Framing | None = None  # None until the head is sent
        self._length: int | None = None

    @property
    def begun(self) -> bool:
        """Whether any byte of the answer was sent."""
        return self._framing is not None

    def run(self, application: WSGIApplication, environ: WSGIEnvironment) -> bool:
        """Send the answer of `application`; return whether the connection can be used again.

        Raises ClientGone.
        """
        try:
            self._run(application, environ)
        except (Killed, ClientGone):
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            if self._framing is not None:
                self._faults.log_and_report(error, environ)
                return not self._framing.takes_body and not self._framing.closes
            self._failed = True
            self._opening, self._length = Opening(), None
            self._run(self._faults.answer(error, environ), environ)
        return self._framing is not None and not self._framing.closes

    def _run(self, application: WSGIApplication, environ: WSGIEnvironment) -> None:
        result = application(environ, self._start_response)
        try:
            self._send_body(result)
        finally:
            self._close(result, environ)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self._opening.start(status, headers, exc_info)
        return self._write_part

    def _write_part(self, data: bytes) -> None:
        self._write(check_part(data))

    def _send_body(self, result: Iterable[bytes]) -> None:
        if isinstance(result, (list, tuple)):
            self._length = sum(len(check_part(part)) for part in result)
        for part in map(check_part, parts_of(result)):
            if part and not self._write(part).takes_body:
                return
        self._send(self._write(b'').end())

    def _write(self, data: bytes) -> Framing:
        """Send a part of the body, and the head before the first."""
        framing, head = self._framing, b''
        if framing is None:
            self._opening.send()
            framing = self._framing = Framing(
                self._opening,
                self._head.method,
                self._head.version,
                self._length,
                self._failed or self._must_close(),
            )
            head = framing.head()
        body = framing.part(data)
        if head and len(body) > _TOGETHER:
            self._send(head)
            head = b''
        self._send(head + body if head else body)
        framing.count(data)
        return framing

    def _close(self, result: object, environ: WSGIEnvironment) -> None:
        # the answer is what it is by now
        try:
            close: Callable[[], None] | None = getattr(result, 'close', None)
            if close is not None:
                close()
        except (Killed, ClientGone):
            raise
        except BaseException as error:  # noqa: BLE001 - other people's code
            self._faults.log_and_report(error, environ)
