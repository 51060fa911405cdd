"""What the processes of a node print, each line behind the name of its process."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.queue import JoinableQueue

from lymph.cli.output import child_line, one_line
from lymph.cli.streams import stdout_error

__all__ = ['Output', 'labels']

logger = logging.getLogger(__name__)

#: The name before the node's own words.
_NODE = 'node'
#: ANSI colours that can be read on dark and light ground: cyan, yellow, green, magenta, blue, red.
_COLORS = (36, 33, 32, 35, 34, 31)
#: Lines that wait for a slow reader before those who print have to wait too.
_BACKLOG = 1000
#: Seconds for which a reader who does not read holds up the end of the node.
_PATIENCE = 2.0


class _Line(NamedTuple):
    text: str
    printed: bool  # by a process: for stdout


class Output:
    """Writes lines in the order they come: those of processes to stdout, the node's to stderr.

    Writing is done in a thread: a paused terminal keeps those waiting who print, nobody else.
    `names` are the names of all processes. `closed` is set when nobody reads stdout any more.
    """

    def __init__(self, names: Iterable[str], *, color: bool) -> None:
        self.closed = Event()
        self._labels = labels([*names, _NODE], color=color)
        self._lines: JoinableQueue[_Line] = JoinableQueue()
        self._room = Semaphore(_BACKLOG)
        self._writer = gevent.spawn(self._write_all)

    def show(self, name: str, text: str) -> None:
        """Write a line that a process printed; waits while too many lines are waiting.

        Its control characters are escaped, colours among them: what a process prints may quote
        a stranger, and the terminal is the operator's.
        """
        self._room.acquire()
        self._lines.put(_Line(f'{self._labels[name]}{child_line(text)}\n', printed=True))

    def say(self, words: str) -> None:
        """Write words of the node itself; never waits."""
        self._lines.put(_Line(f'{self._labels[_NODE]}{one_line(words)}\n', printed=False))

    def finish(self) -> None:
        """Write what is waiting, as long as somebody reads."""
        self._lines.join(_PATIENCE)
        self._writer.kill(block=False)

    def _write_all(self) -> None:
        threads = gevent.get_hub().threadpool
        losing = False
        while True:
            batch = [self._lines.get()]
            batch += [self._lines.get_nowait() for _ in range(self._lines.qsize())]
            error = None if self.closed.is_set() else threads.apply(_write, (batch,))
            if isinstance(error, BrokenPipeError):
                stdout_error()  # drops what is left
                self.closed.set()
            elif error is not None and not losing:
                logger.warning('lines of processes are lost: %s', error.strerror or error)
            losing = error is not None
            for line in batch:
                if line.printed:
                    self._room.release()
                self._lines.task_done()


def labels(names: Iterable[str], *, color: bool) -> dict[str, str]:
    """Return what stands before the lines of each name: `echo.1 | `, all of one width.

    With `color`, names that differ only after the last dot share a color.
    """
    names = list(names)
    width = max(len(one_line(name)) for name in names)
    found = {}
    families: dict[str, int] = {}
    for name in names:
        label = f'{one_line(name):<{width}} | '
        family = families.setdefault(name.rpartition('.')[0], len(families))
        code = _COLORS[family % len(_COLORS)]
        found[name] = f'\x1b[{code}m{label}\x1b[0m' if color else label
    return found


def _write(batch: list[_Line]) -> OSError | None:
    """Write lines; returns why stdout did not take them, None if it did."""
    failure = None
    for printed, lines in itertools.groupby(batch, attrgetter('printed')):
        stream = sys.stdout if printed else sys.stderr
        try:
            stream.write(''.join(line.text for line in lines))
            stream.flush()
        except OSError as error:
            if printed:
                failure = error
    return failure
