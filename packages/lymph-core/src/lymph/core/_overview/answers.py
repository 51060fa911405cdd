"""What an instance says of itself, checked; and what is known of one that does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lymph.core._overview.loads import Between
from lymph.core._overview.samples import InstanceFigures, is_number, read_figures

__all__ = ['Heard', 'Said', 'read_said']

#: characters of a text, interfaces of a process
_LONGEST: Final = 512
_INTERFACES: Final = 1_000


class Said(NamedTuple):
    """The answers of a process to ``lymph.status`` and ``lymph.get_metrics``.

    `at` is the monotonic time and `wall` the Unix time at which they arrived.
    """

    at: float
    wall: float
    figures: InstanceFigures
    identity: str | None = None
    draining: bool = False
    starting: bool = False
    worker: bool = False
    lymph: str | None = None
    uptime: float | None = None
    interfaces: tuple[str, ...] = ()


class Heard(NamedTuple):
    """What is known of the process at an endpoint: its last two answers.

    `since` is the Unix time since when it has not answered, `problem` says why; None and '' while
    it answers. A process that was never asked has neither answers nor a problem.
    """

    before: Said | None = None
    last: Said | None = None
    since: float | None = None
    problem: str = ''

    def answered(self, said: Said) -> Heard:
        """Return what is known after another answer."""
        same = self.last is not None and self.last.identity == said.identity
        return Heard(self.last if same else None, said)

    def failed(self, problem: str, now: float) -> Heard:
        """Return what is known after it has not answered; `now` is the Unix time."""
        return self._replace(problem=problem, since=now if self.since is None else self.since)

    def between(self) -> Between | None:
        """Return its last two answers, None without any."""
        if self.last is None:
            return None
        if self.before is None:
            return Between(None, self.last.figures, 0.0)
        return Between(self.before.figures, self.last.figures, self.last.at - self.before.at)


def read_said(status: Any, metrics: Any, at: float, wall: float) -> Said:
    """Return what two answers say; what is of an unknown form is not known."""
    facts = status if isinstance(status, Mapping) else {}
    interfaces = facts.get('interfaces')
    names = [
        _text(each.get('name'))
        for each in (interfaces[:_INTERFACES] if isinstance(interfaces, list) else ())
        if isinstance(each, Mapping)
    ]
    return Said(
        at,
        wall,
        read_figures(metrics),
        identity=_text(facts.get('identity')),
        draining=facts.get('draining') is True,
        starting=facts.get('starting') is True,
        worker=facts.get('worker') is True,
        lymph=_text(facts.get('version')),
        uptime=_number(facts.get('uptime')),
        interfaces=tuple(name for name in names if name),
    )


def _text(value: Any) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
