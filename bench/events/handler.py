"""The handling side of a measurement, in a process of its own.

    python -m bench.events.handler SUBJECT WHERE OPTIONS

It writes an empty line when it consumes. Each line of standard input is answered with one:
``count`` with how many events were handled so far, ``take`` with what was received, as JSON, which
begins anew then. It ends with its standard input.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from bench import cores
from bench.events.slices import Received
from bench.figures import percentile

__all__ = ['main']


class _Notes:
    """What arrived: the delay of each event."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.last = 0.0
        self._clock = time.monotonic  # frameworks put their own in place of others, not of this

    def note(self, payload: Mapping[str, Any]) -> None:
        """Note an event. What handlers do here is all they do."""
        self.last = now = self._clock()
        self.delays.append(now - payload['at'])

    def take(self) -> Received:
        """Return what arrived, and begin anew. Nothing arrives meanwhile."""
        delays = sorted(self.delays)
        self.delays.clear()
        return Received(
            handled=len(delays),
            last=self.last,
            p50=percentile(delays, 0.5),
            p99=percentile(delays, 0.99),
        )


def main(subject: str, where: str, options: str) -> None:
    """Be the handling side; does not return before the end of standard input."""
    cores.pin(cores.SERVER)
    notes = _Notes()
    # a thread of the system, started before any framework replaces threads by its own
    _thread.start_new_thread(_answer, (notes, os.read, os.write))
    module = import_module(f'bench.events.subjects.{subject}')
    module.handle(where, notes.note, lambda: _say(os.write, ''), **json.loads(options))


def _answer(notes: _Notes, read: Any, write: Any) -> None:
    while line := read(sys.stdin.fileno(), 100):
        if line == b'count\n':
            _say(write, str(len(notes.delays)))
        else:
            _say(write, json.dumps(asdict(notes.take())))
    os._exit(0)


def _say(write: Any, line: str) -> None:
    write(sys.stdout.fileno(), f'{line}\n'.encode())


if __name__ == '__main__':
    main(*sys.argv[1:])
