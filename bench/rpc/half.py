"""One side of a measurement, in a process of its own.

    python -m bench.rpc.half server SUBJECT OPTIONS
    python -m bench.rpc.half client SUBJECT OPTIONS ENDPOINT PID

A server writes its endpoint as a line. A client writes an empty line when it is ready, then takes
slices from standard input and answers each with its result, one line of JSON each. Both end with
their standard input. OPTIONS are the keywords of the subject's half, as JSON.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from bench import cores
from bench.rpc.slices import Slice, measure

__all__ = ['main']


def main(side: str, subject: str, options: str, *address: str) -> None:
    """Be a half; does not return before the end of standard input."""
    cores.pin(side)
    keywords = json.loads(options)
    if side == cores.SERVER:
        _thread.start_new_thread(_end_with_input, ())
        import_module(f'bench.rpc.subjects.{subject}').serve(_say, **keywords)
    else:
        endpoint, pid = address
        module = import_module(f'bench.rpc.subjects.{subject}')
        _take_orders(module.driving, module.connect(endpoint, **keywords), int(pid))


def _take_orders(driving: Any, call: Any, server: int) -> None:
    _say('')
    for line in driving.orders():
        result = measure(Slice(**json.loads(line)), driving.drive, call, server)
        _say(json.dumps(asdict(result)))


def _end_with_input() -> None:
    """End this process when the one that started it lets go of it. Runs in a thread."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(0)


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main(*sys.argv[1:])
