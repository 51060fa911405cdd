"""Every parser of foreign input is fuzzed for some seconds; `make fuzz` runs longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize('target', TARGETS)
def test_hostile_input_violates_no_guarantee(target: str) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'fuzz', '--seconds', '3', '--seed', '1', target],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
