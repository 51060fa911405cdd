"""A pair: the server and the client of one subject, as two processes that stand ready."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import cores
from bench.rpc.slices import Result, Slice
from bench.usage import resident_bytes

__all__ = ['Pair', 'Subject']

_END_TIMEOUT = 5.0  # seconds that a half gets to end by itself


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
        self.subject = subject
        self._halves: list[subprocess.Popen[str]] = []
        try:
            self._server = self._start(cores.SERVER, json.dumps(subject.server))
            endpoint = self._hear(self._server)
            #: resident bytes of the server before its first call
            self.idle_memory = resident_bytes(self._server.pid)
            self._client = self._start(
                cores.CLIENT, json.dumps(subject.client), endpoint, str(self._server.pid)
            )
            self._hear(self._client)
        except BaseException:
            self.close()
            raise

    def measure(self, order: Slice) -> Result:
        """Have the client do a slice."""
        assert self._client.stdin is not None
        self._client.stdin.write(json.dumps(asdict(order)) + '\n')
        self._client.stdin.flush()
        return Result(**json.loads(self._hear(self._client)))

    def close(self) -> None:
        """End both halves, the client first."""
        for half in reversed(self._halves):
            half.terminate()
            try:
                half.communicate(timeout=_END_TIMEOUT)
            except subprocess.TimeoutExpired:
                half.kill()
                half.communicate()

    def _start(self, side: str, *arguments: str) -> subprocess.Popen[str]:
        half = subprocess.Popen(
            [sys.executable, '-m', 'bench.rpc.half', side, self.subject.module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._halves.append(half)
        return half

    def _hear(self, half: subprocess.Popen[str]) -> str:
        assert half.stdout is not None
        line = half.stdout.readline()
        if not line:
            raise RuntimeError(f'{self.subject.name}: a half ended (see above)')
        return line.strip()
