"""`gevent.pywsgi` by itself, or with werkzeug: python -m bench.http.subjects.pywsgi PORT [werkzeug]

The application by itself takes the name from the path and has no routes. pywsgi writes the head and
the body of an answer one after the other. With the default of the system (Nagle's algorithm) each
answer but the first of a connection would wait for 40 ms, so the listener has TCP_NODELAY, which
its connections inherit.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gevent.pywsgi import WSGIServer

from bench.http.subjects.routed import application as routed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ['bare', 'main']


def bare(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request, whatever its path begins with."""
    body = f'hello {environ["PATH_INFO"].rpartition("/")[2]}'.encode()
    headers = [('Content-Type', 'text/plain; charset=utf-8'), ('Content-Length', str(len(body)))]
    start_response('200 OK', headers)
    return [body]


def main(port: str, kind: str = '') -> None:
    """Serve until the process is killed."""
    application = routed if kind else bare
    server = WSGIServer(('127.0.0.1', int(port)), application, log=None)
    server.start()
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.serve_forever()


if __name__ == '__main__':
    main(*sys.argv[1:])
