"""The reader of a service's output may be slow, stop or disappear: the service does not wait."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from typing import Any, TextIO

import gevent
import pytest

from lymph.cli._running.unblocked import UnblockedStream
from lymph.testing.waiting import eventually

PATIENCE = 30.0
ROOM = 64 * 1024  # bytes, of a pipe on Linux
LINES = [f'{number} {"x" * 100}\n' for number in range(2000)]

LOUD = """
import logging
import lymph

class Loud(lymph.Interface):
    @lymph.rpc()
    def speak(self):
        print('p' * 1000)
        logging.getLogger('loud').warning('w' * 1000)
"""


class Pipe:
    """A pipe with the stream that writes to it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.plain: TextIO = os.fdopen(writing, 'w')
        self.stream = UnblockedStream(self.plain)

    def read(self) -> str:
        """Return what has been written."""
        found = b''
        try:
            while data := os.read(self.reading, ROOM):
                found += data
        except BlockingIOError:
            pass
        return found.decode()

    def close(self) -> None:
        self.stream.finish(0)
        self.plain.close()


@pytest.fixture(params=['opened again', 'inherited'])
def pipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """A pipe; `inherited`: as on systems without /proc."""
    if request.param == 'inherited':
        name = 'lymph.cli._running.unblocked._opened_again'
        monkeypatch.setattr(name, lambda descriptor: (descriptor, False))
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_output_that_does_not_fit_is_written_later(pipe: Pipe) -> None:
    for line in LINES:
        pipe.stream.write(line)
    read = [pipe.read()]
    assert len(read[0]) <= ROOM < len(''.join(LINES))

    def everything() -> bool:
        read.append(pipe.read())
        return ''.join(read) == ''.join(LINES)

    eventually(everything, PATIENCE)


def test_dropped_lines_are_counted(pipe: Pipe) -> None:
    count = 20_000
    for number in range(count):
        pipe.stream.write(f'{number} {"x" * 100}\n')
    read: list[str] = []

    def told() -> bool:
        read.append(pipe.read())
        return 'lines are missing here' in ''.join(read)

    eventually(told, PATIENCE)
    *lines, last = ''.join(read).splitlines()
    assert last == f'lymph: {count - len(lines)} lines are missing here: nobody read'
    assert [int(line.split()[0]) for line in lines] == list(range(len(lines)))


def test_line_is_written_when_it_is_complete_or_flushed(pipe: Pipe) -> None:
    print('one', 'line', file=pipe.stream)
    print('more', end='', file=pipe.stream)
    assert pipe.read() == 'one line\n'
    pipe.stream.flush()
    assert pipe.read() == 'more'


def test_closed_pipe_is_not_an_error(pipe: Pipe) -> None:
    os.close(pipe.reading)
    for line in LINES:
        pipe.stream.write(line)


def test_thread_may_write_while_the_pipe_is_full(pipe: Pipe) -> None:
    threads: Any = gevent.get_hub().threadpool
    threads.apply(lambda: [pipe.stream.write(line) for line in LINES])
    read: list[str] = []

    def everything() -> bool:
        read.append(pipe.read())
        return ''.join(read) == ''.join(LINES)

    eventually(everything, PATIENCE)


def test_service_with_unread_output_answers_and_ends(shell: Any) -> None:
    shell.write('loud.py', LOUD)
    shell.write('loud.yml', 'interfaces: {loud: {class: "loud:Loud"}}\n')
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    service = shell.start('instance', '-c', 'loud.yml', stdout=writing, stderr=writing)
    os.close(writing)
    assert b'loud at ' in os.read(reading, 4096)
    done = shell.run('request', 'loud.speak', '-N', '50')
    assert done.exit_code == 0, done.stderr
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    os.close(reading)
