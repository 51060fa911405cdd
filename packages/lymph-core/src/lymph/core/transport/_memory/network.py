"""The network that links of one process share, and the faults of its messages."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ['SCHEME', 'Faults', 'MemoryNetwork']

SCHEME = 'memory://'


@dataclass
class Faults:
    """The faults of a network: probabilities from 0 to 1, delays in seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # probability that messages of the next 10 ms overtake a message
    delay: float = 0.0
    chance: random.Random = field(default_factory=random.Random)

    def plan(self) -> list[float]:
        """Return a delay for each copy of a message; an empty list if it is dropped."""
        if self.chance.random() < self.drop:
            return []
        copies = 2 if self.chance.random() < self.duplicate else 1
        late = 0.01 if self.chance.random() < self.reorder else 0.0
        return [self.delay + late] * copies


class Cuttable(Protocol):
    """One end of a link."""

    peer: str

    def cut(self, reason: str) -> None:
        """Take both ends down at once; undelivered messages are lost."""


class Acceptor(Protocol):
    """A listener of the network."""

    endpoint: str

    def accept(self, link: Cuttable) -> None:
        """Make the other end of a caller's link."""


class MemoryNetwork:
    """Finds the listeners of one process by name, and can cut links."""

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
        """Take down all links to `endpoint`; None: all links of the network."""
        for link in list(self.links):
            if endpoint in (None, link.peer):
                link.cut('cut')
