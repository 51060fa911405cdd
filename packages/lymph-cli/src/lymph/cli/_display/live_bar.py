"""The bar that `lymph.cli.progress` draws on a terminal, with rich."""

from __future__ import annotations

import contextlib
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lymph.cli.settings import Settings

__all__ = ['LiveBar']

_WIDTH = 30  # columns


class LiveBar:
    """One line on stderr that is drawn again and again; both methods ignore a broken terminal."""

    def __init__(self, settings: Settings, label: str, total: float | None) -> None:
        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(_WIDTH),
            TextColumn('{task.fields[words]}', markup=False),
            console=_BarConsole(
                file=sys.stderr, no_color=None if settings.color is None else not settings.color
            ),
            auto_refresh=False,  # no thread: each advance draws it
            transient=True,
            redirect_stdout=False,  # it would send data to stderr
        )
        self._task = self._progress.add_task(label, total=total, words='')

    def draw(self, done: float, words: str) -> None:
        """Show what is done, and words behind the bar that are printable already."""
        with contextlib.suppress(OSError):
            self._progress.update(self._task, completed=done, words=words)
            if self._progress.live.is_started:
                self._progress.refresh()
            else:
                self._progress.start()  # draws it too

    def close(self) -> None:
        """Remove the bar from the terminal."""
        with contextlib.suppress(OSError):
            self._progress.stop()


class _BarConsole(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor as it is: a process that is killed could not bring it back."""
        return False
