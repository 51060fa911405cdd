"""The head of an HTTP request: which bytes make one, and which are refused.

RFC 9110 and 9112, read strictly. Whatever two servers in a row may read in two ways (both a length
and a transfer coding, two lengths, folded lines, spaces before a colon, bare line feeds) is
refused, since that is how one request is hidden from the first of them inside another. Nothing
here reads from a socket.

`parse_head` decides. `lymph.web._http.splitting` reads ordinary heads in a fraction of its time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lymph.config.printable import quoted
from lymph.exceptions import LymphError
from lymph.web._http.authorities import is_authority, same_authority

__all__ = [
    'Head',
    'HeadError',
    'content_length_of',
    'expects_continue',
    'is_chunked',
    'keeps_alive',
    'parse_head',
    'variable_of',
]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(r'HTTP/(\d)\.(\d)')
# No control characters, no space and no fragment; text beyond ASCII arrives unquoted from simple
# clients.
_TARGET = re.compile(r'[\x21\x22\x24-\x7e\x80-\xff]+')
_ABSOLUTE = re.compile(r'(https?)://([^/?]*)(.*)', re.IGNORECASE)
_VALUE = re.compile(r'[\t\x20-\x7e\x80-\xff]*')
_LENGTH = re.compile(r'[0-9]{1,18}')
_LISTS = {'HTTP_COOKIE': '; '}  # how repeated fields are joined, if not by a comma
_KEPT_NAME = 64  # characters


class HeadError(LymphError):
    """A head that is refused; `status` is the code of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Head:
    """What a head says.

    `path` is still percent-encoded; `variables` are the header fields as WSGI names them;
    `content_length` is in bytes, None when there is no length; `chunked` is true for a body in
    chunks, which ends with its last chunk.
    """

    __slots__ = (
        'chunked',
        'content_length',
        'expects_continue',
        'has_body',
        'host',
        'keep_alive',
        'method',
        'path',
        'query',
        'variables',
        'version',
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        version: str,
        variables: dict[str, str],
        host: str | None,
        keep_alive: bool,
        content_length: int | None = None,
        chunked: bool = False,
        expects_continue: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.version = version
        self.variables: dict[str, Any] = variables
        self.host = host
        self.keep_alive = keep_alive
        self.content_length = content_length
        self.chunked = chunked
        self.expects_continue = expects_continue
        #: whether bytes of a body follow the head
        self.has_body = chunked or bool(content_length)


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
    chunked = is_chunked(values, version)
    return Head(
        method=method,
        path=path,
        query=query,
        version=version,
        variables=_variables(fields),
        host=host if authority is None else authority,
        content_length=content_length_of(values.get('content-length', [])),
        chunked=chunked,
        keep_alive=keeps_alive(values.get('connection', []), version),
        expects_continue=expects_continue(values.get('expect', []), version),
    )


@lru_cache(256)
def variable_of(name: str) -> str:
    """Return how WSGI calls a header field; empty if it is hidden from applications.

    With an underscore it would pass for the field with a dash that a front server checks.
    """
    if '_' in name:
        return ''
    key = name.upper().replace('-', '_')
    return key if key in ('CONTENT_TYPE', 'CONTENT_LENGTH') else f'HTTP_{key}'


def _variables(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for name, value in fields:
        # what is kept for later is kept short
        key = variable_of(name) if len(name) <= _KEPT_NAME else variable_of.__wrapped__(name)
        if key:
            known = variables.get(key)
            variables[key] = value if known is None else f'{known}{_LISTS.get(key, ",")}{value}'
    return variables


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


def is_chunked(values: Mapping[str, list[str]], version: str) -> bool:
    """Tell whether a body comes in chunks; raises HeadError for other codings.

    `values` are those of each header field, by its name in lower case.
    """
    codings = values.get('transfer-encoding')
    if codings is None:
        return False
    if version == 'HTTP/1.0' or 'content-length' in values:
        raise HeadError(400, 'expected either Content-Length or, in HTTP/1.1, Transfer-Encoding')
    if [coding.lower() for coding in codings] != ['chunked']:
        raise HeadError(501, 'expected chunked as the only transfer coding')
    return True


def content_length_of(values: list[str]) -> int | None:
    """Return the length that the values of Content-Length say; raises HeadError."""
    if not values:
        return None
    if len(values) != 1 or not _LENGTH.fullmatch(values[0]):
        raise HeadError(400, 'expected one number of bytes in header field Content-Length')
    return int(values[0])


def keeps_alive(values: list[str], version: str) -> bool:
    """Tell whether the connection stays after the answer, as the values of Connection say."""
    options = {option.strip().lower() for value in values for option in value.split(',')}
    if 'close' in options:
        return False
    return version == 'HTTP/1.1' or 'keep-alive' in options


def expects_continue(values: list[str], version: str) -> bool:
    """Tell whether the client waits to be asked for its body; raises HeadError."""
    if not values or version == 'HTTP/1.0':
        return False
    if [value.lower() for value in values] != ['100-continue']:
        raise HeadError(417, 'expected 100-continue as the only expectation')
    return True
