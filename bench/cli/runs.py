"""One run of a command: the processor time and the time of a whole process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ['Command', 'Order', 'Run', 'user_environ']


@dataclass(frozen=True)
class Order:
    """What is asked of a command: to be run once."""


@dataclass(frozen=True)
class Run:
    """What a run has taken; times in seconds."""

    cpu: float  # of the process and of all that it has waited for, user and system
    wall: float
    failed: int


@dataclass(frozen=True)
class Command:
    """A command line that can be run at any time; `shows` is what it has to print."""

    name: str
    words: Sequence[str]
    shows: str = ''
    stdin: Path = Path(os.devnull)
    folder: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Run it once, which also has Python keep what it compiles; raises if it fails."""
        with self.stdin.open('rb') as stdin:
            done = subprocess.run(
                self.words,
                cwd=self.folder,
                env=user_environ(self.environ),
                stdin=stdin,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode or self.shows not in done.stdout:
            raise RuntimeError(
                f'{self.name} failed: exit code {done.returncode}\n{done.stdout}{done.stderr}'
            )

    def measure(self, _order: Order) -> Run:
        """Run it to its end, its output dropped."""
        with self.stdin.open('rb') as stdin:
            began = time.perf_counter()
            process = subprocess.Popen(
                self.words,
                cwd=self.folder,
                env=user_environ(self.environ),
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        return Run(usage.ru_utime + usage.ru_stime, wall, int(process.returncode != 0))


def user_environ(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a user, in whose installation everything is compiled."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('LYMPH_', 'PYTHON', 'COV_'))
    }
    return {**kept, **own}
