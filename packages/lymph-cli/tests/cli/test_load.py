"""`lymph request` as a load generator."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.fixture(scope='module')
def echo(shared_shell: Any) -> Any:
    """An instance of `echo` that all tests here share."""
    return shared_shell.start_echo()


@pytest.fixture
def ask(forking: Any, shared_shell: Any, echo: Any) -> Any:
    """Runs a command to its end, in the folder and with the registry of the instance."""
    return lambda *arguments: forking.piped(arguments, shared_shell.folder, shared_shell.environ)


def test_result_is_one_json_document(ask: Any) -> None:
    done = ask('request', 'echo.upper', 'text=foo', '-N300', '-C7', '--json')
    assert (done.exit_code, done.stderr) == (0, '')
    document = json.loads(done.stdout)
    assert (document['calls'], document['failures'], document['concurrency']) == (300, 0, 7)
    assert document['outcomes']['ok']['calls'] == 300
    assert sum(row['calls'] for row in document['histogram']) == 300
    latency = document['latency']
    assert 0 < latency['min'] <= latency['p50'] <= latency['p99'] <= latency['max']


def test_failed_calls_are_counted_by_outcome_and_set_the_exit_code(ask: Any) -> None:
    done = ask('request', 'echo.refuse', '-N20', '-C4')
    assert done.exit_code == 1
    assert done.stderr.startswith('lymph: 20 of 20 calls failed (trace ')
    assert '20 calls of echo.refuse in ' in done.stdout
    assert 'raised ValueError: not today\n' in done.stdout


def test_wrong_usage_is_reported_as_for_one_call(ask: Any) -> None:
    done = ask('request', 'echo.uper', 'text=foo', '-C4')
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert 'did you mean echo.upper?' in line


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_load_prints_its_results(shared_shell: Any, echo: Any, number: int) -> None:
    before = echo.stdout.count('taking')
    asking = shared_shell.start(
        'request', 'echo.take', 'seconds:=0.01', '--duration=1h', '-C3', '--json'
    )
    # the first call is made alone, so one has ended when the second begins
    eventually(lambda: echo.stdout.count('taking') > before + 1, PATIENCE)
    asking.signal(number)
    assert asking.end() == 128 + number
    document = json.loads(asking.stdout)
    assert document['interrupted']
    assert document['calls'] > 0
    assert document['failures'] == 0
    assert asking.stderr == ''


def test_terminal_shows_the_progress_of_the_load(
    forking: Any, shared_shell: Any, echo: Any
) -> None:
    shown = forking.on_terminal(
        # longer than it takes until the bar is drawn again
        ['request', 'echo.take', 'seconds:=0.3', '-N3'],
        shared_shell.folder,
        {**shared_shell.environ, 'TERM': 'xterm'},
        120,
    )
    assert shown.exit_code == 0
    live, summary, _ = shown.stdout.partition('3 calls of echo.take in ')
    assert 'p99' in live
    assert 'ok 1' in live
    assert summary
