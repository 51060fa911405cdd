"""`zerorpc`: as its documentation shows it, on gevent."""

from __future__ import annotations

import socket
from collections.abc import Callable

import zerorpc

from bench.driving import greenlets as driving

__all__ = ['connect', 'driving', 'free_port', 'serve']


class _Echo:
    def echo(self, text: str) -> str:
        return text


def serve(ready: Callable[[str], None]) -> None:
    endpoint = f'tcp://127.0.0.1:{free_port()}'
    server = zerorpc.Server(_Echo())
    server.bind(endpoint)
    ready(endpoint)
    server.run()


def connect(endpoint: str) -> Callable[[str], object]:
    client = zerorpc.Client()
    client.connect(endpoint)
    call: Callable[[str], object] = client.echo
    return call


def free_port() -> int:
    """Return a port for zerorpc, which does not tell which one the system chose."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port: int = sock.getsockname()[1]
        return port
