"""A service with a SQLAlchemy session: transactions, and no connection lost to an interruption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PATCHED = """
from lymph.monkey import patch
patch()
import runpy, sys
runpy.run_path(sys.argv.pop(1), run_name='__main__')
"""


@pytest.fixture(scope='module')
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/accounts_program.py found out."""
    program = ROOT / 'tests' / 'accounts_program.py'
    done = subprocess.run(
        [sys.executable, '-c', PATCHED, program, tmp_path_factory.mktemp('data')],
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'examples')},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_session_is_committed_on_success_and_rolled_back_on_error(found):
    assert found['used'] == {
        'deposit': 10,
        'transfer': 'ValueError',
        'balances': [10, 0],
        'transfer again': None,
        'balances again': [6, 4],
    }


def test_timeout_or_cancellation_while_waiting_loses_no_connection(found):
    assert found['timed out'] == {
        'outcomes': ['Failed'] * 3,
        'given up': ['Timeout'] * 3,
        'cancelled': 3,
        'went on': 'went on',
        'left': 0,
    }


def test_drain_that_kills_holders_and_waiters_loses_no_connection(found):
    assert found['wait'] == {'cut': 5, 'left': 0}


@pytest.mark.parametrize('where', ['connect', 'checkout', 'reset', 'checkin'])
def test_drain_during_the_hand_over_of_a_connection_loses_none(found, where):
    assert found[where] == {'cut': 2, 'left': 0}
