"""The command: attack everything that reads what others wrote, for some seconds each.

python -m fuzz [--seconds N] [--seed N] [TARGET...]
"""

from __future__ import annotations

import argparse
import secrets
import signal
import subprocess
import sys
import tempfile

from fuzz.targets import TARGETS
from lymph.config.printable import printable

__all__ = ['main']

_LATE = 300.0  # seconds after its time in which a target may come to its end


def main(arguments: list[str] | None = None) -> int:
    """Attack the targets one after another; return 1 if anything was found, else 0."""
    parser = argparse.ArgumentParser(prog='python -m fuzz', description=__doc__)
    parser.add_argument('--seconds', type=float, default=60, help='for each target (default 60)')
    parser.add_argument('--seed', type=int, help='of the first input (default: a random one)')
    parser.add_argument('targets', nargs='*', metavar='TARGET', help=', '.join(TARGETS))
    options = parser.parse_args(arguments)
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f'expected one of {", ".join(TARGETS)}, found {name!r}')
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    found = [attack(name, options.seconds, seed) for name in options.targets or TARGETS]
    return int(any(found))


def attack(name: str, seconds: float, seed: int) -> bool:
    """Attack one target and print a line about it; return whether anything was found."""
    with tempfile.TemporaryFile() as progress:
        process = subprocess.Popen(
            [sys.executable, '-m', 'fuzz.one', name, str(seconds), str(seed)],
            stdout=progress,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
        )
        try:
            _, told = process.communicate(timeout=seconds + _LATE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, told = process.communicate()
        progress.seek(0)
        last = progress.read().decode().strip() or str(seed)
    if process.returncode == 0:
        sys.stdout.write(f'{name}: nothing in {int(last) - seed + 1} inputs\n')
        return False
    how = (
        f'ended by {signal.Signals(-process.returncode).name}'
        if process.returncode < 0
        else f'exit status {process.returncode}'
    )
    sys.stdout.write(
        f'{name}: {how} at the input of seed {last}; again from there: '
        f'make fuzz ARGS="--seed {last} {name}"\n{_end_of(told)}\n'
    )
    return True


def _end_of(told: str) -> str:
    return '\n'.join(printable(line, 500) for line in told.splitlines()[-30:])


if __name__ == '__main__':
    sys.exit(main())
