"""A progress bar: live on a terminal, silent elsewhere, a plain line when it ends.

It goes to stderr, so stdout stays free for data and `--json`. Nothing is drawn where stderr is no
terminal, or one that cannot move its cursor (`TERM=dumb`); rich is not even loaded there.

    with Progress(settings, 'replaying', total=len(letters)) as bar:
        for letter in letters:
            replay(letter)
            bar.advance()

Words that `lymph.cli.output` writes while a bar is shown appear above it. Print data before or
after the bar: it would be drawn over on the same terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from lymph.cli.lazy import lazy
from lymph.cli.output import one_line, say
from lymph.cli.settings import Settings

__all__ = ['Progress']

#: Seconds between two drawings; more would only cost time.
_PAUSE = 0.1

_live_bar = lazy('lymph.cli._display.live_bar:LiveBar')


class _Bar(Protocol):
    def draw(self, done: float, words: str) -> None: ...

    def close(self) -> None: ...


class Progress:
    """Shows how far something has come, for the duration of a `with` block.

    `label` says what is done, `total` is how much there is of it (None: not known), counted in
    `unit`, such as `'s'` or `'calls'`. When the block ends, in whatever way, the bar is removed and
    a line like `replaying: 512 of 1000 calls` stays on the terminal, unless `keep` is false.

    Neither method waits or raises, whatever happens to the terminal, and both are cheap enough to
    be called for each of many items: the bar is drawn ten times a second at most, and at its total.
    """

    def __init__(
        self,
        settings: Settings,
        label: str,
        total: float | None = None,
        *,
        unit: str = '',
        keep: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done: float = 0
        self.total = total
        self._settings = settings
        self._label = one_line(label)
        self._unit = f' {unit}' if unit else ''
        self._keep = keep
        self._clock = clock
        self._text = ''
        self._due = 0.0
        self._bar: _Bar | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = _live_bar(self._settings, self._label, self.total)
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
            if self._keep:
                say(f'{self._label}: {self._amount(" of ")}')

    def advance(self, count: float = 1, text: str | None = None) -> None:
        """Add to what is done; `text` replaces the words behind the bar."""
        self.update(self.done + count, text)

    def update(self, done: float, text: str | None = None) -> None:
        """Set what is done; `text` replaces the words behind the bar, such as a rate."""
        self.done = done
        if text is not None:
            self._text = text
        if self._bar is not None and (self._clock() >= self._due or done == self.total):
            self._draw()

    def _draw(self) -> None:
        if self._bar is not None:
            self._due = self._clock() + _PAUSE
            words = f'{self._amount("/")}  {one_line(self._text)}'
            self._bar.draw(self.done, words.rstrip(' '))

    def _amount(self, of: str) -> str:
        total = '' if self.total is None else f'{of}{_number(self.total)}'
        return f'{_number(self.done)}{total}{self._unit}'


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f'{value:.1f}'
