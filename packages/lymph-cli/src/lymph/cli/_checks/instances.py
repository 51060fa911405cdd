"""The check `instances`: does everybody answer who is registered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lymph.core.diagnosis import Answer, Check, Finding, NotChecked, Surroundings

__all__ = ['InstancesCheck', 'silence_findings']

_TOLD = 10


class InstancesCheck(Check):
    """Asks all registered instances for their status."""

    about = 'whether all registered instances answer'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Ask; raises NotChecked when nothing is registered."""
        fleet = around.fleet()
        if not fleet:
            raise NotChecked('no instance is registered')
        return silence_findings(fleet)


def silence_findings(fleet: Iterable[Answer]) -> Iterator[Finding]:
    """Yield who does not answer: the first of them, and how many there are more."""
    silent = [answer for answer in fleet if answer.status is None]
    for answer in silent[:_TOLD]:
        name = min(name for name, _ in answer.services)
        yield Finding(f'an answer of {answer.name}', answer.error, f'see lymph why {name}')
    if len(silent) > _TOLD:
        more = f'{len(silent) - _TOLD} more that do not answer'
        yield Finding('answers of all instances', more, 'begin with those above')
