"""A pair: the emitter and the handler of one subject, as two processes that stand ready."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.events.slices import Emitted, Received, Result, Slice
from bench.halves import Half
from bench.usage import cpu_seconds

__all__ = ['Pair', 'Subject']

_PATIENCE = 60.0  # seconds for a handler to do what was emitted
_LOOKS = 0.02  # seconds between two looks at how far it is


@dataclass(frozen=True)
class Subject:
    """What is measured: a module of `bench.events.subjects`, and options for its halves."""

    name: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)
    embedded: bool = False  # it has a folder, no broker


class Pair:
    """Starts both halves; they end with `close`, or with this process.

    `where` is the URL of the broker, or a folder; `broker` the id of the broker's process, if there
    is one.
    """

    def __init__(self, subject: Subject, where: str, broker: int | None) -> None:
        self.name = subject.name
        self._broker = broker
        self._halves: list[Half] = []
        arguments = (subject.module, where, json.dumps(subject.options))
        try:
            self._handler = self._start('bench.events.handler', *arguments)
            self._emitter = self._start('bench.events.emitter', *arguments)
        except BaseException:
            self.close()
            raise

    def measure(self, order: Slice) -> Result:
        """Have a slice emitted and handled, after a fifth of it to warm up."""
        self._emit(Slice(order.emitters, order.seconds / 5, order.rate))
        self._take()
        cpu = self._cpu()
        emitted = self._emit(order)
        received = self._take()
        emitter, handler, broker = (
            after - before for before, after in zip(cpu, self._cpu(), strict=True)
        )
        return Result(emitted, received, emitter, handler, broker)

    def close(self) -> None:
        """End both halves, the emitter first."""
        for half in reversed(self._halves):
            half.end()

    def _start(self, module: str, *arguments: str) -> Half:
        half = Half(self.name, module, *arguments)
        self._halves.append(half)
        half.hear()
        return half

    def _emit(self, order: Slice) -> Emitted:
        """Emit, and wait until all of it is handled."""
        emitted = Emitted(**json.loads(self._emitter.ask(json.dumps(asdict(order)))))
        deadline = time.monotonic() + _PATIENCE
        while (handled := int(self._handler.ask('count'))) < emitted.emitted:
            if time.monotonic() > deadline:
                raise RuntimeError(f'{self.name}: {handled} of {emitted.emitted} events handled')
            time.sleep(_LOOKS)
        return emitted

    def _take(self) -> Received:
        return Received(**json.loads(self._handler.ask('take')))

    def _cpu(self) -> tuple[float, float, float]:
        broker = 0.0 if self._broker is None else cpu_seconds(self._broker)
        return cpu_seconds(self._emitter.pid), cpu_seconds(self._handler.pid), broker
