"""The last lines that a node and its processes have printed, for those who look later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from gevent.event import Event

__all__ = ['Line', 'Recent']


class Line(NamedTuple):
    """A line, numbered from 1 on over all of them, and when it was printed (Unix time)."""

    number: int
    time: float
    name: str
    text: str


class Recent:
    """Keeps lines up to a number of lines and of characters, the oldest are forgotten first.

    Whoever reads takes what there is after the last line they know; nobody waits for a reader.
    """

    def __init__(self, lines: int = 10_000, characters: int = 4_000_000) -> None:
        self.last = 0  # the number of the last line
        self._kept: deque[Line] = deque()
        self._lines = lines
        self._room = characters
        self._news = Event()

    def add(self, name: str, text: str) -> None:
        """Keep a line."""
        self.last += 1
        self._kept.append(Line(self.last, time.time(), name, text))
        self._room -= len(text)
        while len(self._kept) > self._lines or self._room < 0:
            self._room += len(self._kept.popleft().text)
        self._news.set()

    def after(self, number: int, names: Collection[str] | None, most: int) -> list[Line]:
        """Return up to `most` lines after a number, the oldest first.

        `names` are those of processes or of definitions, None for all.
        """
        found: list[Line] = []
        for line in self._newer(number):
            if names is None or _is_of(line.name, names):
                found.append(line)
                if len(found) == most:
                    break
        return found

    def newest(self, most: int, names: Collection[str] | None) -> list[Line]:
        """Return the last `most` lines, the oldest first."""
        found: list[Line] = []
        for line in reversed(self._kept):
            if len(found) >= most:
                break
            if names is None or _is_of(line.name, names):
                found.append(line)
        return found[::-1]

    def forgotten(self, number: int) -> int:
        """Return how many of the lines after a number are not kept any more."""
        first = self._kept[0].number if self._kept else self.last + 1
        return max(first - number - 1, 0)

    def wait(self, number: int, timeout: float) -> None:
        """Wait until there is a line after a number, at most `timeout` seconds."""
        if self.last <= number:
            self._news.clear()
            self._news.wait(timeout)

    def _newer(self, number: int) -> list[Line]:
        newer: list[Line] = []
        for line in reversed(self._kept):
            if line.number <= number:
                break
            newer.append(line)
        return newer[::-1]


def _is_of(process: str, names: Collection[str]) -> bool:
    return process in names or process.rpartition('.')[0] in names
