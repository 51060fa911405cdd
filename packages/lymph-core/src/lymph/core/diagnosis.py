"""The contract of checks: what is wrong here, and what to do about it.

`lymph doctor` runs all checks that distributions publish in the entry-point group `lymph.doctor`::

    [project.entry-points."lymph.doctor"]
    mail = "shop.checks:MailCheck"

A check has two halves: `run` finds facts, waits and may fail; a pure function makes findings of
them. Checks run side by side, each within a time of its own. What one of them raises, or that it
does not end, is told for that one alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from lymph.config import Configuration, LymphError
from lymph.core.services import ServiceInstance
from lymph.discovery.base import BaseServiceRegistry
from lymph.events.base import BaseEventSystem

__all__ = ['Answer', 'Check', 'Finding', 'NotChecked', 'Surroundings']


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: what was expected, what was found, what to do."""

    expected: str
    found: str
    advice: str

    def __str__(self) -> str:
        return f'expected {self.expected}, found {self.found}; {self.advice}'


class NotChecked(LymphError):
    """A check has nothing to look at here, or what it needs is away; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What a running instance said of itself when it was asked for `lymph.status`.

    ==========  ==========================================================================
    members     what is registered at its endpoint: names, and the instance of each
    status      the answer; None without one, and then `error` says why
    asked       Unix time in seconds right before
    answered    and right after
    ==========  ==========================================================================

    What is in `status` was written by the other side: `number`, `text` and `sequence` give what is
    of the type that it has to be.
    """

    members: tuple[tuple[str, ServiceInstance], ...]
    status: Mapping[str, Any] | None = None
    error: str = ''
    asked: float = 0.0
    answered: float = 0.0
    #: the class of the error
    kind: str = field(default='', repr=False)

    @property
    def instance(self) -> ServiceInstance:
        """The first of the instances: all of them have its identity, endpoint, host and process."""
        return self.members[0][1]

    @property
    def services(self) -> frozenset[tuple[str, str | None]]:
        """The names that are registered there, and their versions."""
        return frozenset((name, instance.version) for name, instance in self.members)

    @property
    def names(self) -> str:
        """The names that are registered there, in a row."""
        return ', '.join(sorted({name for name, _ in self.members}))

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        host = f' on {self.instance.hostname}' if self.instance.hostname else ''
        return f'{self.names} at {self.instance.endpoint}{host}'

    def number(self, *path: str) -> float | None:
        """Return the number at a path of the status, None where there is no such number."""
        found = self._at(path)
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return found if is_number else None

    def text(self, *path: str) -> str | None:
        """Return the text at a path of the status, None where there is no such text."""
        found = self._at(path)
        return found if isinstance(found, str) else None

    def sequence(self, *path: str) -> Sequence[Any]:
        """Return the list at a path of the status, an empty one where there is no such list."""
        found = self._at(path)
        return found if isinstance(found, list) else ()

    def _at(self, path: tuple[str, ...]) -> Any:
        found: Any = self.status
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


class Surroundings(Protocol):
    """What a check may look at.

    Everything but `config` may wait. What is away is a NotChecked, whose cause is the error.
    """

    @property
    def config(self) -> Configuration:
        """The configuration; raises NotChecked when it cannot be read."""

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry, started; raises NotChecked."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system, started; raises NotChecked."""

    def problem(self) -> LymphError | None:
        """Return what keeps the configuration from being used, apart from the backends."""

    def fleet(self) -> Sequence[Answer]:
        """Return what all registered instances say of themselves; raises NotChecked.

        They are asked once, for all checks.
        """


class Check(ABC):
    """One look at one kind of fault."""

    #: whether it looks before the registry and the event system are opened, which tidy up: then
    #: only the configuration is there
    early: ClassVar[bool] = False

    @property
    @abstractmethod
    def about(self) -> str:
        """What is looked at, in a few words."""

    @abstractmethod
    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look, and return what is wrong.

        Raises NotChecked where there is nothing to look at. Any other error is told as one of the
        check itself.
        """
