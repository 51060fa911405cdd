"""The progress bar: on a terminal, which is a real pseudo-terminal, and elsewhere."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from lymph.cli.output import say
from lymph.cli.progress import Progress
from lymph.cli.settings import Settings

#: Removes a line, as the bar does before it is drawn again or gone.
ERASE = '\x1b[2K'


class Terminal:
    """A pseudo-terminal: `stderr` writes to it."""

    def __init__(self) -> None:
        self._leader, follower = pty.openpty()
        self.stderr: IO[str] = open(follower, 'w', buffering=1)  # noqa: SIM115 - closed below

    def shown(self) -> str:
        """Return all that was written since the last call."""
        self.stderr.write('\0')
        self.stderr.flush()
        found = b''
        while not found.endswith(b'\0'):
            found += os.read(self._leader, 65536)
        return found[:-1].decode()

    def hang_up(self) -> None:
        os.close(self._leader)
        self._leader = -1

    def close(self) -> None:
        if self._leader >= 0:
            self.hang_up()
        try:
            self.stderr.close()
        except OSError:
            assert self._leader < 0


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Terminal]]:
    """A function that makes stderr a terminal; pytest replaces stderr before each test."""
    terminal = Terminal()
    for name in ('NO_COLOR', 'FORCE_COLOR', 'TTY_COMPATIBLE', 'TTY_INTERACTIVE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '80')

    def open_() -> Terminal:
        monkeypatch.setattr(sys, 'stderr', terminal.stderr)
        return terminal

    yield open_
    terminal.close()


def words(text: str) -> str:
    """Return text without escape sequences and carriage returns."""
    return re.sub('\x1b\\[[0-9;?]*[A-Za-z]|\r', '', text)


def test_bar_is_live_on_a_terminal_and_leaves_a_plain_line(
    open_terminal: Callable[[], Terminal],
) -> None:
    terminal = open_terminal()
    ticks = itertools.count()
    with Progress(Settings(), 'calling', 4, unit='calls', clock=lambda: next(ticks)) as bar:
        assert re.search(r'calling \S+ 0/4 calls', words(terminal.shown()))
        bar.advance(2, 'p50 1 ms')
        assert re.search(r'calling \S+ 2/4 calls  p50 1 ms', words(terminal.shown()))
        bar.advance()
        assert '3/4 calls  p50 1 ms' in words(terminal.shown())
    rest = terminal.shown()
    last = rest.rpartition(ERASE)[2]
    assert last == 'calling: 3 of 4 calls\r\n'
    assert '\x1b[?25l' not in rest  # the cursor was never hidden


def test_bar_is_drawn_ten_times_a_second_at_most(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    now = 0.0
    with Progress(Settings(), 'calling', 1000, clock=lambda: now) as bar:
        for _ in range(500):
            bar.advance()
        assert terminal.shown().count('/1000') == 1
        now = 0.1
        bar.advance()
        assert '501/1000' in words(terminal.shown())


def test_text_is_printed_above_the_bar(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with Progress(Settings(), 'calling', 4):
        terminal.shown()
        say('lost a worker')
        shown = terminal.shown()
    assert words(shown).index('lost a worker\n') < words(shown).index('0/4')


def test_bar_shows_foreign_text_literally_and_printable(
    open_terminal: Callable[[], Terminal],
) -> None:
    terminal = open_terminal()
    with Progress(Settings(color=False), 'a\x1b[2Jb [red]c[/red] :smile:', unit='[b]') as bar:
        bar.update(1.5)
    shown = terminal.shown()
    assert '\x1b[2J' not in shown
    assert r'a\x1b[2Jb [red]c[/red] :smile:: 1.5 [b]' in words(shown)
    assert not re.search('\x1b\\[[0-9;]*3[0-9]', shown)  # colors


def test_bar_ends_with_its_block_also_on_an_error(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with contextlib.suppress(KeyboardInterrupt), Progress(Settings(), 'calling', 9) as bar:
        bar.update(5)
        raise KeyboardInterrupt
    assert terminal.shown().endswith('calling: 5 of 9\r\n')
    assert sys.stderr is terminal.stderr


def test_progress_line_is_erased_on_request(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with Progress(Settings(), 'calling', 9, keep=False):
        pass
    assert 'calling' not in terminal.shown().rpartition(ERASE)[2]


def test_closed_terminal_causes_no_error(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    ticks = itertools.count()
    with Progress(Settings(), 'calling', 9, clock=lambda: next(ticks)) as bar:
        terminal.hang_up()
        bar.advance()
        bar.advance()
    assert bar.done == 2


def test_nothing_is_written_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, 'stderr', stderr)
    with Progress(Settings(), 'calling', 9) as bar:
        bar.advance()
    assert (bar.done, stderr.getvalue()) == (1, '')
