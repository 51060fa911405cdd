"""Reads the ordinary heads, which are nearly all, in a fraction of the time of `parse_head`.

httptools (llhttp) splits a head. What it refuses, and what is not as ordinary as this module
expects (targets other than a path, repeated fields, uncommon methods), is left to `parse_head`: it
alone refuses heads. For each head that is accepted here, both return the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from lymph.web._http.authorities import is_authority
from lymph.web._http.heads import (
    Head,
    content_length_of,
    expects_continue,
    is_chunked,
    keeps_alive,
    parse_head,
    variable_of,
)

__all__ = ['HeadSplitter']

# a method, a path, and a query if any; with one space each, which httptools does not insist on
_LINE = re.compile(
    rb'([A-Z-]+) (/[\x21\x22\x24-\x3e\x40-\x7e]*)(?:\?([\x21\x22\x24-\x7e]*))?'
    rb' HTTP/1\.([01])\r\n'
)
_METHODS = {b'GET': 'GET', b'POST': 'POST', b'HEAD': 'HEAD', b'PUT': 'PUT'}
_KEPT = 64  # bytes of a name or a host, so that what is kept for later is small


class _Pieces:
    """What httptools calls for the parts of a head."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        # a C function: a call for each field would be a third of the time
        self.on_header = self.fields.__setitem__


class HeadSplitter:
    """Reads heads, each of them whole; those of a server share it, since it keeps nothing."""

    def __init__(self, max_fields: int) -> None:
        self._max_fields = max_fields
        self._received = _Pieces()
        self._parser: HttpRequestParser | None = None

    def read(self, data: bytes) -> Head:
        """Return what a head says, from its request line to its empty line; raises HeadError."""
        received = self._received
        parser = self._parser
        if parser is None:
            parser = HttpRequestParser(received)
        self._parser = None  # until it is known that it expects another head
        try:
            parser.feed_data(data)
            head = self._ordinary(data)
        except (HttpParserError, HttpParserUpgrade):
            head = None
        finally:
            received.fields.clear()
        if head is None:
            return parse_head(data[:-2], self._max_fields)
        # after others, it expects a body or nothing
        if head.keep_alive and not head.has_body:
            self._parser = parser
        return head

    def _ordinary(self, data: bytes) -> Head | None:
        """Return what a head says; None for those that `parse_head` has to look at."""
        fields = self._received.fields
        line = _LINE.match(data)
        if (
            line is None
            # repeated fields, and whatever may have been read as part of another line
            or len(fields) != data.count(b'\n') - 2
            or len(fields) > self._max_fields
        ):
            return None
        method, path, query, minor = line.groups(b'')
        is_1_1 = minor == b'1'
        variables: dict[str, str] = {}
        for name, value in fields.items():
            if len(name) > _KEPT:
                return None
            key = _key(name)
            if key in variables:
                return None
            if key:
                variables[key] = value.decode('latin-1').strip(' \t')
        host = variables.get('HTTP_HOST')
        if host is None or len(host) > _KEPT or not _is_authority(host):
            return None
        version = 'HTTP/1.1' if is_1_1 else 'HTTP/1.0'
        connection = variables.get('HTTP_CONNECTION')
        head = Head(
            _METHODS.get(method) or method.decode('latin-1'),
            path.decode('ascii'),
            query.decode('ascii') if query else '',
            version,
            variables,
            host,
            is_1_1 if connection is None else keeps_alive([connection], version),
        )
        if (
            'CONTENT_LENGTH' in variables
            or 'HTTP_TRANSFER_ENCODING' in variables
            or 'HTTP_EXPECT' in variables
        ):
            _describe_body(head)
        return head


@lru_cache(512)
def _key(name: bytes) -> str:
    return variable_of(name.decode('latin-1'))


_is_authority = lru_cache(256)(is_authority)


def _describe_body(head: Head) -> None:
    """Set what a head says about its body; raises HeadError."""
    variables = head.variables
    values = {
        name: [variables[key]]
        for name, key in (
            ('content-length', 'CONTENT_LENGTH'),
            ('transfer-encoding', 'HTTP_TRANSFER_ENCODING'),
            ('expect', 'HTTP_EXPECT'),
        )
        if key in variables
    }
    head.chunked = is_chunked(values, head.version)
    head.content_length = content_length_of(values.get('content-length', []))
    head.expects_continue = expects_continue(values.get('expect', []), head.version)
    head.has_body = head.chunked or bool(head.content_length)
