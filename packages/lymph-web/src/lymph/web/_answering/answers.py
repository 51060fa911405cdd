"""Hold an answer back until status, header fields and the first part of the body exist.

A handler may fail while its answer is sent. Until the first byte is sent, an error page can replace
the answer.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from lymph.core.failures import Killed, error_line
from lymph.web._answering.faults import AnswerAborted
from lymph.web._answering.whole import whole_response
from lymph.web._http.files import FileBody
from lymph.web._http.opening import Opening, check_part, parts_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['Answering', 'HandlerAnswer']

OnError = Callable[[BaseException], None]


class Answering(Protocol):
    """What an answer needs of the application of its interface."""

    def begin(self, answer: HandlerAnswer, opening: Opening) -> Callable[[bytes], object]:
        """Pass status and fields, which are checked, to the server."""

    def broken(self, answer: HandlerAnswer, error: BaseException) -> None:
        """Handle an error of an answer that has begun."""


class HandlerAnswer:
    """Runs WSGI applications until one of them has begun to answer a request.

    `started` is when the request arrived, on the monotonic clock; `start_response` that of the
    server.
    """

    # no closures: this is made for each request
    __slots__ = (
        '_host',
        '_opening',
        '_write',
        'environ',
        'is_check',
        'start_response',
        'started',
        'trace_id',
        'work',
    )

    def __init__(
        self,
        host: Answering,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        started: float,
        trace_id: str,
    ) -> None:
        self._host = host
        self.environ = environ
        self.start_response = start_response
        self.started = started
        self.trace_id = trace_id
        self.is_check = False  # whether the health endpoint answers
        self.work = 0  # the id of its unit of work, once that has begun
        self._opening: Opening
        self._write: Callable[[bytes], object] | None = None

    @property
    def begun(self) -> bool:
        """Whether the server has got status and header fields."""
        return self._write is not None

    def run(self, application: WSGIApplication) -> Iterable[bytes]:
        """Call `application` and return the body of its answer.

        Raises what the application raises before the first part of the body. Later errors are
        passed to `on_error`; iterating over the body then raises AnswerAborted.
        """
        whole = whole_response(application, self.environ)
        if whole is not None:
            opening, parts = whole
            self._write = self._host.begin(self, opening)
            return parts
        self._opening = Opening()
        result = application(self.environ, self._start)
        # a file fails in the server only, which may have the kernel send it
        if isinstance(result, (list, tuple, FileBody)):
            self._send()
            return result
        body = _Parts(result, self._broken)
        try:
            body.begin()
            self._send()
        except BaseException:
            body.close()
            raise
        return body

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._opening.start(status, headers, exc_info)
        return self._write_part

    def _write_part(self, data: bytes) -> None:
        self._send()
        assert self._write is not None
        self._write(data)

    def _send(self) -> None:
        opening = self._opening
        if not opening.sent:
            opening.send()
            self._write = self._host.begin(self, opening)

    def _broken(self, error: BaseException) -> None:
        self._host.broken(self, error)


class _Parts:
    """The parts of a body, produced in the context of their request."""

    def __init__(self, result: Iterable[bytes], on_error: OnError) -> None:
        self._result = result
        self._on_error = on_error
        self._context = contextvars.copy_context()
        self._first: list[bytes] = []
        self._parts: Iterator[bytes] = parts_of(result)

    def begin(self) -> None:
        """Produce the first part that is not empty."""
        self._context.run(self._make_first)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop()
        try:
            return self._context.run(next, self._parts)
        except (StopIteration, Killed, AnswerAborted):
            raise
        except BaseException as error:
            self._on_error(error)
            raise AnswerAborted(error_line(error)) from error

    def close(self) -> None:
        """Close what the application returned; pass an error of that to `on_error`."""
        close: Callable[[], None] | None = getattr(self._result, 'close', None)
        if close is None:
            return
        try:
            self._context.run(close)
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - other people's code
            self._on_error(error)

    def _make_first(self) -> None:
        for part in map(check_part, self._parts):
            if part:
                self._first.append(part)
                return
