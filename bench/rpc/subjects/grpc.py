"""`grpcio`: the synchronous server with its thread pool, and a thread for each caller.

The stubs are those that protoc makes of echo.proto; `make` puts them into build/bench-stubs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import echo_pb2
import echo_pb2_grpc
import grpc

from bench.driving import threads as driving

__all__ = ['connect', 'driving', 'serve']

_WORKERS = 10  # as in grpcio's own examples; 64 are no faster
_TIMEOUT = 30.0  # seconds


class _Echo(echo_pb2_grpc.EchoServicer):  # type: ignore[misc]  # generated without types
    def Echo(self, request: echo_pb2.Text, context: object) -> echo_pb2.Text:
        return echo_pb2.Text(text=request.text)


def serve(ready: Callable[[str], None]) -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=_WORKERS))
    echo_pb2_grpc.add_EchoServicer_to_server(_Echo(), server)
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    ready(f'127.0.0.1:{port}')
    server.wait_for_termination()


def connect(endpoint: str) -> Callable[[str], object]:
    stub = echo_pb2_grpc.EchoStub(grpc.insecure_channel(endpoint))

    def call(text: str) -> object:
        return stub.Echo(echo_pb2.Text(text=text), timeout=_TIMEOUT).text

    return call
