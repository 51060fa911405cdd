"""The debugger of werkzeug: the traceback of an error as a page, with a prompt in each frame.

Only for interfaces that listen on a loopback address, and only for requests from this machine that
name it in `Host`, so that neither another machine nor a page of another site gets a prompt. The
prompts need the PIN that the log has.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.debug import DebuggedApplication
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from lymph.core.addresses import is_loopback
from lymph.exceptions import RemoteError, RpcError
from lymph.web._answering.problem_answers import prefers_html
from lymph.web._http.environs import FROM_PROXY_KEY, RECEIVED_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['Debugger']

_ERROR: Final = 'lymph.debugged_error'
_FRAMES: Final = 2000  # frames of errors that stay open for prompts
_HOST: Final = re.compile(r'(?P<name>\[[0-9a-fA-F:.]+\]|[\w.-]+)(:[0-9]+)?', re.ASCII)
#: fields of proxies, also of those that are not trusted: the client may be anywhere
_FORWARDED: Final = (
    *('HTTP_FORWARDED', 'HTTP_X_FORWARDED_FOR', 'HTTP_X_REAL_IP', 'HTTP_VIA'),
    *(FROM_PROXY_KEY, RECEIVED_KEY),
)


class Debugger:
    """Answers errors with a page, and the requests of that page."""

    def __init__(self) -> None:
        self._debugged = DebuggedApplication(_raise, evalex=True, pin_logging=False)
        # those are checked here, also with versions of werkzeug that do not
        self._debugged.trusted_hosts = ['.localhost', '127.0.0.1', '[::1]']

    @property
    def pin(self) -> str | None:
        """The PIN that prompts ask for; None if the environment has turned it off."""
        return self._debugged.pin

    def precede(self, request: Request) -> WSGIApplication | None:
        """Return what answers a request that a page of the debugger has sent, None for others."""
        environ = request.environ
        if '__debugger__' not in environ.get('QUERY_STRING', '') or not _is_local(environ):
            return None
        return self._debugged if request.args.get('__debugger__') == 'yes' else None

    def shows(self, error: BaseException, environ: WSGIEnvironment) -> bool:
        """Tell whether to answer a request with the page of an error that nobody expected."""
        failed = not isinstance(error, RpcError) or isinstance(error, RemoteError)
        return (
            isinstance(error, Exception)
            and not isinstance(error, HTTPException)
            and failed
            and prefers_html(environ)
            and _is_local(environ)
        )

    def page(self, error: BaseException) -> WSGIApplication:
        """Return the application that answers with the page of an error."""

        def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if len(self._debugged.frames) > _FRAMES:
                self._debugged.frames.clear()
                self._debugged.frame_contexts.clear()
            # the log has the traceback already
            own: dict[str, Any] = {**environ, 'wsgi.errors': io.StringIO(), _ERROR: error}
            return self._debugged.debug_application(own, start)

        return application


def _raise(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    error = environ.get(_ERROR)
    if error is None:  # a request of the page for what is no longer there
        start_response('404 Not Found', [('Content-Length', '0')])
        return []
    raise error


def _is_local(environ: WSGIEnvironment) -> bool:
    host = _HOST.fullmatch(environ.get('HTTP_HOST', ''))
    return (
        host is not None
        and is_loopback(host['name'].strip('[]'))
        and is_loopback(environ.get('REMOTE_ADDR') or '')
        and not any(field in environ for field in _FORWARDED)
    )
