"""The terminal: keys without Enter, a screen of its own, and everything as it was afterwards.

The terminal goes on sending Ctrl-C and Ctrl-Z as signals. Before the process stops for Ctrl-Z, the
terminal is as it was; when it goes on, the screen is taken again, and all is drawn.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent
from click.exceptions import Exit
from gevent.event import Event

from lymph.cli._top.frame import Size
from lymph.cli._top.keys import KeyReader
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import write
from lymph.cli.texts import Text

__all__ = ['Screen', 'can_be_drawn']

_READABLE: Final = 1  # as gevent's loop calls it
_ESCAPE_DELAY: Final = 0.05  # seconds after which ESC was the key, not the beginning of a sequence
_MOST_KEYS: Final = 1000

# the other screen, cleared; no cursor; no line breaks at the margin. A terminal without another
# screen goes on below the last line.
_ENTER: Final = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
_LEAVE: Final = '\n\x1b[?7h\x1b[?25h\x1b[?1049l'
# what is between them is shown at once, by terminals that know this
_BEGIN: Final = '\x1b[?2026h\x1b[H'
_END: Final = '\x1b[J\x1b[?2026l'

_STYLES: Final = {
    'bold': 1,
    'dim': 2,
    'red': 31,
    'green': 32,
    'yellow': 33,
    'cyan': 36,
}


def can_be_drawn() -> bool:
    """Tell whether stdin and stdout are a terminal that can move its cursor."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return terminal and os.environ.get('TERM', 'dumb') != 'dumb'


class Screen:
    """The screen of the terminal at stdin and stdout, for the duration of a `with` block.

    `changed` is set when a key was pressed, the size has changed, or all has to be drawn again.
    """

    def __init__(self, color: bool, changed: Event) -> None:
        self.changed = changed
        self._color = color
        self._keys: list[str] = []
        self._reader = KeyReader()
        loop = gevent.get_hub().loop
        self._keyboard: Any = loop.io(sys.stdin.fileno(), _READABLE)
        self._timer: Any = loop.timer(_ESCAPE_DELAY)
        self._watchers: dict[int, Any] = {}  # of signals
        self._before: list[Any] = []  # the modes of the terminal
        self._ended = False

    def __enter__(self) -> Screen:
        try:
            self._take()
            self._watch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._ended = True
        for number in list(self._watchers):
            self._off(number)
        for watcher in (self._keyboard, self._timer):
            watcher.stop()
            watcher.close()
        self._give_back()

    @property
    def size(self) -> Size:
        """The size of the terminal now, and whether it shows other characters than ASCII."""
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except OSError:  # it has gone
            columns, lines = 0, 0
        encoding = (sys.stdout.encoding or '').lower().replace('-', '')
        return Size(columns or 80, lines or 24, encoding.startswith('utf'))

    def pressed(self) -> list[str]:
        """Return the keys that were pressed since the last time."""
        keys, self._keys = self._keys, []
        return keys

    def draw(self, lines: Sequence[Text]) -> None:
        """Show lines that fit on the screen. Raises what `lymph.cli.output.write` does."""
        drawn = '\x1b[K\n'.join(self._painted(each) for each in lines)
        write(f'{_BEGIN}{drawn}\x1b[K{_END}')

    def _painted(self, text: Text) -> str:
        if not self._color:
            return text.plain
        return ''.join(_styled(part, style) for part, style in text.parts)

    def _take(self) -> None:
        number = sys.stdin.fileno()
        modes = termios.tcgetattr(number)
        if not self._before:
            self._before = [*modes[:6], list(modes[6])]
        modes[0] &= ~termios.IXON  # Ctrl-S is a key, and holds up nothing
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(number, termios.TCSANOW, modes)
        write(_ENTER)

    def _give_back(self) -> None:
        # Even if the terminal has gone, nothing here may hide the error that ended the block.
        with contextlib.suppress(OSError, OperationFailed, Exit):
            write(_LEAVE)
        with contextlib.suppress(OSError, termios.error):
            if self._before:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)

    def _watch(self) -> None:
        self._keyboard.start(self._readable)
        self._on(signal.SIGWINCH, self.changed.set)
        self._on(signal.SIGCONT, self._continued)
        self._on(signal.SIGTSTP, self._stopped)

    def _on(self, number: int, handle: Callable[[], object]) -> None:
        if signal.getsignal(number) != signal.SIG_IGN:
            self._watchers[number] = gevent.signal_handler(number, handle)

    def _off(self, number: int) -> None:
        watcher = self._watchers.pop(number, None)
        if watcher is not None:
            watcher.cancel()
            signal.signal(number, signal.SIG_DFL)  # none of these has another one here

    def _stopped(self) -> None:
        """Stop the process as Ctrl-Z does, and go on when it goes on."""
        self._give_back()
        self._off(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        self._on(signal.SIGTSTP, self._stopped)
        self._continued()

    def _continued(self) -> None:
        """Take the terminal again: a shell has set modes of its own meanwhile."""
        if self._ended:
            return
        try:
            self._take()
        except (OSError, termios.error, OperationFailed, Exit):
            self._add(['end-of-input'])  # it has gone
        self.changed.set()

    def _readable(self) -> None:
        """Read keys. Runs in the hub, and does not wait: something is there."""
        try:
            data = os.read(sys.stdin.fileno(), 4096)
        except OSError:
            data = b''
        if not data:
            self._keyboard.stop()  # the terminal has gone
        self._add(self._reader.feed(data) if data else ['end-of-input'])
        self._timer.stop()
        if self._reader.pending:
            self._timer.start(lambda: self._add(self._reader.rest()))

    def _add(self, keys: list[str]) -> None:
        if keys:
            self._keys = (self._keys + keys)[-_MOST_KEYS:]
            self.changed.set()


def _styled(text: str, style: str) -> str:
    codes = ';'.join(str(_STYLES[word]) for word in style.split())
    return f'\x1b[{codes}m{text}\x1b[0m' if codes and text else text
