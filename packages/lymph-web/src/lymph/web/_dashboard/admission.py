"""Who may use a dashboard, which calls methods and drops dead letters.

=======================================  ======  ===================================================
request                                  answer  against
=======================================  ======  ===================================================
names a host that may lead elsewhere     421     pages of other sites, which reach this server under
                                                 a name of their own (DNS rebinding)
comes from a page of another origin      403     pages of other sites and of other ports
asks for data without the token          401     other users of this machine
changes something and is not JSON        415     forms of other pages
changes something in a dashboard that    403
is for reading only
=======================================  ======  ===================================================

The files of the page are for everybody: they hold nothing of the services. Other origins may only
lead there by a link. Browsers have the token in a cookie, other clients send it as ``Authorization:
Bearer``.
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Request, Response

from lymph.config.printable import quoted
from lymph.web._browsers.origins import is_fixed
from lymph.web._http.authorities import is_authority, same_authority
from lymph.web._options.hosts import Hosts, MisdirectedRequest

__all__ = ['Admission']

_OTHER_SITES: Final = frozenset({'cross-site', 'same-site'})  # one site has many ports


class Admission:
    """Admits requests with `token`; `hosts` are names that lead here beside fixed ones."""

    def __init__(self, token: str, hosts: Hosts | None = None) -> None:
        self._token = token.encode()
        self._hosts = hosts

    def precede(self, request: Request) -> None:
        """Raise MisdirectedRequest or Forbidden for a request of another host or origin."""
        host, scheme = request.environ.get('HTTP_HOST', ''), request.scheme
        if not self._is_own(host, scheme):
            text = f'This server does not answer for the host {quoted(host)}'
            raise MisdirectedRequest(f'{text}; use its address, or name the host in `hosts`.')
        origin = request.headers.get('Origin')
        if origin is not None and not _is_of(origin, host, scheme):
            raise Forbidden('Pages of other origins may not use this server.')
        if request.headers.get('Sec-Fetch-Site') in _OTHER_SITES and not _follows_link(request):
            raise Forbidden('Pages of other sites may not use this server.')

    def expect_token(self, request: Request) -> None:
        """Raise Unauthorized for a request without the token."""
        given = request.cookies.get(_cookie_of(request))
        authorization = request.authorization
        if authorization is not None and authorization.type == 'bearer':
            given = authorization.token
        if not self.knows(given):
            text = 'This needs the token of the dashboard, which is in the URL that it has printed.'
            raise Unauthorized(text, www_authenticate=WWWAuthenticate('bearer'))

    def knows(self, given: str | None) -> bool:
        """Tell whether a text is the token, in a time that tells nothing about it."""
        return hmac.compare_digest((given or '').encode(errors='replace'), self._token)

    def let_in(self, request: Request, response: Response) -> None:
        """Give the browser that sent `request` the token as a cookie."""
        # Cookies are the same for all ports of a host, so its name has the port.
        response.set_cookie(
            _cookie_of(request),
            self._token.decode(),
            httponly=True,
            samesite='Strict',
            secure=request.is_secure,
            path=f'{request.root_path}/',
        )

    def _is_own(self, host: str, scheme: str) -> bool:
        if not is_authority(host):
            return False
        if is_fixed(urlsplit(f'//{host}').hostname or ''):
            return True
        return self._hosts is not None and self._hosts.admits(host, scheme)


def _cookie_of(request: Request) -> str:
    return f'lymph-dashboard-{request.environ.get("SERVER_PORT", "")}'


def _is_of(origin: str, host: str, scheme: str) -> bool:
    start, _, authority = origin.partition('://')
    return start.lower() == scheme and same_authority(authority, host, scheme)


def _follows_link(request: Request) -> bool:
    """Tell whether a browser goes to the page itself."""
    mode = request.headers.get('Sec-Fetch-Mode')
    return request.method == 'GET' and mode == 'navigate' and request.path == '/'
