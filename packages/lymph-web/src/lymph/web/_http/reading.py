"""Reads the head of a request from a connection: a bounded number of bytes, in a bounded time."""

from __future__ import annotations

import time

from lymph.web._http.heads import Head, HeadError, parse_head
from lymph.web._http.incoming import Incoming
from lymph.web._http.limits import Limits

__all__ = ['read_head']


def read_head(incoming: Incoming, limits: Limits) -> Head | None:
    """Return the head of the next request, None if the client goes away before its end.

    Raises HeadError, also for one that does not arrive within `header_timeout`, and OSError.
    """
    deadline = time.monotonic() + limits.header_timeout
    buffer = incoming.buffer
    data = bytearray()
    lines = taken = searched = 0
    while True:
        end = buffer.find(b'\n', searched) + 1
        if taken + (end or len(buffer)) > limits.max_header_size:
            text = f'expected at most {limits.max_header_size} bytes before the body'
            raise HeadError(431 if lines else 414, text)
        if not end:
            searched = len(buffer)
            if not _fill(incoming, deadline, limits):
                return None
            continue
        line = bytes(buffer[:end])
        del buffer[:end]
        taken += end
        searched = 0
        if not line.endswith(b'\r\n'):
            raise HeadError(400, 'expected lines that end with CR LF')
        if line != b'\r\n':
            data += line
            lines += 1
            if lines > limits.max_headers + 1:
                raise HeadError(431, f'expected at most {limits.max_headers} header fields')
        elif data:  # empty lines before a request are ignored (RFC 9112, 2.2)
            return parse_head(bytes(data), limits.max_headers)


def _fill(incoming: Incoming, deadline: float, limits: Limits) -> bool:
    try:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return incoming.fill(left)
    except TimeoutError:
        raise HeadError(408, f'no whole head within {limits.header_timeout} s') from None
