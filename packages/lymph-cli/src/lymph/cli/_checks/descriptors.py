"""The check `descriptors`: may processes open enough files, which connections are, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lymph.core._hosting.process_facts import process_facts
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings

__all__ = ['Descriptors', 'DescriptorsCheck', 'descriptor_findings']

_ENOUGH = 1024
_FULL = 0.8  # of the limit


class Descriptors(NamedTuple):
    """How many descriptors a process has open, and may; None where that is not known."""

    whose: str
    open: float | None
    limit: float | None


class DescriptorsCheck(Check):
    """Looks at this process, which has the limits of the shell, and at all instances."""

    about = 'file descriptors here and in the instances'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look; without a registry at this process alone."""
        own = process_facts()['descriptors']
        found = [Descriptors('this shell', own['open'], own['limit'])]
        try:
            fleet = around.fleet()
        except NotChecked:
            fleet = ()
        found += [
            Descriptors(
                answer.name,
                answer.number('descriptors', 'open'),
                answer.number('descriptors', 'limit'),
            )
            for answer in fleet
        ]
        return descriptor_findings(found)


def descriptor_findings(found: Iterable[Descriptors]) -> Iterator[Finding]:
    """Yield who may open few files, and who has nearly used up what it may open."""
    for whose, opened, limit in found:
        # There is no limit, or the instance does not tell it.
        if limit is None:
            continue
        advice = 'raise the limit: ulimit -n, LimitNOFILE= of systemd'
        if opened is not None and opened >= _FULL * limit:
            yield Finding(
                f'less than {_FULL:.0%} of its file descriptors in use by {whose}',
                f'{opened:.0f} of {limit:.0f}',
                f'{advice}; if they grow without end, see what keeps connections or files open',
            )
        elif limit < _ENOUGH:
            yield Finding(
                f'at least {_ENOUGH} file descriptors for {whose}', f'{limit:.0f}', advice
            )
