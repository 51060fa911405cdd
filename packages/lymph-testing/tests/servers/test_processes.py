"""Guarded processes: they end on request, and never outlive their starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lymph.testing._servers.processes import GuardedProcess

Spawn = Callable[[str], GuardedProcess]

ENVIRONMENT = {'PATH': os.environ.get('PATH', os.defpath)}

# Reports the process ids of a shell and its child on the fifo, so that a test can wait for both.
FAMILY = 'sleep 1000 & echo $$ $! > fifo; wait'

STARTER = """
import pathlib, sys
from lymph.testing._servers.processes import GuardedProcess
folder = pathlib.Path(sys.argv[1])
process = GuardedProcess(
    ['/bin/sh', '-c', sys.argv[2]],
    environment={'PATH': sys.argv[3]},
    folder=folder,
    log=folder / 'log',
)
print('guarded', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    os.mkfifo(tmp_path / 'fifo')
    started: list[GuardedProcess] = []

    def start(script: str) -> GuardedProcess:
        process = GuardedProcess(
            ['/bin/sh', '-c', script],
            environment=ENVIRONMENT,
            folder=tmp_path,
            log=tmp_path / 'log',
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.end()


def report(folder: Path) -> list[int]:
    """Wait for the process ids that a script writes to its fifo."""
    return [int(word) for word in (folder / 'fifo').read_text().split()]


def test_process_runs_until_end_is_called(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn('echo up > fifo; sleep 1000')
    (tmp_path / 'fifo').read_text()
    assert process.running
    process.end()
    assert not process.running
    assert process.exit_status == -signal.SIGKILL


def test_output_and_errors_are_added_to_the_log(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / 'log').write_text('before\n')
    process = spawn('echo out; echo err >&2; echo done > fifo; sleep 1000')
    (tmp_path / 'fifo').read_text()
    process.end()
    assert (tmp_path / 'log').read_text() == 'before\nout\nerr\n'


def test_children_of_the_process_end_with_it(
    spawn: Spawn, tmp_path: Path, gone: Callable[[int], bool]
) -> None:
    process = spawn(FAMILY)
    family = report(tmp_path)
    process.end()
    assert all(gone(pid) for pid in family)


def test_process_with_a_timeout_ends_with_sigterm(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn('trap "echo bye; exit 7" TERM; echo up > fifo; while :; do sleep 0.1; done')
    (tmp_path / 'fifo').read_text()
    process.end(timeout=30.0)
    assert process.exit_status == 7
    assert (tmp_path / 'log').read_text().endswith('bye\n')


def test_process_that_ignores_sigterm_is_killed(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn('trap "" TERM; echo up > fifo; while :; do sleep 0.1; done')
    (tmp_path / 'fifo').read_text()
    process.end(timeout=0.2)
    assert process.exit_status == -signal.SIGKILL


def test_paused_process_ends_with_sigterm(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn('trap "exit 7" TERM; echo up > fifo; while :; do sleep 0.1; done')
    (tmp_path / 'fifo').read_text()
    process.send(signal.SIGSTOP)
    process.end(timeout=30.0)
    assert process.exit_status == 7


def test_signals_and_a_second_end_do_nothing_once_it_has_ended(spawn: Spawn) -> None:
    process = spawn('exit 3')
    process.end(timeout=30.0)
    process.send(signal.SIGTERM)
    process.end()
    assert process.exit_status is not None


def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GuardedProcess(
            ['/nonexistent/server'], environment={}, folder=tmp_path, log=tmp_path / 'log'
        )


@pytest.mark.parametrize('state', ['running', 'paused'])
def test_process_ends_when_its_starter_is_killed(
    state: str, tmp_path: Path, gone: Callable[[int], bool]
) -> None:
    os.mkfifo(tmp_path / 'fifo')
    arguments = [
        sys.executable,
        '-c',
        STARTER,
        str(tmp_path),
        FAMILY,
        os.environ.get('PATH', os.defpath),
    ]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        family = report(tmp_path)
        assert starter.stdout is not None
        assert starter.stdout.readline() == b'guarded\n'
        if state == 'paused':
            os.killpg(family[0], signal.SIGSTOP)
        starter.kill()
    assert all(gone(pid) for pid in family)


def test_process_ends_when_its_starter_exits(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    os.mkfifo(tmp_path / 'fifo')
    arguments = [
        sys.executable,
        '-c',
        STARTER,
        str(tmp_path),
        FAMILY,
        os.environ.get('PATH', os.defpath),
    ]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE) as starter:
        family = report(tmp_path)
        starter.communicate()
        assert starter.returncode == 0
    assert all(gone(pid) for pid in family)


def test_the_exit_status_is_known_where_gevent_reaps_children(tmp_path):
    program = (
        'import pathlib, sys, gevent.subprocess\n'
        'from lymph.testing._servers.processes import GuardedProcess\n'
        'gevent.subprocess.Popen(["true"]).wait()\n'
        'here = pathlib.Path(sys.argv[1])\n'
        'process = GuardedProcess(["sh", "-c", "exit 7"], environment={"PATH": "/usr/bin:/bin"},'
        ' folder=here, log=here / "log", popen=gevent.subprocess.Popen)\n'
        'while process.running:\n'
        '    gevent.sleep(0.01)\n'
        'sys.exit(process.exit_status)\n'
    )
    done = subprocess.run([sys.executable, '-c', program, str(tmp_path)], timeout=60)
    assert done.returncode == 7
