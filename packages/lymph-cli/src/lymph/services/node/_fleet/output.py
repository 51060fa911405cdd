"""What the processes of a node print, each line behind the name of its process."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.queue import JoinableQueue

from lymph.cli._program.streams import stdout_error
from lymph.cli.output import child_line, one_line
from lymph.services.node._fleet.recent import Recent

__all__ = ['NODE', 'Labels', 'Output']

logger = logging.getLogger(__name__)

#: The name before the node's own words.
NODE = 'node'
#: ANSI colours that can be read on dark and light ground: cyan, yellow, green, magenta, blue, red.
_COLORS = (36, 33, 32, 35, 34, 31)
#: Lines that wait for a slow reader before those who print have to wait too.
_BACKLOG = 1000
#: Seconds for which a reader who does not read holds up those who print; then lines are dropped.
_HOLD_UP = 0.5
#: Seconds for which it holds up the end of the node.
_PATIENCE = 2.0


class _Line(NamedTuple):
    text: str
    printed: bool  # by a process: for stdout


class Labels:
    """What stands before lines: `echo.1 | `, as wide as the longest name that was added so far.

    With `color`, names that differ only after the last dot share a color.
    """

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._width = 0
        self._families: dict[str, int] = {}

    def add(self, names: Iterable[str]) -> None:
        """Make room for names, and give them colors in this order."""
        for name in names:
            self._width = max(self._width, len(one_line(name)))
            self._families.setdefault(_family(name), len(self._families))

    def __getitem__(self, name: str) -> str:
        label = f'{one_line(name):<{self._width}} | '
        code = _COLORS[self._families.get(_family(name), 0) % len(_COLORS)]
        return f'\x1b[{code}m{label}\x1b[0m' if self._color else label


class Output:
    """Writes lines in the order they come: those of processes to stdout, the node's to stderr.

    Writing is done in a thread. A slow reader slows down those who print. One who has stopped to
    read, such as a paused terminal, loses lines, and is told how many: no process waits for that.
    `closed` is set when nobody reads stdout any more; `recent` has the last lines.
    """

    def __init__(self, *, color: bool) -> None:
        self.closed = Event()
        self.labels = Labels(color=color)
        self.recent = Recent()
        self._lines: JoinableQueue[_Line] = JoinableQueue()
        self._room = Semaphore(_BACKLOG)
        self._lost = 0  # lines since the last one that was written
        self._writer = gevent.spawn(self._write_all)

    def show(self, name: str, text: str) -> None:
        """Write a line that a process printed; waits a little while too many lines are waiting.

        Its control characters are escaped, colours among them: what a process prints may quote
        a stranger, and the terminal is the operator's.
        """
        text = child_line(text)
        self.recent.add(name, text)
        taken = (
            self._room.acquire(blocking=False)
            if self._lost
            else self._room.acquire(timeout=_HOLD_UP)
        )
        if not taken:
            self._lost += 1
            return
        self._lines.put(_Line(f'{self.labels[name]}{text}\n', printed=True))

    def say(self, words: str) -> None:
        """Write words of the node itself, with the time; never waits."""
        words = one_line(words)
        self.recent.add(NODE, words)
        now = datetime.now().isoformat(' ', 'seconds')  # as in the log, in the zone of the machine
        self._lines.put(_Line(f'{self.labels[NODE]}{now} {words}\n', printed=False))

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
            if self._lost:
                lost, self._lost = self._lost, 0
                self.say(f'{lost} lines of processes are lost, as nobody has read')
            for line in batch:
                if line.printed:
                    self._room.release()
                self._lines.task_done()


def _family(name: str) -> str:
    return name.rpartition('.')[0]


def _write(batch: list[_Line]) -> OSError | None:
    """Write lines; returns why stdout did not take them, None if it did."""
    failure = None
    for printed, lines in itertools.groupby(batch, attrgetter('printed')):
        stream = sys.stdout if printed else sys.stderr
        try:
            stream.write(''.join(line.text for line in lines))
            stream.flush()
        except OSError as error:
            # If stderr fails, there is nowhere to say so.
            if printed:
                failure = error
    return failure
