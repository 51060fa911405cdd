"""Without any private part of other libraries, the backends keep their contracts.

Tests of the distributions are run again in processes with `LYMPH_PUBLIC_PARTS_ONLY=all`: those that
go through the second ways of docs/private-parts.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lymph.core._system.private_parts import VARIABLE

ROOT = Path(__file__).parents[1]
PROGRAM = """
import sys
if sys.argv.pop(1) == 'patched':
    from lymph.monkey import patch
    patch()
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ('stdlib', 'path', 'tests'),
    [
        (
            'unpatched',
            'lymph-core/tests/core/transport/test_contract.py',
            'TestZeromq and arrive and not Inproc',
        ),
        ('unpatched', 'lymph-discovery-zk/tests/test_faults.py', 'forked'),
        ('unpatched', 'lymph-web/tests/test_interfaces.py', 'test'),
        (
            'patched',
            'lymph-events-kombu/tests/events/kombu/rabbitmq/test_contract.py',
            'TestQuorumQueues and order',
        ),
    ],
)
def test_contracts_hold_without_private_parts(stdlib: str, path: str, tests: str) -> None:
    options = ['-q', '-p', 'no:cacheprovider', '-k', tests, str(ROOT / 'packages' / path)]
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, stdlib, *options],
        cwd=ROOT,
        env={**os.environ, VARIABLE: 'all'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f'{done.stdout[-8000:]}\n{done.stderr[-2000:]}'
    assert ' passed' in done.stdout
