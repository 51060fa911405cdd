"""The WSGI environment of a request (PEP 3333)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from lymph.web._http.bodies import Body
from lymph.web._http.heads import Head

__all__ = ['make_environ']

_LISTS = {'HTTP_COOKIE': '; '}  # how repeated fields are joined, if not by a comma


def make_environ(
    base: dict[str, Any], head: Head, body: Body, client_address: object
) -> dict[str, Any]:
    """Return `base`, which is that of the server, with what a request says added to it."""
    environ = base
    environ['REQUEST_METHOD'] = head.method
    environ['PATH_INFO'] = unquote(head.path, encoding='latin-1')
    environ['QUERY_STRING'] = head.query
    environ['SERVER_PROTOCOL'] = head.version
    if isinstance(client_address, tuple):
        environ['REMOTE_ADDR'] = str(client_address[0])
        environ['REMOTE_PORT'] = str(client_address[1])
    for name, value in head.fields:
        if '_' in name:
            continue  # it would pass for the field with a dash that a front server checks
        key = name.upper().replace('-', '_')
        if key not in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
            key = f'HTTP_{key}'
        known = environ.get(key)
        environ[key] = value if known is None else f'{known}{_LISTS.get(key, ",")}{value}'
    if head.host is not None:
        environ['HTTP_HOST'] = head.host
    environ['wsgi.input'] = body
    environ['wsgi.input_terminated'] = True
    return environ
