"""Compressing the answer of a WSGI application.

An answer that exists as a whole and has at most 1 MiB is compressed before it begins, so that its
length is known. Any other is compressed part by part while it is sent; the parts of a stream, whose
length nobody knows, are flushed one by one. The loop runs after each 32 KiB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

import gevent
from werkzeug.wrappers import Response
from werkzeug.wsgi import ClosingIterator

from lymph.web._browsers.encodings import Wish, wish_of
from lymph.web._browsers.vary import add_vary
from lymph.web._http.opening import AnswerError, Opening, check_part, parts_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['CompressionRules', 'compressed']

_WHOLE: Final = 1024 * 1024  # bytes that are compressed before an answer begins
_TURN: Final = 32 * 1024  # bytes: a millisecond or two, then the loop runs
_PART: Final = 256  # what a part costs beside its bytes
_SHORTEST: Final = 1e-6  # seconds; the loop would not look at sockets for `sleep(0)`
_GZIP: Final = 31  # of zlib: a gzip header and trailer, the largest window
#: a range of the answer as it is, or a digest of its bytes
_BOUND: Final = frozenset(
    {'content-encoding', 'content-range', 'content-digest', 'repr-digest', 'digest', 'content-md5'}
)
_WITHOUT_BODY: Final = frozenset({204, 205, 206, 304})


class CompressionRules(Protocol):
    """What is worth compressing, and how much work that is worth."""

    @property
    def min_size(self) -> int:
        """Bytes that a body has at least."""

    @property
    def level(self) -> int:
        """From 1 (fast) to 9 (short)."""

    def takes(self, mimetype: str) -> bool:
        """Tell whether bodies of a type get shorter."""


def compressed(rules: CompressionRules, application: WSGIApplication) -> WSGIApplication:
    """Return an application that answers like `application`, compressed where that is wanted."""

    def compressing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = _CompressedAnswer(rules, environ, start_response)
        result = application(environ, answer.start)
        whole = isinstance(application, Response) and application.is_sequence
        try:
            return answer.send(result, whole)
        except BaseException:
            _close(result)
            raise

    return compressing


class _CompressedAnswer:
    """One answer on its way from an application to the server."""

    def __init__(
        self, rules: CompressionRules, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        self._rules = rules
        self._environ = environ
        self._start_response = start_response
        self._opening = Opening()
        self._write: Callable[[bytes], object] | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Take status and fields (PEP 3333); they are passed on when it is known what follows."""
        self._opening.start(status, headers, exc_info)
        return self._write_part

    def send(self, result: Iterable[bytes], whole: bool) -> Iterable[bytes]:
        """Begin the answer and return its body; `whole` tells whether all of it exists."""
        opening, early = self._opening, list[bytes]()
        parts: Iterator[bytes] = iter(())
        if not opening.status:  # the application starts when its first part is asked for
            parts = parts_of(result)
            early = [part for part in (next(parts, None),) if part is not None]
        size = opening.length
        if isinstance(result, (list, tuple)):
            whole = True
            size = sum(map(len, result)) if size is None else size
        if opening.status and not opening.sent and self._is_wanted(size):
            self._change_fields()
            if self._environ.get('REQUEST_METHOD') != 'HEAD':
                body = self._compress(chain(early, parts if early else parts_of(result)), size)
                if whole and size is not None and size <= _WHOLE:
                    body = self._all_of(body)
                self._begin()
                return ClosingIterator(body, lambda: _close(result))
        if opening.status:
            self._begin()
        return ClosingIterator(chain(early, parts), lambda: _close(result)) if early else result

    def _all_of(self, body: Iterator[bytes]) -> Iterator[bytes]:
        """Compress a body as a whole, and add its length to the fields."""
        data = b''.join(body)
        self._opening.fields.append(('Content-Length', str(len(data))))
        return iter([data])

    def _is_wanted(self, size: int | None) -> bool:
        """Tell whether to compress the answer; note in its fields that it depends on the client."""
        opening, wish = self._opening, wish_of(self._environ.get('HTTP_ACCEPT_ENCODING', ''))
        fields = {name.lower(): value for name, value in opening.fields}
        if opening.code == 304:
            # nobody knows of which type the answer would be
            add_vary(opening.fields, 'Accept-Encoding')
            self._name_variant(fields.get('etag', ''))
        if opening.code < 200 or opening.code in _WITHOUT_BODY or _BOUND.intersection(fields):
            return False
        if 'no-transform' in fields.get('cache-control', '').lower() or size == 0:
            return False
        mimetype = fields.get('content-type', '').partition(';')[0].strip().lower()
        long_enough = size is None or size >= self._rules.min_size
        if not (long_enough and self._rules.takes(mimetype)) and wish is not Wish.GZIP_ONLY:
            return False
        add_vary(opening.fields, 'Accept-Encoding')
        return wish is not Wish.IDENTITY

    def _name_variant(self, tag: str) -> None:
        """Confirm to a client that its compressed copy is current, by the tag of that copy."""
        if tag and f'W/{tag}' in self._environ.get('HTTP_IF_NONE_MATCH', ''):
            self._opening.fields = _weakened(self._opening.fields)

    def _change_fields(self) -> None:
        dropped = ('content-length', 'accept-ranges')
        kept = [field for field in self._opening.fields if field[0].lower() not in dropped]
        self._opening.fields = [*_weakened(kept), ('Content-Encoding', 'gzip')]

    def _begin(self) -> None:
        if not self._opening.sent:
            self._opening.send()
            self._write = self._start_response(self._opening.status, self._opening.fields)

    def _write_part(self, data: bytes) -> None:
        """Send a part at once, as it is: the rest is not known."""
        self._begin()
        assert self._write is not None
        self._write(data)

    def _compress(self, parts: Iterable[bytes], size: int | None) -> Iterator[bytes]:
        """Yield compressed parts; without a size, a client can decode each when it arrives.

        Raises AnswerError unless `size` is the number of bytes in the parts.
        """
        compressor = zlib.compressobj(self._rules.level, zlib.DEFLATED, _GZIP)
        total = spent = 0
        for part in map(check_part, parts):
            total += len(part)
            for begin in range(0, len(part), _TURN):
                data = compressor.compress(memoryview(part)[begin : begin + _TURN])
                if size is None and begin + _TURN >= len(part):
                    data += compressor.flush(zlib.Z_SYNC_FLUSH)
                if data:
                    yield data
                spent += _PART + min(_TURN, len(part) - begin)
                if spent >= _TURN:
                    spent = 0
                    gevent.sleep(_SHORTEST)
        if size is not None and total != size:
            raise AnswerError(f'expected a body of {size} bytes, as it says, found {total}')
        yield compressor.flush()


def _weakened(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return fields whose ``ETag`` is weak: the bytes depend on the compressor."""
    return [
        (name, f'W/{value}' if name.lower() == 'etag' and not value.startswith('W/') else value)
        for name, value in fields
    ]


def _close(result: object) -> None:
    close: Callable[[], None] | None = getattr(result, 'close', None)
    if close is not None:
        close()
