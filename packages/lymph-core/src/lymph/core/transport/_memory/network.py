"""Where the links of one process meet, and what becomes of messages on the way."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ['SCHEME', 'Faults', 'MemoryNetwork']

SCHEME = 'memory://'


@dataclass
class Faults:
    """What happens to messages: chances from 0 to 1, delays in seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # chance that a message is overtaken by those of the next 10 ms
    delay: float = 0.0
    chance: random.Random = field(default_factory=random.Random)

    def plan(self) -> list[float]:
        """Return the delays after which copies of a message arrive; none when it is dropped."""
        if self.chance.random() < self.drop:
            return []
        copies = 2 if self.chance.random() < self.duplicate else 1
        late = 0.01 if self.chance.random() < self.reorder else 0.0
        return [self.delay + late] * copies


class Cuttable(Protocol):
    """One end of a link."""

    peer: str

    def cut(self, reason: str) -> None:
        """Take both ends down at once; what is on its way is lost."""


class Acceptor(Protocol):
    """Somebody who listens."""

    endpoint: str

    def accept(self, link: Cuttable) -> None:
        """Give the link of a caller its other end."""


class MemoryNetwork:
    """Where the listeners of one process are found by name."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults
        self.listeners: dict[str, Acceptor] = {}
        self.links: set[Cuttable] = set()
        self._names = itertools.count(1)

    def new_endpoint(self) -> str:
        """Return an endpoint that no listener has."""
        return next(
            endpoint
            for number in self._names
            if (endpoint := f'{SCHEME}{number}') not in self.listeners
        )

    def cut(self, endpoint: str | None = None) -> None:
        """Take down all links to `endpoint`, or all there are."""
        for link in list(self.links):
            if endpoint in (None, link.peer):
                link.cut('cut')
