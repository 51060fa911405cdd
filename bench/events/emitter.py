"""The emitting side of a measurement, in a process of its own.

    python -m bench.events.emitter SUBJECT WHERE OPTIONS

It writes an empty line when it is ready, then takes slices from standard input and answers each
with what it did, one line of JSON each. It ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module

from bench import cores
from bench.events.slices import Slice, emit_slice

__all__ = ['main']


def main(subject: str, where: str, options: str) -> None:
    """Take orders until the end of standard input."""
    cores.pin(cores.CLIENT)
    module = import_module(f'bench.events.subjects.{subject}')
    emit = module.connect(where, **json.loads(options))
    _say('')
    for line in module.driving.orders():
        _say(json.dumps(asdict(emit_slice(Slice(**json.loads(line)), module.driving, emit))))


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main(*sys.argv[1:])
