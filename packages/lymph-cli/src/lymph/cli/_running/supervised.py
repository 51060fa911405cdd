"""What an instance reports to the supervisor that started it."""

from __future__ import annotations

from collections.abc import Mapping

from lymph.cli._running.operations import VARIABLE as OPERATIONS
from lymph.cli._running.operations import port_from_environ
from lymph.cli._running.readiness import Readiness
from lymph.cli._running.systemd import Notifier

__all__ = ['Supervised']


class Supervised:
    """Tells through an inherited descriptor and through systemd's socket, where these are given.

    `operations` is the port for operations that the supervisor wants, None if it wants none.
    """

    def __init__(
        self, readiness: Readiness, systemd: Notifier, operations: int | None = None
    ) -> None:
        self._readiness = readiness
        self._systemd = systemd
        self.operations = operations

    @classmethod
    def from_environ(cls) -> Supervised:
        """Take what there is out of the environment; what it has is not for children."""
        return cls(Readiness.from_environ(), Notifier.from_environ(), port_from_environ())

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The environment that a program needs that replaces this one in the same process."""
        wanted = {} if self.operations is None else {OPERATIONS: str(self.operations)}
        return {**self._systemd.taken, **wanted}

    def operated(self, address: str | None) -> None:
        """Tell where the operations port is, to a supervisor that has asked for one."""
        if address is not None and self.operations is not None:
            self._readiness.tell_operations(address)
            # a program that replaces this one is to have the same, which was told
            self.operations = int(address.rpartition(':')[2])

    def serving(self, words: str) -> None:
        """Tell that this process serves; `words` say what."""
        self._systemd.tell('READY=1', f'STATUS={words}')
        self._systemd.watch()
        self._readiness.tell()

    def stopping(self, words: str) -> None:
        """Tell that this process has begun to end; `words` say what it waits for."""
        self._systemd.tell('STOPPING=1', f'STATUS={words}')
