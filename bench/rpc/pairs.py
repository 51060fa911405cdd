"""A pair: the server and the client of one subject, as two processes that stand ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import cores
from bench.halves import Half
from bench.rpc.slices import Result, Slice
from bench.usage import resident_bytes

__all__ = ['Pair', 'Subject']


@dataclass(frozen=True)
class Subject:
    """What is measured: a module of `bench.rpc.subjects`, and options for its halves."""

    name: str
    module: str
    server: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)


class Pair:
    """Starts both halves; they end with `close`, or with this process."""

    def __init__(self, subject: Subject) -> None:
        self.name = subject.name
        self._module = subject.module
        self._halves: list[Half] = []
        try:
            server = self._start(cores.SERVER, json.dumps(subject.server))
            endpoint = server.hear()
            #: resident bytes of the server before its first call
            self.idle_memory = resident_bytes(server.pid)
            self._client = self._start(
                cores.CLIENT, json.dumps(subject.client), endpoint, str(server.pid)
            )
            self._client.hear()
        except BaseException:
            self.close()
            raise

    def measure(self, order: Slice) -> Result:
        """Have the client do a slice."""
        return Result(**json.loads(self._client.ask(json.dumps(asdict(order)))))

    def close(self) -> None:
        """End both halves, the client first."""
        for half in reversed(self._halves):
            half.end()

    def _start(self, side: str, *arguments: str) -> Half:
        half = Half(self.name, 'bench.rpc.half', side, self._module, *arguments)
        self._halves.append(half)
        return half
