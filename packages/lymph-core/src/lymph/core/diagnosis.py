"""The contract of the checks of `lymph doctor`: they find what is wrong and what to do about it.

`lymph doctor` runs all checks that distributions publish in the entry-point group `lymph.doctor`::

    [project.entry-points."lymph.doctor"]
    mail = "shop.checks:MailCheck"

A check should have two halves: `run` collects facts, so it may wait and fail; a pure function turns
the facts into findings. Checks run at the same time, each with a time limit of its own. A check
that raises or does not end is reported, and does not affect the others.
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
    """A check has nothing to look at, or what it needs is not reachable; the text says why."""


@dataclass(frozen=True)
class Answer:
    """The answer of a running instance to `lymph.status`.

    ==========  ==========================================================================
    members     the services registered at its endpoint: (name, instance)
    status      the answer; None without one, and then `error` says why
    asked       Unix time in seconds when it was asked
    answered    Unix time in seconds when it answered
    ==========  ==========================================================================

    The content of `status` comes from the other process and may have any type. `number`, `text` and
    `sequence` return a value only if it has the expected type.
    """

    members: tuple[tuple[str, ServiceInstance], ...]
    status: Mapping[str, Any] | None = None
    error: str = ''
    asked: float = 0.0
    answered: float = 0.0
    #: the name of the error's class
    kind: str = field(default='', repr=False)

    @property
    def instance(self) -> ServiceInstance:
        """The first instance; all have the same identity, endpoint, host and process."""
        return self.members[0][1]

    @property
    def services(self) -> frozenset[tuple[str, str | None]]:
        """The registered names and their versions."""
        return frozenset((name, instance.version) for name, instance in self.members)

    @property
    def names(self) -> str:
        """The registered names, separated by commas."""
        return ', '.join(sorted({name for name, _ in self.members}))

    @property
    def name(self) -> str:
        """How to name the instance in a sentence: ``echo at tcp://10.0.0.5:4000 on host1``."""
        host = f' on {self.instance.hostname}' if self.instance.hostname else ''
        return f'{self.names} at {self.instance.endpoint}{host}'

    def number(self, *path: str) -> float | None:
        """Return the number at a path of keys in the status; None if there is no number."""
        found = self._at(path)
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return found if is_number else None

    def text(self, *path: str) -> str | None:
        """Return the text at a path of keys in the status; None if there is no text."""
        found = self._at(path)
        return found if isinstance(found, str) else None

    def sequence(self, *path: str) -> Sequence[Any]:
        """Return the list at a path of keys in the status; an empty one if there is no list."""
        found = self._at(path)
        return found if isinstance(found, list) else ()

    def _at(self, path: tuple[str, ...]) -> Any:
        found: Any = self.status
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


class Surroundings(Protocol):
    """What a check may look at.

    Reading anything but `config` may wait, and raises NotChecked if it is not reachable; the cause
    of NotChecked is the original error.
    """

    @property
    def config(self) -> Configuration:
        """The configuration; raises NotChecked if it cannot be read."""

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry, which has been started; raises NotChecked."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system, which has been started; raises NotChecked."""

    def problem(self) -> LymphError | None:
        """Return the error in the configuration, None if a container can be made from it.

        Backends are not started for this, so their errors are not included.
        """

    def fleet(self) -> Sequence[Answer]:
        """Return the answers of all registered instances; raises NotChecked.

        The instances are asked once, for all checks together.
        """


class Check(ABC):
    """Looks for one kind of fault."""

    #: whether to run before the registry and the event system are started, because these remove
    #: files of dead processes; an early check can use only the configuration
    early: ClassVar[bool] = False

    @property
    @abstractmethod
    def about(self) -> str:
        """What the check looks at, in a few words."""

    @abstractmethod
    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Return what is wrong; nothing if all is well.

        Raises NotChecked if there is nothing to look at. Any other error is reported as a failure
        of the check itself.
        """
