"""What a request asks of a gateway: arguments, deadline, version and idempotency key.

=====================  =============================================================================
``version``            in the query: the version of the interface, as callers give it (``1.2``)
X-Request-Timeout      seconds from the arrival of the request; can only shorten what the gateway
                       allows; `timeout_header` gives it another name
Idempotency-Key        text of up to 255 characters, in quotes (draft-ietf-httpapi-idempotency-key)
Content-Type           application/json; may be missing if the body is empty
Accept                 has to admit application/json
=====================  =============================================================================
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from lymph.config.printable import quoted
from lymph.core.backends import in_thread
from lymph.web._gateway.json_values import parse_json, read_arguments
from lymph.web._gateway.problems import CallProblem
from lymph.web._gateway.responses import BEGUN_KEY
from lymph.web._options.deadlines import TIMEOUT_HEADER

__all__ = ['SHORT', 'Asked', 'asked_timeout', 'parse_arguments', 'read_request']

#: bytes of a body that are parsed at once; longer ones in a native thread
SHORT: Final = 32 * 1024
_SECONDS: Final = re.compile(r'[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?')
_LEAST, _MOST = 0.001, 31_536_000.0  # seconds; a year
#: a string of RFC 8941, or the bare word that many clients send instead
_KEY: Final = re.compile(r'"(?P<quoted>(?:[ !#-\[\]-~]|\\["\\])+)"|(?P<bare>[!#-+\--:<-\[\]-~]+)')
_KEY_LENGTH: Final = 255  # characters


@dataclass(frozen=True)
class Asked:
    """What a request asks for, besides its arguments; see above."""

    body: bytes
    timeout: float | None = None
    version: str | None = None
    key: str | None = None


def read_request(request: Request, timeout_header: str = TIMEOUT_HEADER) -> Asked:
    """Return what a request asks for. Raises CallProblem, and what reading its body raises."""
    _check_accept(request)
    _check_type(request)
    version, key = _version(request), _key(request)
    asked_timeout(request, timeout_header)  # refused before the body if it is invalid
    body = request.get_data()
    return Asked(body, asked_timeout(request, timeout_header), version, key)


def parse_arguments(body: bytes) -> dict[str, Any]:
    """Return the arguments in a body; none if it is empty. Raises CallProblem."""
    if not body:
        return {}
    try:
        return _parse(body) if len(body) <= SHORT else in_thread(_parse, body)
    except ValueError as error:
        text = f'The body cannot be read as JSON: {error}'
        raise CallProblem(400, 'malformed', text) from None


def _parse(body: bytes) -> dict[str, Any]:
    return read_arguments(parse_json(body))


def _check_accept(request: Request) -> None:
    if 'Accept' in request.headers and not request.accept_mimetypes['application/json']:
        text = 'Results are JSON: the header Accept has to admit application/json.'
        raise CallProblem(406, 'not_acceptable', text)


def _check_type(request: Request) -> None:
    encoding = request.headers.get('Content-Encoding', 'identity')
    if encoding.strip().lower() != 'identity':
        text = 'The body has to be sent without a Content-Encoding.'
        raise CallProblem(415, 'unsupported_media_type', text)
    kind, options = parse_options_header(request.headers.get('Content-Type'))
    if kind.lower() == 'application/json' and options.get('charset', 'utf-8').lower() in (
        'utf-8',
        'utf8',
    ):
        return
    # Browsers name the origin of every POST. Pages of other origins can send any of these content
    # types, but not JSON, without asking first.
    empty = not kind and not request.content_length and 'Transfer-Encoding' not in request.headers
    if not empty or 'Origin' in request.headers:
        text = 'The body has to be JSON: send Content-Type: application/json.'
        raise CallProblem(415, 'unsupported_media_type', text)


def _version(request: Request) -> str | None:
    for name in request.args:
        if name != 'version':
            text = f'The query has an unknown parameter {quoted(name)}: arguments go into the body.'
            raise CallProblem(400, 'malformed', text)
    versions = request.args.getlist('version')
    if len(versions) > 1:
        raise CallProblem(400, 'malformed', 'The query has more than one version.')
    return versions[0] if versions else None


def asked_timeout(request: Request, header: str = TIMEOUT_HEADER) -> float | None:
    """Return the seconds that a client still waits. Raises CallProblem for an invalid header."""
    given = request.headers.get(header)
    if given is None:
        return None
    if not _SECONDS.fullmatch(given) or not _LEAST <= float(given) <= _MOST:
        text = f'{header} has to be 0.001 to 31536000 seconds, found {quoted(given)}.'
        raise CallProblem(400, 'malformed', text)
    now = time.monotonic()
    begun: float = request.environ.get(BEGUN_KEY, now)
    left = float(given) - (now - begun)
    if left <= 0:
        raise CallProblem(504, 'expired', 'No time was left to make the call.')
    return left


def _key(request: Request) -> str | None:
    given = request.headers.get('Idempotency-Key')
    if given is None:
        return None
    match = _KEY.fullmatch(given)
    if match is None or len(given) > _KEY_LENGTH + 2:
        text = f'Idempotency-Key has to be text in quotes, of up to {_KEY_LENGTH} characters.'
        raise CallProblem(400, 'malformed', text)
    if match['bare'] is not None:
        return match['bare']
    return re.sub(r'\\(.)', r'\1', match['quoted'])
