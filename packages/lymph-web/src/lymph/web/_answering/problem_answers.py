"""A problem as an answer: JSON or HTML, as the client accepts.

The JSON is that of RFC 9457, with the trace id, and with `error` and `message`, which are the
title and the detail under the names that earlier versions gave them.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from lymph.config.printable import printable
from lymph.web._answering.errors import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['MEMBERS_KEY', 'error_response', 'instance_of', 'prefers_html']

#: more members of the problem that may become of a request, in its WSGI environment
MEMBERS_KEY: Final = 'lymph.problem_members'

_JSON: Final = 'application/problem+json'
_LONGEST: Final = 2000  # characters of a path that is repeated
#: characters that a path may have beside letters and digits (RFC 3986)
_OF_PATHS: Final = "/:@!$&'()*+,;=~"

#: readable on all screens, in the light or dark colors that the reader has chosen
_LOOK = """\
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body { font: 1em/1.5 system-ui, sans-serif; max-width: 45em; margin: 10vh auto; padding: 0 1em }
h1 { font-size: 1.5em }
pre { white-space: pre-wrap }
</style>
"""


def error_response(problem: Problem, environ: WSGIEnvironment, trace_id: str) -> Response:
    """Return the answer: HTML for a client that prefers it to JSON, else JSON."""
    if prefers_html(environ):
        body, mimetype = _html(problem, trace_id), 'text/html'
    else:
        body, mimetype = _json(problem, environ, trace_id), _JSON
    # a message may hold what no encoding can carry, as names of files do
    response = Response(body.encode(errors='backslashreplace'), problem.status, mimetype=mimetype)
    response.headers.extend(problem.headers)
    response.vary.add('Accept')
    return response


def prefers_html(environ: WSGIEnvironment) -> bool:
    """Tell whether the client of a request prefers HTML to JSON."""
    accept = parse_accept_header(environ.get('HTTP_ACCEPT'), MIMEAccept)
    json = max(accept.quality('application/json'), accept.quality(_JSON))
    return accept.quality('text/html') > json


def _json(problem: Problem, environ: WSGIEnvironment, trace_id: str) -> str:
    facts: dict[str, object] = {
        'type': 'about:blank',
        'title': problem.title,
        'status': problem.status,
        'detail': problem.message,
        **instance_of(environ),
        'trace_id': trace_id,
        **environ.get(MEMBERS_KEY, {}),
        'error': problem.title,
        'message': problem.message,
    }
    if problem.traceback:
        facts['traceback'] = list(problem.traceback)
    return json.dumps(facts) + '\n'


def instance_of(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the member `instance` of a problem: the path that was asked for, unless it is long."""
    # missing where the head of the request could not be read
    path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
    if not path or len(path) > _LONGEST:
        return {}
    return {'instance': quote(path.encode('latin-1', 'replace'), _OF_PATHS)}


def _html(problem: Problem, trace_id: str) -> str:
    title = f'{problem.status} {escape(problem.title)}'
    message = '<br>\n'.join(escape(printable(line)) for line in problem.message.splitlines())
    trace = '\n'.join(problem.traceback)
    return (
        f'<!doctype html>\n<html lang="en">\n<title>{title}</title>\n{_LOOK}<h1>{title}</h1>\n'
        f'<p>{message}</p>\n<p><small>Trace {escape(trace_id)}</small></p>\n'
        + (f'<pre>{escape(trace)}</pre>\n' if trace else '')
        + '</html>\n'
    )
