"""Hold an answer back until status, header fields and the first part of the body exist.

A handler may fail while its answer is sent. Until the first byte is sent, an error page can replace
the answer.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lymph.core.failures import Killed, error_line
from lymph.web._answering.faults import AnswerAborted
from lymph.web._answering.whole import whole_response
from lymph.web._http.files import FileBody
from lymph.web._http.opening import Opening, check_part, parts_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['HandlerAnswer']

OnError = Callable[[BaseException], None]
Begin = Callable[[Opening], Callable[[bytes], object]]


class HandlerAnswer:
    """Runs WSGI applications until one of them has begun to answer a request.

    `begin` passes status and fields to the server, which are checked; `on_error` is called with
    later errors.
    """

    __slots__ = ('_begin', '_on_error', '_opening', '_write')

    def __init__(self, begin: Begin, on_error: OnError) -> None:
        self._begin = begin
        self._on_error = on_error
        self._opening: Opening
        self._write: Callable[[bytes], object] | None = None

    @property
    def begun(self) -> bool:
        """Whether the server has got status and header fields."""
        return self._write is not None

    def run(self, application: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Call `application` and return the body of its answer.

        Raises what the application raises before the first part of the body. Later errors are
        passed to `on_error`; iterating over the body then raises AnswerAborted.
        """
        whole = whole_response(application, environ)
        if whole is not None:
            self._opening, parts = whole
            self._send()
            return parts
        self._opening = Opening()
        result = application(environ, self._start)
        # a file fails in the server only, which may have the kernel send it
        if isinstance(result, (list, tuple, FileBody)):
            self._send()
            return result
        body = _Parts(result, self._on_error)
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
            self._write = self._begin(opening)


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
