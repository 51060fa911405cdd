"""`LYMPH_READY_FD`: when it is written, and that an invalid value does no harm."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lymph.cli._running.readiness import VARIABLE, Readiness

SLOW = """
import subprocess
import lymph

class Slow(lymph.Interface):
    def on_start(self):
        command = 'echo "child: <$LYMPH_READY_FD>"; ls -l /proc/self/fd'
        subprocess.run(command, shell=True, close_fds=False)
        print('starting')
        open('go').close()
"""


def test_readiness_is_reported_once_it_serves_and_not_to_child_processes(shell: Any) -> None:
    shell.write('slow.py', SLOW)
    shell.write('slow.yml', 'interfaces: {slow: {class: "slow:Slow"}}\n')
    os.mkfifo(shell.folder / 'go')
    reading, writing = os.pipe()
    shell.environ[VARIABLE] = str(writing)
    slow = shell.start('instance', '-c', 'slow.yml', pass_fds=[writing])
    os.close(writing)
    slow.said('starting')
    assert not select.select([reading], [], [], 0)[0]
    (shell.folder / 'go').write_text('')
    with os.fdopen(reading, 'rb') as told:
        pipe = f'pipe:[{os.fstat(reading).st_ino}]'
        assert told.read() == b'READY=1\n'
    assert list(json.loads(shell.run('discover', '--json').stdout)) == ['slow']
    assert 'child: <>' in slow.stdout
    assert pipe not in slow.stdout
    slow.signal(signal.SIGTERM)
    assert slow.end() == 0


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Readiness]:
    def taken(value: str) -> Readiness:
        monkeypatch.setenv(VARIABLE, value)
        readiness = Readiness.from_environ()
        assert VARIABLE not in os.environ
        return readiness

    return taken


def handed_on(descriptor: int) -> str:
    os.set_inheritable(descriptor, True)
    return str(descriptor)


Taken = Callable[[str], Readiness]


@pytest.mark.parametrize(
    'value', ['x', '-1', '3.0', '٣', ' 3', '1', '2', '999999', '9' * 30, '9' * 5000, '1\n', '\x1b']
)
def test_invalid_descriptor_is_one_line(
    taken: Taken, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    taken(value).tell()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('LYMPH_READY_FD: expected the number of an inherited descriptor')
    assert line.isprintable()


def test_a_descriptor_of_this_process_is_not_touched(
    taken: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    taken(str(writing)).tell()
    assert 'hand it on to this process' in capsys.readouterr().err
    os.close(writing)
    with os.fdopen(reading, 'rb') as told:
        assert told.read() == b''


def test_unwritable_descriptor_is_one_line(
    taken: Taken, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for path in (os.devnull, tmp_path):
        descriptor = os.open(path, os.O_RDONLY)
        taken(handed_on(descriptor)).tell()
        os.close(descriptor)
        [line] = capsys.readouterr().err.splitlines()
        assert 'expected a pipe, socket or file to write to' in line


def test_empty_value_counts_as_missing(taken: Taken, capsys: pytest.CaptureFixture[str]) -> None:
    taken('').tell()
    assert capsys.readouterr().err == ''


def test_closed_or_full_pipe_is_one_line_and_does_not_block(
    taken: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    readiness = taken(handed_on(writing))
    os.close(reading)
    readiness.tell()
    assert 'nobody could be told: Broken pipe' in capsys.readouterr().err
    full, other = socket.socketpair()
    full.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while full.send(bytes(65536)):
            pass
    full.setblocking(True)
    readiness = taken(handed_on(full.detach()))
    readiness.tell()
    readiness.tell()
    assert capsys.readouterr().err == 'LYMPH_READY_FD: nobody could be told: it is full\n'
    other.close()
