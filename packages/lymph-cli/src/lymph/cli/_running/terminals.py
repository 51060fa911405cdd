"""Whether the terminal that a command was started at is still there."""

from __future__ import annotations

import os

__all__ = ['Terminal']


class Terminal:
    """The terminal at the standard streams, if one of them is at one when this is made.

    SIGHUP has two meanings: the terminal has been closed, or somebody wants the configuration to be
    read again. When a terminal is closed its descriptors stop to be one.
    """

    def __init__(self) -> None:
        self._descriptors = [number for number in (0, 1, 2) if os.isatty(number)]

    @property
    def closed(self) -> bool:
        """Whether there was a terminal, and is none any more."""
        return any(not os.isatty(number) for number in self._descriptors)
