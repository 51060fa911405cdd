"""Without any private part of other libraries, the backends keep their contracts.

Tests of the distributions are run again in processes with `LYMPH_PUBLIC_PARTS_ONLY`: those that go
through the second ways of docs/private-parts.md.
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
    ('stdlib', 'tests', 'paths'),
    [
        (
            'unpatched',
            'TestZeromq and arrive and not Inproc',
            ['lymph-core/tests/core/transport/test_contract.py'],
        ),
        ('unpatched', 'forked', ['lymph-discovery-zk/tests/test_faults.py']),
        ('unpatched', 'test', ['lymph-web/tests/test_interfaces.py']),
        (
            'patched',
            '(TestQuorumQueues and (in_order or their_order))'
            ' or (TestRedis and (their_order or largest_event or a_replayed))',
            [
                'lymph-events-kombu/tests/events/kombu/rabbitmq/test_contract.py',
                'lymph-events-kombu/tests/events/kombu/redis/test_contract.py',
            ],
        ),
    ],
    ids=['zeromq', 'zookeeper', 'http', 'rabbitmq and redis'],
)
def test_contracts_hold_without_private_parts(stdlib: str, tests: str, paths: list[str]) -> None:
    options = ['-q', '-p', 'no:cacheprovider', '-k', tests]
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, stdlib, *options, *(f'packages/{path}' for path in paths)],
        cwd=ROOT,
        env={**os.environ, VARIABLE: 'all'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f'{done.stdout[-8000:]}\n{done.stderr[-2000:]}'
    assert ' passed' in done.stdout
