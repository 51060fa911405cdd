"""Without any private part of other libraries, the backends still pass their contracts.

Tests of the distributions are run again in processes with `LYMPH_PUBLIC_PARTS_ONLY`: those that go
through the second ways of docs/private-parts.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lymph.core._system.private_parts import VARIABLE

Run = tuple[subprocess.Popen[bytes], Path]  # a process of pytest, and what it prints

ROOT = Path(__file__).parents[1]
PROGRAM = """
import sys
if sys.argv.pop(1) == 'patched':
    from lymph.monkey import patch
    patch()
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


#: name of a run: whether the standard library is patched, which tests, and their files
RUNS = {
    'zeromq': (
        'unpatched',
        'TestZeromq and arrive and not Inproc',
        ['lymph-core/tests/core/transport/test_contract.py'],
    ),
    'zookeeper': ('unpatched', 'forked', ['lymph-discovery-zk/tests/test_faults.py']),
    'http': ('unpatched', 'test', ['lymph-web/tests/test_interfaces.py']),
    'rabbitmq and redis': (
        'patched',
        '(TestQuorumQueues and (in_order or their_order))'
        ' or (TestRedis and (their_order or largest_event or a_replayed))',
        [
            'lymph-events-kombu/tests/events/kombu/rabbitmq/test_contract.py',
            'lymph-events-kombu/tests/events/kombu/redis/test_contract.py',
        ],
    ),
}


@pytest.fixture(scope='module')
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All runs, started at once, since they mostly wait for servers and for imports."""
    folder = tmp_path_factory.mktemp('runs')
    with ExitStack() as stack:
        yield {name: stack.enter_context(run(folder / f'{name}.log', *RUNS[name])) for name in RUNS}


@contextmanager
def run(log: Path, stdlib: str, tests: str, paths: list[str]) -> Iterator[Run]:
    options = ['-q', '-p', 'no:cacheprovider', '-k', tests]
    with log.open('wb') as output:
        process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, stdlib, *options, *(f'packages/{p}' for p in paths)],
            cwd=ROOT,
            env={**os.environ, VARIABLE: 'all'},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with process:
        try:
            yield process, log
        finally:
            process.kill()  # no effect if it has ended


@pytest.mark.parametrize('name', RUNS)
def test_contracts_hold_without_private_parts(name: str, started: dict[str, Run]) -> None:
    process, log = started[name]
    exit_code = process.wait(timeout=300)
    text = log.read_text()
    assert exit_code == 0, text[-8000:]
    assert ' passed' in text
