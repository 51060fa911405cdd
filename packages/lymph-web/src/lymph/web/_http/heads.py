"""The head of an HTTP request: which bytes make one, and which are refused.

RFC 9110 and 9112, read strictly. Whatever two servers in a row may read in two ways (both a length
and a transfer coding, two lengths, folded lines, spaces before a colon, bare line feeds) is
refused, since that is how one request is hidden from the first of them inside another. Nothing
here reads from a socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lymph.config.printable import quoted
from lymph.exceptions import LymphError
from lymph.web._http.authorities import is_authority, same_authority

__all__ = ['Head', 'HeadError', 'parse_head']

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(r'HTTP/(\d)\.(\d)')
# No control characters, no space and no fragment; text beyond ASCII arrives unquoted from simple
# clients.
_TARGET = re.compile(r'[\x21\x22\x24-\x7e\x80-\xff]+')
_ABSOLUTE = re.compile(r'(https?)://([^/?]*)(.*)', re.IGNORECASE)
_VALUE = re.compile(r'[\t\x20-\x7e\x80-\xff]*')
_LENGTH = re.compile(r'[0-9]{1,18}')


class HeadError(LymphError):
    """A head that is refused; `status` is the code of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Head:
    """What a head says.

    `path` is still percent-encoded; `content_length` is in bytes, None when there is no length;
    `chunked` is true for a body in chunks, which ends with its last chunk.
    """

    method: str
    path: str
    query: str
    version: str
    fields: tuple[tuple[str, str], ...]
    host: str | None
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow the head."""
        return self.chunked or bool(self.content_length)


def parse_head(data: bytes, max_fields: int = 100) -> Head:
    """Return what the head in `data` says: all lines up to the empty one, each with its CRLF.

    Raises HeadError for anything that is not exactly one request of HTTP/1.0 or 1.1, and for more
    than `max_fields` header fields.
    """
    first, *rest = _lines(data)
    method, target, version = _request_line(first)
    if len(rest) > max_fields:
        raise HeadError(431, f'expected at most {max_fields} header fields, found {len(rest)}')
    fields = tuple(_field(line) for line in rest)
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    host = _host(values.get('host', []), version)
    authority, path, query = _target(method, target, host)
    chunked = _chunked(values, version)
    return Head(
        method=method,
        path=path,
        query=query,
        version=version,
        fields=fields,
        host=host if authority is None else authority,
        content_length=_content_length(values.get('content-length', [])),
        chunked=chunked,
        keep_alive=_keep_alive(values.get('connection', []), version),
        expects_continue=_expects_continue(values.get('expect', []), version),
    )


def _lines(data: bytes) -> list[str]:
    text = data.decode('latin-1')
    if not text.endswith('\r\n'):
        raise HeadError(400, 'expected lines that end with CR LF')
    lines = text[:-2].split('\r\n')
    if any('\r' in line or '\n' in line for line in lines):
        raise HeadError(400, 'expected lines that end with CR LF, found one of them alone')
    return lines


def _request_line(line: str) -> tuple[str, str, str]:
    words = line.split(' ')
    if len(words) != 3:
        raise HeadError(400, 'expected a method, a target and a version in the request line')
    method, target, version = words
    if not _TOKEN.fullmatch(method):
        raise HeadError(400, 'expected a token as method')
    if not _TARGET.fullmatch(target):
        raise HeadError(400, 'expected a target without spaces, control characters and fragment')
    found = _VERSION.fullmatch(version)
    if found is None:
        raise HeadError(400, 'expected HTTP/1.1 as version')
    if found.group(1) != '1':
        raise HeadError(505, f'expected HTTP/1.0 or HTTP/1.1, found {version}')
    # a later minor version is answered as the highest one that is known (RFC 9110, 2.5)
    return method, target, 'HTTP/1.0' if found.group(2) == '0' else 'HTTP/1.1'


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(':')
    if not colon or not _TOKEN.fullmatch(name):
        raise HeadError(400, 'expected header fields of the form `name: value`')
    if not _VALUE.fullmatch(value):
        raise HeadError(400, f'expected no control characters in header field {quoted(name)}')
    return name, value.strip(' \t')


def _target(method: str, target: str, host: str | None) -> tuple[str | None, str, str]:
    """Return the authority (None unless the target has one), the path and the query."""
    # The four forms of a target: RFC 9112, section 3.2.
    if method == 'CONNECT':
        raise HeadError(501, 'this server is no proxy')
    if target == '*' and method == 'OPTIONS':
        return None, '*', ''
    authority = None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        scheme, authority, target = absolute.groups()
        if not is_authority(authority):
            raise HeadError(400, 'expected a host name, and a port if any, in the target')
        # A proxy might use the target and this server the field, or the other way round.
        if host is not None and not same_authority(authority, host, scheme.lower()):
            raise HeadError(400, 'expected the host of the target in header field Host')
        # the path may be empty, even before a query
        target = target if target.startswith('/') else f'/{target}'
    if not target.startswith('/'):
        raise HeadError(400, 'expected a target that starts with a slash')
    path, _, query = target.partition('?')
    return authority, path, query


def _host(values: list[str], version: str) -> str | None:
    if not values and version == 'HTTP/1.0':
        return None
    if len(values) != 1:
        raise HeadError(400, f'expected one Host header field, found {len(values)}')
    if not is_authority(values[0]):
        raise HeadError(400, 'expected a host name, and a port if any, in header field Host')
    return values[0]


def _chunked(values: dict[str, list[str]], version: str) -> bool:
    codings = values.get('transfer-encoding')
    if codings is None:
        return False
    if version == 'HTTP/1.0' or 'content-length' in values:
        raise HeadError(400, 'expected either Content-Length or, in HTTP/1.1, Transfer-Encoding')
    if [coding.lower() for coding in codings] != ['chunked']:
        raise HeadError(501, 'expected chunked as the only transfer coding')
    return True


def _content_length(values: list[str]) -> int | None:
    if not values:
        return None
    if len(values) != 1 or not _LENGTH.fullmatch(values[0]):
        raise HeadError(400, 'expected one number of bytes in header field Content-Length')
    return int(values[0])


def _keep_alive(values: list[str], version: str) -> bool:
    options = {option.strip().lower() for value in values for option in value.split(',')}
    if 'close' in options:
        return False
    return version == 'HTTP/1.1' or 'keep-alive' in options


def _expects_continue(values: list[str], version: str) -> bool:
    if not values or version == 'HTTP/1.0':
        return False
    if [value.lower() for value in values] != ['100-continue']:
        raise HeadError(417, 'expected 100-continue as the only expectation')
    return True
