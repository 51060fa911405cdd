"""`grpcio asyncio`: the same stubs as in `grpc`, with grpcio's server and client of coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import echo_pb2
import echo_pb2_grpc
import grpc.aio

from bench.driving import coroutines as driving

__all__ = ['connect', 'driving', 'serve']

_TIMEOUT = 30.0  # seconds


class _Echo(echo_pb2_grpc.EchoServicer):  # type: ignore[misc]  # generated without types
    async def Echo(self, request: echo_pb2.Text, context: object) -> echo_pb2.Text:
        return echo_pb2.Text(text=request.text)


def serve(ready: Callable[[str], None]) -> None:
    asyncio.run(_serve(ready))


async def _serve(ready: Callable[[str], None]) -> None:
    server = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(_Echo(), server)
    port = server.add_insecure_port('127.0.0.1:0')
    await server.start()
    ready(f'127.0.0.1:{port}')
    await server.wait_for_termination()


def connect(endpoint: str) -> Callable[[str], Awaitable[object]]:
    async def open_stub() -> echo_pb2_grpc.EchoStub:
        return echo_pb2_grpc.EchoStub(grpc.aio.insecure_channel(endpoint))

    stub = driving.LOOP.run_until_complete(open_stub())

    async def call(text: str) -> object:
        return (await stub.Echo(echo_pb2.Text(text=text), timeout=_TIMEOUT)).text

    return call
