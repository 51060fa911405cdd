"""What an instance reports to the supervisor that started it."""

from __future__ import annotations

from collections.abc import Mapping

from lymph.cli._running.readiness import Readiness
from lymph.cli._running.systemd import Notifier

__all__ = ['Supervised']


class Supervised:
    """Tells through an inherited descriptor and through systemd's socket, where these are given."""

    def __init__(self, readiness: Readiness, systemd: Notifier) -> None:
        self._readiness = readiness
        self._systemd = systemd

    @classmethod
    def from_environ(cls) -> Supervised:
        """Take what there is out of the environment; what it has is not for children."""
        return cls(Readiness.from_environ(), Notifier.from_environ())

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The environment that a program needs that replaces this one in the same process."""
        return self._systemd.taken

    def serving(self, words: str) -> None:
        """Tell that this process serves; `words` say what."""
        self._systemd.tell('READY=1', f'STATUS={words}')
        self._systemd.watch()
        self._readiness.tell()

    def stopping(self, words: str) -> None:
        """Tell that this process has begun to end; `words` say what it waits for."""
        self._systemd.tell('STOPPING=1', f'STATUS={words}')
