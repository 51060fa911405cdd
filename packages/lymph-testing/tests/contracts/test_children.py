"""Commands started by contracts lose neither their own exit status nor that of others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lymph.testing.contracts._events.children import exit_status
from lymph.testing.waiting import eventually

KILL_ITSELF = ['sh', '-c', 'kill -9 $$']

AFTER_GEVENT = """
import gevent.subprocess
from lymph.testing.contracts._events.children import exit_status
gevent.subprocess.Popen(['true']).wait()
print(exit_status(['sh', '-c', 'kill -9 $$'], 30), exit_status(['sh', '-c', 'exit 7'], 30))
"""

# The child is dead and not yet reaped when the loop has its turns, in which gevent would reap it.
BEFORE_OTHERS = """
import os, subprocess, gevent
from lymph.testing.contracts._events.children import exit_status
exit_status(['true'], 30)
other = subprocess.Popen(['sh', '-c', 'exit 7'])
os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
for _ in range(3):
    gevent.sleep(1e-6)
print(other.wait())
"""


@pytest.mark.parametrize(
    ('command', 'status'),
    [(['true'], 0), (['sh', '-c', 'echo 5; exit 7'], 7), (KILL_ITSELF, -9)],
)
def test_the_exit_status_of_a_command_is_returned(command, status):
    assert exit_status(command, 30) == status


@pytest.mark.parametrize(
    ('program', 'printed'),
    [(AFTER_GEVENT, ['-9', '7']), (BEFORE_OTHERS, ['7'])],
    ids=['after gevent reaps children', 'of a child of another test'],
)
def test_the_exit_status_is_kept(program, printed):
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == printed, done.stderr


def test_a_command_that_takes_too_long_is_killed(tmp_path):
    fifo = tmp_path / 'held'
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def nobody_holds_the_fifo():
        try:
            return os.read(reader, 1) == b''
        except BlockingIOError:
            return False

    with pytest.raises(AssertionError, match='sh still runs'):
        exit_status(['sh', '-c', f'exec 4>{fifo}; exec sleep 60'], 0.3)
    eventually(nobody_holds_the_fifo)
    os.close(reader)
